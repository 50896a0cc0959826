"""The cheapest sample against a ReLU discriminator of the plane, exactly: lines cut it into cells.

    min over g of  price |g - g0|^2 - t psi(g),   psi(g) = sum_k v_k (w_k'g + o_k)_+

Inside a cell psi is linear and the minimum is one point, which counts only if it is in the cell;
on each segment between two crossings it is linear too. All of these are tried.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.compiled import compiled
from convexviz.core.discriminator import Neurons
from convexviz.core.types import Array

PARALLEL = 1e-12


class Replies:
    """The plane cut by the neurons' lines; made once for all samples and all scales t."""

    def __init__(self, neurons: Neurons) -> None:
        U = neurons.directions
        offsets = U[:, 2:3] if U.shape[1] > 2 else np.zeros((len(U), 1))
        table = np.hstack([U[:, :2], offsets, neurons.weights[:, None]])
        self.neurons = np.ascontiguousarray(table)
        self.segments, cells = _cut(self.neurons)
        sizes = np.maximum(np.abs(cells).max(axis=0), 1e-300)
        once = np.unique(np.round(cells / sizes, 12), axis=0, return_index=True)[1]
        self.cells = np.ascontiguousarray(cells[once])

    def psi(self, g: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, " k"]:
        """What the discriminator gives each point."""
        W = self.neurons
        found: Array = np.maximum(g @ W[:, :2].T + W[:, 2], 0.0) @ W[:, 3]
        return found

    def least(
        self, start: Float[np.ndarray, "n 2"], scale: float, price: float
    ) -> Float[np.ndarray, " n"]:
        """The minimum for each g0."""
        rows = np.ascontiguousarray(start)
        found: Array = _least(rows, scale, price, self.neurons, self.segments, self.cells)
        return found


@compiled
def _cut(neurons: Array) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Segments (foot, direction, from, to, slope of psi, constant), and cells (slope, constant):
    those on both sides of every segment.
    """
    m = len(neurons)
    segments, cells = np.empty((m * m + 1, 9)), np.zeros((2 * m * m + 1, 3))
    at = 0
    for k in range(m):
        w = neurons[k]
        length = np.sqrt(w[0] ** 2 + w[1] ** 2)
        if length <= PARALLEL:
            continue
        line = np.array([-w[2] * w[0], -w[2] * w[1], -w[1] * length, w[0] * length]) / length**2
        ends = _crossings(neurons, k, line)
        for i in range(len(ends) - 1):
            low, high = ends[i], ends[i + 1]
            if low == high:
                continue
            inside = _inside(low, high)
            x, y = line[0] + inside * line[2], line[1] + inside * line[3]
            sides = _beside(neurons, k, x, y)
            segments[at, :4], segments[at, 4], segments[at, 5] = line, low, high
            segments[at, 6:] = sides[0]
            cells[2 * at] = sides[0] + sides[1]
            cells[2 * at + 1] = sides[0] + sides[2]
            at += 1
    if at > 0:
        return segments[:at], cells[: 2 * at]
    for j in range(m):  # no line: one cell
        if neurons[j, 2] > 0:
            cells[0] += neurons[j, 3] * neurons[j, :3]
    return segments[:0], cells[:1]


@compiled
def _crossings(neurons: Array, k: int, line: Array) -> Array:  # pragma: no cover - compiled
    """Where the other lines cross this one, in order, between the infinities."""
    places = np.empty(len(neurons) + 2)
    places[0], places[1] = -np.inf, np.inf
    count = 2
    for j in range(len(neurons)):
        w = neurons[j]
        rate = w[0] * line[2] + w[1] * line[3]
        if j != k and abs(rate) > PARALLEL:
            places[count] = -(w[0] * line[0] + w[1] * line[1] + w[2]) / rate
            count += 1
    return np.sort(places[:count])


@compiled
def _inside(low: float, high: float) -> float:  # pragma: no cover - compiled
    """A place between two ends, either of which may be infinite."""
    if low == -np.inf and high == np.inf:
        return 0.0
    if low == -np.inf:
        return high - 1.0
    return low + 1.0 if high == np.inf else 0.5 * (low + high)


@compiled
def _beside(neurons: Array, k: int, x: float, y: float) -> Array:  # pragma: no cover - compiled
    """Slopes and constants of psi at a point of line k: on it, and what its own neurons add on
    either side. Several neurons may have this line; rounding must not decide their signs.
    """
    found = np.zeros((3, 3))
    own = neurons[k]
    for j in range(len(neurons)):
        w = neurons[j]
        value = w[0] * x + w[1] * y + w[2]
        size = abs(w[0] * x) + abs(w[1] * y) + abs(w[2])
        lengths = np.sqrt((w[0] ** 2 + w[1] ** 2) * (own[0] ** 2 + own[1] ** 2))
        turned = abs(w[0] * own[1] - w[1] * own[0])
        if j == k or (turned <= PARALLEL * lengths and abs(value) <= PARALLEL * size):
            side = 1 if w[0] * own[0] + w[1] * own[1] > 0 else 2
            found[side] += w[3] * w[:3]
        elif value > 0:
            found[0] += w[3] * w[:3]
    return found


@compiled
def _least(  # noqa: PLR0913 - a compiled loop
    start: Array, scale: float, price: float, neurons: Array, segments: Array, cells: Array
) -> Array:  # pragma: no cover - compiled
    half = scale / (2 * price)
    out = np.empty(len(start))
    for n in range(len(start)):
        x, y = start[n, 0], start[n, 1]
        best = np.inf
        for i in range(len(segments)):
            s = segments[i]
            place = (x + half * s[6] - s[0]) * s[2] + (y + half * s[7] - s[1]) * s[3]
            place = min(max(place, s[4]), s[5])
            gx, gy = s[0] + place * s[2], s[1] + place * s[3]
            value = price * ((gx - x) ** 2 + (gy - y) ** 2) - scale * (s[6] * gx + s[7] * gy + s[8])
            best = min(best, value)
        for i in range(len(cells)):
            cx, cy = cells[i, 0], cells[i, 1]
            gx, gy = x + half * cx, y + half * cy
            moved = price * half * half * (cx * cx + cy * cy)
            if moved - scale * (cx * gx + cy * gy + cells[i, 2]) >= best:
                continue
            psi = 0.0
            for k in range(len(neurons)):
                inside = neurons[k, 0] * gx + neurons[k, 1] * gy + neurons[k, 2]
                if inside > 0:
                    psi += neurons[k, 3] * inside
            best = min(best, moved - scale * psi)
        out[n] = best
    return out
