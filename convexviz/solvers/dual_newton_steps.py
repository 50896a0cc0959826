"""The quadratic program of one Newton step in the residual, and the loss's curvature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs  # a tenth of the wrappers' cost when small
from scipy.optimize import nnls
from scipy.special import expit

from convexviz.core.types import Array

_RIDGE = 1e-11  # of the mean diagonal: cuts may repeat each other


@dataclass(frozen=True, slots=True)
class Step:
    """A Newton step: the multipliers of the cuts, and the moves of residual and prediction."""

    weights: Float[np.ndarray, " m"]
    residual: Float[np.ndarray, "n c"]
    fit: Float[np.ndarray, "n c"]


def newton_step(
    F: Float[np.ndarray, "n c"],
    cuts: Float[np.ndarray, "m n c"],
    excess: Float[np.ndarray, " m"],
    bends: Float[np.ndarray, "k n c"],
    root: Float[np.ndarray, "n c c"] | None,
) -> Step:
    """`min 1/2 D'(H^+ + LL')D - <F, D>` subject to `excess_k + <G_k, D> <= 0`, by its dual.

    `root` is the square root of the loss's Hessian H, row by row (None: the identity), `bends` the
    columns of L. The dual is non-negative least squares in the multipliers.
    """
    shape, size = F.shape, F.size
    J = _times(root, bends).reshape(len(bends), size)
    G = _times(root, cuts).reshape(len(cuts), size)
    inverse = _Inverse.of(J)
    WG = inverse.times(G)
    K = WG @ G.T
    f = _times_inverse_safe(root, F)
    Wf = inverse.times(f.reshape(1, size))[0]
    weights = _non_negative(0.5 * (K + K.T), excess + G @ Wf)
    D = Wf - weights @ WG  # in whitened coordinates
    move = D.reshape(shape)
    residual = _times(root, move[None])[0]
    LD = (J @ D) @ bends.reshape(len(bends), size)
    fit = (weights @ cuts.reshape(len(cuts), size) + LD).reshape(shape) - F
    return Step(weights, residual, fit)


def _times(root: Float[np.ndarray, "n c c"] | None, A: Float[np.ndarray, "k n c"]) -> Array:
    return A if root is None else np.einsum("nab,knb->kna", root, A, optimize=True)


def _times_inverse_safe(root: Float[np.ndarray, "n c c"] | None, F: Array) -> Array:
    """`H^(1/2) F`: what F contributes in whitened coordinates."""
    return F if root is None else np.einsum("nab,nb->na", root, F)


@dataclass(frozen=True, slots=True)
class _Inverse:
    """`(I + J'J)^-1` for rows J, in whichever of the two dimensions is smaller."""

    J: Array
    factor: Array | None
    by_columns: bool

    @staticmethod
    def of(J: Float[np.ndarray, "k size"]) -> _Inverse:
        if not len(J):
            return _Inverse(J, None, False)
        by_columns = len(J) <= J.shape[1]
        S = J @ J.T if by_columns else J.T @ J
        S[np.diag_indices(len(S))] += 1.0
        return _Inverse(J, factor(S), by_columns)

    def times(self, A: Float[np.ndarray, "m size"]) -> Array:
        if self.factor is None:
            return A
        if self.by_columns:
            return A - solved(self.factor, self.J @ A.T).T @ self.J
        return solved(self.factor, A.T).T


def _non_negative(K: Float[np.ndarray, "m m"], q: Float[np.ndarray, " m"]) -> Array:
    """`argmin 1/2 w'Kw - q'w` over `w >= 0`."""
    scale = float(np.trace(K)) / max(len(K), 1)
    if not scale > 0:
        return np.zeros(len(q))
    ridge = _RIDGE
    while True:
        try:
            C = factor(K + ridge * scale * np.eye(len(K)))
            found: Array = nnls(C.T, dtrtrs(C, q, lower=1)[0], maxiter=30 * len(q))[0]
            return _refined(K, q, found, ridge * scale)
        except (np.linalg.LinAlgError, RuntimeError):
            ridge *= 100.0
            if ridge > 1.0:
                return np.maximum(q, 0.0) / np.maximum(np.diag(K), scale * 1e-9)


def _refined(K: Array, q: Array, weights: Array, ridge: float) -> Array:
    """Without the ridge: iterative refinement on the support, as long as nothing turns negative."""
    on = np.flatnonzero(weights > 0)
    if not len(on):
        return weights
    part = K[np.ix_(on, on)]
    C = factor(part + ridge * np.eye(len(on)))
    out = weights.copy()
    for _ in range(3):
        better = out[on] + solved(C, q[on] - part @ out[on])
        if not (better > 0).all():
            break
        out[on] = better
    return out


def factor(S: Float[np.ndarray, "k k"]) -> Array:
    """The lower Cholesky factor.

    Raises:
        LinAlgError: S is not positive definite.
    """
    C, failed = dpotrf(S, lower=1, clean=1)
    if failed:
        raise np.linalg.LinAlgError("not positive definite")
    out: Array = C
    return out


def solved(C: Float[np.ndarray, "k k"], b: Array) -> Array:
    """`S^{-1} b` from the factor C of S."""
    out: Array = dpotrs(C, b, lower=1)[0]
    return out


def root_hessian(name: str, F: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c c"] | None:
    """The square root of the loss's Hessian, row by row; None for the identity."""
    if name == "squared":
        return None
    if name == "logistic":  # each output on its own
        roots = np.sqrt(expit(F) * expit(-F))
        return np.einsum("na,ab->nab", roots, np.eye(F.shape[1]))
    shifted = np.exp(F - F.max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    H = np.einsum("na,ab->nab", p, np.eye(F.shape[1])) - p[:, :, None] * p[:, None, :]
    values, vectors = np.linalg.eigh(H)
    roots = np.sqrt(np.maximum(values, 0.0))
    return np.einsum("nab,nb,ncb->nac", vectors, roots, vectors)
