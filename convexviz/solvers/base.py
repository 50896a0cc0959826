"""The solver contract: refuse with a reason, or return a certified Solution."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Progress, Solution, Status
from convexviz.errors import Cancelled, IncompatibleSolver, SpecError

OnIteration = Callable[[Progress], None]
_ASKED = 20  # steps of a search between two questions whether to go on


def silent(_progress: Progress) -> None:
    """The default progress callback."""


def scaled_progress(progress: Progress, factor: float) -> Progress:
    """What a solve of the same problem in other units says, in these."""
    primal, dual = factor * progress.primal, factor * progress.dual
    return Progress(progress.iteration, primal, dual, progress.seconds)


def scaled_reports(on_iteration: OnIteration, factor: float) -> OnIteration:
    """A callback that hears of objectives `factor` times as large."""
    return lambda progress: on_iteration(scaled_progress(progress, factor))


@dataclass(slots=True)
class Monitor:
    """Collects the trace of one solve and passes it on; the only mutable thing a solver holds.

    `record` returns True where the solver must stop: the gap is within the tolerance, or
    `on_iteration` raised Cancelled (then `cancelled` is set).
    """

    tolerance: float
    on_iteration: OnIteration = silent
    trace: list[Progress] = field(default_factory=list)
    cancelled: bool = False
    started: float = field(default_factory=time.perf_counter)

    def record(self, certificate: Certificate) -> bool:
        progress = self._progress(certificate)
        self.trace.append(progress)
        self._tell(progress)
        return self.cancelled or bool(certificate.relative_gap <= self.tolerance)

    def ask(self, certificate: Certificate) -> bool:
        """Tell again where the solve is, without an entry in its trace; whether it is cancelled."""
        self._tell(self._progress(certificate))
        return self.cancelled

    def pass_on(self, progress: Progress) -> None:
        """The `on_iteration` of another solve of this program on the way: told in this one's count
        and clock, without an entry in its trace.

        Raises:
            Cancelled: the caller has left.
        """
        self._tell(self._progress(progress))
        if self.cancelled:
            raise Cancelled

    def _progress(self, at: Certificate | Progress) -> Progress:
        seconds = time.perf_counter() - self.started
        return Progress(len(self.trace), float(at.primal), float(at.dual), seconds)

    def _tell(self, progress: Progress) -> None:
        if self.cancelled:  # who has left hears no more
            return
        try:
            self.on_iteration(progress)
        except Cancelled:
            self.cancelled = True


def asking(monitor: Monitor, known: Certificate, every: int = _ASKED) -> Callable[[Any], None]:
    """A callback for `scipy.optimize.minimize` that asks whether to go on `every` few steps.

    It reports the lowest value so far with the bound of `known`, and ends the search on Cancel.
    """
    steps, least = 0, known.primal

    def ask(intermediate_result: Any) -> None:
        nonlocal steps, least
        steps, least = steps + 1, min(least, float(intermediate_result.fun))
        if steps % every == 0:
            monitor.record(Certificate(least, min(known.dual, least), known.scope))
        if monitor.cancelled:
            raise StopIteration

    return ask


@runtime_checkable
class _Follows(Protocol):
    """A program of a path."""

    def with_weight_decay(self, weight_decay: float) -> Any: ...

    def objective(self, variables: Any) -> float: ...


P = TypeVar("P", bound=_Follows)


def followed(
    program: P, weight_decays: Sequence[float], solve: Callable[[P, Any], Solution]
) -> tuple[Solution, ...]:
    """One solution a weight decay, in the order given; each starts from the next larger one.

    `solve(program, start)` gets the variables before, None at first. A path that is cancelled ends
    at the last value in the order given that was reached. Values before it that were not reached
    keep the point where the path was cancelled, with its objective there, and are cancelled too.
    Their bound costs nothing: the optimum is concave in the weight decay and at least 0 without
    any, so that at a share of a weight decay it is at least that share of the bound there.
    """
    solutions: dict[int, Solution] = {}
    start: Any = None
    last = -1
    for k in np.argsort(weight_decays, kind="stable")[::-1].tolist():
        solutions[k] = solve(program.with_weight_decay(float(weight_decays[k])), start)
        start, last = solutions[k].variables, k
        if solutions[k].status is Status.CANCELLED:
            break
    reached = range(max(solutions, default=-1) + 1)
    for k in set(reached) - set(solutions):
        beta = float(weight_decays[k])
        primal = program.with_weight_decay(beta).objective(start)
        share = beta / weight_decays[last] if beta > 0 else 0.0
        dual = max(0.0, share * solutions[last].certificate.dual)
        known = Certificate(primal, min(dual, primal), solutions[last].certificate.scope)
        solutions[k] = Solution(start, known, Status.CANCELLED, solutions[last].solver, ())
    return tuple(solutions[k] for k in reached)


class AbstractSolver(ABC):
    """Subclasses are final frozen dataclasses whose fields are the solver's options."""

    @abstractmethod
    def why_not(self, program: AbstractConvexProgram) -> str | None:
        """The reason this solver cannot take `program`, or None where it can."""

    def on(self, device: str) -> AbstractSolver:
        """The solver to take in this one's place on a torch `device` ("cpu", "cuda").

        Raises:
            SpecError: this kind of program is solved on the CPU only.
        """
        if device != "cpu":
            raise SpecError(
                f"device={device!r} solves programs on given patterns with one output "
                "(arrangements other than 'adaptive', smooth losses); use device='cpu'"
            )
        return self

    @abstractmethod
    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution: ...

    def solve(
        self, program: AbstractConvexProgram, *, on_iteration: OnIteration = silent
    ) -> Solution:
        """Solve `program`.

        Raises:
            IncompatibleSolver: naming what the program lacks.
        """
        if reason := self.why_not(program):
            raise IncompatibleSolver(f"{type(self).__name__} cannot solve this program: {reason}")
        return self._solve(program, on_iteration)
