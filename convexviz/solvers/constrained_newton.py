"""Newton's method on the faces of the cones: the restricted problem of the active-set solver.

    min over v_a in K_a   1/2 |sum_a A_a v_a - y|^2 + beta sum_a |v_a|

Every iterate is feasible and no worse than the one before. On fixed faces the problem is smooth
(no group is zero), so Newton converges in a few steps; walls that block join the face, and walls
are released together by projecting the steepest descent onto the tangent cone, which cannot cycle.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from convexviz.solvers.constrained_faces import Restricted, basis, independent, reach, tight
from convexviz.solvers.constrained_release import release

# The dual bound is off by the root of the decrement, so it must fall far below rounding of F.
SETTLED = 1e-28


def minimise(
    problem: Restricted, V: Float[np.ndarray, "K d"], objective: float, max_iterations: int
) -> Float[np.ndarray, "K d"]:
    """A minimiser of `problem` from the feasible point `V` whose objective is about `objective`."""
    faces = [tight(cone, v) for cone, v in zip(problem.cones, V, strict=True)]
    faces = [independent(c, f) for c, f in zip(problem.cones, faces, strict=True)]
    stalled = quiet = 0
    gained = 0.0
    for _ in range(max_iterations):
        bases = [basis(c, f, v) for c, f, v in zip(problem.cones, faces, V, strict=True)]
        step, decrement = _newton_step(problem, V, bases)
        if decrement > SETTLED * objective and stalled < 3:
            V, gain = _advance(problem, V, step, faces)
            stalled = 0 if gain < -1e-16 * objective else stalled + 1
            gained -= gain
            continue
        V, released = release(problem, V, faces)
        quiet = 0 if gained > 1e-15 * objective else quiet + 1
        stalled, gained = 0, 0.0
        if not released or quiet == 4:
            break
    return V


def _newton_step(
    problem: Restricted, V: Float[np.ndarray, "K d"], bases: list[Float[np.ndarray, "d _"]]
) -> tuple[Float[np.ndarray, "K d"], float]:
    """The Newton step on the faces, and its decrement."""
    K, d = V.shape
    ends = np.cumsum([0, *(b.shape[1] for b in bases)])
    if not ends[-1]:
        return np.zeros_like(V), 0.0
    spread = np.zeros((K * d, ends[-1]))
    norms = np.linalg.norm(V, axis=1)
    bend = np.zeros((ends[-1], ends[-1]))
    total = problem.gradient(V)
    for a, face in enumerate(bases):
        if face.shape[1]:
            columns = slice(ends[a], ends[a + 1])
            spread[a * d : (a + 1) * d, columns] = face
            u = V[a] / norms[a]
            total[a] += problem.weight_decay * u
            along = face.T @ u
            flat = np.eye(len(along)) - np.outer(along, along)
            bend[columns, columns] = problem.weight_decay / norms[a] * flat
    hessian = spread.T @ (problem.gram @ spread) + bend
    slope = -(spread.T @ total.ravel())
    x = _solve(hessian, slope, float(np.trace(problem.gram)) / len(problem.gram))
    # Flat directions give steps of any length; beyond this walls cut them alike.
    x *= min(1.0, 1e8 * float(norms.max()) / max(float(np.abs(x).max()), 1e-300))
    return (spread @ x).reshape(K, d), float(x @ slope)


def _solve(
    hessian: Float[np.ndarray, "m m"], slope: Float[np.ndarray, " m"], scale: float
) -> Float[np.ndarray, " m"]:
    """`hessian^-1 slope`; along flat directions (dependent groups) long, for walls to cut.

    The ridge is relative to the loss: the penalty's curvature beta/|v| has no upper limit.
    """
    for ridge in (1e-14, 1e-12, 1e-9, 1e-6):
        try:
            factor = cho_factor(hessian + max(ridge * scale, 1e-300) * np.eye(len(slope)))
        except LinAlgError:
            continue
        x: Float[np.ndarray, " m"] = cho_solve(factor, slope)
        if np.isfinite(x).all():
            return x
    return slope / max(float(np.trace(hessian)), 1e-300)


def _advance(
    problem: Restricted,
    V: Float[np.ndarray, "K d"],
    step: Float[np.ndarray, "K d"],
    faces: list[list[int]],
) -> tuple[Float[np.ndarray, "K d"], float]:
    """The better of: every group to its own wall or zero; all groups by one common step."""
    limits, walls = np.ones(len(V)), np.full(len(V), -1)
    for a, cone in enumerate(problem.cones):
        if step[a].any():
            limits[a], walls[a] = reach(cone, V[a], step[a], faces[a])
    inward = np.sum(V * step, axis=1)
    lengths = np.sum(V**2, axis=1)
    # Newton closes in on a vanishing group without reaching zero: try zero from 90 % on.
    vanish = (inward < 0) & (0.9 * lengths <= -inward * limits)
    own = np.where(vanish[:, None], -V, limits[:, None] * step)
    common = limits.min() * step
    best_gain, best = 0.0, (V, own, 0.0)
    for trial in (own, limits[:, None] * step, common):
        t = problem.best_step(V, trial)
        gain = problem.change(V, t * trial)
        if gain < best_gain:
            best_gain, best = gain, (V + t * trial, trial, t)
    moved, trial, t = best
    for a in range(len(V)):
        if t == 1.0 and trial is own and vanish[a]:
            moved[a], faces[a] = 0.0, []
        elif walls[a] >= 0 and (limits[a] == 0.0 or (t == 1.0 and _hits(trial, limits, step, a))):
            faces[a].append(int(walls[a]))
    return moved, best_gain


def _hits(
    trial: Float[np.ndarray, "K d"],
    limits: Float[np.ndarray, " K"],
    step: Float[np.ndarray, "K d"],
    a: int,
) -> bool:
    return bool(np.array_equal(trial[a], limits[a] * step[a]))
