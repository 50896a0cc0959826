"""Run one experiment: a spec goes in, a certified result comes out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convexviz import architectures
from convexviz.architectures.base import Architecture, Arrays
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution, Status
from convexviz.errors import SpecError
from convexviz.experiments.provenance import device_name, provenance
from convexviz.experiments.result import Result
from convexviz.experiments.resume import fields_of, solution_from
from convexviz.solvers.base import OnIteration, silent


@dataclass(frozen=True, slots=True)
class Request:
    """What to compute, on what: valid by construction (`request` makes them).

    Attributes:
        spec: the architecture's own Spec.
        arrays: the validated inputs.
        given: whether the caller brought the arrays, or the spec names its dataset.
    """

    arch: Architecture
    spec: Any
    arrays: Arrays
    given: bool
    device: str = "cpu"

    def about(self) -> dict[str, str]:
        """The provenance of what comes out."""
        return provenance(self.arch.name, self.spec.as_dict(), self.arrays, self.device, self.given)


def request(
    architecture: str,
    data: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
    device: str = "cpu",
) -> Request:
    """The request, after every check that can refuse it.

    Raises:
        SpecError: an unknown architecture, parameter or device, or a refused value.
        DataError: an array that is missing, unknown, misshapen or not finite.
    """
    arch = architectures.get(architecture)
    device_name(device)
    spec = arch.spec.of(fields)
    if data is not None:
        spec = arch.spec.of({**spec.as_dict(), "dataset": "given"})
    arrays = arch.check(spec, arch.load(spec) if data is None else data)
    return Request(arch, spec, arrays, given=data is not None, device=device)


def solve(
    architecture: str,
    *,
    data: Mapping[str, Any] | None = None,
    device: str = "cpu",
    on_iteration: OnIteration | None = None,
    start: Result | None = None,
    **fields: Any,
) -> Result:
    """Solve the convex program of a network, certify it, and hand back the network.

    Always computes; nothing is read from or written to the store. `data=None` takes the spec's
    dataset. `on_iteration` receives a `Progress` and may raise `Cancelled`: the result then holds
    the best point so far, with a bound that is still true. `start=` that result (saved and loaded
    or not) goes on from there; data and fields that are not given are those of `start`, and only
    weight decay and tolerance may differ.

    Raises:
        SpecError: an unknown parameter, a refused value, or values that do not fit together.
        DataError: an array that is missing, unknown, misshapen or not finite.
    """
    if not (on_iteration is None or callable(on_iteration)):
        raise SpecError(f"on_iteration must be a function of a Progress, got {on_iteration!r}")
    if start is not None:
        data, fields = fields_of(start, architecture, data, fields)
    return run(request(architecture, data, fields, device), on_iteration or silent, start)


def run(asked: Request, report: OnIteration = silent, start: Result | None = None) -> Result:
    """Build and solve every block, then collect; a solver's early stop is recorded, not hidden."""
    started = time.perf_counter()
    arch, spec = asked.arch, asked.spec
    programs: list[AbstractConvexProgram] = []
    solutions: list[Solution] = []
    solving = 0.0
    for _ in range(arch.depth(spec)):
        networks = tuple(
            program.to_network(solution.variables)
            for program, solution in zip(programs, solutions, strict=True)
        )
        programs.append(on_device(arch.build(spec, asked.arrays, networks), asked.device))
        ready = time.perf_counter()
        solver = arch.solver(spec, programs[-1]).on(asked.device)
        if start is None:
            solutions.append(solver.solve(programs[-1], on_iteration=report))
        else:
            solutions.append(solution_from(start, asked, programs[-1], solver, report))
        solving += time.perf_counter() - ready
        if solutions[-1].status is Status.CANCELLED:
            asked = replace(asked, spec=cut_short(spec, len(solutions)))
            break
    clock = {"solve_seconds": solving, "seconds": time.perf_counter() - started}
    return collect(asked, programs, solutions, clock)


def on_device(program: AbstractConvexProgram, device: str) -> AbstractConvexProgram:
    """`program`, with its Gram made on `device` where it has one."""
    from convexviz.core.gated import GatedProgram

    if device != "cpu" and isinstance(program, GatedProgram) and program.gram_fits:
        program.summarise(device=device)
    return program


def cut_short(spec: Any, blocks: int) -> Any:
    """The spec of what was done when a run of several blocks is cancelled."""
    fields = spec.as_dict()
    return type(spec).of({**fields, "blocks": blocks}) if "blocks" in fields else spec


def collect(
    asked: Request,
    programs: Sequence[AbstractConvexProgram],
    solutions: Sequence[Solution],
    clock: Mapping[str, float],
    *,
    lean: bool = False,
) -> Result:
    """Everything worth knowing about a finished solve; `clock`: seconds in all, and of solving.

    `lean` may leave out arrays that are derived from the others, where deriving them takes time.
    """
    arch, spec = asked.arch, asked.spec
    outputs = (arch.lean_outputs if lean else None) or arch.outputs
    kept, scalars = outputs(spec, asked.arrays, tuple(programs), tuple(solutions))
    last = solutions[-1]
    statuses = [solution.status for solution in solutions]
    worst = next((status for status in statuses if status is not Status.OPTIMAL), last.status)
    setup = clock["seconds"] - clock["solve_seconds"]
    return Result(
        architecture=arch.name,
        spec=spec.as_dict(),
        certificate=last.certificate,
        status=str(worst),
        seconds=clock["seconds"],
        scalars={**scalars, "setup_seconds": setup, "solve_seconds": clock["solve_seconds"]},
        arrays=kept,
        data=asked.arrays,
        provenance={**asked.about(), "solver": last.solver},
        trace=last.objectives,
        network=arch.revive(spec, kept),
    )
