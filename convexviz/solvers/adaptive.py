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

from convexviz.core.neurons import NeuronProgram, directions
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution
from convexviz.core.types import Array
from convexviz.solvers import adaptive_small as small
from convexviz.solvers.adaptive_oracle import Oracle
from convexviz.solvers.adaptive_refine import Neurons, Training, evaluate, residual_of, training
from convexviz.solvers.adaptive_run import Run, Scaled
from convexviz.solvers.adaptive_search import CONFIRM, MANY, WIDE, Limits, Search
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, followed, silent

_COARSE = 16_384  # rows on which the first neurons are found where there are many,
_COARSE_ROUNDS = 2  # in a few rounds: more would fit their noise


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
        found = oracle(residual, directions(neurons.W), neurons.signs, fresh=CONFIRM, top=WIDE)
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
        elif len(program.y) > MANY:
            neurons = self._on_few_rows(scaled.data, rng, run)
        else:
            neurons = Neurons(np.zeros((0, program.X.shape[1])), np.zeros(0), np.inf)
        if not run.stopped:
            run.offer(neurons)
            self._search(scaled.data, rng, run).rounds(neurons, self.max_rounds, final=True)
        return run.finish()

    def _on_few_rows(self, data: Training, rng: np.random.Generator, run: Run) -> Neurons:
        part = np.sort(rng.permutation(len(data.y))[:_COARSE])
        share = len(part) / len(data.y)
        few = training(np.ascontiguousarray(data.X[part]), data.y[part], share * data.beta)
        none = Neurons(np.zeros((0, data.X.shape[1])), np.zeros(0), np.inf)
        found = self._search(few, rng, run).rounds(none, _COARSE_ROUNDS, final=False)
        return evaluate(data, found.W, found.signs)

    def _search(self, data: Training, rng: np.random.Generator, run: Run) -> Search:
        limits = Limits(self.tolerance, self.max_neurons)
        return Search(limits, data, Oracle(data.X, rng), run, rng)
