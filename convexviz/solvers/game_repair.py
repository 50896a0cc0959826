"""Samples that are allowed, made of those that are not: by mixing them with the real ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.game import GameProgram
from convexviz.core.moment_program import cycled
from convexviz.solvers.game_closed import mean_allowance

HALVINGS, IN_SPACE = 40, 6  # fewer where F is that of three columns or more: it costs 0.1 s


def pulled(game: GameProgram, C: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r d"]:
    """Coordinates mixed with the real samples' just so far that F is proved to be within beta."""
    reach = game.reach
    real = reach.coordinates(cycled(game.X, game.n_generated))
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        G = reach.samples(C + middle * (real - C))
        if game.discriminator.value(game.X, G) <= game.weight_decay:
            high = middle
        else:
            low = middle
    return C + high * (real - C)


def repaired_value(game: GameProgram, G: Float[np.ndarray, "m d"], violation: float) -> float:
    """R_g of the generator, mixed with the data just so far that F <= beta; infinity if unknown.

    Over moments F is convex: a share `1 - beta / F` of the data's own moments is enough, and costs
    that share of their R_g. Against a linear discriminator all samples move alike, against ReLU
    towards real ones. What is returned is attained by a generator of the game's own kind or,
    against second moments, by a free one, whose game has the same value as a linear generator's
    (THEORY 5.3): so it is no less than the game's.
    """
    reach = game.reach
    own = reach.penalty(reach.coordinates(G))
    if violation <= game.slack:
        return own
    kind = game.discriminator.kind
    if kind == "linear":
        return _shifted(game, G)
    if np.ptp(reach.price) > 1e-9 * reach.price.max():
        return np.inf
    price = float(reach.price[0])
    start = reach.samples(reach.start)
    if kind == "relu":
        can = reach.basis is None and len(game.X) == game.n_generated
        return price * _nearer(game, G, start) + reach.beyond if can else np.inf
    if not _mixes(game):
        return np.inf
    share = violation / (violation + game.weight_decay)
    apart = game.X - start if start.any() else game.X
    real = price * float(np.square(apart).sum()) + reach.beyond
    return (1 - share) * own + share * real


def _mixes(game: GameProgram) -> bool:
    """Whether samples can have a mixture of the generated and the real samples' moments: there are
    enough for its rank, and where sums are seen, as many as real ones and a constant among Z.
    """
    reach, d = game.reach, game.X.shape[1]
    moved = bool(reach.start.any())
    plain = game.discriminator.kind == "quadratic" and not game.discriminator.sees_sums
    if plain and not moved:
        return min(d, len(game.X) + reach.rows) <= game.n_generated
    constant = float(reach.ones @ reach.ones) >= game.n_generated * (1 - 1e-9)
    return len(game.X) == game.n_generated and constant and 1 + d + d * moved <= reach.rows


def _shifted(game: GameProgram, G: Float[np.ndarray, "m d"]) -> float:
    """All samples moved alike, as far as the latents can, until the sums are near enough."""
    reach = game.reach
    power = np.square(reach.ones) / reach.price
    allowance = mean_allowance(game)
    apart = game.X.sum(axis=0) - G.sum(axis=0)
    length = float(np.linalg.norm(apart))
    if not power.any():
        return np.inf
    move = apart * max(0.0, 1 - allowance / length)
    C = reach.coordinates(G) + np.outer(reach.ones / reach.price / power.sum(), move)
    return reach.penalty(C)


def _nearer(
    game: GameProgram, G: Float[np.ndarray, "m d"], start: Float[np.ndarray, "m d"]
) -> float:
    """Each sample moved towards a real one of its own, as little as F <= beta allows."""
    from scipy.optimize import linear_sum_assignment

    distances = np.square(G[:, None] - game.X[None]).sum(axis=-1)
    X = game.X[linear_sum_assignment(distances)[1]]
    low, high = 0.0, 1.0
    for _ in range(HALVINGS if game.width <= 3 else IN_SPACE):
        middle = 0.5 * (low + high)
        if game.discriminator.value(game.X, G + middle * (X - G)) <= game.weight_decay:
            high = middle
        else:
            low = middle
    return float(np.square(G + high * (X - G) - start).sum())
