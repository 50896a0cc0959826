"""The copositive relaxation: a certified lower bound, and the network where its blocks factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from convexviz.core.cone_norm import ChosenCones
from convexviz.core.copositive import (
    MAX_BLOCKS,
    block_problem,
    fit_of,
    fractional_fit,
    fractional_problem,
    recovered,
)
from convexviz.core.copositive_bound import Relaxed, programs, relaxed_norm
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration
from convexviz.solvers.cone_columns import ConeColumns
from convexviz.solvers.dual_newton import DualNewton
from convexviz.solvers.dual_newton_polish import polished
from convexviz.solvers.reference import clarabel

_ROUNDING = 1e-14
WRITTEN_OUT = 64  # patterns up to which every block is written out: a second in Clarabel


@dataclass(frozen=True, slots=True)
class Copositive(AbstractSolver):
    """Solves the relaxation of a `VectorProgram`; its bound is below every network.

    Few patterns are written out as one semidefinite program. With more, the exact optimum's
    residual is tried: where the relaxation's dual norm is no larger there, the relaxation is
    tight; elsewhere the bound is that of the residual scaled, below the relaxation's optimum.
    `fractional` writes the authors' fractional form instead: the same bound, for reference.
    """

    tolerance: float = 1e-8
    fractional: bool = False

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if isinstance(program, VectorProgram) and isinstance(program.norm, ChosenCones):
            return ConeColumns().why_not(program)
        return DualNewton().why_not(program)

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, VectorProgram)
        if DualNewton().why_not(program):  # the bound is the relaxation's, a cone at a time
            found = ConeColumns(self.tolerance).solve(program, on_iteration=on_iteration)
            return replace(found, solver="Copositive")
        monitor = Monitor(self.tolerance, on_iteration)
        variables, R = self._point(program, monitor)
        # Who cancels does not wait for multipliers: plain singular values bound as well.
        relaxed = relaxed_norm(program, R, {} if monitor.cancelled else None)
        certificate = relaxation_certificate(program, variables, R, relaxed)
        if certificate.relative_gap > self.tolerance and not monitor.cancelled:
            # Clarabel may stop short of the optimum; the network's own residual is a point as well.
            own = program.loss.minus_gradient(program.fit(variables), program.Y)
            there = relaxed_norm(program, own)
            other = relaxation_certificate(program, variables, own, there)
            if other.dual > certificate.dual:
                R, relaxed, certificate = own, there, other
        stop = monitor.record(certificate)
        status = Status.OPTIMAL if stop else Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        trace = tuple(monitor.trace)
        records = records_of(R, relaxed)
        return Solution(variables, certificate, status, "Copositive", trace, records=records)

    def _point(self, program: VectorProgram, monitor: Monitor) -> tuple[Array, Array]:
        """A network, and the residual that the bound starts from."""
        none = np.zeros((0, program.X.shape[1] + program.outputs))
        if program.certify(none).relative_gap <= _ROUNDING:  # the penalty outweighs the data
            return none, program.loss.minus_gradient(np.zeros_like(program.Y), program.Y)
        if program.norm.n_patterns > min(WRITTEN_OUT, MAX_BLOCKS) and not self.fractional:
            exact = self._exact(program, monitor)
            return exact, program.loss.minus_gradient(program.fit(exact), program.Y)
        F = self._fit(program)
        R = program.loss.minus_gradient(F, program.Y)
        return self._network(program, F, none, monitor), R

    def _fit(self, program: VectorProgram) -> Array:
        problem = fractional_problem(program) if self.fractional else block_problem(program)
        clarabel(problem, 1e-10)
        return (fractional_fit if self.fractional else fit_of)(program, problem)

    def _network(self, program: VectorProgram, F: Array, none: Array, monitor: Monitor) -> Array:
        """The neurons that the blocks factor into; where they do not, those of the optimum."""
        found = [recovered(program, F, near) for near in (1e-6, 1e-4, 1e-2)]
        best = min([*found, none], key=program.objective)
        moved = polished(program, best)
        if program.certify(moved).relative_gap <= self.tolerance:
            return moved
        return self._exact(program, monitor)

    def _exact(self, program: VectorProgram, monitor: Monitor) -> Array:
        solver = DualNewton(self.tolerance)
        return solver.solve(program, on_iteration=monitor.pass_on).variables


def relaxation_certificate(
    program: VectorProgram, variables: Array, R: Array, relaxed: Relaxed
) -> Certificate:
    """The network's objective over the relaxation's bound."""
    primal = program.objective(variables)
    bound = program.bound(R, relaxed.value)
    return Certificate(primal, min(bound, primal), program.norm.scope)


def records_of(R: Array, relaxed: Relaxed) -> dict[str, Array]:
    """What proves the bound, as arrays: residual, cells and their multipliers, padded by zeros."""
    cells = sorted(relaxed.multipliers)
    width = max((len(relaxed.multipliers[cell]) for cell in cells), default=0)
    table = np.zeros((len(cells), 2 + width))
    for row, cell in zip(table, cells, strict=True):
        N = relaxed.multipliers[cell]
        row[:2], row[2 : 2 + len(N)] = (cell, len(N)), N
    return {"relaxation_residual": R, "relaxation_proof": table}


def replayed(program: VectorProgram, arrays: Mapping[str, Array]) -> Relaxed:
    """The relaxation's dual norm from kept multipliers; nothing is solved."""
    return relaxed_norm(program, arrays["relaxation_residual"], _known(arrays["relaxation_proof"]))


def _known(table: Array) -> dict[int, Array]:
    return {int(row[0]): row[2 : 2 + int(row[1])] for row in table}


def beside(program: VectorProgram, variables: Array, most: int | None = None) -> dict[str, Array]:
    """What proves the relaxation's bound at the residual of an exact network; nothing where it
    takes more than `most` small programs."""
    R = program.loss.minus_gradient(program.fit(variables), program.Y)
    if most is not None and programs(program, R) > most:
        return {}
    return {"relaxation_proof": records_of(R, relaxed_norm(program, R))["relaxation_proof"]}


def bound_beside(program: VectorProgram, variables: Array, table: Array) -> float:
    """The relaxation's bound that `beside` proves."""
    R = program.loss.minus_gradient(program.fit(variables), program.Y)
    value = relaxed_norm(program, R, _known(table)).value
    return min(program.bound(R, value), program.objective(variables))
