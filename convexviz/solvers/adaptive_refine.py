"""All neurons at once: descent on the weights, and the moves between numbers of neurons."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from convexviz.core.neurons import directions, lengths
from convexviz.core.neurons_kernels import lasso, residual_and_correlations, squared_loss
from convexviz.core.types import Array

_GONE = 1e-6  # of the longest neuron: a weight that descent has driven to zero
_ROWS = 65_536  # a block of activations
_MANY = 2**18  # entries of X from which float32 is worth a copy
_SMALL_GAIN = 1e-5  # of F: below it the rounding of float32 may be what stopped the descent


@dataclass(frozen=True, slots=True)
class Training:
    """Scaled data and weight decay: entries of X and y are about 1."""

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    beta: float
    single: Training | None = None  # the same in float32, for steps on many rows


def training(X: Array, y: Array, beta: float) -> Training:
    """The data, with a float32 copy where that pays."""
    if X.size < _MANY:
        return Training(X, y, beta)
    return Training(X, y, beta, Training(X.astype(np.float32), y.astype(np.float32), beta))


@dataclass(frozen=True, slots=True)
class Neurons:
    """The network `sum_j s_j (X w_j)_+` and its objective F."""

    W: Float[np.ndarray, "m d"]
    signs: Float[np.ndarray, " m"]
    F: float

    def __len__(self) -> int:
        return len(self.signs)


Tick = Callable[[Array, Array], bool]  # told weights and signs now and then; True stops


class _Stopped(Exception):
    """Leaves SciPy's loop."""


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


def descend(
    data: Training, start: Neurons, iterations: int, precision: float, tick: Tick
) -> Neurons:
    """L-BFGS on all weights until no `dF/dw_j` is longer than about `precision * beta`.

    In float32 where there are many rows, again in float64 where that gained next to nothing;
    F is always evaluated in float64 and never rises. Stops when `tick` says so.
    """
    if not len(start):
        return start
    best = start
    for run in (data.single, data) if data.single is not None else (data,):
        end = evaluate(data, *_steps(run, best, iterations, precision, tick))
        gained = best.F - end.F
        best = end if gained > 0 else best
        if gained > _SMALL_GAIN * best.F:
            break
    return best


def _steps(
    data: Training, start: Neurons, iterations: int, precision: float, tick: Tick
) -> tuple[Array, Array]:
    """L-BFGS on the balanced form `beta/2 (|u_j|^2 + v_j^2)`, smooth where neurons vanish.

    Stops when no `dF/dw_j` is longer than about `precision * beta`, or when `tick` says so.
    Steps are in the precision of `data`; the caller evaluates what comes out.
    """
    m, d = start.W.shape
    kind = data.X.dtype
    residual = np.empty(len(data.y), kind)
    roots = np.sqrt(lengths(start.W))
    first = np.concatenate([(start.W / roots[:, None]).ravel(), start.signs * roots])
    last, evaluations = first, 0

    def unpack(x: Array) -> tuple[Array, Array]:
        return x[: m * d].reshape(m, d), x[m * d :]

    def objective(x: Array) -> tuple[float, Array]:
        U, v = unpack(x)
        W = (np.abs(v)[:, None] * U).astype(kind)
        signs = np.where(v >= 0, 1.0, -1.0).astype(kind)
        loss, C = residual_and_correlations(data.X, data.y, W, signs, residual)
        to_U = data.beta * U - v[:, None] * C
        to_v = data.beta * v - np.einsum("jd,jd->j", C, U)
        return loss + 0.5 * data.beta * float(x @ x), np.concatenate([to_U.ravel(), to_v])

    def neurons_at(x: Array) -> tuple[Array, Array]:
        U, v = unpack(x)
        return np.abs(v)[:, None] * U, np.where(v >= 0, 1.0, -1.0)

    def after(x: Array) -> None:
        nonlocal last, evaluations
        last, evaluations = x.copy(), evaluations + 1
        if evaluations % 8 == 0 and tick(*neurons_at(x)):
            raise _Stopped

    gtol = precision * data.beta * float(roots.mean())
    options = {"maxiter": iterations, "maxcor": 20, "ftol": 1e-11, "gtol": gtol}
    with suppress(_Stopped):
        minimize(objective, first, jac=True, method="L-BFGS-B", callback=after, options=options)
    W, signs = neurons_at(last)
    size = lengths(W)
    keep = size > _GONE * size.max()
    return W[keep], signs[keep]


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
