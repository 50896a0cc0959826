"""The solver contract: refuse with a reason, or return a certified Solution."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Progress, Solution
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
        seconds = time.perf_counter() - self.started
        primal, dual = float(certificate.primal), float(certificate.dual)
        progress = Progress(len(self.trace), primal, dual, seconds)
        self.trace.append(progress)
        try:
            self.on_iteration(progress)
        except Cancelled:
            self.cancelled = True
        return self.cancelled or bool(certificate.relative_gap <= self.tolerance)


def asking(monitor: Monitor, known: Certificate) -> Callable[[Any], None]:
    """A callback for `scipy.optimize.minimize` that asks whether to go on, every few steps.

    It reports the lowest value so far with the bound of `known`, and ends the search on Cancel.
    """
    steps, least = 0, known.primal

    def ask(intermediate_result: Any) -> None:
        nonlocal steps, least
        steps, least = steps + 1, min(least, float(intermediate_result.fun))
        if steps % _ASKED == 0:
            monitor.record(Certificate(least, min(known.dual, least), known.scope))
        if monitor.cancelled:
            raise StopIteration

    return ask


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
