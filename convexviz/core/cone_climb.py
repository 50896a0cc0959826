"""Local maxima of `|B u|` over unit vectors of a cone `{K u >= 0}`, by alternation.

For output weights g the best u is the projection of B'g onto the cone, for u the best g is B u; in
turn they never descend. What they reach is a neuron, and an estimate of the maximum from below.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.compiled import compiled
from convexviz.core.cones_kernels import project_on_rows
from convexviz.core.types import Array

ON = 1e-9  # nearer to a hyperplane, a unit direction lies on it
_STEPS = 60
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
        u = sharpened(B, K, points[j])
        if all(np.abs(u - other).max() > _ALIKE for other in found):
            found.append(u)
            heights.append(float(np.linalg.norm(B @ u)))
    return np.array(found).reshape(-1, K.shape[1]), np.array(heights)


def sharpened(
    B: Float[np.ndarray, "c r"], K: Float[np.ndarray, "f r"], u: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    """The top singular direction of B on the face where u lies, if that is in the cone."""
    P = span_of(K[np.abs(K @ u) <= ON])
    if P.shape[0] <= 1:
        return u
    w: Array = np.linalg.svd(B @ P.T)[2][0] @ P
    w = (w if w @ u > 0 else -w) / np.linalg.norm(w)
    better = np.linalg.norm(B @ w) >= np.linalg.norm(B @ u) * (1 - 1e-13)
    return w if better and (K @ w).min(initial=0.0) >= -1e-12 else u


def span_of(normals: Float[np.ndarray, "f r"]) -> Float[np.ndarray, "q r"]:
    """Orthonormal rows that span the directions at right angles to the normals."""
    if not len(normals):
        return np.eye(normals.shape[1])
    s, Vt = np.linalg.svd(normals)[1:]
    out: Array = np.ascontiguousarray(Vt[int((s > 1e-8).sum()) :])
    return out
