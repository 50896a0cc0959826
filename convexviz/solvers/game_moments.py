"""Games over moments without a closed form, by their semidefinite program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convexviz.core.discriminator import no_neurons
from convexviz.core.game import GameProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent
from convexviz.solvers.game_closed import finished, none_allowed
from convexviz.solvers.reference import clarabel

NAME = "semidefinite program"
LARGEST = 80  # columns; a matrix inequality of twice as many rows takes Clarabel a minute


@dataclass(frozen=True, slots=True)
class MomentSDP(AbstractSolver):
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
        best: tuple[Array, Certificate] | None = None
        margin = 0.0
        for accuracy in (1e-9, 1e-10, 1e-11):
            tighter = program.with_weight_decay(program.weight_decay * (1 - margin))
            problem = tighter.to_cvxpy()
            clarabel(problem, accuracy)
            variables = allowed(program, tighter.from_cvxpy(problem))
            certificate = program.certify(variables)
            if best is None or better(certificate, best[1]):
                best = variables, certificate
            if monitor.record(best[1]):
                break
            over = program.violation(variables) / program.weight_decay
            margin = max(2 * margin, 2 * over, 0.0) if over > 0 else margin
        assert best is not None
        if not np.isfinite(best[1].primal) and not monitor.cancelled:
            raise IncompatibleSolver(none_allowed(program, best[0]))
        met = best[1].relative_gap <= self.tolerance
        status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        return Solution(best[0], best[1], status, NAME, tuple(monitor.trace))

    def path(
        self,
        program: AbstractConvexProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> list[Solution]:
        """One solution a weight decay, largest first."""
        assert isinstance(program, GameProgram)
        solutions = []
        for beta in weight_decays:
            solutions.append(self.solve(program.with_weight_decay(beta), on_iteration=on_iteration))
            if solutions[-1].status is Status.CANCELLED:
                break
        return solutions


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
    over = game.violation(variables)
    reach = game.reach
    if over <= 0 or len(game.X) != game.n_generated or reach.basis is not None:
        return variables
    from convexviz.core.moment_program import coordinates_with

    share = min(1.0, over / (over + game.weight_decay) * (1 + 1e-6) + 1e-13)
    C, X = game.samples(variables), game.X
    total = (1 - share) * C.sum(axis=0) + share * X.sum(axis=0)
    second = (1 - share) * (C.T @ C) + share * (X.T @ X)
    cross = None
    if reach.start.any():
        cross = (1 - share) * (C.T @ reach.start) + share * (X.T @ reach.start)
    mixed = coordinates_with(game, total, second, cross)
    return game.pack(mixed, game.neurons(variables))
