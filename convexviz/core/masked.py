"""Products with the masked features `A = [D_1 X, ..., D_P X]`, streamed over the rows."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.types import Array

ENTRIES_AT_A_TIME = 2**15  # rows times patterns: measured, a quarter megabyte is fastest
FEWEST_ROWS = 256  # of a product with wide matrices, which are read again for every block of rows


def predict(
    X: Float[np.ndarray, "n d"], patterns: Bool[np.ndarray, "n P"], W: Float[np.ndarray, "P d"]
) -> Float[np.ndarray, " n"]:
    """`A w = sum_i D_i X w_i`; patterns whose weights are all zero cost nothing."""
    active = np.flatnonzero(W.any(axis=1))
    out = np.zeros(len(X))
    if not len(active):
        return out
    weights = np.ascontiguousarray(W[active].T)
    everyone = len(active) == len(W)
    for rows in _row_blocks(len(X), len(active)):
        linear = X[rows] @ weights
        here = patterns[rows]
        linear *= here if everyone else here[:, active]
        out[rows] = linear.sum(axis=1)
    return out


def adjoint(
    X: Float[np.ndarray, "n d"], patterns: Bool[np.ndarray, "n P"], r: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "P d"]:
    """`A'r`, row i is `X' D_i r`."""
    out = np.zeros((patterns.shape[1], X.shape[1]))
    for rows in _row_blocks(len(X), patterns.shape[1]):
        weighted: Array = X[rows] * r[rows, None]
        out += patterns[rows].T.astype(np.float64) @ weighted
    return out


def adjoint_of_many(
    X: Float[np.ndarray, "n d"], patterns: Bool[np.ndarray, "n P"], R: Float[np.ndarray, "n B"]
) -> Float[np.ndarray, "P dB"]:
    """`X' D_i r_b` for every column of R: entry `(i, t B + b)` is that of feature t."""
    out = np.zeros((patterns.shape[1], X.shape[1] * R.shape[1]))
    for rows in _row_blocks(len(X), patterns.shape[1]):
        weighted = (X[rows, :, None] * R[rows, None, :]).reshape(-1, out.shape[1])
        out += patterns[rows].T.astype(np.float64) @ weighted
    return out


def _row_blocks(n: int, width: int) -> list[slice]:
    step = max(1, ENTRIES_AT_A_TIME // max(1, width))
    return [slice(start, start + step) for start in range(0, n, step)]
