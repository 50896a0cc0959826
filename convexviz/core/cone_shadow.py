"""The shadow of a cone: what is left of it when some coordinates may be anything.

`{q : A q + B t >= 0 for some t}` is `{q : A'l . q >= 0 for every l >= 0 with B'l = 0}` (Farkas), so

    max {c'q : q in the shadow, |q| <= 1} <= |c + A'l|   for every l >= 0 with B'l = 0,

and its walls are such sums of rows, found one coordinate at a time (Fourier-Motzkin elimination).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.cone_bound import facet_rows
from convexviz.core.types import Array

MOST = 4000  # rows on the way: beyond, sums are left out, which only makes the shadow wider
_RANK = 1e-13
_GONE = 1e-12  # a factor that is rounding


def balanced(
    B: Float[np.ndarray, "k p"], multipliers: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Multipliers near the given ones, not negative, with `B'l = 0` to rounding.

    Each is changed by a factor, least in squares; one that would not stay positive is left out.
    """
    out = multipliers.astype(float)
    on = out > 0
    while on.any():
        weighed = B[on] * out[on, None]
        weighed /= max(float(np.abs(weighed).max(initial=0.0)), 1e-300)
        U, s, _ = np.linalg.svd(weighed, full_matrices=False)
        U = U[:, s > _RANK * s[0]] if len(s) else U
        factors = np.ones(int(on.sum()))
        for _ in range(2):  # twice, for what the first time leaves of rounding
            factors = factors - U @ (U.T @ factors)
        gone = factors <= _GONE
        if not gone.any():
            out[on] *= factors
            break
        out[np.flatnonzero(on)[gone]] = 0.0
        on = out > 0
    return np.where(on, out, 0.0)


def shadow(
    A: Float[np.ndarray, "f r"], B: Float[np.ndarray, "f p"]
) -> tuple[Float[np.ndarray, "q r"], bool]:
    """Unit normals of the shadow, and whether they are all; else it is wider than the truth."""
    rows, lines, whole = np.hstack([A, B]), np.eye(len(A), dtype=bool), True
    r = A.shape[1]
    left = list(range(r, rows.shape[1]))
    for step in range(len(left)):
        above = [(rows[:, j] > 0).sum() * (rows[:, j] < 0).sum() for j in left]
        j = left.pop(int(np.argmin(above)))
        rows, lines, complete = _without(rows, lines, j, step + 2)
        whole = whole and complete
    normals = rows[:, :r]
    lengths = np.linalg.norm(normals, axis=1)
    kept = lengths > _RANK
    return facet_rows(normals[kept] / lengths[kept, None]), whole


def _without(
    rows: Float[np.ndarray, "f s"], lines: Bool[np.ndarray, "f g"], j: int, most: int
) -> tuple[Array, Bool[np.ndarray, "q g"], bool]:
    """Rows without column j: those that have none, and a sum for each pair of either sign.

    A sum of more than `most` of the first rows is implied by others (Chernikov).
    """
    none = rows[:, j] == 0
    up, down = np.flatnonzero(rows[:, j] > 0), np.flatnonzero(rows[:, j] < 0)
    rows_out, lines_out = [rows[none]], [lines[none]]
    complete = len(up) * len(down) + int(none.sum()) <= MOST
    for a in up if complete else []:
        together = lines[a] | lines[down]
        few = together.sum(axis=1) <= most
        b = down[few]
        sums = rows[b] * rows[a, j] - rows[a] * rows[b, j][:, None]
        size = np.abs(rows[b]) * rows[a, j] + np.abs(rows[a] * rows[b, j][:, None])
        sums[np.abs(sums) <= _RANK * size] = 0.0
        sums[:, j] = 0.0
        sums /= np.maximum(np.abs(sums).max(axis=1, keepdims=True, initial=0.0), 1e-300)
        rows_out.append(sums)
        lines_out.append(together[few])
    return np.concatenate(rows_out), np.concatenate(lines_out), complete
