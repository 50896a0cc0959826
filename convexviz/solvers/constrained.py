"""Primal active-set method for the ReLU program: few patterns at a time, certified over all.

Working set over signed patterns; on it, Newton on the faces of the cones. The dual constraint of
every other pattern is a projection onto its cone, so each round ends with an exact certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from convexviz.core.program import AbstractConvexProgram
from convexviz.core.relu import EXACT, ReluProgram
from convexviz.core.relu_data import Evaluated
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent
from convexviz.solvers.constrained_search import Search, Walls, scaled_dual
from convexviz.solvers.constrained_workspace import Workspace, workspace_of

# On data of unit scale: below this a fit is exact to rounding. Reached where weight decay is 0,
# which no gap can certify (the dual is then 0 for every residual but 0).
NOTHING = 1e-28
SLOW = 1e-3  # of the objective: proximal steps that gain less would take thousands of rounds
SHARPER = 0.5  # of the tolerance asked of the Gram, whose last digits are rounding


@dataclass(frozen=True, slots=True)
class ActiveSet(AbstractSolver):
    """Exact to rounding on small data: gaps of 1e-12 cost a few Newton steps more than 1e-6.

    Attributes:
        certify_from: where a path with many rows gets the dual constraints of its certificates.
            "data" is as near as float64 comes. "gram" does not read the rows again for them, adds
            a bound on the Gram's rounding instead, and turns to the data where that is too much
            for the tolerance. Objectives and feasibility always come from all rows.
    """

    tolerance: float = 1e-6
    max_iterations: int = 200
    newton_iterations: int = 400
    certify_from: Literal["data", "gram"] = "data"

    def on(self, device: str) -> AbstractSolver:
        if device == "cpu":
            return self
        from convexviz.solvers.first_order import FirstOrder

        return FirstOrder(tolerance=self.tolerance, device=device)

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, ReluProgram):
            return f"it needs cones over patterns (ReluProgram), got {type(program).__name__}"
        return None

    def solve_from(
        self,
        program: ReluProgram,
        start: Float[np.ndarray, "2 P d"],
        *,
        on_iteration: OnIteration = silent,
    ) -> Solution:
        """Solve `program` starting at `start`, an optimum for nearby weight decay at best."""
        program = program.afresh()
        walls = Walls(program.data.small_cones)
        return self._run(program, workspace_of(program), start, walls, on_iteration)

    def path(
        self,
        program: ReluProgram,
        weight_decays: Sequence[float] | Float[np.ndarray, " k"],
        *,
        on_iteration: OnIteration = silent,
    ) -> list[Solution]:
        """One solution a weight decay, in the order given, each started from the one before.

        Stops early, with fewer solutions, where `on_iteration` raises Cancelled. With many rows
        all points are found first and their objectives evaluated together, in one pass.
        """
        program = program.afresh()
        workspace, start = workspace_of(program), np.zeros(program.shape)
        if workspace is not None:
            workspace.summarise()
        together = workspace is not None and workspace.whole is not None and workspace.full_rank
        solutions, drafts, walls = [], [], Walls(program.data.small_cones)
        for beta in weight_decays:
            here = program.with_weight_decay(float(beta))
            if workspace is not None and together:
                draft = self._draft(here, workspace, start, walls, on_iteration)
                drafts.append(draft)
                start, cancelled = draft.variables, draft.monitor.cancelled
            else:
                solutions.append(self._run(here, workspace, start, walls, on_iteration))
                start = solutions[-1].variables
                cancelled = solutions[-1].status is Status.CANCELLED
            if cancelled:
                break
        return self._certified(program, drafts) if drafts else solutions

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, ReluProgram)
        return self.solve_from(program, np.zeros(program.shape), on_iteration=on_iteration)

    def _run(
        self,
        program: ReluProgram,
        workspace: Workspace | None,
        start: Float[np.ndarray, "2 P d"],
        walls: Walls,
        on_iteration: OnIteration,
    ) -> Solution:
        monitor = Monitor(self.tolerance, on_iteration)
        zero = Certificate(float(0.5 * program.y @ program.y), 0.0, program.scope)
        best = _Best(program, np.zeros(program.shape), zero)
        if workspace is None:
            best.offer(best.variables)
            monitor.record(best.certificate)
            return best.solution(monitor)
        workspace.summarise()
        small = workspace.at(program.weight_decay)
        search = Search(small, workspace, workspace.reduce(start), walls, workspace.whole is None)
        while not self._descend(search, monitor, best):
            search.exact = True  # the Gram has no more digits to give
        best.offer(workspace.restore(search.V))
        return best.solution(monitor)

    def _draft(
        self,
        program: ReluProgram,
        workspace: Workspace,
        start: Float[np.ndarray, "2 P d"],
        walls: Walls,
        on_iteration: OnIteration,
    ) -> _Draft:
        """The optimum as the Gram sees it."""
        monitor = Monitor(self.tolerance, on_iteration)
        small = workspace.at(program.weight_decay)
        search = Search(small, workspace, workspace.reduce(start), walls, exact=False)
        self._descend(search, monitor, None)
        return _Draft(program, workspace.restore(search.V), search, monitor)

    def _descend(self, search: Search, monitor: Monitor, best: _Best | None) -> bool:
        """Rounds until the gap is closed, or cancelled, or nothing more is gained.

        False where the search, from the Gram, falls short of the tolerance on the data.
        """
        loss_scale, tolerance = search.workspace.loss_scale, self.tolerance
        iterations = self.newton_iterations if search.program.weight_decay else 40
        rescued, idle, least = 0, 0, np.inf
        for _ in range(self.max_iterations):
            rough = search.certificate()
            scaled = replace(rough, primal=rough.primal * loss_scale, dual=rough.dual * loss_scale)
            if scaled.relative_gap <= (tolerance if search.exact else SHARPER * tolerance):
                if best is not None:
                    best.offer(search.workspace.restore(search.V))
                    scaled = best.certificate
                    if scaled.relative_gap > tolerance and not search.exact:
                        return False
                monitor.record(scaled)
                return True
            monitor.record(scaled)
            if monitor.cancelled:
                return True
            gain = search.advance(iterations)
            if best is not None and search.proximal:  # what follows may look better, and not be
                best.offer(search.workspace.restore(search.V))
            if rough.primal < NOTHING:
                break
            least_gain = SLOW if search.proximal else 1e-13
            useful = gain > least_gain * rough.primal or rough.gap < 0.9 * least
            idle, least = 0 if useful else idle + 1, min(least, rough.gap)
            if idle == 3 and rescued < 2 and search.exact:
                search.rescue(tolerance)
                rescued, idle = rescued + 1, 0
            if idle == 3:
                break
        return search.exact

    def _certified(self, program: ReluProgram, drafts: list[_Draft]) -> list[Solution]:
        """Objectives, feasibility and dual constraints, all points in one pass over the rows."""
        points = [draft.variables for draft in drafts]
        found = program.data.evaluate(points, correlate=self.certify_from == "data")
        solutions = []
        for draft, here in zip(drafts, found, strict=True):
            solution = draft.solution(here, self.tolerance)
            if solution.status is Status.MAX_ITERATIONS:  # rounding, or a repair: look closely
                trace = draft.monitor.trace
                again = self.solve_from(draft.program, draft.variables)
                solution = replace(again, objectives=(*trace, *again.objectives))
            solutions.append(solution)
        return solutions


@dataclass(frozen=True, slots=True)
class _Draft:
    """A point that still has to be evaluated on the data."""

    program: ReluProgram
    variables: Array
    search: Search
    monitor: Monitor

    def solution(self, here: Evaluated, tolerance: float) -> Solution:
        """The certificate from what the data give, and where they were not asked, the Gram."""
        primal = 0.5 * here.squares + self.program.penalty(self.variables)
        certificate = Certificate(primal, min(self._dual(here), primal), self.program.scope)
        variables, status = self.variables, Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            variables, certificate = self.program.certified(self.variables)
            status = Status.CANCELLED
        elif here.outside <= EXACT and certificate.relative_gap <= tolerance:
            status = Status.OPTIMAL
        trace = tuple(self.monitor.trace)
        return Solution(variables, certificate, status, "ActiveSet", trace)

    def _dual(self, here: Evaluated) -> float:
        if here.correlations is None:
            scale = self.search.workspace.loss_scale
            return scale * self.search.lower_bound(here.squares / scale, here.along / scale)
        unneeded = self.program.unneeded(here.squares, here.along)
        largest = self.program.longest_projection(here.correlations, unneeded)
        return scaled_dual(here.along, here.squares, largest, self.program.weight_decay)


@dataclass(slots=True)
class _Best:
    """The best point so far and the best dual value, certified by the program itself."""

    program: ReluProgram
    variables: Array
    certificate: Certificate
    bounding: Array | None = None  # the point that gave the best dual value
    last: Array | None = None

    def offer(self, variables: Array) -> None:
        if self.last is not None and np.array_equal(variables, self.last):
            return
        self.last = variables
        variables, found = self.program.certified(variables)  # what is kept is what has this value
        dual = max(found.dual, self.certificate.dual)
        if found.primal <= self.certificate.primal:
            self.variables = variables
        if found.dual >= self.certificate.dual:
            self.bounding = variables
        primal = min(found.primal, self.certificate.primal)
        self.certificate = replace(found, primal=primal, dual=min(dual, primal))

    def solution(self, monitor: Monitor) -> Solution:
        status = Status.MAX_ITERATIONS
        if monitor.cancelled:  # first: whoever cancels wants a path to end, too
            status = Status.CANCELLED
        elif self.certificate.relative_gap <= monitor.tolerance:
            status = Status.OPTIMAL
        trace, other = tuple(monitor.trace), self.bounding
        witness = None if other is self.variables else other
        return Solution(self.variables, self.certificate, status, "ActiveSet", trace, witness)
