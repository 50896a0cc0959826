"""Newton's method on the faces of the cones: the restricted problem of the active-set solver.

    min over v_a in K_a   1/2 |sum_a A_a v_a - y|^2 + beta sum_a |v_a|

Every iterate is feasible and no worse than the one before. On fixed faces the problem is smooth
(no group is zero), so Newton converges in a few steps; walls that block join the face, and walls
are released together by projecting the steepest descent onto the tangent cone, which cannot cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from convexviz.core.cones import Cone

TIGHT = 1e-12  # a wall holds where its slack is below this times |v|
# The dual bound is off by the root of the decrement, so it must fall far below rounding of F.
SETTLED = 1e-28
SMALL = 1e-2  # groups below this share of the largest are turned at once, not by Newton


@dataclass(frozen=True, slots=True)
class Restricted:
    """The problem on K signed groups, around the point where the residual was last computed.

    Attributes:
        gram: `A'A` over the groups, signs included.
        start: the point V0 of that residual r0.
        slope: `A_a' r0` for every group; `gradient(V) = G (V - V0) - slope` keeps its digits.
        cones: K_a.
        weight_decay: beta.
    """

    gram: Float[np.ndarray, "Kd Kd"]
    start: Float[np.ndarray, "K d"]
    slope: Float[np.ndarray, "K d"]
    cones: tuple[Cone, ...]
    weight_decay: float

    def gradient(self, V: Float[np.ndarray, "K d"]) -> Float[np.ndarray, "K d"]:
        """The gradient of the loss."""
        return (self.gram @ (V - self.start).ravel()).reshape(V.shape) - self.slope

    def change(self, V: Float[np.ndarray, "K d"], step: Float[np.ndarray, "K d"]) -> float:
        """The objective at `V + step` minus that at `V`, without cancellation."""
        flat = step.ravel()
        before, after = np.linalg.norm(V, axis=1), np.linalg.norm(V + step, axis=1)
        longer = np.sum((2 * V + step) * step, axis=1)
        both = before + after
        lengths = np.divide(longer, both, out=np.zeros_like(both), where=both > 0)
        loss = self.gradient(V).ravel() @ flat + 0.5 * flat @ (self.gram @ flat)
        return float(loss + self.weight_decay * lengths.sum())

    def best_step(self, V: Float[np.ndarray, "K d"], step: Float[np.ndarray, "K d"]) -> float:
        """The t in [0, 1] that minimises the objective at `V + t step`."""
        flat = step.ravel()
        linear, curve = self.gradient(V).ravel() @ flat, flat @ (self.gram @ flat)
        along, square = np.sum(V * step, axis=1), np.sum(step**2, axis=1)

        def derivative(t: float) -> float:
            lengths = np.linalg.norm(V + t * step, axis=1)
            part = np.divide(
                along + t * square, lengths, out=np.zeros_like(lengths), where=lengths > 0
            )
            return float(linear + t * curve + self.weight_decay * part.sum())

        low, high = 0.0, 1.0
        if derivative(1.0) <= 0:
            return 1.0
        for _ in range(30):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if derivative(middle) < 0 else (low, middle)
        return low


def minimise(
    problem: Restricted, V: Float[np.ndarray, "K d"], objective: float, max_iterations: int
) -> Float[np.ndarray, "K d"]:
    """A minimiser of `problem` from the feasible point `V` whose objective is about `objective`."""
    faces = [_tight(cone, v) for cone, v in zip(problem.cones, V, strict=True)]
    faces = [_independent(c, f) for c, f in zip(problem.cones, faces, strict=True)]
    stalled = quiet = 0
    gained = 0.0
    for _ in range(max_iterations):
        bases = [_basis(c, f, v) for c, f, v in zip(problem.cones, faces, V, strict=True)]
        step, decrement = _newton_step(problem, V, bases)
        if decrement > SETTLED * objective and stalled < 3:
            V, gain = _advance(problem, V, step, faces)
            stalled = 0 if gain < -1e-16 * objective else stalled + 1
            gained -= gain
            continue
        V, released = _release(problem, V, faces)
        quiet = 0 if gained > 1e-18 * objective else quiet + 1
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
    for a, basis in enumerate(bases):
        if basis.shape[1]:
            columns = slice(ends[a], ends[a + 1])
            spread[a * d : (a + 1) * d, columns] = basis
            u = V[a] / norms[a]
            total[a] += problem.weight_decay * u
            along = basis.T @ u
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
            limits[a], walls[a] = _reach(cone, V[a], step[a], faces[a])
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


def _reach(
    cone: Cone, v: Float[np.ndarray, " d"], step: Float[np.ndarray, " d"], face: list[int]
) -> tuple[float, int]:
    """How far `v + t step`, t <= 1, stays in the cone, and the wall that it meets (-1: none)."""
    if not len(cone.rows):
        return 1.0, -1
    speed = cone.slack(step)
    speed[face] = 0.0
    closing = np.flatnonzero(speed < -TIGHT * np.linalg.norm(step))
    if not len(closing):
        return 1.0, -1
    slack = cone.signs[closing] * (cone.rows[closing] @ v)
    slack[slack <= TIGHT * np.linalg.norm(v)] = 0.0
    times = slack / -speed[closing]
    k = int(np.argmin(times))
    return (float(times[k]), int(closing[k])) if times[k] <= 1.0 else (1.0, -1)


def _release(
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
            steps[a] *= _reach(cone, V[a], steps[a], _tight(cone, V[a]))[0]
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


def entry(
    problem: Restricted, V: Float[np.ndarray, "K d"], a: int, direction: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " d"]:
    """The best multiple of `direction` for the group `a`, now zero."""
    size = np.linalg.norm(direction)
    if size == 0.0:
        return V[a]
    step = np.zeros_like(V)
    step[a] = direction / size
    slope = float(problem.gradient(V)[a] @ step[a]) + problem.weight_decay
    curve = float(step.ravel() @ problem.gram @ step.ravel())
    return (-slope / curve) * step[a] if slope < 0 < curve else V[a]


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
        tight = np.array(_tight(cone, V[a]), dtype=np.int64)
        tangent = Cone(cone.rows[tight], cone.signs[tight]).project(down)
        if np.linalg.norm(tangent.point) > 1e-14 * scale:
            directions[a] = tangent.point
            found[a] = [int(tight[k]) for k in tangent.rows]
    return directions, found


def _tight(cone: Cone, v: Float[np.ndarray, " d"]) -> list[int]:
    if not v.any() or not len(cone.rows):
        return []
    return [int(k) for k in np.flatnonzero(cone.slack(v) <= TIGHT * np.linalg.norm(v))]


def _independent(cone: Cone, rows: list[int]) -> list[int]:
    """A maximal independent subset, in order."""
    kept: list[int] = []
    basis = np.zeros((0, cone.rows.shape[1]))
    for k in rows:
        normal = cone.rows[k] - basis.T @ (basis @ cone.rows[k])
        size = np.linalg.norm(normal)
        if size > 1e-10:
            kept.append(k)
            basis = np.vstack([basis, normal / size])
    return kept


def _basis(cone: Cone, face: list[int], v: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d _"]:
    """An orthonormal basis of the directions within the face; none where the group is zero."""
    d = len(v)
    if not v.any():
        return np.zeros((d, 0))
    if not face:
        return np.eye(d)
    full, _ = np.linalg.qr(cone.rows[face].T, mode="complete")
    return full[:, min(d, len(face)) :]
