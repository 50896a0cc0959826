"""Batch norm after the ReLU: block descent on orthonormal features, then a conic finish.

Features of neighbouring patterns are nearly parallel, so descent settles which groups are zero and
then crawls; what is left is a small conic program, which Clarabel solves. Groups that its residual
calls for are added until none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from convexviz.core.arrangements import Arrangements
from convexviz.core.dual_norm import power_of_two
from convexviz.core.normalised import NormalisedProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.solvers.base import (
    AbstractSolver,
    Monitor,
    OnIteration,
    scaled_progress,
    scaled_reports,
    silent,
)
from convexviz.solvers.normalised_conic import solved

_LEAST = 1e-2  # units between this and its inverse are left alone
_SWEEPS = 20  # over the blocks in use, between looks at all of them
_ROUNDS = 4  # of descent, before the conic finish
_FEW = 1000  # rows times patterns: up to here the conic program of all patterns takes milliseconds
_ZERO = 1e-8  # of the targets: what an interior point leaves of a group that is zero
_NEAR = 0.999  # of beta: a correlation above it may be that of a group in use
_SHARPER = 1e-11  # what Clarabel is asked for: a gap certified to the tolerance takes more


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDescent(AbstractSolver):
    """Solves `NormalisedProgram`s: the best group given the others is a projection, shrunk.

    With orthonormal features a block's minimiser over its cone is
    `(1 - beta/|p|)_+ p`, p the projection of its partial correlations.
    """

    tolerance: float = 1e-6
    max_iterations: int = 12

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, NormalisedProgram):
            return f"it needs a NormalisedProgram, not {type(program).__name__}"
        return None

    def path(
        self,
        program: NormalisedProgram,
        weight_decays: Sequence[float] | Float[np.ndarray, " k"],
        *,
        on_iteration: OnIteration = silent,
    ) -> list[Solution]:
        """A solution for each weight decay, in the order given, each started at the one before."""
        unit = power_of_two(program.y[:, None])
        if not _LEAST <= unit <= 1.0 / _LEAST:  # Clarabel's tolerances are absolute
            report = scaled_reports(on_iteration, unit**2)
            betas = [float(weight_decay) / unit for weight_decay in weight_decays]
            small = replace(program, y=program.y / unit, weight_decay=program.weight_decay / unit)
            found = self.path(small, betas, on_iteration=report)
            return [_scaled(solution, unit) for solution in found]
        solutions: list[Solution] = []
        start: _Point | None = None
        for weight_decay in weight_decays:
            here = program.with_weight_decay(float(weight_decay))
            start, solution = self._run(here, start, on_iteration)
            solutions.append(solution)
            if solution.status is Status.CANCELLED:
                break
        return solutions

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, NormalisedProgram)
        return self.path(program, [program.weight_decay], on_iteration=on_iteration)[0]

    def _run(
        self, program: NormalisedProgram, start: _Point | None, on_iteration: OnIteration
    ) -> tuple[_Point, Solution]:
        monitor = Monitor(self.tolerance, on_iteration)
        point = start or _Point(program)
        point.beta = program.weight_decay
        best: tuple[Array, Certificate] | None = None
        conic = False
        few = len(program.y) * len(program.arrangements) <= _FEW
        for k in range(self.max_iterations):
            conic = conic or k >= _ROUNDS
            if few and k == 0:
                variables = point.at_once()
            else:
                variables = point.finished() if conic else point.descended()
            certificate = program.certify(variables)
            if best is None or certificate.relative_gap < best[1].relative_gap:
                best = (variables, certificate)
            if monitor.record(certificate):
                break
            if conic and not point.called(program.y - program.fit(variables)):
                break  # every group that matters is in: float64 has no more to give
        assert best is not None
        status = Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        elif best[1].relative_gap <= self.tolerance:
            status = Status.OPTIMAL
        trace = tuple(monitor.trace)
        return point, Solution(best[0], best[1], status, "BlockDescent", trace)


def _scaled(solution: Solution, unit: float) -> Solution:
    """The solution for targets and weight decay `unit` times as large."""
    found = solution.certificate
    certificate = Certificate(unit**2 * found.primal, unit**2 * found.dual, found.scope)
    trace = tuple(scaled_progress(progress, unit**2) for progress in solution.objectives)
    variables = solution.variables * unit
    return replace(solution, variables=variables, certificate=certificate, objectives=trace)


class _Point:
    """The groups that are not zero, in orthonormal coordinates, and the residual."""

    def __init__(self, program: NormalisedProgram) -> None:
        self.program = program
        self.beta = program.weight_decay
        self.residual: Array = program.y.copy()
        self.groups: dict[tuple[int, int], Array] = {}
        signs, P = len(program.signs), len(program.arrangements)
        self.everyone = [(g, i) for i in range(P) for g in range(signs)]
        self.near: set[int] = set()

    def descended(self) -> Array:
        """The variables after one round of sweeps."""
        self.sweep(self.everyone)
        for _ in range(_SWEEPS):
            self.sweep(list(self.groups))
        return self.variables()

    def finished(self) -> Array:
        """The optimum over the patterns in use and those that were called, by Clarabel."""
        program = self.program
        index = sorted({i for _, i in self.groups} | self.near)
        chosen = Arrangements(
            program.arrangements.gates[:, index], program.arrangements.patterns[:, index], False
        )
        assert program.blocks is not None
        small = replace(
            program,
            X=program.blocks.X,
            arrangements=chosen,
            weight_decay=self.beta,
            blocks=None,
        )
        found = solved(small, _SHARPER)
        found = found[0] if program.gated else small.feasible(found)
        out = np.zeros((*found.shape[:-2], len(program.arrangements), program.X.shape[1] + 1))
        out[..., index, :-1] = found[..., :-1] @ program.blocks.back.T
        out[..., index, -1] = found[..., -1]
        return out

    def at_once(self) -> Array:
        """The optimum over all patterns, which are few; those near it are `near` from now on."""
        program = self.program
        self.near = set(range(len(program.arrangements)))
        variables = self.finished()
        lengths = np.linalg.norm(program.outputs(variables), axis=-1)
        none = lengths <= _ZERO * float(np.linalg.norm(program.y))
        variables[none.reshape(variables.shape[:-1])] = 0.0
        self.groups, self.near, self.residual = {}, set(), program.y.copy()
        self.called(program.y - program.fit(variables))
        return variables

    def called(self, residual: Array) -> bool:
        """Add the patterns whose correlation with the residual is near or above beta; any new?"""
        before = len(self.near | {i for _, i in self.groups})
        for i in range(len(self.program.arrangements)):
            block = self.program.block(i)
            largest = block.longest(residual)
            if largest > _NEAR * self.beta and not self.program.gated:
                largest = max(block.largest(residual), block.largest(-residual))
            if largest > _NEAR * self.beta:
                self.near.add(i)
        return len(self.near | {i for _, i in self.groups}) > before

    def sweep(self, groups: list[tuple[int, int]]) -> None:
        """Replace each group by the best one, given the others."""
        for g, i in groups:
            block, sign = self.program.block(i), self.program.signs[g]
            old = self.groups.get((g, i))
            here = None if old is None else _seen(old, block.rank)
            c = sign * (block.features.T @ self.residual)
            if here is not None:
                c += here
            elif np.linalg.norm(c) <= self.beta:
                continue
            full = np.append(np.zeros(block.lift.shape[1]), c[-1])
            full[: block.rank] = c[:-1]
            if not self.program.gated:
                full, _ = block.project(c)
            size = float(np.linalg.norm(_seen(full, block.rank)))
            if size <= self.beta:
                if old is None:
                    continue
                del self.groups[g, i]
                new = np.zeros(block.rank + 1)
            else:
                full = full * (1.0 - self.beta / size)
                self.groups[g, i] = full
                new = _seen(full, block.rank)
            change = new if here is None else new - here
            self.residual -= sign * (block.features @ change)

    def variables(self) -> Array:
        program = self.program
        out = np.zeros((len(program.signs), len(program.arrangements), program.X.shape[1] + 1))
        for (g, i), full in self.groups.items():
            out[g, i, :-1] = program.weights(i, full)
            out[g, i, -1] = full[-1]
        return out[0] if program.gated else out


def _seen(full: Array, rank: int) -> Array:
    """The coordinates that the output depends on: all but the null space."""
    return np.append(full[:rank], full[-1])
