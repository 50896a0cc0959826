"""Games over moments whose beta is next to nothing beside F(0): samples with the real moments.

There a semidefinite program has no room inside to work in. Samples whose moments are the real ones
exactly are allowed whatever beta is, and of these the nearest to the start is known.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import Neurons, no_neurons
from convexviz.core.game import GameProgram


def exactly(game: GameProgram) -> Float[np.ndarray, "r d"] | None:
    """Coordinates with the real samples' sum and second moment, the nearest to the start.

    `C = e s'/e'e + P R` with `R'R` the second moment that is left and P, orthonormal, the polar
    factor of `S R'` (Procrustes). None where the generator cannot have these moments.
    """
    X, reach = game.X, game.reach
    constant = float(reach.ones @ reach.ones)
    sums = game.discriminator.sees_sums
    if len(X) != game.n_generated or (sums and constant < len(X) * (1 - 1e-9)):
        return None
    model, start = reach.coordinates(X), reach.start
    base = np.zeros_like(start)
    if sums:
        base = np.outer(reach.ones, X.sum(axis=0)) / constant
        X, model = X - X.mean(axis=0), _without(model, reach.ones)
        start = _without(start, reach.ones)
    _, singular, Vt = np.linalg.svd(X, full_matrices=False)
    size = float(np.linalg.norm(game.X))
    rank = int(np.sum(singular > 1e-12 * size))
    R = singular[:rank, None] * Vt[:rank]
    if rank == 0:
        return base
    wanted = start @ R.T
    filler = model @ R.T
    sizes = [max(float(np.linalg.norm(part)), 1e-300) for part in (wanted, filler)]
    U, lengths, W = np.linalg.svd(wanted / sizes[0] + 1e-9 * filler / sizes[1], False)
    if len(lengths) < rank or lengths[-1] < 1e-13 * lengths[0]:
        return None
    return np.asarray(base + (U @ W) @ R)


def _without(rows: Float[np.ndarray, "r d"], e: Float[np.ndarray, " r"]) -> np.ndarray:
    return np.asarray(rows - np.outer(e, e @ rows) / (e @ e))


def leading(game: GameProgram) -> Neurons:
    """The critic of the closed form: each direction of the real samples, and its opposite, which
    leaves second moments alone.
    """
    a = game.discriminator.coefficients[0]
    if a == 0.0 or game.reach.start.any():
        return no_neurons(game.width - 1)
    V = np.linalg.svd(game.X, full_matrices=False)[2]
    U = np.zeros((2 * len(V), game.width - 1))
    U[:, : V.shape[1]] = np.vstack([V, -V])
    price = float(game.reach.price.min(initial=np.inf))
    return Neurons(U, np.full(len(U), 0.5 * price / a))
