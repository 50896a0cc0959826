"""Leaving faces: where the active-set solver lets walls and whole groups go.

Each group's direction is the projection of its negative gradient onto its tangent cone, all tight
walls included, so a step of positive length always exists and degenerate corners cannot cycle.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.cones import Cone
from convexviz.solvers.constrained_faces import Restricted, entry, reach, tight

SMALL = 1e-2  # groups below this share of the largest are turned at once, not by Newton


def release(
    problem: Restricted, V: Float[np.ndarray, "K d"], faces: list[list[int]]
) -> tuple[Float[np.ndarray, "K d"], bool]:
    """Drop groups that are better at zero, then one step of steepest descent off the faces.

    Each group's direction is the projection of its negative gradient onto its tangent cone.
    """
    V, dropped = _restart(problem, V, faces)
    directions, found = _tangents(problem, V, faces)
    norms, squares = np.linalg.norm(V, axis=1), np.sum(directions**2, axis=1)
    bend = np.divide(squares, norms, out=np.zeros_like(norms), where=norms > 0).sum()
    curve = directions.ravel() @ problem.gram @ directions.ravel() + problem.weight_decay * bend
    if not curve > 0:
        return V, dropped
    steps = float(squares.sum() / curve) * directions
    for a, cone in enumerate(problem.cones):
        if steps[a].any():
            steps[a] *= reach(cone, V[a], steps[a], tight(cone, V[a]))[0]
    t = problem.best_step(V, steps)
    if problem.change(V, t * steps) >= 0:
        return V, dropped
    faces[:] = found
    return V + t * steps, True


def _restart(
    problem: Restricted, V: Float[np.ndarray, "K d"], faces: list[list[int]]
) -> tuple[Float[np.ndarray, "K d"], bool]:
    """Zero the groups that are better at zero; turn small ones to where they are pulled.

    A small group cannot turn by Newton steps: its penalty's curvature is beta/|v|.
    """
    V, changed, d = V.copy(), False, V.shape[1]
    small = SMALL * np.linalg.norm(V, axis=1).max(initial=0.0)
    for a, cone in enumerate(problem.cones):
        size = np.linalg.norm(V[a])
        if size == 0:
            continue
        block = problem.gram[a * d : (a + 1) * d, a * d : (a + 1) * d]
        pulled = cone.project(block @ V[a] - problem.gradient(V)[a])
        if pulled.bound <= problem.weight_decay:
            V[a], faces[a], changed = 0.0, [], True
        elif size < small:
            step = np.zeros_like(V)
            without = V.copy()
            without[a] = 0.0
            step[a] = entry(problem, without, a, pulled.point) - V[a]
            if problem.change(V, step) < -1e-12 * problem.weight_decay * size:
                V, changed = V + step, True
                faces[a] = [int(k) for k in pulled.rows]
    return V, changed


def _tangents(
    problem: Restricted, V: Float[np.ndarray, "K d"], faces: list[list[int]]
) -> tuple[Float[np.ndarray, "K d"], list[list[int]]]:
    """Each group's steepest feasible descent, and the face that contains it."""
    total = problem.gradient(V)
    scale = max(problem.weight_decay, float(np.abs(problem.slope).max(initial=0.0)))
    directions, found = np.zeros_like(V), [list(face) for face in faces]
    for a, cone in enumerate(problem.cones):
        if not V[a].any():
            continue
        down = -(total[a] + problem.weight_decay * V[a] / np.linalg.norm(V[a]))
        walls = np.array(tight(cone, V[a]), dtype=np.int64)
        tangent = Cone(cone.rows[walls], cone.signs[walls]).project(down)
        if np.linalg.norm(tangent.point) > 1e-14 * scale:
            directions[a] = tangent.point
            found[a] = [int(walls[k]) for k in tangent.rows]
    return directions, found
