"""Newton's method on the faces of the cones: the restricted problem of the active-set solver.

    min over v_a in K_a   1/2 |sum_a A_a v_a - y|^2 + beta sum_a |v_a|

Every iterate is feasible and no worse than the one before. On fixed faces the problem is smooth
(no group is zero), so Newton converges in a few steps; walls that block join the face, and walls
are released together by projecting the steepest descent onto the tangent cone, all tight walls
included, so a step of positive length always exists and degenerate corners cannot cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg.lapack import dpotrf, dpotrs

from convexviz.core.types import Array
from convexviz.solvers.constrained_release import leave, restart
from convexviz.solvers.constrained_steps import advance
from convexviz.solvers.constrained_systems import frames, newton_system, spread

# Newton squares its error: one step from here is exact to rounding.
SETTLED = 1e-21
FAR = 1e100  # at unit scale: rounding of flat directions sent it there


@dataclass(frozen=True, slots=True)
class Restricted:
    """The problem on K signed groups, around the point where the residual was last computed.

    Attributes:
        gram: `A'A` over the groups, signs included.
        start: the point V0 of that residual r0.
        slope: `A_a' r0` for every group; `gradient(V) = G (V - V0) - slope` keeps its digits.
        rows: the inward unit normals of all cones, one after the other.
        ends: cone a has the rows `ends[a]` to `ends[a + 1]`.
        weight_decay: beta.
    """

    gram: Float[np.ndarray, "Kd Kd"]
    start: Float[np.ndarray, "K d"]
    slope: Float[np.ndarray, "K d"]
    rows: Float[np.ndarray, "m d"]
    ends: Int[np.ndarray, " K1"]
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


def entry(
    problem: Restricted, V: Float[np.ndarray, "K d"], a: int, direction: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " d"]:
    """The best multiple of `direction` for the group `a`, now zero."""
    size = np.linalg.norm(direction)
    if size == 0.0:
        return V[a]
    unit, d = direction / size, len(direction)
    rows = problem.gram[a * d : (a + 1) * d]
    gradient = rows @ (V - problem.start).ravel() - problem.slope[a]
    slope = float(gradient @ unit) + problem.weight_decay
    curve = float(unit @ rows[:, a * d : (a + 1) * d] @ unit)
    return (-slope / curve) * unit if slope < 0 < curve else V[a]


def minimise(  # noqa: PLR0913 - where to start, and when to stop
    problem: Restricted,
    V: Float[np.ndarray, "K d"],
    walls: Sequence[Int[np.ndarray, " _"]],
    objective: float,
    enough: float,
    max_iterations: int,
) -> tuple[Float[np.ndarray, "K d"], list[Int[np.ndarray, " _"]]]:
    """A minimiser of `problem` and its faces, from the feasible point `V` on the faces `walls`.

    Stops early where the walls left together gained less than `enough` of the objective.
    """
    K, d = V.shape
    faces, sizes = np.zeros((K, d), dtype=np.int64), np.zeros(K, dtype=np.int64)
    for a, held in enumerate(walls):
        sizes[a] = min(len(held), d)
        faces[a, : sizes[a]] = held[:d]
    V, beta = np.ascontiguousarray(V), problem.weight_decay
    cones = (problem.rows, problem.ends, faces, sizes)
    slope = problem.gradient(V)
    scale = max(beta, float(np.abs(problem.slope).max(initial=0.0)))
    known = np.full((K, d + 1), -1)
    bases, images = np.empty((K, d, d)), np.empty((K, d, K * d))
    dims, step = np.zeros(K, dtype=np.int64), np.zeros((K, d))
    ridge = float(np.trace(problem.gram)) / len(problem.gram)
    stalled = quiet = 0
    gained, leaving = 0.0, False
    for _ in range(max_iterations):
        frames(problem.gram, V, *cones, bases, images, dims, known)
        decrement = 0.0
        if dims.any():
            H, right = _system(problem, V, slope, (bases, images, dims))
            x = _solve(H, right, ridge)
            decrement = float(x @ right)
            longest = float(np.linalg.norm(V, axis=1).max())
            # Flat directions give steps of any length; beyond this walls cut them alike.
            x *= min(1.0, 1e8 * longest / max(float(np.abs(x).max()), 1e-300))
            spread(x, bases, dims, step)
            gain = advance(problem.gram, V, slope, x, step, beta, images, dims, *cones)
            stalled = 0 if gain < -1e-16 * objective else stalled + 1
            gained -= gain
            if not np.abs(V).max() < FAR:
                break
            if decrement > SETTLED * objective and stalled < 3:
                continue
        slope = problem.gradient(V)
        dropped = restart(problem.gram, V, slope, beta, *cones)
        moved = leave(problem.gram, V, slope, scale, beta, *cones)
        quiet = 0 if gained > 1e-15 * objective else quiet + 1
        little = leaving and gained <= enough * objective
        leaving = True
        stalled, gained = 0, 0.0
        if not (dropped or moved) or quiet == 4 or little:
            break
    return V, [faces[a, : sizes[a]].copy() for a in range(K)]


def _system(
    problem: Restricted,
    V: Float[np.ndarray, "K d"],
    slope: Float[np.ndarray, "K d"],
    found: tuple[Float[np.ndarray, "K d d"], Float[np.ndarray, "K d Kd"], Int[np.ndarray, " K"]],
) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, " M"]]:
    """Hessian and negative gradient of the objective on the faces; `slope` is the loss's."""
    bases, images, dims = found
    norms = np.linalg.norm(V, axis=1)
    norms[norms == 0.0] = 1.0
    starts = np.concatenate([[0], np.cumsum(dims)])
    H, right = np.empty((starts[-1], starts[-1])), np.empty(starts[-1])
    beta, units = problem.weight_decay, V / norms[:, None]
    pull = slope + beta * units
    newton_system(pull, units, beta / norms, bases, images, starts, H, right)
    return H, right


def _solve(H: Array, right: Float[np.ndarray, " m"], scale: float) -> Float[np.ndarray, " m"]:
    """`H^-1 right`; along flat directions (dependent groups) long, for walls to cut.

    The ridge is relative to the loss: the penalty's curvature beta/|v| has no upper limit.
    """
    size = float(np.trace(H))
    for ridge in (1e-14, 1e-12, 1e-9, 1e-6):
        shifted = H.copy()
        shifted.flat[:: len(H) + 1] += max(ridge * scale, 1e-300)
        factor, failed = dpotrf(shifted.T, lower=False, overwrite_a=True)
        if failed:
            continue
        x: Float[np.ndarray, " m"] = dpotrs(factor, right, lower=False)[0]
        if np.isfinite(x).all():
            return x
    with np.errstate(over="ignore"):
        x = right / max(size, 1e-300)
    return x if np.isfinite(x).all() else np.zeros_like(right)
