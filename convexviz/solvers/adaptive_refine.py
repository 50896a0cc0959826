"""Data and neurons in scaled units, and the moves between numbers of neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.neurons import directions, lengths
from convexviz.core.neurons_kernels import lasso, residual_and_correlations, squared_loss
from convexviz.core.types import Array
from convexviz.solvers import adaptive_curvature as curvature

_ROWS = 65_536  # a block of activations
_MANY = 2**18  # entries of X from which float32 is worth a copy


@dataclass(frozen=True, slots=True)
class Training:
    """Scaled data and weight decay: entries of X and y are about 1."""

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    beta: float
    single: Training | None = None  # the same in float32, for steps on many rows
    sample: Training | None = None  # some of the rows, and their share of beta: for Hessians


def training(X: Array, y: Array, beta: float) -> Training:
    """The data, with a float32 copy and a sample of rows where they pay."""
    single = few = None
    if X.size >= _MANY:
        single = Training(X.astype(np.float32), y.astype(np.float32), beta)
    if (part := curvature.sample(len(y))) is not None:
        few = Training(np.ascontiguousarray(X[part]), y[part], len(part) / len(y) * beta)
    return Training(X, y, beta, single, few)


@dataclass(frozen=True, slots=True)
class Neurons:
    """The network `sum_j s_j (X w_j)_+` and its objective F."""

    W: Float[np.ndarray, "m d"]
    signs: Float[np.ndarray, " m"]
    F: float

    def __len__(self) -> int:
        return len(self.signs)


def evaluate(data: Training, W: Array, signs: Array) -> Neurons:
    """The neurons with their objective; zero weights are dropped."""
    keep = lengths(W) > 0
    W, signs = np.ascontiguousarray(W[keep]), np.ascontiguousarray(signs[keep])
    loss = float(squared_loss(data.X, data.y, W, signs))
    return Neurons(W, signs, loss + data.beta * float(lengths(W).sum()))


def residual_of(data: Training, neurons: Neurons) -> tuple[Array, float]:
    """The residual, and the longest `dF/dw_j` as a multiple of beta (0: stationary)."""
    residual = np.empty(len(data.y))
    _, C = residual_and_correlations(data.X, data.y, neurons.W, neurons.signs, residual)
    slopes = data.beta * directions(neurons.W) - neurons.signs[:, None] * C
    return residual, float(lengths(slopes).max(initial=0.0)) / data.beta


def merge(data: Training, neurons: Neurons, cosine: float) -> Neurons:
    """Adds up neurons of one sign and nearly one direction, pair by pair, while F does not rise."""
    tried = 0
    while len(neurons) > 1 and tried < 4:
        W, signs = neurons.W, neurons.signs
        U = directions(W)
        similar = np.triu((U @ U.T) * (signs[:, None] == signs), 1).ravel()
        pair = int(np.argsort(-similar, kind="stable")[tried])
        if similar[pair] < cosine:
            break
        i, j = divmod(pair, len(W))
        joined = W.copy()
        joined[i] += joined[j]
        keep = np.arange(len(W)) != j
        merged = evaluate(data, joined[keep], signs[keep])
        neurons, tried = (merged, 0) if merged.F <= neurons.F else (neurons, tried + 1)
    return neurons


def reweigh(data: Training, U: Array, weights: Array, limit: int) -> Neurons:
    """The best signed weights for fixed directions `U`, from `weights`; at most `limit` neurons."""
    gram, target = np.zeros((len(U), len(U))), np.zeros(len(U))
    for start in range(0, len(data.X), _ROWS):
        active = np.maximum(data.X[start : start + _ROWS] @ U.T, 0.0)
        gram += active.T @ active
        target += active.T @ data.y[start : start + _ROWS]
    solved: Array = lasso(gram, target, data.beta, weights, 500)
    kept = np.argsort(-np.abs(solved), kind="stable")[:limit]
    if len(kept) < np.count_nonzero(solved):  # the others must take over from those left out
        few = np.ascontiguousarray(gram[np.ix_(kept, kept)])
        solved[kept] = lasso(few, target[kept], data.beta, solved[kept], 500)
    kept = np.sort(kept)
    return evaluate(data, np.abs(solved[kept])[:, None] * U[kept], np.sign(solved[kept]))
