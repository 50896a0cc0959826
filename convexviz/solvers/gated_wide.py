"""The gated program where the masked features are more than the rows: no Gram.

A strong-rule working set (Tibshirani et al., Strong rules for discarding predictors in
lasso-type problems, J. R. Stat. Soc. B 74, 2012), exact block sweeps that find the support, and
Newton on the support through an n x n system. A path over weight decays starts each program at
the extrapolation of the two optima before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from convexviz.core.gated import GatedProgram, gated_certificate
from convexviz.core.masked import adjoint, predict
from convexviz.core.masked_rows import MaskedRows
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import SpecError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent
from convexviz.solvers.gated_path import better
from convexviz.solvers.gated_wide_newton import newton
from convexviz.solvers.gated_wide_sweeps import sweep_rows
from convexviz.solvers.reference import clarabel

_LARGEST_N = 5_000  # an n x n factorisation is half a minute above
_SWEEPS = 6  # between Newton steps: they settle which groups are zero
_FEW = 100_000  # entries of the masked features that interior points may have
_PATIENT = 100  # who allows fewer rounds wants an early end
_STALLED = 4  # rounds without a measurable decrease: float64 has no more to give


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedWide(AbstractSolver):
    """Solves gated programs with n < P d to a certified relative gap, alone or along a path.

    Attributes:
        tolerance: the relative duality gap to stop at.
        max_iterations: rounds of sweeps and Newton for one weight decay.
    """

    tolerance: float = 1e-6
    max_iterations: int = 200

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
        if not isinstance(program, GatedProgram):
            return (
                f"it needs a GatedProgram (no cones, scalar output), not {type(program).__name__}"
            )
        if program.patches > 1:
            return f"it knows no summed patches, got {program.patches} a sample; use GatedPath"
        if len(program.X) > _LARGEST_N:
            return f"it factors n x n matrices, for n to {_LARGEST_N:,}, got {len(program.X):,}"
        return None

    def solve_from(
        self,
        program: GatedProgram,
        start: Float[np.ndarray, "P d"],
        *,
        on_iteration: OnIteration = silent,
    ) -> Solution:
        """Solve `program` starting at `start`, an optimum for nearby weight decay at best."""
        start = np.asarray(start, dtype=np.float64)
        return _Run(program, self).solve(program, start, on_iteration)

    def path(
        self,
        program: GatedProgram,
        weight_decays: Sequence[float] | Float[np.ndarray, " k"],
        *,
        on_iteration: OnIteration = silent,
    ) -> list[Solution]:
        """A solution for each weight decay, in the order given; descending order is fastest.

        Stops early, with fewer solutions, where `on_iteration` raises Cancelled.
        """
        run = _Run(program, self)
        solutions: list[Solution] = []
        for weight_decay in weight_decays:
            here = program.with_weight_decay(float(weight_decay))
            solutions.append(run.solve(here, None, on_iteration))
            if solutions[-1].status is Status.CANCELLED:
                break
        return solutions

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, GatedProgram)
        return _Run(program, self).solve(program, None, on_iteration)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Point:
    """A point with what depends linearly on it, so that points can be extrapolated."""

    W: Float[np.ndarray, "P d"]
    residual: Float[np.ndarray, " n"]
    correlations: Float[np.ndarray, "P d"]
    beta: float  # where it is an optimum; infinite where it is none

    def beyond(self, other: _Point, times: float) -> _Point:
        return _Point(
            W=self.W + times * (self.W - other.W),
            residual=self.residual + times * (self.residual - other.residual),
            correlations=self.correlations + times * (self.correlations - other.correlations),
            beta=self.beta,
        )

    def objective(self, beta: float) -> float:
        lengths = np.linalg.norm(self.W, axis=1)
        return 0.5 * float(self.residual @ self.residual) + beta * float(lengths.sum())

    def certificate(self, beta: float) -> Certificate:
        squares = float(self.residual @ self.residual)
        return gated_certificate(self.W, self.correlations, squares, beta)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Coordinates:
    """Data of ordinary size, with no more features than rows; variables go in and out.

    The optimum lies in the row space of X, `X = Z basis'`, and lengths are the same there.
    Powers of two scale X and y where their squares would leave float64's range.
    """

    X: Float[np.ndarray, "n r"]
    y: Float[np.ndarray, " n"]
    basis: Float[np.ndarray, "d r"] | None
    down: tuple[float, float]

    @property
    def same(self) -> bool:
        return self.basis is None and self.down == (1.0, 1.0)

    def beta(self, outside: float) -> float:
        return outside * self.down[0] * self.down[1]

    def inward(self, W: Array) -> Array:
        W = W * (self.down[1] / self.down[0])
        return W if self.basis is None else W @ self.basis

    def outward(self, W: Array) -> Array:
        W = W / (self.down[1] / self.down[0])
        return W if self.basis is None else W @ self.basis.T


def _coordinates(X: Array, y: Array) -> _Coordinates:
    sizes = [float(np.abs(array).max(initial=0.0)) for array in (X, y)]
    down_X = down_y = 1.0
    if not all(size == 0.0 or 1e-30 < size < 1e30 for size in sizes):
        down_X, down_y = (2.0 ** -int(np.frexp(size)[1]) if size else 1.0 for size in sizes)
        X, y = X * down_X, y * down_y
    basis = None
    if X.shape[1] > len(X):
        basis, lower = np.linalg.qr(X.T)
        X = np.ascontiguousarray(lower.T)
    return _Coordinates(X=X, y=y, basis=basis, down=(down_X, down_y))


class _Run:
    """One program's data, as they are solved, and the optima of the last two weight decays."""

    def __init__(self, program: GatedProgram, options: GatedWide) -> None:
        self.options = options
        self.coordinates = _coordinates(program.X, program.y)
        self.patterns = program.arrangements.patterns
        self.data = MaskedRows(self.coordinates.X, self.patterns)
        self.optima: list[_Point] = []

    def at(self, W: Array) -> _Point:
        """The point W, its residual and correlations computed as `GatedProgram.certify` does."""
        X = self.coordinates.X
        residual = self.coordinates.y - predict(X, self.patterns, W)
        correlations = adjoint(X, self.patterns, residual)
        return _Point(W=W, residual=residual, correlations=correlations, beta=np.inf)

    def start(self, beta: float) -> _Point:
        """The last optimum, or the line through the last two where that is lower at `beta`."""
        if not self.optima:
            return self.at(np.zeros((self.patterns.shape[1], self.coordinates.X.shape[1])))
        last = self.optima[-1]
        if len(self.optima) < 2 or self.optima[0].beta == last.beta:
            return last
        lowest = last.objective(beta)
        times = (beta - last.beta) / (last.beta - self.optima[0].beta)
        for share in (1.0, 0.5):
            point = last.beyond(self.optima[0], share * times)
            if point.objective(beta) < lowest:
                return point
        return last

    def solve(self, program: GatedProgram, start: Array | None, on: OnIteration) -> Solution:
        monitor = Monitor(self.options.tolerance, on)
        beta = self.coordinates.beta(program.weight_decay)
        # The same sum may differ in its last bits from call to call, and sweeps would leave those.
        if program.weight_decay >= program.beta_max * (1 - 1e-14):
            point = self.at(
                self.coordinates.inward(np.zeros((self.patterns.shape[1], program.X.shape[1])))
            )
            certificate = program.certify(self.coordinates.outward(point.W))
            monitor.record(certificate)
        else:
            point = self.start(beta) if start is None else self.at(self.coordinates.inward(start))
            point, certificate = self._descend(point, beta, monitor)
        self.optima = [*self.optima[-1:], replace(point, beta=beta)]
        W = self.coordinates.outward(point.W)
        if not self.coordinates.same:
            certificate = program.certify(W)
        stuck = certificate.relative_gap > self.options.tolerance and not monitor.cancelled
        allowed = program.weight_decay > 0 and self.options.max_iterations >= _PATIENT
        if stuck and allowed and program.X.size * len(W) <= _FEW:
            W, certificate = self._rescued(program, W, certificate)
            monitor.record(certificate)
        status = Status.MAX_ITERATIONS
        if monitor.cancelled:  # first: whoever cancels wants a path to end, too
            status = Status.CANCELLED
        elif certificate.relative_gap <= self.options.tolerance:
            status = Status.OPTIMAL
        return Solution(W, certificate, status, GatedWide.__name__, tuple(monitor.trace))

    def _rescued(
        self, program: GatedProgram, W: Array, certificate: Certificate
    ) -> tuple[Array, Certificate]:
        """The same by interior points, where that is better: sweeps crawl where a fit is perfect.

        There the residual is of the order of the weight decay, and most patterns are at its limit.
        """
        problem = program.to_cvxpy()
        clarabel(problem, 1e-3 * self.options.tolerance)
        found = program.from_cvxpy(problem)
        there = program.certify(found)
        return (found, there) if there.relative_gap < certificate.relative_gap else (W, certificate)

    def _descend(self, point: _Point, beta: float, monitor: Monitor) -> tuple[_Point, Certificate]:
        """The lowest point found from `point`: optimal to the tolerance, or as far as it goes."""
        groups = self._screen(point, beta)
        best, lowest, stalled = point, point.certificate(beta), 0
        first = True
        for _ in range(self.options.max_iterations):
            W, residual = point.W.copy(), point.residual.copy()
            self._sweep(W, residual, groups, beta)
            newton(self.data, W, residual, beta)
            point = self.at(W)
            certificate = point.certificate(beta)
            stalled += 1
            if first or better(certificate, lowest):
                # The first round replaces the start, whose residual may be an extrapolation.
                best, lowest, stalled, first = point, certificate, 0, False
            stop = monitor.record(certificate)
            if certificate.relative_gap <= self.options.tolerance:
                return point, certificate
            if stop or stalled >= _STALLED:
                break
            over = np.linalg.norm(point.correlations, axis=1) > beta * (1 - 1e-3)
            groups = np.flatnonzero(over | W.any(axis=1))
        return best, lowest

    def _screen(self, point: _Point, beta: float) -> np.ndarray:
        """The strong rule: correlations move by less than the weight decay does, mostly."""
        bound = 2 * beta - point.beta if np.isfinite(point.beta) else beta
        likely = np.linalg.norm(point.correlations, axis=1) >= bound
        return np.flatnonzero(likely | point.W.any(axis=1))

    def _sweep(self, W: Array, residual: Array, groups: np.ndarray, beta: float) -> None:
        data = self.data
        data.prepare(groups)
        sweep_rows(
            data.X,
            data.rows,
            data.starts,
            groups,
            W,
            residual,
            data.eigenvalues,
            data.eigenvectors,
            beta,
            _SWEEPS,
        )
