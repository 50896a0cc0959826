"""Frank-Wolfe over neurons: Algorithm 1 of the copositive paper, one neuron a step.

    min l(A(sum_i D_i X V_i), Y)  subject to  sum_i ||V_i||_{K_i,*} <= t

Each step finds the neuron that lowers the loss fastest, by cone-constrained PCA, and moves a share
gamma towards t times it (Sahiner, Ergen, Pauly, Pilanci, ICLR 2021, Algorithm 1; THEORY 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize_scalar

from convexviz.core.cone_norm import ChosenCones
from convexviz.core.dual_norm import SearchedNorm
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration
from convexviz.solvers.cone_columns import ConeColumns, proved_bound
from convexviz.solvers.dual_newton import DualNewton

_AS_NEAR = 1e-3  # relative gap to which the path norm is found where cones are climbed
_FULL = 1e-14  # a share below it is no step


@dataclass(frozen=True, slots=True)
class FrankWolfe(AbstractSolver):
    """`path_norm` 0 takes that of the exact optimum at the program's weight decay.

    The certificate is that of the weight-decay program at the network that came out; the gap of
    the constrained problem, `t M(R) - <R, F>`, is among the records, a value a step: an estimate
    from below where M is one.
    """

    tolerance: float = 1e-6
    steps: int = 500
    path_norm: float = 0.0
    line_search: bool = False

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, VectorProgram):
            return f"it needs a VectorProgram, got {type(program).__name__}"
        if isinstance(program.norm, ChosenCones):
            return ConeColumns().why_not(program)
        return DualNewton().why_not(program)

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, VectorProgram)
        t, monitor = self.path_norm, Monitor(self.tolerance, on_iteration)
        if t == 0.0:
            solver: AbstractSolver = ConeColumns(max(self.tolerance, _AS_NEAR))
            if DualNewton().why_not(program) is None:
                solver = DualNewton(min(self.tolerance, 1e-8))
            optimum = solver.solve(program, on_iteration=monitor.pass_on).variables
            t = program.penalty(optimum)
        return _Run(program, self, t, monitor).go()


@dataclass(slots=True)
class _Run:
    program: VectorProgram
    options: FrankWolfe
    t: float
    monitor: Monitor
    neurons: list[Array] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    records: dict[str, list[float]] = field(default_factory=dict)
    bound: float = 0.0

    @property
    def norm(self) -> SearchedNorm:
        assert isinstance(self.program.norm, SearchedNorm)  # `why_not` refuses others
        return self.program.norm

    def go(self) -> Solution:
        program = self.program
        F = np.zeros_like(program.Y)
        for k in range(self.options.steps):
            R = program.loss.minus_gradient(F, program.Y)
            G = program.readout.adjoint(R)
            found = self.norm.search(G)
            gap = self.t * found.largest - float(np.vdot(R, F))
            value = program.loss.value(F, program.Y)
            if self.norm.exact:
                self.bound = max(self.bound, program.bound(R, found.largest))
            self._note(value, gap)
            if self.monitor.cancelled or gap <= self.options.tolerance * value:
                break
            peak = self.norm.peaks(G, found, 1)
            if not len(peak):
                break
            raw = peak.hidden[0][:, None] * peak.outputs[0][None, :]
            move = self.t * program.readout.apply(raw) - F
            gamma = self._share(F, move, k)
            self._take(gamma, peak.points[0], peak.outputs[0])
            F = F + gamma * move
        return self._finish()

    def _note(self, value: float, gap: float) -> None:
        program = self.program
        primal = value + program.weight_decay * float(np.sum(self.weights))
        self.records.setdefault("loss", []).append(value)
        self.records.setdefault("gap", []).append(gap)
        self.records.setdefault("primal", []).append(primal)
        dual = min(self.bound, primal)
        self.monitor.record(Certificate(primal, dual, self.norm.scope))

    def _share(self, F: Array, move: Array, k: int) -> float:
        if not self.options.line_search:
            return 2.0 / (k + 2.0)
        program = self.program
        if program.loss.name == "squared":
            squares = float(np.vdot(move, move))
            along = float(np.vdot(program.Y - F, move))
            return min(max(along / squares, 0.0), 1.0) if squares > 0 else 0.0
        found = minimize_scalar(
            lambda share: program.loss.value(F + share * move, program.Y),
            bounds=(0.0, 1.0),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return float(found.x)

    def _take(self, gamma: float, point: Array, outputs: Array) -> None:
        self.weights = [(1.0 - gamma) * weight for weight in self.weights]
        self.neurons.append(np.concatenate([self.norm.basis @ point, outputs]))
        self.weights.append(gamma * self.t)
        self.records.setdefault("share", []).append(gamma)

    def _variables(self) -> Array:
        """The neurons in the order in which they came, those of equal directions joined."""
        program = self.program
        d = program.X.shape[1]
        joined: dict[bytes, Array] = {}
        for neuron, weight in zip(self.neurons, self.weights, strict=True):
            if weight <= _FULL * self.t:
                continue
            key = np.round(neuron[:d], 9).tobytes()
            if key not in joined:
                joined[key] = np.concatenate([neuron[:d], np.zeros(len(neuron) - d)])
            joined[key][d:] += weight * neuron[d:]
        if not joined:
            return np.zeros((0, d + program.outputs))
        return np.array(list(joined.values()))

    def _finish(self) -> Solution:
        variables = self._variables()
        certificate, proof = self._certified(variables)
        met = certificate.relative_gap <= self.options.tolerance
        status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        records = {f"frank_wolfe_{name}": np.array(v) for name, v in self.records.items()}
        width = self.program.X.shape[1] + self.program.outputs
        records["frank_wolfe_neurons"] = np.array(self.neurons).reshape(-1, width)
        records["frank_wolfe_path_norm"] = np.array([self.t])
        trace = tuple(self.monitor.trace)
        return Solution(
            variables, certificate, status, "FrankWolfe", trace, records=records | proof
        )

    def _certified(self, variables: Array) -> tuple[Certificate, dict[str, Array]]:
        """The certificate, and what proves it where the dual norm is estimated from below."""
        program = self.program
        if self.norm.exact:
            return program.certify(variables), {}
        R = program.loss.minus_gradient(program.fit(variables), program.Y)
        known = np.zeros((0, 4)) if self.monitor.cancelled else None
        proof, dual = proved_bound(program, R, known)
        primal = program.objective(variables)
        certificate = Certificate(primal, min(dual, primal), self.norm.scope)
        return certificate, {"cone_residual": R, "cone_multipliers": proof.table}
