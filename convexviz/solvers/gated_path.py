"""Working-set Newton for the gated program, entirely in the space of its Gram.

Block coordinate descent with exact groups finds which groups are zero, Newton finishes on the
others, and groups that violate the dual constraint join a few at a time. A path over weight
decays starts each program from the optimum of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from convexviz.core.gated import GatedProgram, gated_certificate
from convexviz.core.gram import MaskedGram
from convexviz.core.gram_certificate import certificate_from_gram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import SpecError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent
from convexviz.solvers.gated_factor import Factor, Indices, submatrix
from convexviz.solvers.gated_newton import WorkingSet

_GROW = 4  # groups added at least, where so many violate the dual constraint
_INNER = 12  # rounds of sweeps and Newton before the whole gradient is looked at again
_STALLED = 4  # rounds without a measurable decrease: float64 has no more to give


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedPath(AbstractSolver):
    """Solves gated programs to a certified relative gap, alone or along a path.

    Attributes:
        tolerance: the relative duality gap to stop at.
        max_iterations: working sets tried for one weight decay.
        certify_from: where the certificate is computed. "data" is as near as float64 comes, and
            costs a pass over the data; "gram" adds a bound on the rounding of the Gram instead,
            about 1e-7 of the objective for a photograph, and asks the data where that is too much.
    """

    tolerance: float = 1e-6
    max_iterations: int = 200
    certify_from: Literal["data", "gram"] = "data"

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise SpecError(f"tolerance must be > 0, got {self.tolerance}")
        if self.max_iterations < 1:
            raise SpecError(f"max_iterations must be at least 1, got {self.max_iterations}")

    def on(self, device: str) -> AbstractSolver:  # noqa: ARG002
        """Itself: the Gram is made on the device, and what follows is small."""
        return self

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, GatedProgram):
            return (
                f"it needs a GatedProgram (no cones, scalar output), not {type(program).__name__}"
            )
        return None

    def solve_from(
        self,
        program: GatedProgram,
        start: Float[np.ndarray, "P d"],
        *,
        on_iteration: OnIteration = silent,
    ) -> Solution:
        """Solve `program` starting at `start`, an optimum for nearby weight decay at best."""
        return self._run(program, np.array(start, dtype=np.float64), on_iteration)

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
        solutions: list[Solution] = []
        factor = Factor(program.gram.G, program.gram.d)
        optima: list[tuple[float, Array]] = []
        for weight_decay in weight_decays:
            here = program.with_weight_decay(float(weight_decay))
            start = _extrapolate(here, optima)
            solutions.append(self._run(here, start, on_iteration, factor))
            optima = [*optima[-1:], (here.weight_decay, solutions[-1].variables)]
            if solutions[-1].status is Status.CANCELLED:
                break
        return solutions

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, GatedProgram)
        return self._run(
            program, np.zeros((len(program.arrangements), program.X.shape[1])), on_iteration
        )

    def _run(
        self,
        program: GatedProgram,
        W: Array,
        on_iteration: OnIteration,
        factor: Factor | None = None,
    ) -> Solution:
        monitor = Monitor(self.tolerance, on_iteration)
        units, to_units = _in_ordinary_units(program)
        if factor is None or factor.G is not units.gram.G:
            factor = Factor(units.gram.G, units.gram.d)
        search = _Search(gram=units.gram, beta=units.weight_decay, factor=factor)
        # The last digits of a gap from the Gram are rounding: ask for a little more, and let
        # the certificate from the data decide.
        for sharper in (0.9, 0.1, 0.01):
            aim = replace(self, tolerance=sharper * self.tolerance)
            W = search.descend(W * to_units, aim, monitor) / to_units
            certificate = self._certify(program, search, W, to_units)
            if certificate.relative_gap <= self.tolerance or monitor.cancelled:
                break
        status = Status.MAX_ITERATIONS
        if monitor.cancelled:  # first: whoever cancels wants a path to end, too
            status = Status.CANCELLED
        elif certificate.relative_gap <= self.tolerance:
            status = Status.OPTIMAL
        return Solution(W, certificate, status, type(self).__name__, tuple(monitor.trace))

    def _certify(
        self, program: GatedProgram, search: _Search, W: Array, to_units: float
    ) -> Certificate:
        by_gram = self.certify_from == "gram" and program.patches == 1
        if by_gram and to_units == 1.0 and search.gram is program.gram:
            certificate = certificate_from_gram(
                search.gram, program.columns, W, search.gradient(W), program.weight_decay
            )
            if certificate.relative_gap <= self.tolerance:
                return certificate
        return program.certify(W)


def better(one: Certificate, other: Certificate) -> bool:
    """Lower; or as low as rounding can tell, and closer to its bound."""
    rounding = 1e-12 * abs(other.primal)  # a Gram has lost some digits
    if abs(one.primal - other.primal) <= rounding:
        return one.gap < other.gap
    return one.primal < other.primal


def _extrapolate(program: GatedProgram, optima: list[tuple[float, Array]]) -> Array:
    """The last optimum, or the line through the last two where that is lower here."""
    if not optima:
        return np.zeros((len(program.arrangements), program.X.shape[1]))
    beta, W = optima[-1]
    if len(optima) < 2 or optima[0][0] == beta:
        return W
    move = W - optima[0][1]
    times = (program.weight_decay - beta) / (beta - optima[0][0])
    gram = program.gram
    with np.errstate(over="ignore", invalid="ignore"):  # numbers of odd sizes stay where they are
        slope, image = _product(gram, W) - gram.b, _product(gram, move)
        along, curvature = float(move.ravel() @ slope), float(move.ravel() @ image)
        lengths = np.linalg.norm(W, axis=1).sum()
        for t in (times, 0.5 * times):
            longer = np.linalg.norm(W + t * move, axis=1).sum() - lengths
            if t * along + 0.5 * t * t * curvature + program.weight_decay * longer < 0.0:
                return W + t * move
    return W


def _product(gram: MaskedGram, W: Array) -> Array:
    """`G w`, reading the rows of nonzero groups only."""
    out = np.zeros(gram.P * gram.d)
    G = gram.G.reshape(gram.P, gram.d, -1)
    for i in np.flatnonzero(W.any(axis=1)):
        out += W[i] @ G[i]
    return out


def _in_ordinary_units(program: GatedProgram) -> tuple[GatedProgram, float]:
    """The program itself; or, where squares of its data would leave float64's range, the
    same program with X and y scaled by powers of two, and the factor its variables take."""
    gram = program.gram
    if all(1e-60 < square < 1e60 for square in (float(gram.eigenvalues.max()), gram.yy)):
        return program, 1.0
    sizes = [float(np.abs(program.X).max(initial=0.0)), float(np.abs(program.y).max(initial=0.0))]
    if all(size == 0.0 or 1e-30 < size < 1e30 for size in sizes):
        return program, 1.0
    down_X, down_y = (2.0 ** -np.frexp(size)[1] if size else 1.0 for size in sizes)
    scaled = replace(
        program,
        X=program.X * down_X,
        y=program.y * down_y,
        weight_decay=program.weight_decay * down_X * down_y,
    )
    return scaled, down_y / down_X


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    gram: MaskedGram
    beta: float
    factor: Factor

    def descend(self, W: Array, aim: GatedPath, monitor: Monitor) -> Array:
        """The best point found from `W`: optimal to `aim`, or as far as it goes."""
        W = W.copy()
        best, lowest, stalled = W.copy(), None, 0
        for _ in range(aim.max_iterations):
            gradient = self.gradient(W)
            certificate = self._certify(W, gradient)
            stop = monitor.record(certificate) and monitor.cancelled
            if certificate.relative_gap <= aim.tolerance:
                return W
            stalled += 1
            if lowest is None or better(certificate, lowest):
                best, lowest, stalled = W.copy(), certificate, 0
            if stop or stalled >= _STALLED:
                return best
            self._improve(W, gradient, certificate, aim.tolerance)
        return best

    def _improve(
        self, W: Array, gradient: Array, certificate: Certificate, tolerance: float
    ) -> None:
        """Solve on the support plus the worst violators, to a share of what is asked."""
        chosen, grown = self._choose(W, gradient)
        if not len(chosen):
            return
        target = 0.2 * tolerance * certificate.primal
        if grown:
            target = max(target, 0.05 * certificate.gap)
        problem = self._restrict(W, gradient, chosen, certificate)
        b = self.gram.b.reshape(W.shape)[chosen].ravel()
        for _ in range(_INNER):
            problem.sweep()
            problem.newton()
            local = self._certify_from(problem.W, problem.gradient, b)
            if local.gap <= target:
                break
        W[chosen] = problem.W

    def _choose(self, W: Array, gradient: Array) -> tuple[Indices, bool]:
        support = W.any(axis=1)
        norms = np.where(support, 0.0, np.linalg.norm(gradient.reshape(W.shape), axis=1))
        n_support = int(support.sum())
        worst = np.argsort(-norms, kind="stable")[: max(_GROW, n_support // 4)]
        worst = worst[norms[worst] > self.beta * (1 + 1e-12)]
        return np.union1d(np.flatnonzero(support), worst), len(worst) > 0

    def _restrict(
        self, W: Array, gradient: Array, chosen: Indices, certificate: Certificate
    ) -> WorkingSet:
        eigenvalues = self.gram.eigenvalues
        floor = max(1e-14 * float(eigenvalues.max(initial=0.0)), np.finfo(float).tiny)
        return WorkingSet(
            G=submatrix(self.gram.G, chosen, self.gram.d),
            gradient=gradient.reshape(W.shape)[chosen].ravel(),
            W=W[chosen],
            eigenvalues=np.maximum(eigenvalues[chosen], floor),
            eigenvectors=np.ascontiguousarray(self.gram.eigenvectors[chosen]),
            beta=self.beta,
            rounding=1e-15 * certificate.primal,
            ids=chosen,
            factor=self.factor,
        )

    def gradient(self, W: Array) -> Array:
        out: Array = _product(self.gram, W) - self.gram.b
        return out

    def _certify(self, W: Array, gradient: Array) -> Certificate:
        return self._certify_from(W, gradient, self.gram.b)

    def _certify_from(self, W: Array, gradient: Array, b: Array) -> Certificate:
        """`A'r = -gradient` and `|r|^2 = |y|^2 - b'w + w'gradient`; no data needed."""
        w = W.ravel()
        squares = max(self.gram.yy - float(b @ w) + float(w @ gradient), 0.0)
        return gated_certificate(W, -gradient.reshape(W.shape), squares, self.beta)
