"""A ReLU discriminator of the plane by its dual, and the samples that its plan transports to.

Where each generated sample may split over the plane the game is convex, and its dual is one over
discriminators alone:

    max over v of  sum_k v_k h_X(u_k) - beta |v|_1 + sum_j min_g { |g - g0_j|^2 - psi_v(g) }.

Here on grids of directions u and of points g, with the minimum softened less and less, by L-BFGS.
What comes out is a discriminator, whose bound is computed exactly elsewhere, and for each sample
the middle of where it would go: a start for local improvement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import Discriminator, Neurons
from convexviz.core.game import GameProgram
from convexviz.core.ridges import TURN, on_circle
from convexviz.core.types import Array

CIRCLE, SPHERE = 360, 1200  # directions
POINTS = 56  # each way
SOFTNESS = (1.0, 0.3, 0.1, 0.03, 0.01)  # of what a sample pays on average
STEPS, MEMORY = 60, 20
NEGLIGIBLE, MOST_NEURONS = 3e-3, 300  # of the largest weight; that are kept
MARGIN = 0.1  # of the width of what is seen: how far beyond it samples may go
MOST = 400  # samples
SIZES = (1e-6, 1e6)  # of the largest entry
FINEST = 1e-2  # of F at the start: a smaller beta is below what the grids tell apart


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The discriminator, and each sample's mean place under the plan."""

    neurons: Neurons
    samples: Float[np.ndarray, "n 2"]


def can_plan(game: GameProgram) -> bool:
    """Whether samples of the plane are free, and the noise or a constant column tells where."""
    plane = game.X.shape[1] == 2 and game.reach.basis is None
    aimed = game.discriminator.bias or bool(game.reach.start.any())
    size = float(np.abs(np.vstack([game.X, game.reach.start])).max()) if plane else 0.0
    few = max(len(game.X), game.n_generated) <= MOST
    return aimed and few and SIZES[0] <= size <= SIZES[1]


def plan(game: GameProgram) -> Plan:
    """The dual's optimum on the grids (some two seconds for 80 samples with a constant column).

    The bound of a discriminator that is best for a larger beta grows by `|v|_1` for each unit that
    beta is less.
    """
    start = game.reach.samples(game.reach.start)
    U = _directions(game.discriminator)
    g = _grid(np.vstack([game.X, start]))
    apart = np.square(start[:, None] - g[None]).sum(axis=-1)
    unit = float(np.square(game.X - game.X.mean(axis=0)).sum(axis=1).mean()) or 1.0
    dual = _Dual(
        game.discriminator.totals(game.X, U),
        max(game.weight_decay, FINEST * game.beta_max),
        apart,
        np.maximum(game.discriminator.sees(g) @ U.T, 0.0),
    )
    x = np.zeros(2 * len(U))
    for softness in SOFTNESS:
        x = dual.climb(x, softness * unit)
    weights = x[: len(U)] - x[len(U) :]
    sizes = np.abs(weights)
    least = max(NEGLIGIBLE * sizes.max(), np.sort(sizes)[-MOST_NEURONS])
    on = (sizes >= least) & (sizes > 0)
    shares = dual.shares(weights, SOFTNESS[-1] * unit)[0]
    return Plan(Neurons(U[on], weights[on]), shares @ g)


def _directions(discriminator: Discriminator) -> Float[np.ndarray, "k s"]:
    """Evenly spread: on the circle, or on the sphere where there is a constant column."""
    if not discriminator.bias:
        return on_circle(np.arange(CIRCLE) * TURN / CIRCLE)
    places = np.arange(SPHERE) + 0.5
    height, angle = 1 - 2 * places / SPHERE, np.pi * (1 + np.sqrt(5)) * places
    return np.hstack([np.sqrt(1 - height**2)[:, None] * on_circle(angle), height[:, None]])


def _grid(seen: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "c 2"]:
    low, high = seen.min(axis=0), seen.max(axis=0)
    room = MARGIN * float((high - low).max())
    x, y = (np.linspace(low[i] - room, high[i] + room, POINTS) for i in (0, 1))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Dual:
    """On the grids: h_X of the directions, beta, what it costs to go from each sample to each
    point, and what each neuron gives there.
    """

    heights: Float[np.ndarray, " k"]
    beta: float
    apart: Float[np.ndarray, "n c"]
    given: Float[np.ndarray, "c k"]

    def shares(self, weights: Array, softness: float) -> tuple[Array, float]:
        """Where each sample would go, and the sum of the softened minima."""
        away = (self.given @ weights)[None] - self.apart
        away /= softness
        top = away.max(axis=1, keepdims=True)
        np.exp(away - top, out=away)
        total = away.sum(axis=1, keepdims=True)
        away /= total
        return away, -softness * float((np.log(total) + top).sum())

    def climb(self, x: Array, softness: float) -> Array:
        """The positive and negative parts of the weights, improved."""
        from scipy.optimize import minimize

        count = len(self.heights)

        def falls(x: Array) -> tuple[float, Array]:
            weights = x[:count] - x[count:]
            shares, least = self.shares(weights, softness)
            value = float(self.heights @ weights) - self.beta * float(x.sum()) + least
            slope = self.heights - self.given.T @ shares.sum(axis=0)
            return -value, np.concatenate([self.beta - slope, self.beta + slope])

        options = {"maxiter": STEPS, "maxcor": MEMORY}
        bounds = [(0.0, None)] * len(x)
        found = minimize(falls, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        best: Array = found.x
        return best
