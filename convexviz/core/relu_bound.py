"""Lower bounds on a game's value from any ReLU discriminator (labs/WGAN: proved in two lines).

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
from jaxtyping import Float

from convexviz.core import ridges
from convexviz.core.discriminator import Neurons

if TYPE_CHECKING:
    from convexviz.core.game import GameProgram

SCALES = 33
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
    """The best of a few scales, each of which gives a bound."""
    lines = _Lines(neurons)
    rows, counts = np.unique(start, axis=0, return_counts=True)

    def at(scale: float) -> float:
        return scale * gain + float(counts @ lines.replies(rows, scale, price))

    scales = np.concatenate([np.geomspace(0.02, 2.0, SCALES), [1.0]])
    best = 0.0
    for _ in range(3):
        values = [at(float(t)) for t in scales]
        k = int(np.argmax(values))
        best = max(best, values[k])
        ordered = np.sort(scales)
        j = int(np.searchsorted(ordered, scales[k]))
        low, high = ordered[max(j - 1, 0)], ordered[min(j + 1, len(ordered) - 1)]
        scales = np.linspace(low, high, 9)
    return best


class _Lines:
    """The plane cut by the neurons' lines: where a piecewise quadratic function has its minimum.

    The minimum of `p |g - g0|^2 - t psi(g)` lies inside a cell, where psi is linear, on a line
    inside a segment, or where two lines meet. All these points are tried, so it is exact.
    """

    def __init__(self, neurons: Neurons) -> None:
        U = neurons.directions
        self.w, self.v = U[:, :2], neurons.weights
        self.o = U[:, 2] if U.shape[1] > 2 else np.zeros(len(U))
        lengths = np.linalg.norm(self.w, axis=1)
        on = np.flatnonzero(lengths > 1e-12)
        self.along = np.stack([-self.w[on, 1], self.w[on, 0]], axis=1) / lengths[on, None]
        self.foot = -self.o[on, None] * self.w[on] / lengths[on, None] ** 2
        self.corners, self.middles, self.line = self._cut(on)
        # The slope of psi on either side of each segment, and in the cell of no line at all.
        inside = self.middles @ self.w.T + self.o > 0
        own = on[self.line]
        inside[np.arange(len(own)), own] = False
        less = inside.astype(float) @ (self.v[:, None] * self.w)
        more = less + self.v[own, None] * self.w[own]
        self.segment_slope = less
        cells = np.concatenate([less, more]) if len(own) else np.zeros((1, 2))
        if not len(own):
            cells = (np.maximum(np.sign(self.o), 0) @ (self.v[:, None] * self.w))[None]
        self.cell_slope = np.unique(np.round(cells, 12), axis=0)

    def _cut(self, on: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where lines meet; a point inside each segment; and the line that it lies on."""
        corners, middles, owner = [np.zeros((0, 2))], [np.zeros((0, 2))], [np.zeros(0, dtype=int)]
        for k in range(len(on)):
            rate = self.w[on] @ self.along[k]
            height = self.w[on] @ self.foot[k] + self.o[on]
            crosses = np.abs(rate) > 1e-12
            places = np.unique(-height[crosses] / rate[crosses])
            corners.append(self.foot[k] + places[:, None] * self.along[k])
            if len(places):
                between = np.concatenate(
                    [[places[0] - 1], (places[1:] + places[:-1]) / 2, [places[-1] + 1]]
                )
            else:
                between = np.zeros(1)
            middles.append(self.foot[k] + between[:, None] * self.along[k])
            owner.append(np.full(len(between), k))
        return np.concatenate(corners), np.concatenate(middles), np.concatenate(owner)

    def psi(self, g: Float[np.ndarray, "*k 2"]) -> Float[np.ndarray, "*k"]:
        flat = g.reshape(-1, 2)
        out = np.empty(len(flat))
        step = max(1, 2**20 // len(self.v))
        for begin in range(0, len(flat), step):
            rows = slice(begin, begin + step)
            out[rows] = np.maximum(flat[rows] @ self.w.T + self.o, 0.0) @ self.v
        return out.reshape(g.shape[:-1])

    def replies(
        self, start: Float[np.ndarray, "n 2"], scale: float, price: float
    ) -> Float[np.ndarray, " n"]:
        """`min_g price |g - g0|^2 - scale psi(g)` for each g0."""
        half = scale / (2 * price)
        inner = start[:, None] + half * self.cell_slope
        best = self._least(inner, start, scale, price)
        if len(self.middles):
            foot, along = self.foot[self.line], self.along[self.line]
            target = start[:, None] + half * self.segment_slope - foot
            places = np.einsum("nkd,kd->nk", target, along)
            edge = foot + places[:, :, None] * along
            best = np.minimum(best, self._least(edge, start, scale, price))
        if len(self.corners):
            corner_psi = self.psi(self.corners)
            for j, g0 in enumerate(start):
                apart = np.square(self.corners - g0).sum(axis=1)
                best[j] = min(best[j], float((price * apart - scale * corner_psi).min()))
        return best

    def _least(
        self, g: np.ndarray, start: np.ndarray, scale: float, price: float
    ) -> Float[np.ndarray, " n"]:
        apart = np.square(g - start[:, None]).sum(axis=-1)
        return (price * apart - scale * self.psi(g)).min(axis=1)
