"""A vector-output ReLU network of any rank: neurons are trained together, and added while needed.

Quasi-Newton on the balanced weights (L-BFGS), then ascent of the dual norm from many starts: where
it finds a value above beta, the neurons there are added and trained on. What the search finds stops
it and certifies nothing; the certificate is the program's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from convexviz.core.free_norm import FreeNorm, ascend
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram, balanced
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, asking, silent

_WIDTH, _START = 150, 0.2
_STARTS = 200  # of the ascent
_ASCENT = 60
_ADDED = 20  # neurons at a time
_SMALL = 0.05  # of the usual size: how a new neuron starts
_ALIKE = 0.999  # cosine above which two directions are one
_ROUNDING = 1e-14
_WORK = 4_000_000  # rows times neurons of the steps between two questions whether to go on
_NEGLIGIBLE = 1e-7  # of the largest neuron


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeNeurons(AbstractSolver):
    """Trains a `VectorProgram` over `FreeNorm` to where no neuron is found that would help.

    Attributes:
        tolerance: the certified gap to stop at, and of beta, what a found value may be above it.
        max_iterations: rounds of training and search.
        seed: of the starts.
    """

    tolerance: float = 1e-4
    max_iterations: int = 3
    seed: int = 0

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, VectorProgram) or not isinstance(program.norm, FreeNorm):
            return "it needs a VectorProgram over all neurons (FreeNorm)"
        if not np.isfinite(program.loss.smoothness):
            return f"it needs a smooth loss, got {program.loss.name}"
        return None

    def solve_from(
        self, program: VectorProgram, start: Array, *, on_iteration: OnIteration = silent
    ) -> Solution:
        """Solve `program` starting with the neurons `start`."""
        return self._run(program, start, on_iteration)

    def path(
        self,
        program: VectorProgram,
        weight_decays: Sequence[float] | Float[np.ndarray, " k"],
        *,
        on_iteration: OnIteration = silent,
    ) -> list[Solution]:
        """A solution for each weight decay, in the order given, each started at the one before."""
        solutions: list[Solution] = []
        for weight_decay in weight_decays:
            here = program.with_weight_decay(float(weight_decay))
            start = solutions[-1].variables if solutions else None
            solutions.append(self._run(here, start, on_iteration))
            if solutions[-1].status is Status.CANCELLED:
                break
        return solutions

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, VectorProgram)
        return self._run(program, None, on_iteration)

    def _run(
        self, program: VectorProgram, start: Array | None, on_iteration: OnIteration
    ) -> Solution:
        monitor = Monitor(self.tolerance, on_iteration)
        rng = np.random.default_rng([self.seed, 5])
        variables = _wide(program, rng) if start is None else start
        none = variables[:0]
        zero = program.certify(none)
        first = zero if start is None else program.certify(start)
        monitor.record(first)  # at once: with many rows the next number takes a while
        if zero.relative_gap <= _ROUNDING:  # the penalty outweighs the data
            return _solution(none, zero, monitor)
        if monitor.cancelled:
            return _solution(none if start is None else start, first, monitor)
        best: tuple[Array, Certificate] | None = None
        new = none
        for _ in range(self.max_iterations):
            known = zero if best is None else best[1]
            variables = _trained(program, np.vstack([variables, new]), monitor, known)
            certificate = program.certify(variables)
            dual = certificate.dual if best is None else max(certificate.dual, best[1].dual)
            if best is None or certificate.primal <= best[1].primal:
                best = (variables, certificate)
            best = (best[0], Certificate(best[1].primal, min(dual, best[1].primal), best[1].scope))
            if monitor.record(best[1]):
                break
            new, needed = _missing(program, variables, rng, 1.0 + self.tolerance)
            if not needed:
                break
        assert best is not None
        return _solution(best[0], program.certify(best[0]), monitor)


def _wide(program: VectorProgram, rng: np.random.Generator) -> Array:
    """Random neurons of the usual size, many more than are needed: wide networks meet no walls."""
    d, k = program.X.shape[1], program.outputs
    U = rng.standard_normal((_WIDTH, d)) * _START
    return np.hstack([U, rng.standard_normal((_WIDTH, k)) * _START])


def _solution(variables: Array, certificate: Certificate, monitor: Monitor) -> Solution:
    status = Status.MAX_ITERATIONS
    if monitor.cancelled:
        status = Status.CANCELLED
    elif certificate.relative_gap <= monitor.tolerance:
        status = Status.OPTIMAL
    return Solution(variables, certificate, status, "FreeNeurons", tuple(monitor.trace))


def _missing(
    program: VectorProgram, variables: Array, rng: np.random.Generator, allowed: float
) -> tuple[Array, bool]:
    """Neurons that ascent finds above `allowed` times beta, small; and whether there are any."""
    X, beta = program.X, program.weight_decay
    R = program.loss.minus_gradient(program.fit(variables), program.Y)
    G = program.readout.adjoint(R)
    seeds = np.hstack([rng.standard_normal((X.shape[1], _STARTS)), X.T @ G])
    U, values = ascend(X, G, seeds, _ASCENT)
    order = np.argsort(-values)
    chosen: list[int] = []
    for j in order[values[order] > allowed * beta]:
        if len(chosen) == _ADDED:
            break
        if all(U[:, j] @ U[:, i] < _ALIKE for i in chosen):
            chosen.append(int(j))
    images = G.T @ np.maximum(X @ U[:, chosen], 0.0)
    outputs = images / np.maximum(np.linalg.norm(images, axis=0), 1e-300)
    size = _SMALL * np.sqrt(max(1.0, float(np.abs(program.Y).max())))
    return size * np.hstack([U[:, chosen].T, outputs.T]), bool(chosen)


def _trained(
    program: VectorProgram, variables: Array, monitor: Monitor, known: Certificate
) -> Array:
    """The neurons after L-BFGS on `l + beta/2 (|U|^2 + |V|^2)`, balanced, none negligible."""
    X, beta = program.X, program.weight_decay
    (m, width), d = variables.shape, X.shape[1]
    if m == 0:
        return variables

    def objective(x: Array) -> tuple[float, Array]:
        W = x.reshape(m, width)
        linear = X @ W[:, :d].T
        hidden = np.maximum(linear, 0.0)
        F = program.readout.apply(hidden @ W[:, d:])
        G = program.readout.adjoint(program.loss.minus_gradient(F, program.Y))
        value = program.loss.value(F, program.Y) + 0.5 * beta * float(x @ x)
        first = ((linear > 0) * (G @ W[:, d:].T)).T @ X
        return value, beta * x - np.hstack([first, hidden.T @ G]).ravel()

    U, V = balanced(variables[:, :d], variables[:, d:])
    start = np.hstack([U, V])
    m = len(start)
    options = {"maxiter": 1500, "maxfun": 2500, "maxcor": 30, "ftol": 1e-15, "gtol": 1e-10}
    ask = asking(monitor, known, int(np.clip(_WORK // (len(X) * m), 1, 20)))
    found = minimize(
        objective, start.ravel(), jac=True, method="L-BFGS-B", callback=ask, options=options
    )
    W = np.asarray(found.x).reshape(m, width)
    U, V = balanced(W[:, :d], W[:, d:])
    sizes = np.linalg.norm(U, axis=1) * np.linalg.norm(V, axis=1)
    kept = sizes > _NEGLIGIBLE * sizes.max(initial=0.0)
    return np.hstack([U[kept], V[kept]])
