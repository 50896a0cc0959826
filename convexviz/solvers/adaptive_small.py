"""Few patterns: the exact convex program on all of them; few rows: on those around the neurons.

There the objective has kinks that descent cannot pass: an optimal neuron often has rows exactly
on its boundary. The convex program on given patterns does not mind.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.arrangements import Arrangements, patterns_of
from convexviz.core.neurons import directions, join, lengths
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Certificate, Progress, Scope
from convexviz.core.types import Array
from convexviz.errors import Cancelled
from convexviz.solvers.adaptive_oracle import Maxima
from convexviz.solvers.adaptive_refine import Neurons, Training, evaluate
from convexviz.solvers.adaptive_run import Run
from convexviz.solvers.constrained import ActiveSet

ROWS = 64  # up to here; beyond, single rows no longer matter and the cones cost more than descent
_NUDGES = (1e-3, 1e-2, 1e-1, 0.5)  # of a unit vector, each in several directions
_COPIES = 6
_GATES = 24  # neurons and maxima whose neighbourhood is tried
_PATTERNS = 64


def exact(run: Run, max_neurons: int) -> bool:
    """Offers the proved optimum where all patterns are few; True where that ends the solve."""
    if run.program.weight_decay == 0 or (program := run.program.on_all_patterns) is None:
        return False

    def told(progress: Progress) -> None:
        if not run.stopped:
            run.hear(Certificate(progress.primal, progress.dual, Scope.RELU_NETWORK))
        if run.stopped:
            raise Cancelled

    solver = ActiveSet(tolerance=run.monitor.tolerance)
    found = solver.solve(program, on_iteration=told).variables.reshape(-1, program.X.shape[1])
    signs = np.repeat([1.0, -1.0], len(found) // 2)
    variables = join(found, signs)[lengths(found) > 0]
    if len(variables) <= max_neurons:
        run.offer_point(variables)
        run.certify()
        run.tick()
    return run.stopped


def polish(
    data: Training, neurons: Neurons, found: Maxima | None, rng: np.random.Generator
) -> Neurons:
    """The optimum over the patterns next to the neurons and the maxima, or `neurons` if better."""
    U = directions(neurons.W)
    if found is not None:
        U = np.concatenate([U, found.best(_GATES).U])
    patterns = _nearby(data.X, U[:_GATES], rng)
    if not len(patterns):
        return neurons
    program = ReluProgram(data.X, data.y, patterns, data.beta)
    solution = ActiveSet(tolerance=1e-9).solve(program)
    W: Array = solution.variables.reshape(-1, data.X.shape[1])
    better = evaluate(data, W, np.repeat([1.0, -1.0], len(patterns)))
    return better if better.F < neurons.F else neurons


def _nearby(X: Array, U: Array, rng: np.random.Generator) -> Arrangements:
    nudges = np.repeat(_NUDGES, _COPIES)[:, None, None]
    noise = directions(rng.standard_normal((len(nudges) * len(U), X.shape[1])))
    moved: Array = U + nudges * noise.reshape(len(nudges), len(U), X.shape[1])
    gates = np.concatenate([U, moved.reshape(-1, X.shape[1])]).T
    patterns, first = np.unique(patterns_of(X, gates), axis=1, return_index=True)
    kept = np.argsort(first)[:_PATTERNS]  # the neurons' own patterns come first
    kept = kept[patterns[:, kept].any(axis=0)]
    return Arrangements(gates[:, first[kept]], patterns[:, kept], complete=False)
