"""The value that a generator proves although its discriminator still gains: at least p*."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.game import GameProgram
from convexviz.core.moment_program import cycled

HALVINGS, IN_SPACE = 40, 6  # fewer where F is that of three columns or more: it costs 0.1 s


def repaired_value(game: GameProgram, G: Float[np.ndarray, "m d"], violation: float) -> float:
    """R_g of the generator, mixed with the data just so far that F <= beta; infinity if unknown.

    Over moments F is convex: a share `1 - beta / F` of the data's own moments is enough, and costs
    that share of their R_g. For ReLU the samples are pulled towards the real ones. Both give what
    some free generator attains, which is no less than the game's value.
    """
    reach = game.reach
    own = reach.penalty(reach.coordinates(G))
    if violation <= game.slack:
        return own
    if np.ptp(reach.price) > 1e-9 * reach.price.max() or not _mixes(game):
        return np.inf
    price = float(reach.price[0])
    start = reach.samples(reach.start)
    if not game.discriminator.is_moment:
        return price * _pulled(game, G, start)
    if game.discriminator.kind == "linear":
        return price * _shifted(game, G, start)
    share = violation / (violation + game.weight_decay)
    apart = game.X - start if start.any() else game.X
    real = price * float(np.square(apart).sum()) + reach.beyond
    return (1 - share) * own + share * real


def _mixes(game: GameProgram) -> bool:
    """Whether a part of the generated samples can be real ones: there are as many, or only second
    moments are seen and there is room for the directions of both.
    """
    if len(game.X) == game.n_generated:
        return True
    still = not game.reach.start.any() and not game.discriminator.bias
    both = min(game.X.shape[1], len(game.X) + game.reach.rows)
    return game.discriminator.kind == "quadratic" and still and both <= game.n_generated


def _shifted(
    game: GameProgram, G: Float[np.ndarray, "m d"], start: Float[np.ndarray, "m d"]
) -> float:
    """All samples moved alike until the sums are no further apart than allowed."""
    apart = game.X.sum(axis=0) - G.sum(axis=0)
    length = float(np.linalg.norm(apart))
    move = apart * max(0.0, 1 - game.weight_decay / length) / len(G)
    return float(np.square(G + move - start).sum())


def _pulled(
    game: GameProgram, G: Float[np.ndarray, "m d"], start: Float[np.ndarray, "m d"]
) -> float:
    """Each sample moved towards a real one of its own, as little as F <= beta allows."""
    from scipy.optimize import linear_sum_assignment

    X = cycled(game.X, len(G))
    distances = np.square(G[:, None] - X[None]).sum(axis=-1)
    X = X[linear_sum_assignment(distances)[1]]
    low, high = 0.0, 1.0
    for _ in range(HALVINGS if game.width <= 3 else IN_SPACE):
        middle = 0.5 * (low + high)
        if game.discriminator.value(game.X, G + middle * (X - G)) <= game.weight_decay:
            high = middle
        else:
            low = middle
    return float(np.square(G + high * (X - G) - start).sum())
