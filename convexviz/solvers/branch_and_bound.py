"""A certified lower bound on the ReLU network of any width, at the size of a real image.

First the sphere is searched for the network's own residual; where boxes would have to be too
many, a residual is trained for the boxes there are (`robust_dual`). Every bound that leaves this
module was derived anew by `core.proof.verified_lower_bound`, rounding included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.neurons import NeuronProgram, lengths
from convexviz.core.proof import (
    Balanced,
    Proof,
    balanced,
    dual_below,
    residual_from,
    verified_lower_bound,
)
from convexviz.core.solution import Certificate, Progress, Scope, Status
from convexviz.core.types import Array
from convexviz.solvers.base import Monitor, OnIteration, silent
from convexviz.solvers.branch_and_bound_proof import Recipe, written
from convexviz.solvers.branch_and_bound_start import in_units, polished, recipe_of, regrown
from convexviz.solvers.branch_and_bound_tree import Sphere
from convexviz.solvers.robust_dual import RobustDual, raw_recipe

_EXCESS = 0.25  # times the tolerance: so close to the largest correlation known, cutting ends
_SLOW = 0.7  # the part of the excess that is left, after doubling the work, that ends the search
_FIRST_LOOK = 100  # sums over all rows before that is asked
_RETRAIN_UNTIL = 0.9  # of the time, rounds as long as the last one end; then boxes are cut
_CUTS_A_ROUND = 6
_BELOW = 0.95  # of the weight decay: a box that is better needs no more work
_REPORT_SECONDS = 0.2
_VERIFY_PART = 0.1  # of the time spent so far that goes into verifying


@dataclass(frozen=True, slots=True, eq=False)
class Proved:
    """A proof, and the certificate that its verified bound makes with the network's objective."""

    proof: Proof
    certificate: Certificate
    status: Status
    objectives: tuple[Progress, ...]


@dataclass(frozen=True, slots=True)
class BranchAndBound:
    """Proves a lower bound on the optimum of a `NeuronProgram`, from a trained network.

    Anytime: the bound only rises, and `on_iteration` sees each verified value; it may raise
    Cancelled. Stops at a verified relative gap of `tolerance`, or after `max_seconds`. How the
    search goes on is decided by work, not by time; where it ends, and how many of its bounds are
    verified and reported before, is decided by `clock`.
    """

    tolerance: float = 1e-4
    max_seconds: float = 30.0
    clock: Callable[[], float] = time.perf_counter

    def prove(
        self,
        program: NeuronProgram,
        variables: Float[np.ndarray, "m d1"],
        *,
        known: Proof | None = None,
        on_iteration: OnIteration = silent,
    ) -> Proved:
        """The best bound found from the residual of the network `variables`, any point at all.

        With `known`, an earlier proof, the search goes on from its boxes and its bound.

        Raises:
            DataError: what is `known` is no proof for this program.
        """
        problem = balanced(program.X, program.y, program.weight_decay)
        monitor = Monitor(self.tolerance, on_iteration)
        neurons = in_units(problem, variables)
        run = _Run(program, problem, neurons, monitor, self.max_seconds, self.clock)
        run.primal = float(program.objective(variables))
        run.offer(known)
        if not run.stopped and program.weight_decay > 0:
            for _ in run.steps():
                if run.report():
                    break
            run.verify()
        status = Status.MAX_ITERATIONS
        if run.certificate.relative_gap <= self.tolerance:
            status = Status.OPTIMAL
        elif monitor.cancelled:
            status = Status.CANCELLED
        assert run.proof is not None
        return Proved(run.proof, run.certificate, status, tuple(monitor.trace))


@dataclass(slots=True, eq=False)
class _Run:
    """One search: what is proved so far, what was found since, and the time it may take."""

    program: NeuronProgram
    problem: Balanced
    neurons: Array
    monitor: Monitor
    max_seconds: float
    clock: Callable[[], float]
    primal: float = 0.0
    proof: Proof | None = None
    known: Proof | None = None
    bound: float = 0.0
    stopped: bool = False
    found: tuple[float, Proof] | None = None  # not verified yet
    best: float = 0.0  # the search's own value of the best proof
    reported: float = 0.0
    verifying: float = 0.0
    started: float = 0.0

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def certificate(self) -> Certificate:
        return Certificate(self.primal, min(self.bound, self.primal), Scope.RELU_NETWORK)

    @property
    def seconds(self) -> float:
        return self.clock() - self.started

    @property
    def late(self) -> bool:
        """Whether there is no more time than the verifier will need."""
        reserve = 0.0
        if self.found is not None:
            boxes = len(self.found[1].mean) + 2 * len(self.found[1].blurs)
            reserve = boxes * self.program.X.size * 2e-8
        return self.seconds > self.max_seconds - min(reserve, 0.3 * self.max_seconds)

    def offer(self, known: Proof | None) -> None:
        """What the search starts from: an earlier proof, or that of the bound 0."""
        self.known = self.proof = known
        if known is None:
            sphere = Sphere(self.problem.X, self.problem.y)
            self.proof = written(sphere, raw_recipe(self.neurons))
        else:
            program = self.program
            self.bound = verified_lower_bound(known, program.X, program.y, program.weight_decay)
        self.stopped = self.monitor.record(self.certificate)

    def report(self) -> bool:
        """Verify what was found, now and then; True where the search must end."""
        if self.found is not None:
            close = self.problem.objective(self.found[0]) >= self.primal * (
                1 - self.monitor.tolerance
            )
            if close or self.verifying <= _VERIFY_PART * self.seconds:
                self.verify()
        if not self.stopped and self.seconds - self.reported > _REPORT_SECONDS:
            self.reported = self.seconds
            self.stopped = self.monitor.record(self.certificate)
        return self.stopped or self.late

    def verify(self) -> None:
        """Keep what was found if the verifier confirms that it is better."""
        if self.found is None:
            return
        start, proof = self.seconds, self.found[1]
        self.found = None
        X, y = self.program.X, self.program.y
        bound = verified_lower_bound(proof, X, y, self.program.weight_decay)
        self.verifying += self.seconds - start
        if bound > self.bound:
            self.bound, self.proof = bound, proof
            self.reported = self.seconds
            self.stopped = self.monitor.record(self.certificate) or self.stopped

    def steps(self) -> Iterator[None]:
        """The search, pausing wherever it could end."""
        self.neurons = polished(self.problem, self.neurons, lambda *_: self.late)
        robust = RobustDual(self.problem, self.neurons)
        sphere, target = yield from (self._afresh() if self.known is None else self._again(robust))
        best, best_target = target.offer(sphere), target
        before, last = self.seconds, 0.0
        while self.seconds + last < _RETRAIN_UNTIL * self.max_seconds:
            value, direction, sign = sphere.ascent()
            if value > target.limit * (1 + 1e-4):
                robust.add(direction, sign)
            recipe = robust.retrain(sphere, target.limit)
            yield
            target = self._target(sphere.basis, recipe)
            if not target.r.any():
                break
            sphere.enough = _BELOW * target.limit
            yield from sphere.replace(target.r)
            value, cuts = target.offer(sphere), 0
            while cuts < max(_CUTS_A_ROUND, len(sphere.leaves()) // 8):
                if sphere.bound <= sphere.enough or not sphere.cut_worst():
                    break
                cuts += 1
                yield
            value = max(value, target.offer(sphere))
            if value > best:
                best, best_target = value, target
                robust.keep()
            before, last = self.seconds, self.seconds - before
        sphere.enough = _BELOW * best_target.limit
        if target is not best_target:
            yield from sphere.replace(best_target.r)
        while sphere.bound > sphere.enough and sphere.cut_worst():
            best_target.offer(sphere)
            yield

    def _afresh(self) -> Generator[None, None, tuple[Sphere, _Target]]:
        target = self._target(np.eye(self.problem.X.shape[1]), raw_recipe(self.neurons))
        sphere = Sphere(self.problem.X, target.r)
        sphere.start()
        yield from self._raw(sphere, target)
        return sphere, target

    def _again(self, robust: RobustDual) -> Generator[None, None, tuple[Sphere, _Target]]:
        """The boxes and the vector of the known proof."""
        assert self.known is not None
        target = self._target(self.known.basis, recipe_of(self.known))
        sphere, leaves = regrown(self.problem.X, target.r, self.known)
        sphere.enough = _BELOW * target.limit
        for leaf in leaves:
            sphere.adopt(leaf)
            yield
        robust.keep_recipe(target.recipe, sphere.roots[0])
        return sphere, target

    def _raw(self, sphere: Sphere, target: _Target) -> Iterator[None]:
        """Cut boxes for the network's own residual for as long as that pays."""
        history: list[tuple[int, float]] = []
        known = max(target.limit, target.correlation(self.neurons))
        sphere.enough = known
        while True:
            target.offer(sphere)
            yield
            now, excess = sphere.work, sphere.bound / known - 1
            history.append((now, excess))
            # Above the weight decay M(r) is the network's fault: another residual is better.
            if excess <= max(_EXCESS * self.monitor.tolerance, 0.02 * (known / target.limit - 1)):
                return
            earlier = [e for at, e in history if at <= now / 2]
            slow = earlier and excess > _SLOW * earlier[-1]
            looked = now > _FIRST_LOOK * len(self.problem.y)
            if slow and excess > 0.05 and looked and sphere.is_narrow:
                return
            known = max(known, sphere.ascent()[0])
            sphere.enough = known
            if not sphere.cut_worst():
                return

    def _target(self, basis: Array, recipe: Recipe) -> _Target:
        r, exponent = residual_from(
            self.problem, basis, recipe.neurons, recipe.blurs, recipe.blur_weights
        )
        return _Target(self, recipe, r, float(np.ldexp(self.problem.weight_decay, -exponent)))


@dataclass(slots=True, eq=False)
class _Target:
    """One residual to search for, and the weight decay in its units."""

    run: _Run
    recipe: Recipe
    r: Array
    limit: float

    def offer(self, sphere: Sphere) -> float:
        """The bound of the boxes as they are; the proof is written down where it is the best."""
        problem = self.run.problem
        value = dual_below(problem.y, self.r, sphere.bound, problem.weight_decay)
        if value > self.run.best * (1 + 1e-7):
            self.run.best = value
            self.run.found = value, written(sphere, self.recipe)
        return value

    def correlation(self, neurons: Array) -> float:
        """The largest `|r'(X u)_+|` over the network's directions."""
        X, r = self.run.problem.X, self.r
        sizes = lengths(neurons[:, :-1])
        values = [
            abs(float(r @ np.maximum(X @ (row[:-1] / size), 0.0)))
            for row, size in zip(neurons, sizes, strict=True)
            if size > 0
        ]
        return max(values, default=0.0)
