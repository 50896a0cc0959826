"""Exact training of vector-output networks: Newton's method on the dual, over the peaks of M.

    max_R -l*(-R)  subject to  M_k(R) <= beta  for every local maximum k of |A*(R)'(Xu)_+|

Each `M_k` is convex and smooth, so this is sequential quadratic programming on a convex program:
the exact search for peaks lists the constraints at R, their second derivatives are cheap, and the
multipliers are the weights of the neurons. Moving the neurons themselves (the primal) meets
saddles and walls between cones; here the search chooses the cones anew at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from convexviz.core.dual_norm import Found, Peaks, SearchedNorm
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.prune import pruned
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, followed, silent
from convexviz.solvers.dual_newton_curvature import curvature
from convexviz.solvers.dual_newton_cuts import Cuts, carried, read, weights_of
from convexviz.solvers.dual_newton_polish import polished
from convexviz.solvers.dual_newton_steps import Step, newton_step, root_hessian

_MOST = 600  # peaks in one quadratic program
_NEAR = 0.3  # of beta below it: peaks that a step may lift above
_ROOTS, _LEAST = 5.0, 0.05  # near the optimum steps are short: that many roots of the gap
_SHARE = 0.1  # of the largest peak: smaller ones can wait
_POLISH = 1e-3  # relative gap from which the neurons themselves may be moved
_VIOLATED = 1e-3
_HALVINGS = 12
_STALLED = 4  # steps without progress
_DECADES, _FEW = 8, 40  # of weight decay that are gone through, and steps in each


@dataclass(frozen=True, slots=True)
class DualNewton(AbstractSolver):
    """Solves a `VectorProgram` whose dual norm is exact; quadratic convergence near the end.

    `prune` drops neurons that others can stand for and records how many, `n_pruned`.
    """

    tolerance: float = 1e-8
    max_iterations: int = 200
    prune: bool = False

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, VectorProgram):
            return f"it needs a VectorProgram, got {type(program).__name__}"
        if not isinstance(program.norm, SearchedNorm) or not program.norm.exact:
            return "it needs a dual norm that a search finds exactly"
        if not np.isfinite(program.loss.smoothness):
            return f"it needs a smooth loss, got {program.loss.name}"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, VectorProgram)
        monitor = Monitor(self.tolerance, on_iteration)
        found = _Search(program, self, monitor).run()
        if found.status is not Status.MAX_ITERATIONS:
            return found
        again = _Search(program, self, monitor, self._approached(program)).run()
        better = again.certificate.relative_gap < found.certificate.relative_gap
        return again if better else replace(found, objectives=again.objectives)

    def _approached(self, program: VectorProgram) -> Array | None:
        """A network of a weight decay a little larger, itself approached from above.

        Where weight decay is tiny the residual is too, and says little until one is near.
        """
        top, beta = program.beta_max, program.weight_decay
        steps = min(int(np.log10(max(top / beta, 1.0))), _DECADES)
        warm: Array | None = None
        for step in range(steps, 0, -1):
            at = program.with_weight_decay(beta * 10.0**step)
            few = DualNewton(max(self.tolerance, 1e-6), _FEW)
            warm = _Search(at, few, Monitor(few.tolerance), warm).run().variables
        return warm

    def refined(
        self, program: VectorProgram, start: Array, *, on_iteration: OnIteration = silent
    ) -> tuple[Array, Array]:
        """The network after Newton steps from `start`, and the residual with the best bound.

        Where the dual norm is estimated the gap is too: what is told to `on_iteration` is a bound
        of 0, and nothing is certified.
        """
        search = _Search(program, self, Monitor(self.tolerance, on_iteration), start)
        search.begin()
        return search.best, search.residual

    def solve_from(
        self, program: VectorProgram, start: Array, *, on_iteration: OnIteration = silent
    ) -> Solution:
        """Solve `program` starting with the neurons `start`."""
        return _Search(program, self, Monitor(self.tolerance, on_iteration), start).run()

    def path(
        self,
        program: VectorProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> tuple[Solution, ...]:
        """One solution a weight decay, in the order given; each starts from the next larger one.

        What a cancelled path holds: see `followed`.
        """

        def solve(at: VectorProgram, warm: Array | None) -> Solution:
            return _Search(at, self, Monitor(self.tolerance, on_iteration), warm).run()

        return followed(program, weight_decays, solve)


@dataclass(frozen=True, slots=True)
class _Place:
    """A prediction F, its residual R, what the search found there, and the bound that R gives."""

    F: Array
    R: Array
    found: Found
    bound: float


@dataclass(slots=True)
class _Search:
    """One solve: the best network and the best bound so far."""

    program: VectorProgram
    options: DualNewton
    monitor: Monitor
    warm: Array | None = None
    best: Array = field(init=False)
    residual: Array = field(init=False)
    primal: float = np.inf
    dual: float = 0.0
    close: bool = False
    certificate: Certificate | None = None

    @property
    def norm(self) -> SearchedNorm:
        assert isinstance(self.program.norm, SearchedNorm)  # `why_not` refuses others
        return self.program.norm

    def run(self) -> Solution:
        self.begin()
        return self._finish()

    def begin(self) -> None:
        program = self.program
        width = program.X.shape[1] + program.outputs
        self.best = np.zeros((0, width)) if self.warm is None else self.warm
        self.primal = program.objective(self.best)
        here = self._at(program.fit(self.best))
        self.dual, self.residual = min(here.bound, self.primal), here.R
        if not self._told():
            self._iterate()

    def _told(self) -> bool:
        """Records the pair, an estimated bound as none; whether to stop."""
        scope = self.norm.scope
        pair = Certificate(self.primal, min(self.dual, self.primal), scope)
        if self.norm.exact:
            return self.monitor.record(pair)
        self.monitor.record(Certificate(self.primal, 0.0, scope))
        return self.monitor.cancelled or pair.relative_gap <= self.monitor.tolerance

    def _iterate(self) -> None:
        here, cuts, before = self._at_best()
        stalled, gap, polished_at = 0, np.inf, np.inf
        for _ in range(self.options.max_iterations):
            peaks = self._peaks(here)
            atoms = Cuts.of(peaks).and_also(cuts.far_from(peaks))
            step = self._step(here, peaks, atoms, before)
            self._accept(atoms.neurons(self.program, step.weights))
            if self.close and self._met():
                return
            there = self._along(here, step.fit)
            if self._record(there):
                return
            slow, gap = self.primal - self.dual > 0.2 * gap, self.primal - self.dual
            if slow and gap < min(_POLISH * self.primal, 0.1 * polished_at):
                polished_at = gap
                self._accept(polished(self.program, self.best))
                again = self._at_best()
                if again[0].bound > max(here.bound, there.bound):
                    here, cuts, before = again
                    continue
            cuts = atoms.only(step.weights > 0)
            if there.bound > here.bound:
                here, stalled = there, 0
                before = (peaks.points, step.weights[: len(peaks)])
                continue
            stalled += 1
            if stalled == _STALLED:
                self._accept(polished(self.program, self.best))
                return
            fresh = self._peaks(there)
            above = fresh.values > self.program.weight_decay * (1 - _VIOLATED)
            cuts = cuts.and_also(Cuts.of(fresh).only(above))

    def _record(self, there: _Place) -> bool:
        """Whether to stop: cancelled, or the network's own certificate is within the tolerance."""
        if there.bound > self.dual:
            self.dual, self.residual = there.bound, there.R
        stop = self._told()
        if self.monitor.cancelled or not self.norm.exact:
            return stop
        self.close = stop
        return stop and self._met()

    def _met(self) -> bool:
        """Whether the network's own residual proves it optimal within the tolerance."""
        return self._own().relative_gap <= self.options.tolerance

    def _own(self) -> Certificate:
        if self.certificate is None:
            self.certificate = self.program.certify(self.best)
        return self.certificate

    def _at(self, F: Array) -> _Place:
        program = self.program
        R = program.loss.minus_gradient(F, program.Y)
        gap = (self.primal - self.dual) / self.primal if self.dual > 0 else 1.0
        near = min(max(_ROOTS * np.sqrt(max(gap, 0.0)), _LEAST), _NEAR)
        low = program.weight_decay * (1 - near)
        found = self.norm.search(program.readout.adjoint(R), low, _SHARE)
        return _Place(F, R, found, program.bound(R, found.largest))

    def _at_best(self) -> tuple[_Place, Cuts, tuple[Array, Array]]:
        """The place of the best network, its neurons as cuts, and their weights."""
        cuts = Cuts.of_neurons(self.program, self.best)
        weights = weights_of(self.program, self.best)
        return self._at(self.program.fit(self.best)), cuts, (cuts.points, weights[weights > 0])

    def _peaks(self, place: _Place) -> Peaks:
        G = self.program.readout.adjoint(place.R)
        return self.norm.peaks(G, place.found, _MOST)

    def _step(self, here: _Place, peaks: Peaks, atoms: Cuts, before: tuple[Array, Array]) -> Step:
        program, F = self.program, here.F
        directions = atoms.directions(program)
        excess = np.einsum("mnc,nc->m", directions, here.R) - program.weight_decay
        root = root_hessian(program.loss.name, F)
        weights = carried(peaks.points, *before)
        none = np.zeros((0, *F.shape))
        if not weights.any():
            weights = newton_step(F, directions, excess, none, root).weights[: len(peaks)]
        G = np.ascontiguousarray(program.readout.adjoint(here.R))
        bends = curvature(self.norm.rows, G, peaks, weights)
        try:
            return newton_step(F, directions, excess, read(program, bends), root)
        except np.linalg.LinAlgError:  # rows 1e150 apart bend beyond float64: without that
            return newton_step(F, directions, excess, none, root)

    def _along(self, here: _Place, move: Float[np.ndarray, "n c"]) -> _Place:
        """The first place along the move with a better bound; the nearest tried where none has."""
        t = 1.0
        for _ in range(_HALVINGS):
            there = self._at(here.F + t * move)
            if there.bound > here.bound:
                break
            t *= 0.5
        return there

    def _accept(self, variables: Float[np.ndarray, "m dk"]) -> None:
        """Later networks are nearer to the optimum: among equals up to rounding, the last."""
        value = self.program.objective(variables)
        if value <= self.primal * (1 + 1e-14):
            self.primal, self.best = min(value, self.primal), variables
            self.certificate = None

    def _finish(self) -> Solution:
        records = {}
        if self.options.prune:
            fewer = pruned(self.program, self.best)
            records["n_pruned"] = np.array([float(len(self.best) - len(fewer))])
            self.best, self.certificate = fewer, None
        certificate = self._own()
        met = certificate.relative_gap <= self.options.tolerance
        status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        trace = tuple(self.monitor.trace)
        return Solution(self.best, certificate, status, "DualNewton", trace, records=records)
