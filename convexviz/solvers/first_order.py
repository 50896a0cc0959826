"""Accelerated proximal gradient on a torch device, then an exact finish on the patterns in use.

For programs with thousands of patterns, whose Gram does not fit: every step is one forward and
one backward pass over the rows. Momentum restarts where it points uphill (O'Donoghue and Candes,
Adaptive restart for accelerated gradient schemes, Found. Comput. Math. 2015). Steps may be taken
in float32; certificates are the program's own, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.arrangements import Arrangements
from convexviz.core.gated import GatedProgram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import Logistic, Squared
from convexviz.core.masked_device import DeviceFeatures, Precision
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.relu_data import lengths_of
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import SpecError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent
from convexviz.solvers.choose import choose

if TYPE_CHECKING:
    import torch

Masked = GatedProgram | ReluProgram | LossProgram

_FIRST_CHECK = 20  # iterations before the first certificate; twice as many before the next
_GROUPS = 64  # patterns that the exact finish adds at a time
_FINISHES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstOrder(AbstractSolver):
    """Solves programs over given patterns, gated or with cones, squared or logistic loss.

    Attributes:
        tolerance: the relative duality gap to stop at.
        max_iterations: steps on the device.
        device: where they are taken, a torch device.
        precision: of the steps; certificates are float64 always.
        finish: whether an exact solver ends on the patterns that the steps found.
    """

    tolerance: float = 1e-4
    max_iterations: int = 2000
    device: str = "cpu"
    precision: Precision = "float64"
    finish: bool = True

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise SpecError(f"tolerance must be > 0, got {self.tolerance}")
        if self.max_iterations < 1:
            raise SpecError(f"max_iterations must be at least 1, got {self.max_iterations}")

    def on(self, device: str) -> AbstractSolver:
        return replace(self, device=device)

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, GatedProgram | ReluProgram | LossProgram):
            return f"it needs given patterns and scalar outputs, got {type(program).__name__}"
        squared = _squared(program)
        if isinstance(squared, GatedProgram) and squared.patches > 1:
            return f"it knows no summed patches, got {squared.patches} a sample; use GatedPath"
        if isinstance(program, LossProgram) and not isinstance(program.loss, Squared | Logistic):
            return f"it needs a smooth loss, got {program.loss.name}"
        return None

    def solve_from(
        self, program: Masked, start: Array, *, on_iteration: OnIteration = silent
    ) -> Solution:
        """Solve `program` starting at `start`."""
        best = _Best(program, Monitor(self.tolerance, on_iteration))
        best.offer(start)
        return self._run(program, best)

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, GatedProgram | ReluProgram | LossProgram)
        return self._run(program, _Best(program, Monitor(self.tolerance, on_iteration)))

    def _run(self, program: Masked, best: _Best) -> Solution:
        steps = _Steps(program, self.device, self.precision, best.variables)
        check, taken = _FIRST_CHECK, 0
        while taken < self.max_iterations and not best.stop and steps.moves:
            count = min(check, self.max_iterations) - taken
            steps.take(count)
            taken, check = taken + count, 2 * check
            gained = best.offer(steps.point())
            if self.finish and not gained:
                break
        if self.finish and not best.stop:
            _finish(program, best, 0.1 * self.tolerance)
        return best.solution()


class _Best:
    """The best point and the best bound so far, certified by the program itself."""

    def __init__(self, program: Masked, monitor: Monitor) -> None:
        self.program, self.monitor = program, monitor
        self.variables: Array = np.zeros(_squared(program).shape)
        self.certificate = program.certify(self.variables)
        self.bounding = self.variables  # the point that gave the best dual value
        self.stop = monitor.record(self.certificate)

    def offer(self, variables: Array) -> bool:
        """Keep what is better of point and bound; False where the gap fell by less than half."""
        found, old = self.program.certify(variables), self.certificate
        if found.primal <= old.primal:
            self.variables = variables
        if found.dual >= old.dual:
            self.bounding = variables
        primal, dual = min(found.primal, old.primal), max(found.dual, old.dual)
        self.certificate = Certificate(primal, min(dual, primal), old.scope)
        self.stop = self.monitor.record(self.certificate)
        return self.certificate.gap < 0.5 * old.gap

    def solution(self) -> Solution:
        status = Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        elif self.certificate.relative_gap <= self.monitor.tolerance:
            status = Status.OPTIMAL
        trace = tuple(self.monitor.trace)
        witness = None if self.bounding is self.variables else self.bounding
        return Solution(self.variables, self.certificate, status, "FirstOrder", trace, witness)


class _Steps:
    """The iterates on the device, in units where the entries of X and y are about 1."""

    def __init__(self, program: Masked, device: str, precision: Precision, start: Array) -> None:
        import torch

        squared = _squared(program)
        self.squared, self.torch = squared, torch
        self.logistic = isinstance(program, LossProgram) and isinstance(program.loss, Logistic)
        self.unit_X = _power_of_two(squared.X)
        self.unit_y = 1.0 if self.logistic else _power_of_two(squared.y)
        self.beta = squared.weight_decay / self.unit_X / self.unit_y
        patterns = squared.arrangements.patterns
        self.features = DeviceFeatures.of(squared.X / self.unit_X, patterns, device, precision)
        self.y = torch.as_tensor(squared.y / self.unit_y).to(self.features.X)
        self.signs = 1 if isinstance(squared, GatedProgram) else 2
        steepness = self.signs * self.features.largest_square() * (0.25 if self.logistic else 1.0)
        self.moves = bool(np.isfinite(steepness) and steepness > 0.0)
        self.step = 1.0 / steepness if self.moves else 0.0
        shape = (self.signs, patterns.shape[1], squared.X.shape[1])
        V = (start * (self.unit_X / self.unit_y)).reshape(shape)
        self.V = self.Z = torch.as_tensor(V).to(self.features.X)
        self.t = 1.0

    def take(self, count: int) -> None:
        """`count` accelerated steps."""
        for _ in range(count):
            V = self._shrink(self.Z - self.step * self._gradient(self.Z))
            if float(((self.Z - V) * (V - self.V)).sum()) > 0.0:
                self.t, self.Z = 1.0, self.V  # momentum points uphill
                V = self._shrink(self.Z - self.step * self._gradient(self.Z))
            t = 0.5 * (1.0 + (1.0 + 4.0 * self.t**2) ** 0.5)
            self.Z = V + ((self.t - 1.0) / t) * (V - self.V)
            self.V, self.t = V, t

    def point(self) -> Array:
        """The iterate in the program's units and float64, moved into its cones."""
        V = self.V.double().cpu().numpy() * (self.unit_y / self.unit_X)
        return V[0] if isinstance(self.squared, GatedProgram) else self.squared.feasible(V)

    def _gradient(self, V: torch.Tensor) -> torch.Tensor:
        fit = self.features.predict(V[0] - V[1] if self.signs == 2 else V[0])
        residual = self.y * self.torch.sigmoid(-self.y * fit) if self.logistic else self.y - fit
        C = self.features.adjoint(residual)
        return self.torch.stack([-C, C][: self.signs])

    def _shrink(self, V: torch.Tensor) -> torch.Tensor:
        """The proximal point: each group projected onto its cone, then shortened.

        A projection is never longer than its group, so groups that are too short without one
        need none; the others, a few dozen, are projected exactly.
        """
        lengths = self.torch.linalg.norm(V, dim=2, keepdim=True)
        reach = self.step * self.beta
        keep = lengths > reach
        if self.signs == 2:
            assert isinstance(self.squared, ReluProgram)
            which = keep[..., 0]
            outside = np.ascontiguousarray(V[which].double().cpu().numpy())
            points, _ = self.squared.data.project(outside, np.nonzero(which.cpu().numpy())[1])
            V = self.torch.zeros_like(V)
            V[which] = self.torch.as_tensor(points).to(V)
            lengths = self.torch.linalg.norm(V, dim=2, keepdim=True)
            keep = lengths > reach
        share = self.torch.where(keep, 1.0 - reach / lengths.clamp_min(1e-300), 0.0)
        return V * share


def _finish(program: Masked, best: _Best, tolerance: float) -> None:
    """Exact solutions on the patterns in use and those that violate the dual constraint most."""
    shape = _squared(program).shape
    for _ in range(_FINISHES):
        chosen = _in_use(program, best.variables)
        part = _restricted(program, chosen)
        solution = choose(part, tolerance, 0).solve(part)
        variables = np.zeros(shape)
        variables[..., chosen, :] = solution.variables
        before = best.certificate.gap
        best.offer(variables)
        if best.stop or best.certificate.gap >= before:
            return


def _in_use(program: Masked, variables: Array) -> Int[np.ndarray, " k"]:
    squared = _squared(program)
    groups = lengths_of(variables.reshape(-1, *squared.shape[-2:])).max(axis=0)
    fit = squared.fit(variables)
    residual = squared.y - fit
    if isinstance(program, LossProgram):
        residual = program.loss.minus_gradient(fit, program.y)
    violation = lengths_of(squared.correlations(residual))
    order = np.argsort(-np.where(groups > 0, -np.inf, violation), kind="stable")[:_GROUPS]
    new = order[violation[order] > squared.weight_decay]
    return np.union1d(np.flatnonzero(groups > 0), np.setdiff1d(new, np.flatnonzero(groups > 0)))


def _restricted(program: Masked, chosen: Int[np.ndarray, " k"]) -> Masked:
    if isinstance(program, LossProgram):
        part = _restricted(program.squared, chosen)
        assert not isinstance(part, LossProgram)
        return replace(program, squared=part)
    a = program.arrangements
    few = Arrangements(
        a.gates[:, chosen], np.ascontiguousarray(a.patterns[:, chosen]), complete=False
    )
    return replace(program, arrangements=few)


def _squared(program: Masked) -> GatedProgram | ReluProgram:
    return program.squared if isinstance(program, LossProgram) else program


def _power_of_two(array: Float[np.ndarray, "*shape"]) -> float:
    largest = float(np.abs(array).max(initial=0.0))
    return float(2.0 ** np.clip(np.round(np.log2(largest)), -1000, 1000)) if largest else 1.0
