"""Lower bounds on a game's value from any ReLU discriminator, proved in two lines.

For fixed neurons the samples part: `psi(g) = sum_k v_k (g'u_k + o_k)_+` is subtracted once for
each, so the generator's best reply is a minimum over one sample at a time,

    p* >= sum_k v_k h_X(u_k) - beta |v|_1 + sum_j min_g { |g - g0_j|^2 - psi(g) }.

For a penalty on the samples and no constant column psi is homogeneous, the minimum is
`-M^2 / 4` with `M = max {psi(g) : |g| = 1}`, and the best scale of v gives `A^2 / (n M^2)`. A
generator that cannot produce every sample can only do worse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convexviz.core import ridges
from convexviz.core.discriminator import Neurons
from convexviz.core.relu_reply import Replies

if TYPE_CHECKING:
    from convexviz.core.game import GameProgram

MOST_DOUBLINGS, SECTIONS, GOLDEN = 40, 8, 0.618
MOST_NEURONS = 400  # of which every pair of lines is intersected


def bound(game: GameProgram, neurons: Neurons) -> float:
    """The largest bound that these neurons give when their weights are scaled, at least 0."""
    neurons = neurons.unit()
    if len(neurons) == 0:
        return 0.0
    totals = game.discriminator.totals(game.X, neurons.directions)
    gain = float(neurons.weights @ totals - game.weight_decay * np.abs(neurons.weights).sum())
    reach = game.reach
    price = float(reach.price.min()) if len(reach.price) else 1.0  # per unit of |G|^2
    if gain <= 0:
        return 0.0
    start = reach.samples(reach.start)
    moved = bool(start.any())
    if not moved and not game.discriminator.bias:
        reply = largest_reply(neurons)
        if reply == 0.0:
            return np.inf  # nothing that a generator could make lowers what it pays
        return price * gain**2 / (game.n_generated * reply**2)
    if game.X.shape[1] == 2 and len(neurons) <= MOST_NEURONS:
        return _scaled(neurons, gain, start, price)
    return _by_length(game, neurons, gain, start, price)


def largest_reply(neurons: Neurons) -> float:
    """At least `max {psi(g) : |g| = 1}`; exact in up to three dimensions."""
    U, v = neurons.directions, neurons.weights
    if ridges.can_be_exact(U):
        return ridges.largest(U, v)
    from convexviz.core import bounds

    return bounds.pattern_free_bound(U, v)


def _by_length(
    game: GameProgram, neurons: Neurons, gain: float, start: np.ndarray, price: float
) -> float:
    """`psi(g) <= M |(g, 1)|`, so each sample can gain at most what its length allows."""
    reply = largest_reply(neurons)
    lengths = np.linalg.norm(start, axis=1)
    constant = float(game.discriminator.bias)
    # min_r p (r - l)^2 - t M (r + constant) is at r = l + t M / 2p.
    linear = gain - reply * float(lengths.sum() + constant * len(start))
    square = reply**2 * len(start) / (4 * price)
    if linear <= 0:
        return 0.0
    return linear**2 / (4 * square) if square > 0 else np.inf


def _scaled(neurons: Neurons, gain: float, start: np.ndarray, price: float) -> float:
    """The best of a few scales, each of which gives a bound: it is concave in the scale."""
    replies = Replies(neurons)
    rows, counts = np.unique(start, axis=0, return_counts=True)

    def at(scale: float) -> float:
        return scale * gain + float(counts @ replies.least(rows, scale, price))

    scale, value = 1.0, at(1.0)
    for factor in (2.0, 0.5):
        for _ in range(MOST_DOUBLINGS):
            other = at(scale * factor)
            if not other > value:
                break
            scale, value = scale * factor, other
    low, high = scale / 2, 2 * scale
    for _ in range(SECTIONS):
        width = GOLDEN * (high - low)
        left, right = at(high - width), at(low + width)
        value = max(value, left, right)
        if left > right:
            high = low + width
        else:
            low = high - width
    return max(0.0, value)  # in this order: 0 where a sample is out of range
