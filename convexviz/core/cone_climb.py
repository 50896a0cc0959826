"""Local maxima of `|B u|` over unit vectors of a cone `{K u >= 0}`: by alternation, then ascent.

For output weights g the best u is the projection of B'g onto the cone, for u the best g is B u; in
turn they never descend, and from where that creeps faces lead on to a maximum. What they reach is
a neuron, and an estimate of the maximum from below.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.compiled import compiled
from convexviz.core.cone_ascent import ascend
from convexviz.core.cones_kernels import project_on_rows
from convexviz.core.types import Array

_STEPS, _WALLS = 60, 300
_ALIKE = 1e-7


@compiled
def climb(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    K: Array, B: Array, starts: Array, steps: int, points: Array, values: Array
) -> None:  # pragma: no cover - compiled
    """From every row of `starts`, output weights g, to a point and its value; 0 where B'g falls to
    the cone's tip."""
    r, c = K.shape[1], len(B)
    multipliers, v, toward = np.empty(r + 1), np.empty(r), np.empty(r)
    rows = np.zeros(r + 1, np.int64)
    for s in range(len(starts)):
        g = starts[s].copy()
        k, before = 0, 0.0
        for _ in range(steps):
            for t in range(r):
                toward[t] = 0.0
                for a in range(c):
                    toward[t] += g[a] * B[a, t]
            k, _done = project_on_rows(K, 0, len(K), toward, rows, k, 0.0, multipliers, v)
            length = np.sqrt(v @ v)
            if length <= 1e-13 * np.sqrt(toward @ toward):
                break
            u = v / length
            image = B @ u
            value = float(np.sqrt(image @ image))
            if value > before:
                points[s] = u
                values[s] = value
            if value <= before * (1 + 1e-12):
                break
            before = value
            g = image / value


def local_peaks(
    B: Float[np.ndarray, "c r"], K: Float[np.ndarray, "f r"], starts: Float[np.ndarray, "s c"]
) -> tuple[Float[np.ndarray, "k r"], Float[np.ndarray, " k"]]:
    """Distinct local maxima reached from the starts, best first, and their values."""
    points, values = np.zeros((len(starts), K.shape[1])), np.zeros(len(starts))
    climb(K, B, starts, _STEPS, points, values)
    found: list[Array] = []
    heights: list[float] = []
    for j in np.argsort(-values):
        if values[j] <= 0.0 or any(np.abs(points[j] - u).max() <= 1e-3 for u in found):
            continue
        u = ascend(K, B, points[j], _WALLS)
        if all(np.abs(u - other).max() > _ALIKE for other in found):
            found.append(u)
            heights.append(float(np.linalg.norm(B @ u)))
    order = np.argsort(-np.array(heights), kind="stable")
    return np.array(found).reshape(-1, K.shape[1])[order], np.array(heights)[order]


def span_of(normals: Float[np.ndarray, "f r"]) -> Float[np.ndarray, "q r"]:
    """Orthonormal rows that span the directions at right angles to the normals."""
    if not len(normals):
        return np.eye(normals.shape[1])
    s, Vt = np.linalg.svd(normals)[1:]
    out: Array = np.ascontiguousarray(Vt[int((s > 1e-8).sum()) :])
    return out
