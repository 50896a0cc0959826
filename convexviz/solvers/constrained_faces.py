"""The restricted problem of the active-set solver, and the faces of its cones.

min over v_a in K_a   1/2 |sum_a A_a v_a - y|^2 + beta sum_a |v_a|
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.cones import Cone

TIGHT = 1e-12  # a wall holds where its slack is below this times |v|


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


def tight(cone: Cone, v: Float[np.ndarray, " d"]) -> list[int]:
    """The walls that hold at `v`; none where the group is zero."""
    if not v.any() or not len(cone.rows):
        return []
    return [int(k) for k in np.flatnonzero(cone.slack(v) <= TIGHT * np.linalg.norm(v))]


def independent(cone: Cone, rows: list[int]) -> list[int]:
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


def basis(cone: Cone, face: list[int], v: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d _"]:
    """An orthonormal basis of the directions within the face; none where the group is zero."""
    d = len(v)
    if not v.any():
        return np.zeros((d, 0))
    if not face:
        return np.eye(d)
    full, _ = np.linalg.qr(cone.rows[face].T, mode="complete")
    return full[:, min(d, len(face)) :]


def reach(
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
