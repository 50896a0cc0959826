"""Primal active-set method for the ReLU program: few patterns at a time, certified over all.

Working set over signed patterns; on it, Newton on the faces of the cones. The dual constraint of
every other pattern is a projection onto its cone, so each round ends with an exact certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from convexviz.core.arrangements import Arrangements
from convexviz.core.bounds import dual_value
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent
from convexviz.solvers.constrained_faces import Restricted, entry
from convexviz.solvers.constrained_newton import minimise
from convexviz.solvers.constrained_workspace import (
    Reduced,
    Workspace,
    reduced,
    with_weight_decay,
)
from convexviz.solvers.reference import clarabel

# On data of unit scale: below this a fit is exact to rounding. Reached where weight decay is 0,
# which no gap can certify (the dual is then 0 for every residual but 0).
NOTHING = 1e-28
SIGNS = np.array([1.0, -1.0])


@dataclass(frozen=True, slots=True)
class ActiveSet(AbstractSolver):
    """Exact to rounding on small data: gaps of 1e-12 cost a few Newton steps more than 1e-6."""

    tolerance: float = 1e-6
    max_iterations: int = 200
    newton_iterations: int = 400

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, ReluProgram):
            return f"it needs cones over patterns (ReluProgram), got {type(program).__name__}"
        return None

    def path(
        self,
        program: ReluProgram,
        weight_decays: Sequence[float] | Float[np.ndarray, " k"],
        *,
        on_iteration: OnIteration = silent,
    ) -> tuple[Solution, ...]:
        """One solution a weight decay, in the order given, each started from the one before.

        Stops early, with fewer solutions, where `on_iteration` raises Cancelled.
        """
        small, start = reduced(program), np.zeros(program.shape)
        workspace = None if small is None else Workspace(small.program)
        solutions = []
        for beta in weight_decays:
            here = program.with_weight_decay(float(beta))
            problem = None if small is None else with_weight_decay(small, float(beta))
            solution = self._run(here, problem, workspace, start, on_iteration)
            start = solution.variables
            solutions.append(solution)
            if solution.status is Status.CANCELLED:
                break
        return tuple(solutions)

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, ReluProgram)
        small = reduced(program)
        workspace = None if small is None else Workspace(small.program)
        return self._run(program, small, workspace, np.zeros(program.shape), on_iteration)

    def _run(
        self,
        program: ReluProgram,
        small: Reduced | None,
        workspace: Workspace | None,
        start: Float[np.ndarray, "2 P d"],
        on_iteration: OnIteration,
    ) -> Solution:
        monitor = Monitor(self.tolerance, on_iteration)
        zero = Certificate(float(0.5 * program.y @ program.y), 0.0, program.scope)
        best = _Best(program, np.zeros(program.shape), zero)
        if small is None or workspace is None:
            best.offer(best.variables)
            monitor.record(best.certificate)
            return best.solution(monitor)
        search = _Search(small.program, workspace, small.reduce(start))
        rescued, idle, least = 0, 0, np.inf
        for _ in range(self.max_iterations):
            rough = search.certificate()
            scaled = replace(
                rough, primal=rough.primal * small.loss_scale, dual=rough.dual * small.loss_scale
            )
            if scaled.relative_gap <= self.tolerance:
                best.offer(small.restore(search.V))
                scaled = best.certificate
            if monitor.record(scaled):
                break
            gain = search.advance(self.newton_iterations if program.weight_decay else 40)
            if rough.primal < NOTHING:
                break
            useful = gain > 1e-13 * rough.primal or rough.gap < 0.9 * least
            idle, least = 0 if useful else idle + 1, min(least, rough.gap)
            if idle == 3 and rescued < 2:
                search.rescue(self.tolerance)
                rescued, idle = rescued + 1, 0
            if idle == 3:
                break
        best.offer(small.restore(search.V))
        return best.solution(monitor)


@dataclass(slots=True)
class _Best:
    """The best point so far and the best dual value, certified by the program itself."""

    program: ReluProgram
    variables: Array
    certificate: Certificate

    def offer(self, variables: Array) -> None:
        found = self.program.certify(variables)
        dual = max(found.dual, self.certificate.dual)
        if found.primal <= self.certificate.primal:
            self.variables = variables
        primal = min(found.primal, self.certificate.primal)
        self.certificate = replace(found, primal=primal, dual=min(dual, primal))

    def solution(self, monitor: Monitor) -> Solution:
        status = Status.MAX_ITERATIONS
        if self.certificate.relative_gap <= monitor.tolerance:
            status = Status.OPTIMAL
        elif monitor.cancelled:
            status = Status.CANCELLED
        return Solution(self.variables, self.certificate, status, "ActiveSet", tuple(monitor.trace))


@dataclass(slots=True)
class _Search:
    """The state of one solve: the point, its residual, and the patterns it violates."""

    program: ReluProgram
    workspace: Workspace
    V: Float[np.ndarray, "2 P d"]
    correlations: Float[np.ndarray, "P d"] = field(init=False)
    value: float = np.inf
    dual: float = 0.0
    entering: list[tuple[float, int, int, np.ndarray]] = field(default_factory=list)

    def certificate(self) -> Certificate:
        """Evaluate the point: objective, exact dual bound, and the groups that should enter."""
        program, beta = self.program, self.program.weight_decay
        r = program.y - program.fit(self.V)
        self.correlations = program.correlations(r)
        lengths = np.linalg.norm(self.V, axis=2)
        self.value = float(0.5 * (r @ r) + beta * lengths.sum())
        sizes = np.linalg.norm(self.correlations, axis=1)
        largest, self.entering = min(beta, sizes.max(initial=0.0)), []
        for group in np.flatnonzero(sizes > beta):
            for k in (0, 1):
                found = self.workspace.project(int(group), SIGNS[k] * self.correlations[group])
                largest = max(largest, found.bound)
                if found.bound > beta * (1 + 1e-13) and not lengths[k, group]:
                    self.entering.append((found.bound, k, int(group), found.point))
        self.entering.sort(key=lambda item: -item[0])
        self.dual = max(self.dual, dual_value(program.y, r, float(largest), beta))
        return Certificate(self.value, min(self.dual, self.value), program.scope)

    def advance(self, iterations: int) -> float:
        """Let violated groups in and minimise over the working set; the objective's decrease."""
        working = [(int(k), int(i)) for k, i in np.argwhere(self.V.any(axis=2))]
        room = max(4, len(working) // 4)
        new = [(k, i) for _, k, i, _ in self.entering[:room]]
        points = {(k, i): point for _, k, i, point in self.entering[:room]}
        working += new
        if not working:
            return 0.0
        groups = [i for _, i in working]
        signs = SIGNS[[k for k, _ in working]]
        start = np.array([self.V[k, i] for k, i in working])
        problem = Restricted(
            gram=self.workspace.signed_gram(signs, groups),
            start=start,
            slope=signs[:, None] * self.correlations[groups],
            cones=tuple(self.workspace.cone(i) for i in groups),
            weight_decay=self.program.weight_decay,
        )
        current = start.copy()
        for a, key in enumerate(working):
            if key in points:
                current[a] = entry(problem, current, a, points[key])
        current = minimise(problem, current, max(self.value, 1e-14), iterations)
        gain = -problem.change(start, current - start)
        if gain > 0:
            self.V = np.zeros_like(self.V)
            for (k, i), v in zip(working, current, strict=True):
                self.V[k, i] = v
        return gain

    def rescue(self, tolerance: float) -> None:
        """Solve the working set and the worst violators with Clarabel; kept where it is better."""
        groups = np.flatnonzero(self.V.any(axis=(0, 2)))
        groups = np.union1d(groups, np.array([i for _, _, i, _ in self.entering[:10]], dtype=int))
        a = self.program.arrangements
        chosen = Arrangements(a.gates[:, groups], a.patterns[:, groups], complete=False)
        few = replace(self.program, arrangements=chosen)
        if not len(groups) or few.X.size * len(groups) > 2_000_000:
            return
        problem = few.to_cvxpy()
        clarabel(problem, tolerance)
        found = few.from_cvxpy(problem)
        if few.objective(found) < self.value:
            self.V = np.zeros_like(self.V)
            self.V[:, groups] = found
