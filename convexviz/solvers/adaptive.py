"""Adaptive patterns: the ReLU network itself, neuron by neuron (sliding Frank-Wolfe).

Denoyelle, Duval, Peyre, Soubies: The sliding Frank-Wolfe algorithm and its application to
super-resolution microscopy, Inverse Problems 2019. An oracle looks for the neurons that lower F
fastest, a lasso weighs them against the others, and descent moves all of them at once.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from convexviz.core.bounds import dual_value
from convexviz.core.neurons import NeuronProgram, directions, lengths
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution
from convexviz.core.types import Array
from convexviz.solvers import adaptive_small as small
from convexviz.solvers.adaptive_oracle import Maxima, Oracle
from convexviz.solvers.adaptive_refine import (
    Neurons,
    Training,
    descend,
    evaluate,
    merge,
    residual_of,
    reweigh,
    training,
)
from convexviz.solvers.adaptive_run import Run, Scaled
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, followed, silent

_COARSE = 16_384  # rows on which the first neurons are found,
_COARSE_ROUNDS = 3  # in a few rounds: more would fit their noise
_FIRST = 40  # neurons that the first lasso may keep
_COARSE_FRESH, _FRESH, _CONFIRM = 20, 40, 400  # random starts of the oracle: on few rows,
# in passing, and before it is believed
_TOP = 16  # neurons added a round
_KNOWN = 0.9999  # cosine above which a maximum is a neuron that is already there
_MERGE = 0.97  # cosine from which one neuron is tried in the place of two
_FEW_STEPS, _DESCENT = 150, 400  # L-BFGS iterations a round: before neurons are missed, and after
_CHEAP = (2**18, 2**20)  # entries of X up to which a bound is told after one round, and after three
_STATIONARY = 1e-5  # of beta: how long a slope may be at the end
_EXACT = 1e-14  # of |y|^2/2: below, the fit is perfect and the rest is rounding
_STALLED = 1e-7  # relative progress of three rounds


@dataclass(frozen=True, slots=True)
class Adaptive(AbstractSolver):
    """Trains a `NeuronProgram`; few neurons, the same ones for the same `rng`.

    Stops when the estimated relative gap is within `tolerance` (the estimate comes from many
    starts and certifies nothing); the status is OPTIMAL only where the certified gap is.
    """

    tolerance: float = 1e-4
    max_seconds: float = float("inf")
    max_neurons: int = 200
    max_rounds: int = 30
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, NeuronProgram):
            return f"it needs the network itself, a NeuronProgram, got {type(program).__name__}"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, NeuronProgram)
        return self._train(program, None, on_iteration)

    def path(
        self,
        program: NeuronProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> tuple[Solution, ...]:
        """One solution a weight decay, in the order given; each starts from the next larger one.

        `max_seconds` is for each of them. What a cancelled path holds: see `followed`.
        """

        def solve(at: NeuronProgram, warm: Array | None) -> Solution:
            return self._train(at, warm, on_iteration)

        return followed(program, weight_decays, solve)

    def estimate(self, program: NeuronProgram, variables: Float[np.ndarray, "m d1"]) -> float:
        """An estimate, from below, of `M(r)/beta`: 1 at the optimum, above it where F can fall.

        At the zero network it is below 1 where zero is optimal.
        """
        scaled = Scaled.of(program)
        neurons = scaled.neurons(variables)
        oracle = Oracle(scaled.data.X, copy.deepcopy(self.rng))
        residual, _ = residual_of(scaled.data, neurons)
        found = oracle(residual, directions(neurons.W), neurons.signs, fresh=_CONFIRM)
        return found.largest / scaled.data.beta

    def _train(
        self, program: NeuronProgram, warm: Array | None, on_iteration: OnIteration
    ) -> Solution:
        rng = copy.deepcopy(self.rng)  # a solve leaves the solver as it was
        scaled = Scaled.of(program)
        run = Run(program, scaled, Monitor(self.tolerance, on_iteration), self.max_seconds)
        if small.exact(run, self.max_neurons):
            return run.finish()
        if warm is not None:
            neurons = scaled.neurons(warm)
        elif len(program.y) > 2 * _COARSE:
            neurons = self._on_few_rows(scaled.data, rng, run)
        else:
            neurons = Neurons(np.zeros((0, program.X.shape[1])), np.zeros(0), np.inf)
        if not run.stopped:
            run.offer(neurons)
            search = _Search(self, scaled.data, Oracle(scaled.data.X, rng), run, rng)
            search.rounds(neurons, self.max_rounds, final=True)
        return run.finish()

    def _on_few_rows(self, data: Training, rng: np.random.Generator, run: Run) -> Neurons:
        part = np.sort(rng.permutation(len(data.y))[:_COARSE])
        share = len(part) / len(data.y)
        few = training(np.ascontiguousarray(data.X[part]), data.y[part], share * data.beta)
        search = _Search(self, few, Oracle(few.X, rng), run, rng)
        none = Neurons(np.zeros((0, data.X.shape[1])), np.zeros(0), np.inf)
        found = search.rounds(none, _COARSE_ROUNDS, final=False)
        return evaluate(data, found.W, found.signs)


@dataclass(frozen=True, slots=True)
class _Search:
    """Rounds of descent, oracle and lasso on one set of rows."""

    options: Adaptive
    data: Training
    oracle: Oracle
    run: Run
    rng: np.random.Generator

    def rounds(self, neurons: Neurons, count: int, *, final: bool) -> Neurons:
        """At most `count` rounds; `final` ones confirm what the oracle says."""
        if not len(neurons):
            seeds = self.oracle.seeds
            neurons = self._reweigh(seeds, np.zeros(len(seeds)), min(_FIRST, self._limit))
        history: list[float] = []
        found: Maxima | None = None
        precision = 1e-3 if final else 1e-2
        for k in range(count):
            some = (
                _DESCENT if final and k > 0 else _FEW_STEPS
            )  # what is missing is found after them
            neurons = descend(self.data, neurons, some, precision, self.run.passing)
            neurons = merge(self.data, neurons, _MERGE)
            if len(self.data.y) <= small.ROWS and not self._fits(neurons.F):
                polished = small.polish(self.data, neurons, found, self.rng)
                neurons = polished if len(polished) <= self._limit else neurons
            self._publish(neurons, done=k + 1 if final else 0)
            if self.run.stopped or k == count - 1:
                break
            residual, _ = residual_of(self.data, neurons)
            found = self._look(residual, neurons, confirm=final)
            history.append(neurons.F)
            if self._gap(residual, found, neurons.F) <= self.options.tolerance or _stalled(history):
                break
            better = self._add(neurons, found)
            if better is None and final:
                found = self._search(residual, neurons, _CONFIRM)
                better = self._add(neurons, found)
            if better is None:
                precision = max(0.1 * precision, 1e-7)  # only the neurons themselves violate
            else:
                neurons = better
        if final and not self.run.stopped:  # a bound from the residual needs it nearly stationary
            neurons = descend(self.data, neurons, _DESCENT, _STATIONARY, self.run.passing)
            self.run.offer(neurons)
        return neurons

    @property
    def _limit(self) -> int:
        return self.options.max_neurons

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
        if confirm and self._gap(residual, found, neurons.F) <= self.options.tolerance:
            found = self._search(residual, neurons, _CONFIRM)
        return found

    def _search(self, residual: Array, neurons: Neurons, fresh: int) -> Maxima:
        U = directions(neurons.W)
        return self.oracle(residual, U, neurons.signs, fresh=fresh, top=_TOP)

    def _gap(self, residual: Array, found: Maxima, F: float) -> float:
        """The relative gap if the oracle had found the largest violation: an estimate."""
        bound = dual_value(self.data.y, residual, found.largest, self.data.beta)
        return 0.0 if self._fits(F) else (F - bound) / F

    def _fits(self, objective: float) -> bool:
        rounding = 0.5 * _EXACT * float(self.data.y @ self.data.y)
        return objective <= rounding

    def _add(self, neurons: Neurons, found: Maxima) -> Neurons | None:
        """The network with the violators weighed in, or None where that lowers nothing."""
        U = directions(neurons.W)
        cosines = found.U @ U.T
        known = (cosines > _KNOWN) & (found.signs[:, None] == neurons.signs)
        new = np.flatnonzero((found.values > self.data.beta) & ~known.any(axis=1))[:_TOP]
        if not len(new):
            return None
        weights = np.concatenate([neurons.signs * lengths(neurons.W), np.zeros(len(new))])
        weighed = self._reweigh(np.concatenate([U, found.U[new]]), weights, self._limit)
        return weighed if weighed.F < neurons.F else None

    def _reweigh(self, U: Array, weights: Array, limit: int) -> Neurons:
        return reweigh(self.data, U, weights, limit)


def _stalled(history: list[float]) -> bool:
    return len(history) > 3 and history[-4] - history[-1] <= _STALLED * history[-1]
