"""The Gram of masked features: all that a squared loss with fixed patterns knows of the data.

With `A = [D_1 X, ..., D_P X]` the loss `1/2 ||A w - y||^2` needs only `G = A'A`, `b = A'y` and
`|y|^2`. `G` is built in one pass over the rows and A, which is P times the data, never exists.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.compiled import compiled
from convexviz.core.gram_cells import pair_sums
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
    """The Gram of `[D_1 X, ..., D_P X]`, summed in float64 without forming those features."""
    X = np.ascontiguousarray(X, dtype=np.float64)
    patterns = np.ascontiguousarray(patterns)
    P, d = patterns.shape[1], X.shape[1]
    # D_i = majority_i XOR E_i: E_i is the smaller half, so that fewer rows are summed.
    majority = 2 * np.count_nonzero(patterns, axis=0) > len(X)
    blocks = pair_sums(X, patterns ^ majority, threads=threads)
    _undo_majority(blocks, X.T @ X, majority.astype(np.float64))
    return with_blocks(blocks.reshape(P * d, P * d), adjoint(X, patterns, y), float(y @ y))


def with_blocks(G: Float[np.ndarray, "m m"], b: Float[np.ndarray, "P d"], yy: float) -> MaskedGram:
    """The Gram with the eigendecompositions of its diagonal blocks, which solvers ask for."""
    P, d = b.shape
    diagonal = G.reshape(P, d, P, d)[np.arange(P), :, np.arange(P), :]
    eigenvalues, eigenvectors = np.linalg.eigh(diagonal)
    return MaskedGram(
        G=G,
        b=b.ravel(),
        yy=yy,
        P=P,
        d=d,
        eigenvalues=np.maximum(eigenvalues, 0.0),
        eigenvectors=eigenvectors,
    )


@compiled
def _undo(
    blocks: Array, total: Array, single: Array, m: Array
) -> None:  # pragma: no cover - compiled
    P, d = single.shape[:2]
    for i in range(P):
        si = 1.0 - 2.0 * m[i]
        for a in range(d):
            for j in range(P):
                sj = 1.0 - 2.0 * m[j]
                for c in range(d):
                    blocks[i, a, j, c] = (
                        si * sj * blocks[i, a, j, c]
                        + m[i] * sj * single[j, a, c]
                        + si * m[j] * single[i, a, c]
                        + m[i] * m[j] * total[a, c]
                    )


def _undo_majority(
    blocks: Float[np.ndarray, "P d P d"],
    total: Float[np.ndarray, "d d"],
    majority: Float[np.ndarray, " P"],
) -> None:
    """`G_ij = m_i m_j S + m_i s_j S_Ej + s_i m_j S_Ei + s_i s_j S_EiEj`, `s = 1 - 2m`, in place."""
    every = np.arange(len(majority))
    single = np.ascontiguousarray(blocks[every, :, every, :])
    _undo(blocks, total, single, majority)
