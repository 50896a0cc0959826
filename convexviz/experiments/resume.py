"""Go on where an earlier solve ended: cancelled, out of iterations, or at a coarser tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from convexviz import architectures
from convexviz.architectures.proofs import at_place
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Progress, Solution, Status
from convexviz.errors import SpecError
from convexviz.experiments.result import Result
from convexviz.solvers.base import AbstractSolver, OnIteration, silent

FREE = ("weight_decay", "tolerance")  # what may differ from the earlier solve
STARTING = {  # the solvers with `solve_from`, as results name them
    "ActiveSet",
    "DualNewton",
    "FirstOrder",
    "FreeNeurons",
    "GatedPath",
    "GatedWide",
    "LossNewton",
    "NuclearDescent",
    "NuclearSteps",
    "NuclearSweeps",
}
_SAME = 1e-5  # relative: six digits, as in an address


@runtime_checkable
class StartsAnywhere(Protocol):
    """A solver that can be started at a point."""

    def solve_from(
        self, program: Any, start: np.ndarray, *, on_iteration: OnIteration = silent
    ) -> Solution: ...


def fields_of(
    start: Result, architecture: str, data: Mapping[str, Any] | None, fields: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, dict[str, Any]]:
    """Data and fields of the solve that goes on: the earlier ones where none are given.

    Raises:
        SpecError: `start` is of another architecture, or means another program.
    """
    if not isinstance(start, Result):
        raise SpecError(f"start must be a Result of an earlier solve, got {type(start).__name__}")
    if start.architecture != architecture:
        raise SpecError(
            f"start is a result of {start.architecture!r}, not of {architecture!r}; "
            "give one of the same architecture"
        )
    for name, value in fields.items():
        if name in start.spec and name not in FREE and start.spec[name] != value:
            raise SpecError(
                f"start was solved with {name}={start.spec[name]!r}, got {name}={value!r}; only "
                f"{' and '.join(FREE)} may differ from it"
            )
    if data is None and start.spec.get("dataset") == "given":
        if not start.data:
            raise SpecError("start does not hold its data, which were too large; pass data again")
        data = start.data
    return data, {**start.spec, **fields}


def solution_from(
    start: Result,
    asked: Any,
    program: AbstractConvexProgram,
    solver: AbstractSolver,
    report: OnIteration,
) -> Solution:
    """The solver's solution, started at what `start` came to.

    Raises:
        SpecError: other data, or a kind of program that is solved from the beginning only.
    """
    able = _able(start, asked, solver)
    if asked.arch.restarted is None:
        raise SpecError(f"a solve of {asked.arch.name} cannot be gone on with; solve it anew")
    if why := solver.why_not(program):
        raise SpecError(f"{type(solver).__name__} cannot solve this program: {why}")
    point = asked.arch.restarted(asked.spec, asked.arrays, start.arrays, program)
    found: Solution = able.solve_from(program, point, on_iteration=report)
    return found


@dataclass(frozen=True, slots=True)
class Along:
    """A path that went on.

    Attributes:
        weight_decays: largest first; where it was cancelled, those of `start` and those reached.
        solutions: one a weight decay; the cancelled one says so.
        kept: of those that are as `start` has them, their place here and there.
    """

    weight_decays: list[float]
    solutions: list[Solution]
    kept: dict[int, int]

    def nearest(self, weight_decay: float) -> float:
        """The one of its weight decays that is nearest in ratio."""
        return min(self.weight_decays, key=lambda beta: abs(math.log(beta / weight_decay)))

    def proofs(self, start: Result, own: int) -> dict[str, Any]:
        """What `start` keeps to prove the kept solutions; of the place `own` for itself too."""
        mine = at_place(start.arrays, self.kept[own]) if own in self.kept else {}
        return mine | {
            f"path{here}_{name}": array
            for here, there in self.kept.items()
            for name, array in at_place(start.arrays, there).items()
        }


def along(
    start: Result, asked: Any, program: Any, weight_decays: Sequence[float], report: OnIteration
) -> Along:
    """The path from what `start` came to: never fewer weight decays than it has, nor a worse gap.

    Those of `start` that meet the tolerance stand as they are; the others, and those it did not
    reach, are solved from there, or else from the one before.

    Raises:
        SpecError: as `solution_from`.
    """
    solver = _able(start, asked, asked.arch.solver(asked.spec, program).on(asked.device))
    tolerance = float(asked.spec.tolerance)
    known = _known(start, program, tolerance)
    grid: list[float] = []
    solutions: list[Solution] = []
    kept: dict[int, int] = {}
    cancelled = False
    for beta in joined(list(known), weight_decays):
        place, earlier = known.get(beta, (-1, None))
        found = earlier
        if earlier is None and cancelled:
            continue
        if not cancelled and (earlier is None or earlier.status is not Status.OPTIMAL):
            here = program.with_weight_decay(beta)
            point = earlier or (solutions[-1] if solutions else None)
            if point is None:
                found = solver.solve(here, on_iteration=report)
            else:
                found = solver.solve_from(here, point.variables, on_iteration=report)
            cancelled = found.status is Status.CANCELLED
            if earlier is not None and not _gap(found) < _gap(earlier):
                found = replace(earlier, status=found.status) if cancelled else earlier
        assert found is not None
        if earlier is not None and found.certificate is earlier.certificate:
            kept[len(grid)] = place
        grid.append(beta)
        solutions.append(found)
    return Along(grid, solutions, kept)


def joined(known: Sequence[float], weight_decays: Sequence[float]) -> list[float]:
    """The known ones and those that are none of them, largest first; an address rounds them."""
    new = [
        beta
        for beta in weight_decays
        if all(abs(math.log(beta) - math.log(other)) > _SAME for other in known)
    ]
    return sorted({*known, *new}, reverse=True)


def _known(start: Result, program: Any, tolerance: float) -> dict[float, tuple[int, Solution]]:
    """What `start` came to, by weight decay: its place there, and its solution."""
    arrays = start.arrays
    found = {}
    for place, beta in enumerate(arrays.get("path_weight_decay", np.zeros(0)).tolist()):
        primal, dual = (float(arrays[f"path_{name}"][place]) for name in ("primal", "dual"))
        certificate = Certificate(primal, dual, start.certificate.scope)
        trace = arrays["path_trace"][arrays["path_trace"][:, 0] == place]
        met = certificate.relative_gap <= tolerance
        solution = Solution(
            program.unpadded(arrays["path_variables"][place]),
            certificate,
            Status.OPTIMAL if met else Status.MAX_ITERATIONS,
            str(start.provenance.get("solver", "")),
            tuple(Progress(i, p, d, s) for i, (_, s, p, d) in enumerate(trace.tolist())),
        )
        found[beta] = (place, solution)
    return found


def _gap(solution: Solution) -> float:
    return solution.certificate.relative_gap


def can_go_on(arch: Any, solver: AbstractSolver, *, follows_path: bool) -> bool:
    """Whether what `solver` has when it is cancelled can be gone on with."""
    starts = isinstance(solver, StartsAnywhere)
    return starts and (follows_path or arch.restarted is not None)


def could_go_on(result: Result) -> bool:
    """The same of a result that was cancelled, by its solver and what it holds."""
    arch = architectures.get(result.architecture)
    if arch.depth(arch.spec.of(result.spec)) > 1:
        return False
    starts = result.provenance.get("solver") in STARTING
    return starts and ("path_variables" in result.arrays or arch.restarted is not None)


def _able(start: Result, asked: Any, solver: AbstractSolver) -> Any:
    """The solver, where it can go on from this result."""
    if asked.about()["data_sha256"] != start.provenance["data_sha256"]:
        raise SpecError("start was solved on other data; pass the same arrays, or no start")
    if not isinstance(solver, StartsAnywhere):
        raise SpecError(
            f"a solve of {asked.arch.name} by {type(solver).__name__} cannot be gone on with; "
            "solve it anew, without start"
        )
    return solver
