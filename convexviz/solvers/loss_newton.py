"""Proximal Newton for losses other than the squared one, gated or with cones.

A quadratic model of a loss is squared loss on reweighted rows, and rows of other lengths have the
same patterns and cones: every step is a program that the squared solvers finish exactly (Lee,
Sun, Saunders: Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim.
2014).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from convexviz.core.gated import GatedProgram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import Logistic, Loss, Squared
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import SpecError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.gated_path import GatedPath
from convexviz.solvers.gated_wide import GatedWide

# Of the residual: a row that is far on the wrong side is nearly straight, and a model without
# curvature there would have its optimum anywhere.
_BENT = 1e-3
_DAMPING, _LEAST = 1e-2, 1e-7  # of the largest curvature, at first and at least
_SATURATED = 1e-30  # where every row is: no row loses its cone
_STALLED = 6  # rounds without progress of the gap: float64 has no more to give


@dataclass(frozen=True, slots=True, kw_only=True)
class LossNewton(AbstractSolver):
    """Solves a `LossProgram` to a certified relative gap.

    Attributes:
        tolerance: the relative duality gap to stop at.
        max_iterations: steps in all, each one a program with squared loss.
    """

    tolerance: float = 1e-6
    max_iterations: int = 300

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise SpecError(f"tolerance must be > 0, got {self.tolerance}")
        if self.max_iterations < 1:
            raise SpecError(f"max_iterations must be at least 1, got {self.max_iterations}")

    def on(self, device: str) -> AbstractSolver:
        if device == "cpu":
            return self
        from convexviz.solvers.first_order import FirstOrder

        return FirstOrder(tolerance=self.tolerance, device=device)

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, LossProgram):
            return f"it needs a loss of scalar outputs (LossProgram), got {type(program).__name__}"
        if not isinstance(program.loss, Squared | Logistic):
            return f"it needs a loss with curvature (squared, logistic), got {program.loss.name}"
        return None

    def solve_from(
        self, program: LossProgram, start: Array, *, on_iteration: OnIteration = silent
    ) -> Solution:
        """Solve `program` starting at `start`, an optimum for nearby weight decay at best."""
        monitor = Monitor(self.tolerance, on_iteration)
        search = _Search(program, _inner(program, 1e-2 * self.tolerance), monitor)
        search.offer(np.zeros(program.squared.shape))
        V = start if program.objective(start) < np.inf else np.zeros(program.squared.shape)
        stalled, least = 0, np.inf
        # Without weight decay there is no bound to wait for.
        limit = self.max_iterations if program.weight_decay else min(self.max_iterations, 30)
        for _ in range(limit):
            if search.stop or stalled == _STALLED:
                break
            V = search.step(V)
            gap = search.certificate.gap
            stalled = 0 if gap < 0.9 * least else stalled + 1
            least = min(least, gap)
        return search.solution()

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, LossProgram)
        start = np.zeros(program.squared.shape)
        return self.solve_from(program, start, on_iteration=on_iteration)


@dataclass(slots=True)
class _Search:
    """The best point and the best bound, and the squared solver that takes the steps."""

    program: LossProgram
    inner: GatedPath | GatedWide | ActiveSet
    monitor: Monitor
    best: Array = field(init=False)
    bounding: Array | None = None  # the point that gave the best dual value
    certificate: Certificate = field(init=False)
    stop: bool = False
    damping: float = _DAMPING

    def __post_init__(self) -> None:
        self.best = np.zeros(self.program.squared.shape)
        self.certificate = Certificate(np.inf, 0.0, self.program.scope)

    def offer(self, V: Array) -> None:
        """Keep the point where it is better, the bound where it is."""
        found = self.program.certify(V)
        if found.primal <= self.certificate.primal:
            self.best = V
        if found.dual >= self.certificate.dual:
            self.bounding = V
        primal = min(found.primal, self.certificate.primal)
        dual = max(found.dual, self.certificate.dual)
        self.certificate = Certificate(primal, min(dual, primal), found.scope)
        self.stop = self.monitor.record(self.certificate)

    def step(self, V: Array) -> Array:
        """One Newton step with a line search."""
        squared, loss, y = self.program.squared, self.program.loss, self.program.y
        F = squared.fit(V)
        h, R = _curvature(loss, F, y, self.damping), loss.minus_gradient(F, y)
        quadratic = squared.reweighted(h, F + R / h)
        end: Array = self.inner.solve_from(quadratic, V).variables  # type: ignore[arg-type]
        move = squared.fit(end) - F
        before, after = squared.penalty(V), squared.penalty(end)
        fall = float(R @ move) + before - after  # to first order, of the whole step
        value = loss.value(F, y) + before
        for t in 0.5 ** np.arange(20):
            trial = V + t * (end - V)
            found = loss.value(F + t * move, y) + squared.penalty(trial)
            if found <= value - 1e-4 * t * fall:
                break
        self.damping = min(max(self.damping * (0.3 if t == 1.0 else 10.0), _LEAST), 1.0)
        self.offer(trial)
        return trial if found <= value else V

    def solution(self) -> Solution:
        status = Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        elif self.certificate.relative_gap <= self.monitor.tolerance:
            status = Status.OPTIMAL
        trace = tuple(self.monitor.trace)
        witness = None if self.bounding is self.best else self.bounding
        return Solution(self.best, self.certificate, status, "LossNewton", trace, witness)


def _curvature(
    loss: Loss, F: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], damping: float
) -> Float[np.ndarray, " n"]:
    """The second derivative of every row's loss, at least `damping` times the largest."""
    if isinstance(loss, Squared):
        return np.ones(len(F))
    p = expit(-y * F)
    h: Array = np.maximum(p * (1.0 - p), _BENT * p)
    return np.maximum(h, max(damping * float(h.max(initial=0.0)), _SATURATED))


def _inner(program: LossProgram, tolerance: float) -> GatedPath | GatedWide | ActiveSet:
    squared, sharp = program.squared, max(tolerance, 1e-11)
    if not isinstance(squared, GatedProgram):
        return ActiveSet(tolerance=sharp)
    wide = GatedWide(tolerance=sharp)
    more_features_than_rows = len(squared.X) < squared.shape[0] * squared.shape[1]
    if more_features_than_rows and wide.why_not(squared) is None:
        return wide
    return GatedPath(tolerance=sharp)
