"""Newton systems of many groups, solved by conjugate gradients from an earlier factor.

Along a path the Hessian `G + M` on the support changes little: G not at all, the curvature M of
the lengths by a factor, and a few groups come. So one Cholesky factor in float32 is kept over
the whole path, extended by the groups that come, and preconditions the system of the day, whose
products are in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.linalg.blas import dsymv, ssyrk, strsm, strsv
from scipy.linalg.lapack import spotrf

from convexviz.core.types import Array

Indices: TypeAlias = NDArray[np.intp]
Single: TypeAlias = NDArray[np.float32]

LARGE = 800  # unknowns: below, a Cholesky factorisation in float64 takes a few milliseconds
_ACCURATE = 1e-2  # of the residual at the start: Newton's own error is larger
_ROUNDS = 16  # of conjugate gradients; a factorisation costs as much as some twenty
_GONE = 0.5  # share of the factor's groups that may have left before it is built anew


class Factor:
    """A lower Cholesky factor of the Hessian over some groups of the Gram, as it once was."""

    def __init__(self, G: Float[np.ndarray, "m m"], d: int) -> None:
        self.G, self.d = G, d
        self.groups: Indices = np.zeros(0, dtype=np.intp)
        self.L: Single = np.zeros((0, 0), dtype=np.float32, order="F")

    def solve(
        self,
        G: Float[np.ndarray, "k k"],
        ids: Indices,
        chosen: Indices,
        at: tuple[Array, Array],
        slope: Float[np.ndarray, "s d"],
    ) -> Array | None:
        """`-(G + M)^-1 slope` for the chosen groups of a working set; None where that fails.

        Args:
            G: the Gram of the working set.
            ids: its groups.
            chosen: places in it.
            at: unit vectors of the chosen groups, and `|w| / beta`.
            slope: the right side.
        """
        units, slack = at

        def product(v: Array) -> Array:
            padded = np.zeros((len(ids), self.d))
            padded[chosen] = v
            across = v - np.einsum("ij,ij->i", units, v)[:, None] * units
            flat = dsymv(1.0, G.T, padded.ravel(), lower=1)  # G.T: a view in Fortran order
            out: Array = flat.reshape(padded.shape)[chosen]
            out += across / slack[:, None]
            return out

        fresh = not self._cover(ids[chosen], units, slack)
        while True:
            if not len(self.groups):
                return None
            step, error = self._conjugate_gradients(product, -slope, ids[chosen])
            if error <= 2 * _ACCURATE or (fresh and error < 0.5):
                return step
            if fresh:
                return None
            fresh = True
            self._build(ids[chosen], units, slack)

    def _cover(self, ids: Indices, units: Array, slack: Array) -> bool:
        """Have a factor for these groups; False where it was built anew."""
        gone = np.setdiff1d(self.groups, ids)
        if not len(self.groups) or len(gone) > _GONE * len(self.groups):
            self._build(ids, units, slack)
            return False
        come = np.flatnonzero(~np.isin(ids, self.groups))
        if not len(come):
            return True
        new, old = ids[come], self.groups
        corner = self._hessian(new, units[come], slack[come])
        side = np.asfortranarray(self._block(new, old), dtype=np.float32)
        side = strsm(1.0, self.L, side, side=1, lower=1, trans_a=1, overwrite_b=1)
        corner = ssyrk(-1.0, side, beta=1.0, c=corner, lower=1, overwrite_c=1)
        corner, info = spotrf(corner, lower=1, overwrite_a=1)
        if info:
            self._build(ids, units, slack)
            return False
        m, k = len(self.L), len(corner)
        L = np.zeros((m + k, m + k), dtype=np.float32, order="F")
        L[:m, :m], L[m:, :m], L[m:, m:] = self.L, side, corner
        self.L, self.groups = L, np.concatenate([old, new])
        return True

    def _build(self, ids: Indices, units: Array, slack: Array) -> None:
        self.L, info = spotrf(self._hessian(ids, units, slack), lower=1, overwrite_a=1, clean=0)
        self.groups = ids.copy() if info == 0 else ids[:0]

    def _hessian(self, ids: Indices, units: Array, slack: Array) -> Single:
        k, d = units.shape
        H = self._block(ids, ids).astype(np.float32)
        curvature = (np.eye(d) - units[:, :, None] * units[:, None, :]) / slack[:, None, None]
        H.reshape(k, d, k, d)[np.arange(k), :, np.arange(k), :] += curvature.astype(np.float32)
        H.ravel()[:: k * d + 1] *= 1 + 1e-6
        return H.T  # symmetric, and in Fortran order

    def _block(self, rows: Indices, columns: Indices) -> Array:
        d = self.d
        take = (columns[:, None] * d + np.arange(d)).ravel()
        out = np.empty((len(rows) * d, len(take)))
        for i, group in enumerate(rows):
            here = slice(i * d, (i + 1) * d)
            np.take(self.G[group * d : (group + 1) * d], take, axis=1, out=out[here], mode="clip")
        return out

    def _apply(self, residual: Array, places: Indices) -> Array:
        padded = np.zeros((len(self.groups), self.d), dtype=np.float32)
        padded[places] = residual
        half = strsv(self.L, padded.ravel(), lower=1, overwrite_x=1)
        full = strsv(self.L, half, lower=1, trans=1, overwrite_x=1)
        out: Array = full.reshape(padded.shape)[places].astype(np.float64)
        return out

    def _conjugate_gradients(
        self, product: Callable[[Array], Array], rhs: Array, ids: Indices
    ) -> tuple[Array, float]:
        """The solution and the share of the error, in the factor's norm, that is left."""
        order = np.argsort(self.groups)
        places = order[np.searchsorted(self.groups, ids, sorter=order)]
        size = float(np.abs(rhs).max()) or 1.0  # float32 has a smaller range
        residual, x = rhs / size, np.zeros_like(rhs)
        z = self._apply(residual, places)
        direction, rho = z, float(np.vdot(residual, z))
        start = rho
        for _ in range(_ROUNDS):
            if not rho > _ACCURATE**2 * start:
                break
            image = product(direction)
            step = rho / float(np.vdot(direction, image))
            x += step * direction
            residual = residual - step * image
            z = self._apply(residual, places)
            rho, before = float(np.vdot(residual, z)), rho
            direction = z + (rho / before) * direction
        error = float(np.sqrt(abs(rho) / start)) if start > 0 and np.isfinite(rho) else np.inf
        return x * size, error


def submatrix(G: Float[np.ndarray, "m m"], groups: Indices, d: int) -> Float[np.ndarray, "kd kd"]:
    """The blocks of G of these groups, copied."""
    P, k = len(G) // d, len(groups)
    if k == P:
        return G.copy()
    out = np.empty((k * d, k * d))
    columns = (groups[:, None] * d + np.arange(d)).ravel()
    for row, group in enumerate(groups):
        rows = slice(row * d, (row + 1) * d)
        np.take(G[group * d : (group + 1) * d], columns, axis=1, out=out[rows], mode="clip")
    return out
