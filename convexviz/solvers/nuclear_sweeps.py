"""Large gated networks of several outputs on the CPU: one gate's block after the other.

Whitened rows make a block's features nearly orthonormal, so a proximal step on one block may be a
hundred times as long as one on all blocks together, and costs as much for each. Sweeps over the
blocks in use, now and then over all; in float32 while that helps, then in float64. Certificates are
the program's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.core.nuclear import NuclearProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.readout import Pooled, Rows
from convexviz.core.solution import Certificate, Scope, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import SpecError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, followed, silent

_BETWEEN, _MOST = 4, 128  # sweeps over the blocks in use after one over all; more if it stalls
_REPORT = 32  # blocks between two reports: what a cancel waits for
_SAFE = 1.05  # rounding of the step lengths
_POWER = 60  # rounds of the power method for them
_STALLED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class NuclearSweeps(AbstractSolver):
    """Solves a `NuclearProgram` with a smooth loss to a certified relative gap.

    Attributes:
        max_sweeps: over all blocks.
    """

    tolerance: float = 1e-3
    max_sweeps: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise SpecError(f"tolerance must be > 0, got {self.tolerance}")

    def on(self, device: str) -> AbstractSolver:
        if device == "cpu":
            return self
        from convexviz.solvers.nuclear_steps import NuclearSteps

        return NuclearSteps(tolerance=self.tolerance, device=device)

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

    def path(
        self,
        program: NuclearProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> tuple[Solution, ...]:
        """One solution a weight decay, in the order given; each starts from the next larger one.

        What a cancelled path holds: see `followed`.
        """

        def solve(at: NuclearProgram, warm: Array | None) -> Solution:
            start = np.zeros(at.shape) if warm is None else warm
            return self.solve_from(at, start, on_iteration=on_iteration)

        return followed(program, weight_decays, solve)

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, NuclearProgram)
        return self.solve_from(program, np.zeros(program.shape), on_iteration=on_iteration)


class _Run:
    """The best point and the best bound so far, and the blocks that are swept."""

    def __init__(
        self, program: NuclearProgram, options: NuclearSweeps, start: Array, monitor: Monitor
    ) -> None:
        self.program, self.options, self.monitor = program, options, monitor
        self.rng = np.random.default_rng(options.seed)
        self.variables = start
        self.certificate = self._certified(start)
        self.stop = monitor.record(self.certificate)

    def go(self) -> Solution:
        precision: np.dtype[Any] = np.dtype(np.float32)
        stalled, sweeps, between = 0, 0, 1
        blocks: _Blocks | None = None
        while not self.stop and sweeps < self.options.max_sweeps and stalled < _STALLED:
            if blocks is None:
                blocks = _Blocks(self.program, self.variables, precision, self._ask)
            sweeps += 1
            self._sweep(blocks, np.arange(len(blocks.Z)))
            for _ in range(between):
                self._sweep(blocks, np.flatnonzero(blocks.Z.any(axis=(1, 2))))
            if self._offer(_cleaned(blocks.Z)):
                stalled, between = 0, max(between, _BETWEEN)
            else:
                stalled, between = stalled + 1, min(2 * between, _MOST)
            if stalled >= 2 and precision == np.float32:
                precision, stalled, blocks = np.dtype(np.float64), 0, None
            elif not self.stop:
                blocks.refresh()
        status = Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        elif self.certificate.relative_gap <= self.options.tolerance:
            status = Status.OPTIMAL
        trace = tuple(self.monitor.trace)
        return Solution(self.variables, self.certificate, status, "NuclearSweeps", trace)

    def _sweep(self, blocks: _Blocks, which: np.ndarray) -> None:
        """A step on each of `which`, in random order; the rest is left where it is cancelled."""
        for done, i in enumerate(self.rng.permutation(which).tolist()):
            if done % _REPORT == _REPORT - 1:
                self._ask()
            if self.monitor.cancelled:
                return
            blocks.step(i)

    def _ask(self) -> bool:
        """Whether it is cancelled."""
        self.stop = self.monitor.ask(self.certificate) or self.stop
        return self.monitor.cancelled

    def _certified(self, Z: Array) -> Certificate:
        """As `certify` does, without the checks."""
        program = self.program
        F = program.fit(Z)
        R = program.loss.minus_gradient(F, program.Y)
        M = program.dual_norm(R)
        limit = program.weight_decay / M if M > 0 else np.inf
        dual = program.loss.dual_value(R, program.Y, program.loss.best_scale(R, program.Y, limit))
        primal = program.loss.value(F, program.Y) + program.weight_decay * program.penalty(Z)
        return Certificate(primal, min(max(dual, 0.0), primal), Scope.GATED_NETWORK)

    def _offer(self, Z: Array) -> bool:
        """Keep what is better of point and bound; whether the gap fell by a tenth."""
        found, old = self._certified(Z), self.certificate
        if found.primal <= old.primal:
            self.variables = Z
        primal, dual = min(found.primal, old.primal), max(found.dual, old.dual)
        self.certificate = Certificate(primal, min(dual, primal), old.scope)
        self.stop = self.monitor.record(self.certificate) or self.stop
        return self.certificate.gap < 0.9 * old.gap


class _Blocks:
    """The blocks, the outputs they give, and how long a step on each may be."""

    def __init__(
        self,
        program: NuclearProgram,
        start: Array,
        precision: np.dtype[Any],
        cancelled: Callable[[], bool],
    ) -> None:
        self.program = program
        self.X = np.ascontiguousarray(program.X, precision)
        self.masks = np.ascontiguousarray(program.arrangements.patterns.T)
        self.Z = start.astype(precision)
        self.Y = program.Y.astype(precision)
        self.patches = program.readout.patches if isinstance(program.readout, Pooled) else 1
        self.steep = _SAFE * program.loss.smoothness * self.patches * self._squares(cancelled)
        self.refresh()

    def refresh(self) -> None:
        """The outputs anew: what many small changes have lost of their digits."""
        F = self.program.fit(self.Z.astype(np.float64))
        self.F = F.astype(self.Z.dtype)
        self.R = self.program.loss.minus_gradient(self.F, self.Y)

    def step(self, i: int) -> None:
        """A proximal step on block i."""
        mask, old, beta = self.masks[i][:, None], self.Z[i].copy(), self.program.weight_decay
        R = np.repeat(self.R, self.patches, axis=0) if self.patches > 1 else self.R
        correlation = self.X.T @ (R * mask)
        on = bool(old.any())
        if not self.steep[i] > 0.0 or not (on or np.linalg.norm(correlation) > beta):
            return
        new = _shrunk(old + correlation / self.steep[i], beta / self.steep[i])
        if not on and not new.any():
            return
        self.Z[i] = new
        hidden = (self.X @ (new - old)) * mask
        if self.patches > 1:
            hidden = hidden.reshape(-1, self.patches, hidden.shape[1]).sum(axis=1)
        self.F += hidden
        if self.program.loss.name == "squared":
            self.R -= hidden
        else:
            self.R = self.program.loss.minus_gradient(self.F, self.Y)

    def _squares(self, cancelled: Callable[[], bool]) -> Float[np.ndarray, " P"]:
        """About the largest eigenvalue of every `X' D_i X`; 0 for those after a cancel."""
        rng = np.random.default_rng(0)
        found = np.zeros(len(self.masks))
        for i, mask in enumerate(self.masks):
            if i % _REPORT == _REPORT - 1 and cancelled():
                break
            gram = (self.X.T * mask) @ self.X
            v = rng.standard_normal(len(gram)).astype(gram.dtype)
            for _ in range(_POWER):
                v = gram @ v
                length = float(np.linalg.norm(v))
                if length == 0.0:
                    break
                v /= length
                found[i] = length
        return found


def _cleaned(Z: Float[np.ndarray, "P d k"]) -> Float[np.ndarray, "P d k"]:
    """The blocks in float64, without the singular values that rounding has left."""
    out = np.zeros(Z.shape)
    on = np.flatnonzero(Z.any(axis=(1, 2)))
    if len(on):
        U, s, Vt = np.linalg.svd(Z[on].astype(np.float64), full_matrices=False)
        s = np.where(s > 10 * np.finfo(Z.dtype).eps * s[:, :1], s, 0.0)
        out[on] = (U * s[:, None, :]) @ Vt
    return out


def _shrunk(Z: Float[np.ndarray, "d k"], threshold: float) -> Float[np.ndarray, "d k"]:
    """Every singular value lowered by `threshold`, from the smaller Gram of the block."""
    if Z.shape[1] > Z.shape[0]:
        return _shrunk(Z.T, threshold).T
    wide = Z.astype(np.float64)
    squares, V = np.linalg.eigh(wide.T @ wide)
    s = np.sqrt(np.maximum(squares, 0.0))
    share = np.where(s > threshold, 1.0 - threshold / np.maximum(s, 1e-300), 0.0)
    return (wide @ ((V * share) @ V.T)).astype(Z.dtype)
