"""Rounds of descent, oracle and lasso: which neurons the network has, and where they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convexviz.core.bounds import dual_value
from convexviz.core.neurons import directions, lengths
from convexviz.core.types import Array
from convexviz.solvers import adaptive_small as small
from convexviz.solvers.adaptive_descent import descend
from convexviz.solvers.adaptive_oracle import Maxima, Oracle
from convexviz.solvers.adaptive_refine import (
    Neurons,
    Training,
    evaluate,
    merge,
    residual_of,
    reweigh,
)
from convexviz.solvers.adaptive_run import Run

MANY = 32_768  # rows from which there is a search on few of them first
CONFIRM, WIDE = 400, 40  # random starts before an estimate is believed, and maxima it looks at
_FIRST = 40  # neurons that the first lasso may keep
_COARSE_FRESH, _FRESH = 20, 40  # random starts of the oracle: on few rows, and in passing
_TOP = 16  # neurons added a round, and maxima looked at where rows are few
_NEARLY, _LITTLE = 0.99, 0.03  # of beta: maxima worth a try; of the median length: their first one
_KNOWN = 0.9999  # cosine above which a maximum is a neuron that is already there
_MERGE = 0.97  # cosine from which one neuron is tried in the place of two
_LEGS = 2  # of descent in a round
_CHEAP = (2**18, 2**20)  # entries of X up to which a bound is told after one round, and after three
_STATIONARY = 1e-5  # of beta: how long a slope may be at the end
_EXACT = 1e-14  # of |y|^2/2: below, the fit is perfect and the rest is rounding
_TINY = float(np.finfo(float).tiny)
_SLOW = 1e-4  # relative progress of a round below which one neuron at a time is too few
_STALLED = 1e-7  # relative progress of three rounds


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a search: the estimated relative gap, and how many neurons it may hold."""

    tolerance: float
    neurons: int


@dataclass(frozen=True, slots=True)
class Search:
    """Rounds of descent, oracle and lasso on one set of rows."""

    limits: Limits
    data: Training
    oracle: Oracle
    run: Run
    rng: np.random.Generator

    def rounds(self, neurons: Neurons, count: int, *, final: bool) -> Neurons:
        """At most `count` rounds; `final` ones confirm what the oracle says."""
        if not len(neurons):
            seeds = self.oracle.seeds
            neurons = self._reweigh(seeds, np.zeros(len(seeds)), min(_FIRST, self._limit))
        best, start, history = neurons, neurons, list[float]()
        found: Maxima | None = None
        precision, slow = 1e-3 if final else 1e-2, False
        for k in range(count):
            legs = _LEGS if final and k > 0 else 1  # what is missing is found after the first
            moved = descend(self.data, start, legs, precision, self.run.passing)
            moved = merge(self.data, moved, _MERGE)
            if len(self.data.y) <= small.ROWS and not self._fits(moved.F):
                polished = small.polish(self.data, moved, found, self.rng)
                moved = polished if len(polished) <= self._limit else moved
            if k == 0 or moved.F < best.F:
                best = moved
            self._publish(best, done=k + 1 if final else 0)
            if self.run.stopped or k == count - 1:
                break
            residual, _ = residual_of(self.data, best)
            found = self._look(residual, best, confirm=final)
            history.append(best.F)
            met = self._gap(residual, found, best.F) <= self.limits.tolerance
            if self.run.tick() or met:  # a look takes seconds where rows are many
                break
            enough = max(_STALLED, 0.01 * self.limits.tolerance)
            if _gained(history, 3) <= enough:
                break
            slow = slow or _gained(history, 1) <= _SLOW
            better = self._more(best, residual, found, final, slow)
            start = best if better is None else better
            if better is None:
                precision = max(0.1 * precision, 1e-7)  # only the neurons themselves violate
        if final and not self.run.stopped:  # a bound from the residual needs it nearly stationary
            best = descend(self.data, best, _LEGS, _STATIONARY, self.run.passing)
            self.run.offer(best)
        return best

    def _more(
        self, neurons: Neurons, residual: Array, found: Maxima, final: bool, slow: bool
    ) -> Neurons | None:
        """A network to go on from, with neurons that were missing; None where none are."""
        if final and slow and len(self.data.y) > MANY:
            return self._enriched(neurons, found)
        better = self._add(neurons, found)
        if better is None and final:
            better = self._add(neurons, self._search(residual, neurons, CONFIRM))
        return better

    @property
    def _limit(self) -> int:
        return self.limits.neurons

    def _publish(self, neurons: Neurons, *, done: int) -> None:
        """Tell of the network after `done` rounds on all rows."""
        self.run.offer(neurons)  # evaluated on all rows, also where the search sees few
        size = self.data.X.size if len(neurons) else 0
        due = 1 if size <= _CHEAP[0] else 3
        if done == due and size <= _CHEAP[1] and not self.run.stopped:
            self.run.certify()  # up to two seconds on a large image: there at the end only
        self.run.tick()

    def _look(self, residual: Array, neurons: Neurons, *, confirm: bool) -> Maxima:
        found = self._search(residual, neurons, _FRESH if confirm else _COARSE_FRESH)
        if confirm and self._gap(residual, found, neurons.F) <= self.limits.tolerance:
            found = self._search(residual, neurons, CONFIRM)
        return found

    def _search(self, residual: Array, neurons: Neurons, fresh: int) -> Maxima:
        U = directions(neurons.W)
        top = WIDE if self.data.sample is not None else _TOP
        return self.oracle(residual, U, neurons.signs, fresh=fresh, top=top)

    def _gap(self, residual: Array, found: Maxima, F: float) -> float:
        """The relative gap if the oracle had found the largest violation: an estimate."""
        bound = dual_value(self.data.y, residual, found.largest, self.data.beta)
        return 0.0 if self._fits(F) else (F - bound) / F

    def _fits(self, objective: float) -> bool:
        rounding = 0.5 * _EXACT * float(self.data.y @ self.data.y)
        return objective <= rounding

    def _add(self, neurons: Neurons, found: Maxima) -> Neurons | None:
        """The network with the violators weighed in, or None where that lowers nothing."""
        U, new = directions(neurons.W), self._unknown(neurons, found, self.data.beta)[:_TOP]
        if not len(new):
            return None
        weights = np.concatenate([neurons.signs * lengths(neurons.W), np.zeros(len(new))])
        weighed = self._reweigh(np.concatenate([U, found.U[new]]), weights, self._limit)
        return weighed if weighed.F < neurons.F else None

    def _enriched(self, neurons: Neurons, found: Maxima) -> Neurons | None:
        """The network with a little of all that nearly violates: F rises before descent lowers it.

        On many rows the maxima that matter are many and lie within a hundredth of beta.
        """
        new = self._unknown(neurons, found, _NEARLY * self.data.beta)
        new = new[: max(0, self._limit - len(neurons))]
        if not len(new) or not len(neurons):
            return None
        little = _LITTLE * float(np.median(lengths(neurons.W)))
        W = np.concatenate([neurons.W, little * found.U[new]])
        return evaluate(self.data, W, np.concatenate([neurons.signs, found.signs[new]]))

    def _unknown(self, neurons: Neurons, found: Maxima, above: float) -> np.ndarray:
        cosines = found.U @ directions(neurons.W).T
        known = (cosines > _KNOWN) & (found.signs[:, None] == neurons.signs)
        return np.flatnonzero((found.values > above) & ~known.any(axis=1))

    def _reweigh(self, U: Array, weights: Array, limit: int) -> Neurons:
        return reweigh(self.data, U, weights, limit)


def _gained(history: list[float], rounds: int) -> float:
    """How far F fell in the last rounds, relative to F; infinite before there were so many."""
    if len(history) <= rounds:
        return np.inf
    return (history[-1 - rounds] - history[-1]) / (history[-1] + _TINY)
