"""Go on where an earlier solve ended: cancelled, out of iterations, or at a coarser tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, runtime_checkable

import numpy as np

from convexviz import solvers
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution, Status
from convexviz.errors import SpecError
from convexviz.experiments.result import Result
from convexviz.solvers.base import AbstractSolver, OnIteration, silent

FREE = ("weight_decay", "tolerance")  # what may differ from the earlier solve


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


def along(
    start: Result, asked: Any, program: Any, weight_decays: Sequence[float], report: OnIteration
) -> list[Solution]:
    """A solution a weight decay: from what `start` came to there, else from the one before.

    Raises:
        SpecError: as `solution_from`.
    """
    solver = _able(start, asked, asked.arch.solver(asked.spec, program).on(asked.device))
    stored = start.arrays.get("path_variables", ())
    betas = start.arrays.get("path_weight_decay", np.zeros(0)).tolist()
    known = {beta: program.unpadded(v) for beta, v in zip(betas, stored, strict=True)}
    solutions: list[Solution] = []
    for beta in weight_decays:
        point = known.get(beta, solutions[-1].variables if solutions else None)
        here = program.with_weight_decay(beta)
        if point is None:
            solutions.append(solver.solve(here, on_iteration=report))
        else:
            solutions.append(solver.solve_from(here, point, on_iteration=report))
        if solutions[-1].status is Status.CANCELLED:
            break
    return solutions


def goes_on(start: Result) -> bool:
    """Whether the solver of a result can be started at a point, as far as its name tells."""
    solver = _solvers().get(str(start.provenance.get("solver", "")))
    return solver is None or hasattr(solver, "solve_from")


@cache
def _solvers() -> dict[str, type]:
    """Every kind of solver by name; some are loaded only by a solve, in another process."""
    for module in iter_modules(solvers.__path__, f"{solvers.__name__}."):
        import_module(module.name)
    found: dict[str, type] = {}
    left: list[type] = [AbstractSolver]
    while left:
        kind = left.pop()
        found[kind.__name__] = kind
        left += kind.__subclasses__()
    return found


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
