"""Accelerated proximal steps for gated networks of several outputs, on the CPU or a CUDA device.

For thousands of rows, hundreds of gates and a block of weights for each: every step is a forward
and a backward pass over mini-batches of the rows, with the gates in use only; others join where
the dual constraint says so. Steps in float32 while they help, then in float64; certificates are
the program's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from convexviz.core.blocks_device import DeviceBlocks, shrunk
from convexviz.core.masked_device import Precision
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.readout import Pooled, Rows
from convexviz.core.solution import Certificate, Scope, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import SpecError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent

if TYPE_CHECKING:
    import torch

_FIRST = 20  # steps before the second certificate; later more
_GROUPS = 64  # gates that join at a time
_REPORT = 2  # steps between two reports: what a cancel waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class NuclearSteps(AbstractSolver):
    """Solves a `NuclearProgram` with a smooth loss to a certified relative gap.

    Attributes:
        max_iterations: steps in all.
        device: where they are taken, a torch device.
        precision: of the first steps.
    """

    tolerance: float = 1e-3
    max_iterations: int = 5000
    device: str = "cpu"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise SpecError(f"tolerance must be > 0, got {self.tolerance}")

    def on(self, device: str) -> AbstractSolver:
        return replace(self, device=device)

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, NuclearProgram):
            return f"it needs a NuclearProgram, got {type(program).__name__}"
        if not isinstance(program.readout, Rows | Pooled):
            return "it needs a target a row, or summed patches"
        if not np.isfinite(program.loss.smoothness):
            return f"it needs a smooth loss, got {program.loss.name}"
        return None

    def solve_from(
        self,
        program: NuclearProgram,
        start: Float[np.ndarray, "P d k"],
        *,
        on_iteration: OnIteration = silent,
    ) -> Solution:
        """Solve `program` starting at `start`: what an earlier, cancelled solve came to."""
        return _Run(program, self, start, Monitor(self.tolerance, on_iteration)).go()

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, NuclearProgram)
        return self.solve_from(program, np.zeros(program.shape), on_iteration=on_iteration)


class _Run:
    """The best point and the best bound so far, and the gates in use."""

    def __init__(
        self, program: NuclearProgram, options: NuclearSteps, start: Array, monitor: Monitor
    ) -> None:
        self.program, self.options, self.monitor = program, options, monitor
        self.variables, self.sizes = start, np.zeros(len(start))
        self.certificate = self._certified(start)
        self.stop = monitor.record(self.certificate)

    def go(self) -> Solution:
        taken, count, precision, stalled = 0, _FIRST, self.options.precision, 0
        steps: _Steps | None = None
        while not self.stop and taken < self.options.max_iterations:
            chosen = self._in_use()
            if steps is None or not np.array_equal(steps.chosen, chosen):
                steps = _Steps(self.program, chosen, self.variables, self.options, precision)
                if not steps.moves:
                    break
            done = steps.take(min(count, self.options.max_iterations - taken), self._reported)
            taken += done
            if self._offer(steps.point(self.variables.shape)):
                stalled = 0
            else:
                stalled, count = stalled + 1, min(4 * count, 640)
            if stalled >= 2 and precision == "float32":
                precision, stalled, steps = "float64", 0, None
            elif stalled >= 4:
                break
        status = Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        elif self.certificate.relative_gap <= self.options.tolerance:
            status = Status.OPTIMAL
        trace = tuple(self.monitor.trace)
        return Solution(self.variables, self.certificate, status, "NuclearSteps", trace)

    def _reported(self) -> bool:
        self.stop = self.monitor.record(self.certificate) or self.stop
        return self.monitor.cancelled

    def _certified(self, Z: Array) -> Certificate:
        """As `certify` does, keeping how large each gate's correlations are."""
        program = self.program
        F = program.fit(Z)
        R = program.loss.minus_gradient(F, program.Y)
        self.sizes = np.linalg.norm(program.correlations(R), 2, axis=(1, 2))
        M = float(self.sizes.max(initial=0.0))
        limit = program.weight_decay / M if M > 0 else np.inf
        dual = program.loss.dual_value(R, program.Y, program.loss.best_scale(R, program.Y, limit))
        primal = program.loss.value(F, program.Y) + program.weight_decay * program.penalty(Z)
        return Certificate(primal, min(max(dual, 0.0), primal), Scope.GATED_NETWORK)

    def _offer(self, Z: Array) -> bool:
        """Keep what is better of point and bound; whether the gap fell by a third."""
        found, old = self._certified(Z), self.certificate
        if found.primal <= old.primal:
            self.variables = Z
        primal, dual = min(found.primal, old.primal), max(found.dual, old.dual)
        self.certificate = Certificate(primal, min(dual, primal), old.scope)
        self.stop = self.monitor.record(self.certificate)
        return self.certificate.gap < 0.67 * old.gap

    def _in_use(self) -> np.ndarray:
        on = self.variables.any(axis=(1, 2))
        order = np.argsort(-np.where(on, -np.inf, self.sizes), kind="stable")[:_GROUPS]
        new = order[self.sizes[order] > self.program.weight_decay]
        return np.union1d(np.flatnonzero(on), new)


class _Steps:
    """The iterates on the device for the gates `chosen`."""

    def __init__(
        self,
        program: NuclearProgram,
        chosen: np.ndarray,
        start: Array,
        options: NuclearSteps,
        precision: Precision,
    ) -> None:
        import torch

        self.program, self.chosen, self.torch = program, chosen, torch
        self.patches = program.readout.patches if isinstance(program.readout, Pooled) else 1
        patterns = program.arrangements.patterns[:, chosen]
        self.blocks = DeviceBlocks.of(program.X, patterns, options.device, precision)
        self.Y = torch.tensor(program.Y).to(self.blocks.X)
        self.V = self.Z = torch.as_tensor(start[chosen]).to(self.blocks.X)
        steep = program.loss.smoothness * self.blocks.largest_square() * self.patches
        self.moves = bool(np.isfinite(steep) and steep > 0.0)
        self.step, self.t = (1.0 / steep if self.moves else 0.0), 1.0

    def take(self, count: int, cancelled: Callable[[], bool]) -> int:
        """Up to `count` accelerated steps; how many were taken."""
        reach = self.step * self.program.weight_decay
        for done in range(count):
            if done % _REPORT == _REPORT - 1 and cancelled():
                return done
            V = shrunk(self.Z - self.step * self._gradient(self.Z), reach)
            if float(((self.Z - V) * (V - self.V)).sum()) > 0.0:
                self.t, self.Z = 1.0, self.V  # momentum points uphill
                continue
            t = 0.5 * (1.0 + (1.0 + 4.0 * self.t**2) ** 0.5)
            self.Z = V + ((self.t - 1.0) / t) * (V - self.V)
            self.V, self.t = V, t
        return count

    def point(self, shape: tuple[int, ...]) -> Array:
        """The iterate among all gates, in float64."""
        Z = np.zeros(shape)
        Z[self.chosen] = self.V.double().cpu().numpy()
        return Z

    def _gradient(self, Z: torch.Tensor) -> torch.Tensor:
        hidden = self.blocks.predict(Z)
        if self.patches > 1:
            hidden = hidden.view(-1, self.patches, hidden.shape[1]).sum(dim=1)
        R = self._residual(hidden)
        return -self.blocks.adjoint(R.repeat_interleave(self.patches, dim=0))

    def _residual(self, F: torch.Tensor) -> torch.Tensor:
        name = self.program.loss.name
        if name == "squared":
            return self.Y - F
        if name == "logistic":
            return self.Y * self.torch.sigmoid(-self.Y * F)
        return self.Y - self.torch.softmax(F, dim=1)
