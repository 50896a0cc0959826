"""cvxpy with Clarabel: slow, small and plainly written, so that fast solvers can be held to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from convexviz.core.panics import unless_panic
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.errors import ConvexvizError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration

if TYPE_CHECKING:
    import cvxpy as cp


@dataclass(frozen=True, slots=True)
class Reference(AbstractSolver):
    """An interior point method on `program.to_cvxpy()`; the program certifies the answer.

    Optimal only where Clarabel says so itself and the certified gap is within `tolerance`.
    """

    tolerance: float = 1e-6

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        try:
            program.to_cvxpy()
        except ConvexvizError as refused:  # too many patterns, or a loss that is not written out
            return str(refused)
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        monitor = Monitor(self.tolerance, on_iteration)
        problem = program.to_cvxpy()
        best: Solution | None = None
        for accuracy in (1e-3, 1e-1):  # a gap certified to the tolerance takes more than was asked
            solved = clarabel(problem, accuracy * self.tolerance)
            variables = program.from_cvxpy(problem)
            certificate = program.certify(variables)
            stop = monitor.record(certificate)
            status = self._status(monitor, solved, certificate)
            found = Solution(variables, certificate, status, "Reference", tuple(monitor.trace))
            if best is None or found.certificate.relative_gap < best.certificate.relative_gap:
                best = found
            if status is Status.OPTIMAL or (stop and monitor.cancelled):
                break
        assert best is not None
        return replace(best, objectives=tuple(monitor.trace))

    def _status(self, monitor: Monitor, solved: bool, certificate: Certificate) -> Status:
        if monitor.cancelled:
            return Status.CANCELLED
        proven = solved and certificate.relative_gap <= self.tolerance
        return Status.OPTIMAL if proven else Status.MAX_ITERATIONS


def clarabel(problem: cp.Problem, tolerance: float) -> bool:
    """Solve in place and say whether Clarabel calls it `optimal`; where it has no point, zeros."""
    import warnings

    import cvxpy as cp

    asked = max(1e-12, tolerance)
    options = {"tol_gap_rel": asked, "tol_gap_abs": asked, "tol_feas": min(asked, 1e-9)}
    optimal = False
    if problem.variables() and all(v.size for v in problem.variables()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy warns of inaccuracy; the status says it too
            try:
                value = unless_panic(lambda: problem.solve(solver="CLARABEL", **options))
                optimal = value is not None and problem.status == "optimal"
            except cp.SolverError:
                optimal = False
    for variable in problem.variables():
        value = variable.value
        if value is None or not np.isfinite(value).all():
            variable.value = np.zeros(variable.shape)
            optimal = False
    return optimal
