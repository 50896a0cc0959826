"""Games that no generator can win, refused before they are played."""

from __future__ import annotations

import numpy as np

from convexviz.core.discriminator import Discriminator
from convexviz.core.game import GameProgram
from convexviz.errors import SpecError


def refuse(game: GameProgram) -> None:
    """Raise where the constraint `F(G) <= beta` has no solution that this generator can reach.

    Raises:
        SpecError: the counts alone are further apart than beta, the generator has too low a rank,
            or its samples sum to zero while the means must move.
    """
    _counts(game)
    _rank(game)
    _sum(game)


def _counts(game: GameProgram) -> None:
    """The discriminator tells samples apart by their number alone where its activation at 0, or a
    constant column, lets it.
    """
    apart = len(game.X) - game.n_generated
    forced = abs(apart) * constant_response(game.discriminator)
    if forced > game.weight_decay:
        raise SpecError(
            f"weight_decay must be at least {forced:.6g}, got {game.weight_decay:g}: with "
            f"{len(game.X)} real and {game.n_generated} generated samples the discriminator's "
            "constant alone tells them apart; use as many rows of Z as of X"
        )


def constant_response(discriminator: Discriminator) -> float:
    """`max |sigma(u)|` over what a neuron can make of a sample's constant part, |u| <= 1."""
    if discriminator.kind == "relu":
        return 1.0 if discriminator.bias else 0.0
    a, b, c = discriminator.coefficients
    if not discriminator.bias:
        return abs(c)
    points = [-1.0, 1.0]
    if a and abs(b / (2 * a)) < 1:
        points.append(-b / (2 * a))
    return max(abs(a * t * t + b * t + c) for t in points)


def _rank(game: GameProgram) -> None:
    reach, d = game.reach, game.X.shape[1]
    kind = game.discriminator.kind
    if kind in ("quadratic", "polynomial") and game.discriminator.sees_sums:
        needed = min(d, len(game.X)) + 1
        if reach.basis is not None and reach.rows < needed:
            raise SpecError(
                f"a {kind} discriminator that sees means may ask for {needed} independent latents, "
                f"Z has rank {reach.rows}; append columns, one of them constant, or use "
                "generator='free'"
            )
    elif kind == "quadratic":
        from convexviz.solvers.game_closed import above, too_few

        if reach.rows >= min(game.X.shape):
            return
        singular = np.linalg.svd(game.X, compute_uv=False)
        kept = int(np.sum(above(singular, game.weight_decay)))
        if kept > reach.rows:
            raise SpecError(too_few(kept, reach.rows, singular, game.weight_decay))


def _sum(game: GameProgram) -> None:
    if game.reach.ones.any() or not game.discriminator.sees_sums:
        return
    beta = game.weight_decay
    length = float(np.linalg.norm(game.X.sum(axis=0)))
    if game.discriminator.kind == "linear" and length > beta:
        raise SpecError(
            f"weight_decay must be at least {length:.6g}, got {beta:g}: the latents sum to zero, "
            "so what a linear generator makes of them does too; append a constant column to Z"
        )
