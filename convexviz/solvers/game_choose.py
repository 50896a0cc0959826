"""The solver that a game's discriminator, generator and penalty allow: closed form, else SDP."""

from __future__ import annotations

from convexviz.core.game import GameProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.base import AbstractSolver
from convexviz.solvers.game_closed import ClosedForm
from convexviz.solvers.game_moments import MomentSDP
from convexviz.solvers.game_relu import ReluGame


def choose(program: AbstractConvexProgram, tolerance: float) -> AbstractSolver:
    """The first that takes the game.

    Raises:
        IncompatibleSolver: none does, with the reason of the last.
    """
    is_relu = isinstance(program, GameProgram) and program.discriminator.kind == "relu"
    moments = (ClosedForm(tolerance), MomentSDP(tolerance))
    solvers: tuple[AbstractSolver, ...] = (ReluGame(tolerance),) if is_relu else moments
    for solver in solvers:
        if solver.why_not(program) is None:
            return solver
    raise IncompatibleSolver(f"no solver takes this game: {solvers[-1].why_not(program)}")
