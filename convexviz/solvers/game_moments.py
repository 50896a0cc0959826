"""Games over moments without a closed form, by their semidefinite program."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from convexviz.core.discriminator import no_neurons
from convexviz.core.game import GameProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.base import Monitor, OnIteration
from convexviz.solvers.game_closed import finished, none_allowed
from convexviz.solvers.game_exact import exactly, leading
from convexviz.solvers.game_repair import pulled
from convexviz.solvers.game_solver import AbstractGameSolver
from convexviz.solvers.reference import clarabel

NAME = "semidefinite program"
FLOOR = 4e-10  # of F at G = 0: half of what the game allows for rounding
LARGEST = 80  # columns; a matrix inequality of twice as many rows takes Clarabel a minute


@dataclass(frozen=True, slots=True)
class MomentSDP(AbstractGameSolver):
    """Clarabel on `program.to_cvxpy()`, then samples that are allowed and neurons that certify.

    Where the answer's samples exceed beta by rounding, their moments are mixed with the real ones.
    """

    tolerance: float = 1e-6

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, GameProgram):
            return "it is no game"
        if not program.discriminator.is_moment:
            return "a ReLU discriminator sees more than moments"
        columns = program.X.shape[1]
        if columns > LARGEST:
            return f"it has {columns} columns, a semidefinite program takes at most {LARGEST}"
        if np.ptp(program.reach.price) > 1e-9 * program.reach.price.max():
            return "penalty='weights' is no function of moments unless the latents are whitened"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, GameProgram)
        if program.weight_decay >= program.beta_max:  # nothing need move
            still = program.pack(
                program.reach.samples(program.reach.start), no_neurons(program.width - 1)
            )
            return finished(program, still, self.tolerance, NAME, on_iteration)
        monitor = Monitor(self.tolerance, on_iteration)
        small = _Small(program)
        beta = max(small.game.weight_decay, FLOOR * small.game.scale)
        best: tuple[Array, Certificate] | None = None
        margin = 0.0
        for accuracy in (1e-9, 1e-10, 1e-11):
            tighter = small.game.with_weight_decay(beta * (1 - margin))
            problem = tighter.to_cvxpy()
            clarabel(problem, accuracy)
            variables = allowed(program, small.back(tighter.from_cvxpy(problem)))
            certificate = program.certify(variables)
            if best is None or better(certificate, best[1]):
                best = variables, certificate
            if monitor.record(best[1]):
                break
            F = program.discriminator.value(program.X, program.samples(variables))
            over = 1 - _aim(program) / F if F > 0 else 0.0
            margin = min(max(2 * margin, 2 * over, 0.0), 0.5) if over > 0 else margin
        assert best is not None
        if best[1].relative_gap > self.tolerance:
            best = _with_exact(program, best)
        if not np.isfinite(best[1].primal) and len(program.X) == program.n_generated:
            # Too few samples for the moments that are best: nearer to the real ones then.
            neurons = program.neurons(best[0])
            C = pulled(program, program.reach.coordinates(program.samples(best[0])))
            variables = program.pack(program.reach.samples(C), neurons)
            best = variables, program.certify(variables)
        if not np.isfinite(best[1].primal) and not monitor.cancelled:
            raise IncompatibleSolver(none_allowed(program, best[0]))
        met = best[1].relative_gap <= self.tolerance
        status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        return Solution(best[0], best[1], status, NAME, tuple(monitor.trace))


def _with_exact(game: GameProgram, best: tuple[Array, Certificate]) -> tuple[Array, Certificate]:
    """The better of each side: samples with the real moments, and the closed form's critic."""
    G, neurons = game.samples(best[0]), game.neurons(best[0])
    if game.bound(other := leading(game)) > best[1].dual:
        neurons = other
    found = [G]
    if (C := exactly(game)) is not None:
        found.append(game.reach.samples(C))
    points = [game.pack(samples, neurons) for samples in found]
    certified = [(point, game.certify(point)) for point in points]
    return min(certified, key=lambda pair: pair[1].primal)


def _aim(game: GameProgram) -> float:
    """What F is brought to: beta, or what is as good as beta where that is rounding."""
    return max(game.weight_decay, 1.5 * FLOOR * game.scale)


class _Small:
    """A game over moments with samples of size one and a price of one: what Clarabel is given."""

    def __init__(self, game: GameProgram) -> None:
        kind = game.discriminator.kind
        seen = [game.X, game.reach.start, np.full((1, 1), float(game.discriminator.bias))]
        self.whole = game
        self.size = max(float(np.abs(part).max(initial=0.0)) for part in seen) or 1.0
        self.price = float(game.reach.price[0]) if len(game.reach.price) else 1.0
        reach = replace(
            game.reach,
            start=game.reach.start / self.size,
            price=np.ones(len(game.reach.price)),
            beyond=game.reach.beyond / self.size / self.size / self.price,
        )
        beta = game.weight_decay / self.size
        self.game = GameProgram(
            game.X / self.size,
            game.n_generated,
            reach,
            game.discriminator.rescaled(self.size),
            beta if kind == "linear" else beta / self.size,
        )

    def back(self, variables: Array) -> Array:
        """The point in the units of the game itself."""
        neurons = self.game.neurons(variables)
        scale = self.price * (self.size if self.game.discriminator.kind == "linear" else 1.0)
        return self.whole.pack(self.size * self.game.samples(variables), neurons.times(scale))


def better(one: Certificate, other: Certificate) -> bool:
    """Whether the first has the smaller gap; an infinite primal loses to every finite one."""
    if not np.isfinite(one.primal):
        return not np.isfinite(other.primal) and one.dual > other.dual
    return not np.isfinite(other.primal) or one.gap < other.gap


def allowed(game: GameProgram, variables: Array) -> Array:
    """The same point, its moments mixed with X's own just so far that F(G) <= beta.

    A mixture of moments has F of at most the mixture of the values, and X's own is 0 where the
    counts agree; it is left as it is where they do not.
    """
    found = game.violation(variables) + game.weight_decay
    over = found - _aim(game)
    reach = game.reach
    if over <= 0 or len(game.X) != game.n_generated or reach.basis is not None:
        return variables
    from convexviz.core.moment_program import coordinates_with

    share = min(1.0, over / found * (1 + 1e-6) + 1e-13)
    C, X = game.samples(variables), game.X
    total = (1 - share) * C.sum(axis=0) + share * X.sum(axis=0)
    second = (1 - share) * (C.T @ C) + share * (X.T @ X)
    cross = None
    if reach.start.any():
        cross = (1 - share) * (C.T @ reach.start) + share * (X.T @ reach.start)
    mixed = coordinates_with(game, total, second, cross)
    return game.pack(mixed, game.neurons(variables))
