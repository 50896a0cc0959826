"""What solvers of games have in common: another weight decay is another game."""

from __future__ import annotations

from collections.abc import Sequence

from convexviz.core.game import GameProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution, Status
from convexviz.solvers.base import AbstractSolver, OnIteration, silent


class AbstractGameSolver(AbstractSolver):
    """Solves a game; a path of weight decays is a game after the other."""

    __slots__ = ()

    def path(
        self,
        program: AbstractConvexProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> list[Solution]:
        """One solution a weight decay, in their order, up to where it is cancelled."""
        assert isinstance(program, GameProgram)
        solutions: list[Solution] = []
        for beta in weight_decays:
            solutions.append(self.solve(program.with_weight_decay(beta), on_iteration=on_iteration))
            if solutions[-1].status is Status.CANCELLED:
                break
        return solutions
