"""Descent on all neurons at once: L-BFGS, where it pays in the coordinates of a sampled Hessian."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from scipy.optimize import minimize

from convexviz.core.neurons import directions, lengths
from convexviz.core.neurons_kernels import residual_and_correlations
from convexviz.core.types import Array
from convexviz.solvers import adaptive_curvature as curvature
from convexviz.solvers.adaptive_refine import Neurons, Training, evaluate

_GONE = 1e-6  # of the longest neuron: a weight that descent has driven to zero
_NOTHING = 1e-20  # of the longest neuron: its own curvature would drown that of all others
_SMALL_GAIN = 1e-5  # of F: below it the rounding of float32 may be what stopped the descent
_NO_GAIN = 1e-10  # of F: a leg in float64 that gains less is the last
_LEG, _PLAIN_LEG = 60, 200  # L-BFGS iterations: for which one Hessian is good, and without one
_SHORT = 2e-2  # of the longest neuron: one that the others may do without

Tick = Callable[[Array, Array], bool]  # told weights and signs now and then; True stops


class _Stopped(Exception):
    """Leaves SciPy's loop."""


def descend(data: Training, start: Neurons, legs: int, precision: float, tick: Tick) -> Neurons:
    """L-BFGS on all weights until no `dF/dw_j` is longer than about `precision * beta`.

    A leg is `_LEG` iterations where a Hessian gives the coordinates, `_PLAIN_LEG` without one.
    In float32 where there are many rows, again in float64 where that gained next to nothing;
    F is always evaluated in float64 and never rises. Stops when `tick` says so.
    """
    if not len(start):
        return start
    few = data.sample
    if few is not None and curvature.worth_it(start.W.size, len(few.y), len(data.y)):
        return _legs(data, start, legs, precision, tick)
    best = start
    for run in (data.single, data) if data.single is not None else (data,):
        end = evaluate(data, *_steps(run, best, legs * _PLAIN_LEG, precision, tick))
        gained = best.F - end.F
        best = end if gained > 0 else best
        if gained > _SMALL_GAIN * best.F:
            break
    return best


def _legs(data: Training, start: Neurons, legs: int, precision: float, tick: Tick) -> Neurons:
    """Descent leg by leg, each in the coordinates of a new Hessian; float64 once float32 stalls."""
    few, quick = data.sample, data.single
    assert few is not None
    best, exact = start, quick is None
    for _ in range(legs):
        size = lengths(best.W)
        keep = size > _NOTHING * size.max()
        start = Neurons(best.W[keep], best.signs[keep], best.F)
        if tick(start.W, start.signs):  # a Hessian of many neurons takes seconds
            break
        P = curvature.coordinates(few.X, few.y, start.W, start.signs, few.beta)
        if tick(start.W, start.signs):
            break
        leg = _Leg(data if exact or quick is None else quick, start, P, precision, tick)
        end = without_short(data, evaluate(data, leg.run(), start.signs))
        gained = best.F - end.F
        best = end if gained > 0 else best
        if leg.stopped or (exact and gained <= _NO_GAIN * best.F):
            break
        exact |= gained <= _SMALL_GAIN * best.F
    return best


def without_short(data: Training, neurons: Neurons) -> Neurons:
    """The network without its shortest neurons, one by one, while F does not rise."""
    while len(neurons) > 1:
        size = lengths(neurons.W)
        shortest = int(np.argmin(size))
        if size[shortest] > _SHORT * size.max():
            break
        keep = np.arange(len(neurons)) != shortest
        fewer = evaluate(data, neurons.W[keep], neurons.signs[keep])
        if fewer.F > neurons.F:
            break
        neurons = fewer
    return neurons


class _Leg:
    """L-BFGS from one network on `F(W + P z)`."""

    def __init__(
        self, data: Training, start: Neurons, P: Array, precision: float, tick: Tick
    ) -> None:
        self.data, self.start, self.P = data, start, P
        self.enough, self.tick, self.stopped = precision * data.beta, tick, False
        self._signs = start.signs.astype(data.X.dtype)
        self._residual = np.empty_like(data.y)
        self._steepest, self._iterations = np.inf, 0
        self._last = np.zeros(start.W.size)

    def run(self) -> Array:
        """The weights at its end; `stopped` where they are stationary, or `tick` says so."""
        options = {"maxiter": _LEG, "maxcor": 20, "ftol": 1e-11, "gtol": 0.0}
        with suppress(_Stopped):
            minimize(
                self._objective, self._last, jac=True, method="L-BFGS-B",
                callback=self._after, options=options,
            )  # fmt: skip
        return self._weights(self._last)

    def _weights(self, z: Array) -> Array:
        return self.start.W + (self.P @ z).reshape(self.start.W.shape)

    def _objective(self, z: Array) -> tuple[float, Array]:
        W, data = self._weights(z), self.data
        single = W.astype(data.X.dtype)
        loss, C = residual_and_correlations(data.X, data.y, single, self._signs, self._residual)
        slopes = data.beta * directions(W) - self.start.signs[:, None] * C
        self._steepest = float(lengths(slopes).max())
        return loss + data.beta * float(lengths(W).sum()), self.P.T @ slopes.ravel()

    def _after(self, z: Array) -> None:
        self._last, self._iterations = z.copy(), self._iterations + 1
        self.stopped = self._steepest <= self.enough
        if self._iterations % 8 == 0:
            self.stopped |= self.tick(self._weights(z), self.start.signs)
        if self.stopped:
            raise _Stopped


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
