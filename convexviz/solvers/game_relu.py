"""Games against a ReLU discriminator: a certified bound and the best samples that were found.

The game is not convex in the generator's weights (THEORY 5.6), so nothing here is called a global
optimum: the bound is rigorous, the samples are allowed, and the gap between them is what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from convexviz.core.discriminator import Discriminator, Neurons, no_neurons
from convexviz.core.game import GameProgram
from convexviz.core.moment_program import cycled
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Scope, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.base import Monitor, OnIteration
from convexviz.solvers.game_closed import finished, none_allowed
from convexviz.solvers.game_repair import pulled
from convexviz.solvers.game_solver import AbstractGameSolver
from convexviz.solvers.relu_critic import Measure, apportioned, pieces, shortest
from convexviz.solvers.relu_polish import Extremes, Polish
from convexviz.solvers.relu_transport import Plan, can_plan, plan

NAME = "numerical: linear program, zonotope cut, convex-concave steps"
SEARCH = "branch and bound on the angle"
SIZES = (1e-2, 1e2)  # of the largest entry: beyond, samples are rescaled first
FEW_STARTS = 4
OFFSETS, MANY_OFFSETS, FEW_SAMPLES = 3, 10, 20
LARGEST = 4000  # entries of the samples that are moved


@dataclass(frozen=True, slots=True)
class ReluGame(AbstractGameSolver):
    """Several starts, each improved by at most `steps` convex-concave steps."""

    tolerance: float = 1e-6
    steps: int = 40

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, GameProgram):
            return "it is no game"
        if program.discriminator.kind != "relu":
            return "its discriminator is not ReLU"
        size = program.reach.rows * program.X.shape[1]
        if size > LARGEST:
            return (
                f"{size:,} numbers are to be chosen, a ReLU discriminator allows at most "
                f"{LARGEST:,}; use fewer samples or columns"
            )
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, GameProgram)
        if program.searched is not None:
            return _one_latent(program, self.tolerance, on_iteration)
        monitor = Monitor(self.tolerance, on_iteration)
        size = float(np.abs(np.vstack([program.X, program.reach.start])).max())
        if not program.discriminator.bias and size and not SIZES[0] <= size <= SIZES[1]:
            variables = self._rescaled(program, size, monitor)
        else:
            variables = self._found(program, monitor)
        certificate = program.certify(variables)
        if not np.isfinite(certificate.primal) and not monitor.cancelled:
            raise IncompatibleSolver(none_allowed(program, variables))
        met = certificate.relative_gap <= self.tolerance
        status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        return Solution(variables, certificate, status, NAME, tuple(monitor.trace))

    def _found(self, program: GameProgram, monitor: Monitor, unit: float = 1.0) -> Array:
        """The best samples and neurons; `monitor` hears of values `unit` times as large."""
        critic = _critic(program)
        planned = _plan(program)
        proved = planned.neurons if planned else critic.neurons if critic else None
        neurons = no_neurons(program.width - 1) if proved is None else proved
        bound = program.bound(neurons)
        best: tuple[float, np.ndarray | None] = (np.inf, None)
        improve = Polish(program, Extremes(program))
        for start in _promising(improve, _starts(program, critic), planned):
            found = improve.run(start, self.steps)
            if found.C is not None and found.value < best[0]:
                best = found.value, found.C
            for tried in found.neurons if critic is None else ():
                if (other := program.bound(tried)) > bound:
                    bound, neurons = other, tried
            known = Certificate(unit * best[0], unit * min(bound, best[0]), Scope.GAN_GAME)
            if monitor.record(known):
                break
        C = best[1] if best[1] is not None else pulled(program, program.reach.start)
        return program.pack(program.reach.samples(C), neurons)

    def _rescaled(self, game: GameProgram, size: float, monitor: Monitor) -> Array:
        """The game of samples of size one, whose steps have their lengths, and back."""
        reach = replace(
            game.reach, start=game.reach.start / size, beyond=game.reach.beyond / size**2
        )
        other = GameProgram(
            game.X / size, game.n_generated, reach, game.discriminator, game.weight_decay / size
        )
        found = self._found(other, monitor, size**2)
        return game.pack(size * other.samples(found), other.neurons(found).times(size))


def _one_latent(game: GameProgram, tolerance: float, on_iteration: OnIteration) -> Solution:
    """The least allowed generator of one latent, and the critic of the relaxation beside it."""
    found = game.searched
    assert found is not None
    if not np.isfinite(found.upper):
        raise IncompatibleSolver(
            f"no linear generator of one latent brings F within weight_decay="
            f"{game.weight_decay:g} (branch and bound over its angle); use more latents, "
            "generator='free', or a larger weight_decay"
        )
    w = found.upper * np.array([np.cos(found.angle), np.sin(found.angle)])
    C = w[None, : game.X.shape[1]]
    critic = _critic(game)
    neurons = critic.neurons if critic else no_neurons(game.width - 1)
    variables = game.pack(game.reach.samples(C), neurons)
    return finished(game, variables, tolerance, SEARCH, on_iteration)


def _plan(program: GameProgram) -> Plan | None:
    """What the dual over the plane says, where it can be asked and something is to be done."""
    if not can_plan(program) or program.weight_decay >= program.beta_max:
        return None
    return plan(program)


def _promising(
    improve: Polish, starts: Iterator[np.ndarray], planned: Plan | None
) -> Iterator[np.ndarray]:
    """All starts; in space, where a distance costs more, only the plan or what a grid prefers."""
    if planned is not None:
        yield planned.samples
        if improve.rough:
            return
    if not improve.rough:
        yield from starts
        return
    ends = [improve.roughly(start) for start in islice(starts, FEW_STARTS)]
    yield min(ends, key=lambda end: end[0])[1]


def _is_shortest(program: GameProgram) -> bool:
    """Whether the linear program over zonotopes is this game's relaxation."""
    plane = program.X.shape[1] <= 2 and not program.discriminator.bias
    return plane and not program.reach.start.any() and not program.reach.beyond


def _critic(program: GameProgram) -> Measure | None:
    if not _is_shortest(program) or program.weight_decay >= program.beta_max:
        return None
    flat = np.hstack([program.X, np.zeros((len(program.X), 2 - program.X.shape[1]))])
    found = shortest(flat, program.weight_decay)
    if program.X.shape[1] == 2:
        return found
    return replace(found, neurons=Neurons(found.neurons.directions[:, :1], found.neurons.weights))


def _starts(program: GameProgram, critic: Measure | None) -> Iterator[np.ndarray]:
    """Coordinates to improve from, the most promising first."""
    reach, count = program.reach, program.n_generated
    rng = np.random.default_rng(0)
    if program.weight_decay >= program.beta_max:
        yield reach.start
        return
    if critic is not None and reach.basis is None:
        d = program.X.shape[1]
        if len(critic.lengths) <= 2 * count:
            yield apportioned(critic, count)[:, :d]
        offsets = MANY_OFFSETS if count <= FEW_SAMPLES else OFFSETS
        for k in range(offsets):
            yield pieces(critic, count, k / offsets)[:, :d]
        for _ in range(offsets if count <= FEW_SAMPLES else 0):
            yield cycled(program.X[rng.permutation(len(program.X))], count)
        return
    real = reach.coordinates(cycled(program.X, count))
    yield reach.start if reach.start.any() else 0.9 * real
    if program.X.shape[1] == 2:
        yield from _as_moments_would(program)
    yield real
    spread = float(np.abs(real).max()) or 1.0
    for _ in range(4 if reach.basis is None else 12):
        yield spread * rng.standard_normal(real.shape)


def _as_moments_would(program: GameProgram) -> Iterator[np.ndarray]:
    """Where a discriminator of moments would send the samples, a part of the way."""
    from convexviz.solvers.game_moments import MomentSDP

    reach = program.reach
    if np.ptp(reach.price) > 0:
        return
    for kind, share in (("quadratic", 0.5), ("polynomial", 0.05)):
        if reach.basis is not None and reach.rows < program.X.shape[1] + 1:
            return
        other = GameProgram(
            program.X,
            program.n_generated,
            reach,
            Discriminator(kind),
            max(share * program.weight_decay, 1e-9),
        )
        solution = MomentSDP(1e-4).solve(other)
        yield reach.coordinates(other.samples(solution.variables))
