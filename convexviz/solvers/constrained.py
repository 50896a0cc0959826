"""Column generation over patterns for the ReLU program: exact certificates, small masters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from convexviz.core.arrangements import Arrangements
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Solution, Status
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration
from convexviz.solvers.reference import clarabel


@dataclass(frozen=True, slots=True)
class ActiveSet(AbstractSolver):
    """Solves on a working set of patterns and adds those whose dual constraint is violated most."""

    tolerance: float = 1e-6
    max_iterations: int = 100

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, ReluProgram):
            return f"it needs cones over patterns (ReluProgram), got {type(program).__name__}"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, ReluProgram)
        monitor = Monitor(self.tolerance, on_iteration)
        best = np.zeros(program.shape)
        certificate = program.certify(best)
        stop = monitor.record(certificate)
        working = np.zeros(program.shape[1], dtype=bool)
        current = best
        while not stop and len(monitor.trace) < self.max_iterations:
            sizes = np.linalg.norm(program.correlations(program.y - program.fit(current)), axis=1)
            sizes[working] = 0.0
            new = np.argsort(-sizes)[: max(8, working.sum() // 2)]
            new = new[sizes[new] > program.weight_decay]
            if not len(new):
                break
            working[new] = True
            a = program.arrangements
            small = Arrangements(a.gates[:, working], a.patterns[:, working], complete=False)
            restricted = replace(program, arrangements=small)
            problem = restricted.to_cvxpy()
            clarabel(problem, self.tolerance)
            current = np.zeros(program.shape)
            current[:, working] = restricted.from_cvxpy(problem)
            found = program.certify(current)
            dual = max(found.dual, certificate.dual)
            if found.primal < certificate.primal:
                best, certificate = current, found
            certificate = replace(certificate, dual=min(dual, certificate.primal))
            stop = monitor.record(certificate)
        status = Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        elif certificate.relative_gap <= self.tolerance:
            status = Status.OPTIMAL
        return Solution(best, certificate, status, "ActiveSet", tuple(monitor.trace))
