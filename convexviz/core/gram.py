"""The Gram of masked features: all that a squared loss with fixed patterns knows of the data.

With `A = [D_1 X, ..., D_P X]` the loss `1/2 ||A w - y||^2` needs only `G = A'A`, `b = A'y` and
`|y|^2`. `G` is built in one pass over the rows and A, which is P times the data, never exists.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.masked import adjoint
from convexviz.core.types import Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskedGram:
    """`G_ij = X' D_i D_j X`, `b_i = X' D_i y` and `|y|^2`, blocks of size d in pattern order.

    Attributes:
        G: block (i, j) lies at rows `i d ... (i+1) d` and columns `j d ... (j+1) d`.
        b: block i is `X' D_i y`.
        yy: `y'y`.
        P: the number of patterns.
        d: the number of features.
        eigenvalues: of the diagonal blocks, a row a block, ascending and not negative.
        eigenvectors: `G_ii = Q_i diag(eigenvalues_i) Q_i'`.
    """

    G: Float[np.ndarray, "m m"]
    b: Float[np.ndarray, " m"]
    yy: float
    P: int
    d: int
    eigenvalues: Float[np.ndarray, "P d"]
    eigenvectors: Float[np.ndarray, "P d d"]


def masked_gram(
    X: Float[np.ndarray, "n d"],
    patterns: Bool[np.ndarray, "n P"],
    y: Float[np.ndarray, " n"],
    *,
    threads: int = 1,
) -> MaskedGram:
    """The Gram of `[D_1 X, ..., D_P X]`, exact in float64, by the cheaper of two algorithms."""
    X = np.ascontiguousarray(X, dtype=np.float64)
    P, d = patterns.shape[1], X.shape[1]
    # D_i = majority_i XOR E_i: E_i is the smaller half, so that few rows are summed.
    majority = 2 * np.count_nonzero(patterns, axis=0) > len(X)
    blocks = _blocks_by_deviation(X, patterns ^ majority, majority, threads)
    diagonal = blocks[np.arange(P), :, np.arange(P), :]
    eigenvalues, eigenvectors = np.linalg.eigh(diagonal)
    return MaskedGram(
        G=blocks.reshape(P * d, P * d),
        b=adjoint(X, patterns, y).ravel(),
        yy=float(y @ y),
        P=P,
        d=d,
        eigenvalues=np.maximum(eigenvalues, 0.0),
        eigenvectors=eigenvectors,
    )


def _blocks_by_deviation(
    X: Array, deviates: Bool[np.ndarray, "n P"], majority: Bool[np.ndarray, " P"], threads: int
) -> Array:
    from convexviz.core.gram_deviation import packed_sums

    total, both = packed_sums(X, deviates, threads=threads)
    P, d = deviates.shape[1], X.shape[1]
    upper, lower = np.triu_indices(P)
    both[lower, upper] = both[upper, lower]
    packed = _undo_majority(total, both, majority)
    return _unpack(packed, d)


def _undo_majority(total: Array, both: Array, majority: Bool[np.ndarray, " P"]) -> Array:
    """`G_ij = m_i m_j S + m_i s_j S_Ej + s_i m_j S_Ei + s_i s_j S_EiEj`, `s = 1 - 2m`."""
    m = majority.astype(np.float64)
    s = 1.0 - 2.0 * m
    single = both[np.arange(len(m)), np.arange(len(m))].copy()
    both *= np.outer(s, s)[:, :, None]
    both += np.outer(m, s)[:, :, None] * single[None, :, :]
    both += np.outer(s, m)[:, :, None] * single[:, None, :]
    both += np.outer(m, m)[:, :, None] * total
    return both


def _unpack(packed: Array, d: int) -> Array:
    P = len(packed)
    where = np.zeros((d, d), dtype=np.int64)
    where[np.triu_indices(d)] = np.arange(packed.shape[2])
    where = np.maximum(where, where.T)
    blocks = np.empty((P, d, P, d))
    for a in range(d):
        blocks[:, a] = packed[:, :, where[a]]
    return blocks
