"""Games with a solution in closed form: linear and quadratic discriminators (THEORY 5.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.discriminator import Neurons, no_neurons
from convexviz.core.game import GameProgram
from convexviz.core.moment_program import cycled
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution, Status
from convexviz.core.types import Array
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.base import Monitor, OnIteration
from convexviz.solvers.game_solver import AbstractGameSolver

NAME = "closed form"
TIE = 1e-13  # of the largest square: beta is often chosen to be the square of one of them


@dataclass(frozen=True, slots=True)
class ClosedForm(AbstractGameSolver):
    """One singular value decomposition, or one shift of all samples."""

    tolerance: float = 1e-6

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, GameProgram):
            return "it is no game"
        kind = program.discriminator.kind
        if kind == "linear":
            return None
        if kind != "quadratic" or program.discriminator.bias:
            return (
                f"a {kind} discriminator{' with a constant column' * (kind == 'quadratic')} has "
                "no closed form"
            )
        if program.reach.start.any() or program.reach.beyond:
            return "penalty='displacement' has no closed form with a quadratic discriminator"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, GameProgram)
        linear = program.discriminator.kind == "linear"
        variables = _match_means(program) if linear else _match_second_moments(program)
        return finished(program, variables, self.tolerance, NAME, on_iteration)


def finished(
    program: GameProgram,
    variables: Array,
    tolerance: float,
    name: str,
    on_iteration: OnIteration,
) -> Solution:
    """A solution of one step, certified and recorded."""
    monitor = Monitor(tolerance, on_iteration)
    certificate = program.certify(variables)
    monitor.record(certificate)
    met = certificate.relative_gap <= tolerance
    status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
    if monitor.cancelled:
        status = Status.CANCELLED
    return Solution(variables, certificate, status, name, tuple(monitor.trace))


def none_allowed(game: GameProgram, variables: Array) -> str:
    """What to say where the best that was found is not allowed: its R_g would mean nothing."""
    found = game.violation(variables) + game.weight_decay
    return (
        f"no generator that weight_decay={game.weight_decay:g} allows was found: the best has "
        f"F = {found:.4g}, and there may be none; use generator='free', more rows or columns of Z, "
        "or a larger weight_decay"
    )


def _match_means(game: GameProgram) -> Array:
    """Every sample moves by the same vector, as far as beta leaves the sums apart."""
    reach = game.reach
    apart = game.X.sum(axis=0) - reach.start.T @ reach.ones
    beta = mean_allowance(game)
    length = float(np.linalg.norm(apart))
    # The sum moves by delta at the price |delta|^2 / sum_i e_i^2 / p_i.
    power = np.square(reach.ones) / reach.price
    if length <= beta:
        return game.pack(reach.samples(reach.start), no_neurons(game.width - 1))
    if not power.any():
        raise IncompatibleSolver(
            f"the latents sum to zero, so no linear generator moves the mean by the {length:.3g} "
            f"that weight_decay={game.weight_decay:g} asks; append a constant column to Z"
        )
    delta = apart * (1.0 - beta / length)
    rows = reach.ones / reach.price / power.sum()
    C = reach.start + np.outer(rows, delta)
    direction, weight = apart / length, 2.0 * float(np.linalg.norm(delta)) / power.sum()
    if game.discriminator.bias:
        direction = np.append(direction * beta, len(game.X) - game.n_generated)
        direction = direction / game.weight_decay
        weight = weight * game.weight_decay / beta if beta else 0.0
    neurons = Neurons(direction[None], np.array([weight]))
    return game.pack(reach.samples(C), neurons)


def mean_allowance(game: GameProgram) -> float:
    """How far the sums may be apart: beta, less what the two counts use up of it with `bias`."""
    if not game.discriminator.bias:
        return game.weight_decay
    return float(np.sqrt(max(game.weight_decay**2 - (len(game.X) - game.n_generated) ** 2, 0.0)))


def _match_second_moments(game: GameProgram) -> Array:
    """The eigenvalues of X'X less beta, the largest on the directions of Z that cost least."""
    _, singular, Vt = np.linalg.svd(game.X, full_matrices=False)
    kept = int(np.sum(above(singular, game.weight_decay)))
    reach = game.reach
    if kept > reach.rows:
        raise IncompatibleSolver(too_few(kept, reach.rows, singular, game.weight_decay))
    if kept == 0:
        zero = np.zeros((game.n_generated, game.X.shape[1]))
        return game.pack(zero, no_neurons(game.width - 1))
    roots = np.sqrt(singular[:kept] ** 2 - game.weight_decay)
    right = roots[:, None] * Vt[:kept]
    if reach.basis is None:
        G = orthonormal(game.X, game.n_generated, kept) @ right
    else:  # coordinates are sorted as the singular values of Z are: largest with largest
        C = np.zeros((reach.rows, game.X.shape[1]))
        C[:kept] = right
        G = reach.samples(C)
    return game.pack(G, Neurons(Vt[:kept], np.ones(kept)))


def above(singular: Float[np.ndarray, " r"], beta: float) -> Bool[np.ndarray, " r"]:
    """Which directions are kept: their square exceeds beta by more than rounding."""
    return singular**2 - beta > TIE * singular.max(initial=0.0) ** 2


def too_few(kept: int, rows: int, singular: Float[np.ndarray, " r"], beta: float) -> str:
    """Why a generator of too low a rank is refused, and the two ways out."""
    return (
        f"weight_decay={beta:g} keeps {kept} directions, the generator has rank {rows}; give at "
        f"least {kept} independent latents or samples, or weight_decay >= {singular[rows] ** 2:.6g}"
    )


def orthonormal(
    X: Float[np.ndarray, "n d"], count: int, kept: int
) -> Float[np.ndarray, "count kept"]:
    """Columns for a free generator: those of X itself, so that its samples look like X shrunk."""
    U = np.linalg.svd(cycled(X, count), full_matrices=False)[0][:, :kept]
    if U.shape[1] < kept or np.linalg.norm(U.T @ U - np.eye(U.shape[1])) > 1e-8:
        U = np.zeros((count, 0))
    if U.shape[1] == kept:
        return U
    rng = np.random.default_rng(0)
    return np.linalg.qr(rng.standard_normal((count, kept)))[0]
