"""Spike-free data, on which every rectified vector is one that is not: one pattern is enough.

X is spike-free where `{(Xu)_+ : |u| <= 1} = {Xu : |u| <= 1, Xu >= 0}`. Then the dual norm is at
most that of the linear network, `sigma_1(R'X)` (THEORY 3.5).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.dual_norm import AllFaces, ListedNorm
from convexviz.core.faces import MAX_CELLS, MAX_RANK, count_cells
from convexviz.core.faces_rows import RowSpace
from convexviz.core.solution import Scope
from convexviz.errors import SpecError

_EQUAL = 1e-9


def why_not_spike_free(X: Float[np.ndarray, "n d"]) -> str | None:
    """Why X is not spike-free, or not known to be; None where it is.

    Orthogonal rows are. Other rows of rank 4 and below are decided by the exact dual norm: the
    projection off the range of X and the pseudo-inverse must not lengthen any `(Xu)_+`.
    """
    lengths = np.linalg.norm(X, axis=1)
    there = lengths > 0
    rows = X[there] / lengths[there, None]
    cosines = np.abs(rows @ rows.T - np.eye(len(rows)))
    if cosines.max(initial=0.0) <= _EQUAL:
        return None
    space = RowSpace.of(X)
    if space.rank > MAX_RANK or count_cells(space) > MAX_CELLS:
        return (
            f"rows that are not orthogonal are decided up to rank {MAX_RANK}; these have rank "
            f"{space.rank} and cosines up to {cosines.max():.2g}"
        )
    norm, inverse = AllFaces(X), np.linalg.pinv(X)
    outside = norm.largest(np.eye(len(X)) - X @ inverse)
    if outside > _EQUAL * lengths.max():
        return f"a rectified vector leaves the range of X, by {outside:.2g} for |u| = 1"
    longest = norm.largest(np.ascontiguousarray(inverse.T))
    if longest > 1 + _EQUAL:
        return f"a rectified vector needs |u| = {longest:.4g} > 1 to be had without rectifying"
    return None


class SpikeFree(ListedNorm):
    """The bound `M(R) <= sigma_1(R'X)` of spike-free rows: over every pattern, by one of them.

    Raises:
        SpecError: the rows are not spike-free.
    """

    def __init__(self, X: Float[np.ndarray, "n d"]) -> None:
        if reason := why_not_spike_free(X):
            raise SpecError(f"X must be spike-free: {reason}")
        self._space = RowSpace.of(X)

    @property
    def scope(self) -> Scope:
        return Scope.RELU_NETWORK

    @property
    def n_patterns(self) -> int:
        return 1

    @property
    def rows(self) -> Float[np.ndarray, "N r"]:
        return self._space.rows

    @property
    def basis(self) -> Float[np.ndarray, "d r"]:
        return self._space.basis

    def patterns(self) -> Bool[np.ndarray, "N P"]:
        return np.ones((len(self.rows), 1), dtype=bool)

    def largest(self, G: Float[np.ndarray, "N c"]) -> float:
        return float(np.linalg.norm(G.T @ self.rows, 2)) if self.rows.size else 0.0
