"""The curvature of F in all weights at once, from some rows: coordinates in which descent is short.

L-BFGS alone has to learn step by step how neurons that see the same pixels trade against each
other; where a sampled Hessian is the identity it needs a third of the steps or fewer.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular

from convexviz.core.neurons import directions, lengths
from convexviz.core.neurons_kernels import boundary_curvature, unpack
from convexviz.core.types import Array

_ROWS = 8192  # at most: a step needs its gradient exact, not its Hessian
_FEWEST = 4096  # rows of all from which a quarter of them says enough of the rest
_BLOCK = 2048  # rows of the Jacobian at a time
_WIDTH = 0.06  # of the spread of `X u`: how far the kink of a neuron is smoothed
_NARROW = 1e-8  # of the largest entry of X, at least: a neuron may see none of the sampled rows
_FLOOR = 1e-4  # of the mean curvature, added to it
_A_LEG = 800  # passes over the rows that the steps in one set of coordinates cost, and are worth


def sample(n: int) -> np.ndarray | None:
    """The rows for Hessians, or None where there are too few to choose from."""
    if n < _FEWEST:
        return None
    return np.sort(np.random.default_rng(0).permutation(n)[: min(n // 4, _ROWS)])


def worth_it(weights: int, sampled: int, rows: int) -> bool:
    """Whether a Hessian is sure of its rank, and costs less than the steps that it is for."""
    return 2 * weights <= sampled and weights * (sampled + 2 * weights) <= _A_LEG * rows


def coordinates(
    X: Float[np.ndarray, "k d"],
    y: Float[np.ndarray, " k"],
    W: Float[np.ndarray, "m d"],
    signs: Float[np.ndarray, " m"],
    beta: float,
) -> Float[np.ndarray, "q q"]:
    """`P` with `P P' = H^-1`: H is the Hessian of F in the `q = m d` weights, its kinks smoothed.

    Where a neuron alone bends down it is taken to bend up as much, so that H is positive. None of
    the weights `w_j` may be zero. A sample of rows needs its share of `beta`, and gives that
    share of H.
    """
    H = _gauss_newton(X, W, signs)
    blocks = H.reshape(len(W), X.shape[1], len(W), X.shape[1])
    each = np.arange(len(W))
    blocks[each, :, each, :] += _of_each(X, y, W, signs, beta)
    mean = max(np.trace(H) / len(H), beta / lengths(W).max())
    H[np.diag_indices(len(H))] += _FLOOR * mean + np.finfo(float).tiny
    root = np.linalg.cholesky(H)
    return np.asarray(solve_triangular(root, np.eye(len(H)), lower=True).T)


def _gauss_newton(X: Array, W: Array, signs: Array) -> Array:
    """`J'J` for the Jacobian of the fit; its products in float32, as no step needs more."""
    d = X.shape[1]
    total = np.zeros((W.size, W.size))
    for start in range(0, len(X), _BLOCK):
        rows = X[start : start + _BLOCK]
        active = np.where(rows @ W.T >= 0, signs, 0.0).astype(np.float32)
        jacobian = (active[:, :, None] * rows.astype(np.float32)[:, None, :]).reshape(
            -1, len(W) * d
        )
        total += jacobian.T @ jacobian
    return total


def _of_each(X: Array, y: Array, W: Array, signs: Array, beta: float) -> Float[np.ndarray, "m d d"]:
    """What bends each neuron alone: its length, and the rows that enter or leave as it turns."""
    U, size = directions(W), lengths(W)
    Z = X @ W.T
    r = y - np.maximum(Z, 0.0) @ signs
    spread = (Z / size).std(axis=0)
    largest = np.abs(Z / size).max(axis=0)
    width = np.maximum(_WIDTH * spread + 1e-4 * largest, _NARROW * (np.abs(X).max() or 1.0))
    turning = unpack(boundary_curvature(X, r, U, width), X.shape[1])
    tangent = np.eye(X.shape[1]) - U[:, :, None] * U[:, None, :]
    bent = (beta * tangent - signs[:, None, None] * turning) / size[:, None, None]
    values, vectors = np.linalg.eigh(bent)
    up: Array = (vectors * np.abs(values)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return up
