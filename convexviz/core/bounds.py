"""Lower bounds on the optimum from any residual, and bounds on the dual norm of a residual.

For squared loss and any upper bound M on `M(r) = max {|r'(X u)_+| : |u| <= 1}`, every `s r` with
`|s| M <= beta` is dual feasible, so `p* >= s y'r - s^2 |r|^2 / 2`. An M below `M(r)` makes that
number a mere estimate: functions that return one say so in their name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

EPS = float(np.finfo(float).eps)
TUNING_ROWS = 8192  # envelopes tuned on so many rows hold for all rows, only less tightly


def dual_value(
    y: Float[np.ndarray, " n"], r: Float[np.ndarray, " n"], largest: float, weight_decay: float
) -> float:
    """The best `s y'r - s^2 |r|^2 / 2` with `|s| largest <= beta`, at least 0 (s = 0).

    `largest` is an upper bound on the dual norm of `r`.
    """
    size = float(np.linalg.norm(r))
    if size == 0.0 or not np.isfinite(size):
        return 0.0
    unit = r / size  # r may be as small as 1e-200
    along = float(y @ unit)
    scale = abs(along)
    if largest > 0:
        scale = min(scale, weight_decay * (size / largest))
    return float(max(0.0, scale * abs(along) - 0.5 * scale**2))


def network_lower_bound(
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    r: Float[np.ndarray, " n"],
    weight_decay: float,
) -> float:
    """A lower bound on the optimum of the ReLU network of any width (scope RELU_NETWORK).

    Holds for every `r`; best near the residual of a good network, and loose where weight decay is
    small. Mixtures of `r` and `y` are tried too, for a loose M prefers a larger residual.
    """
    candidates = [r, *(r + t * (y - r) for t in (0.1, 0.3, 0.6))]
    few = _spread(len(y), TUNING_ROWS)
    part = weight_decay * len(few) / len(y)
    scored = [_guarded_dual(X[few], y[few], c[few], part) for c in candidates]
    if len(few) == len(y):
        return max(scored)
    return max(
        _guarded_dual(X, y, candidates[k], weight_decay) for k in {0, int(np.argmax(scored))}
    )


def pattern_free_bound(X: Float[np.ndarray, "n d"], r: Float[np.ndarray, " n"]) -> float:
    """At least `M(r) = max {|r'(X u)_+| : |u| <= 1}`, whatever the patterns of `X`: rigorous.

    With unit rows k_i, weights `a_i = r_i |x_i|` and `t = k_i'u` in [-1, 1], every row is replaced
    by a parabola above it, `a (t)_+ <= a (t + tau)^2 / (4 tau)` for a > 0 and the best of
    `0, -|a| t, -|a| (t + t^2)/2` for a < 0. What is left is a trust region problem in d variables.
    Parabolas are tuned against its maximisers in turn; each tuning bounds, the least is returned.
    Sums carry their worst-case rounding, so the result holds in exact arithmetic.
    """
    lengths, largest = _lengths(X), float(np.abs(r).max(initial=0.0))
    if largest == 0.0 or not lengths.any():
        return 0.0
    unit = np.divide(X, lengths[:, None], out=np.zeros_like(X), where=lengths[:, None] > 0)
    longest = lengths.max()
    weights = (r / largest) * (lengths / longest)
    bound = max(_one_sided(unit, weights), _one_sided(unit, -weights))
    return float(bound * largest * longest * (1 + 8 * EPS))


def estimate_M(
    X: Float[np.ndarray, "n d"],
    r: Float[np.ndarray, " n"],
    rng: np.random.Generator,
    starts: int = 64,
) -> float:
    """An ESTIMATE of `M(r)`: the best of many local ascents, so never above `M(r)`.

    It bounds nothing in the direction that a certificate needs.
    """
    size = float(np.linalg.norm(r))
    if size == 0.0 or not X.any():
        return 0.0
    few = _spread(len(X), TUNING_ROWS)
    found = []
    for sign in (1.0, -1.0):
        seeds = _seeds(X[few], starts, rng)
        rough = _ascend(X[few], sign * r[few] / size, seeds, 60)
        values = _values(X, sign * r / size, rough)
        best = rough[:, np.argsort(-values)[:4]]
        found.append(_values(X, sign * r / size, _ascend(X, sign * r / size, best, 12)).max())
    return max(0.0, float(size * max(found)))


def estimated_lower_bound(
    y: Float[np.ndarray, " n"], r: Float[np.ndarray, " n"], estimate: float, weight_decay: float
) -> float:
    """The bound that would hold if `estimate_M` were exact; it may exceed the optimum."""
    return dual_value(y, r, estimate, weight_decay)


@dataclass(frozen=True, slots=True)
class _Quadratic:
    """`constant + linear'u + u'square u`, above the sum of rows for all |u| <= 1."""

    constant: float
    linear: Float[np.ndarray, " d"]
    square: Float[np.ndarray, "d d"]


@dataclass(frozen=True, slots=True)
class _Moments:
    """First and second moments of u, against which the parabolas are tuned."""

    mean: Float[np.ndarray, " d"]
    second: Float[np.ndarray, "d d"]

    def towards(self, other: _Moments, step: float) -> _Moments:
        return _Moments(
            (1 - step) * self.mean + step * other.mean,
            (1 - step) * self.second + step * other.second,
        )


def _one_sided(unit: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]) -> float:
    """At least `max {sum_i a_i (k_i'u)_+ : |u| <= 1}`, by fictitious play on the parabolas."""
    n, d = unit.shape
    few = _spread(n, TUNING_ROWS)
    moments = _Moments(np.zeros(d), np.eye(d) / d)
    best, tuned, since = np.inf, moments, 0
    for k in range(24):
        value, reply = _maximum(_envelope(unit[few], weights[few], moments))
        since = 0 if value < best * (1 - 1e-4) else since + 1
        if value < best:
            best, tuned = value, moments
        if since == 8:
            break
        moments = moments.towards(reply, 2.0 / (k + 3))
    everything = float(np.maximum(weights, 0.0).sum() * (1 + (n + 8) * EPS))
    if len(few) < n:
        best = np.inf
        for k in range(3):
            value, reply = _maximum(_envelope(unit, weights, tuned))
            best = min(best, value)
            tuned = tuned.towards(reply, 1.0 / (k + 12))
    return max(0.0, min(best, everything))


def _envelope(
    unit: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"], moments: _Moments
) -> _Quadratic:
    """The parabolas that are lowest on average under `moments`, summed, with rounding added."""
    n, d = unit.shape
    constant, total = 0.0, 0.0
    linear, square = np.zeros(d), np.zeros((d, d))
    for rows in _blocks(n):
        K, a = unit[rows], weights[rows]
        mean = K @ moments.mean
        spread = np.maximum(np.einsum("nd,nd->n", K @ moments.second, K), mean**2)
        tau = np.clip(np.sqrt(spread), 1e-4, 1.0)
        curved = (mean < spread) & (mean > -spread)
        below = np.where(curved, 0.5, (mean >= spread).astype(np.float64))
        lines = a * np.where(a > 0, 0.5, below)
        curves = np.where(a > 0, a / (4 * tau), np.where(curved, 0.5 * a, 0.0))
        levels = np.where(a > 0, 0.25 * a * tau, 0.0)
        constant += float(levels.sum())
        linear += K.T @ lines
        square += (K * curves[:, None]).T @ K
        total += float(np.abs(levels).sum() + np.abs(lines).sum() + np.abs(curves).sum())
    rounding = 4 * (n + d + 30) * EPS * (total + float(np.abs(weights).sum()))
    return _Quadratic(constant + rounding, linear, 0.5 * (square + square.T))


def _maximum(q: _Quadratic) -> tuple[float, _Moments]:
    """At least the maximum of `q` over the unit ball, and the moments of a maximiser.

    `max_u l'u + u'Qu <= m + l'(m I - Q)^-1 l / 4` for every `m > max(0, eigenvalues)`.
    """
    d = len(q.linear)
    values, basis = np.linalg.eigh(q.square)
    slope = basis.T @ q.linear
    scale = float(np.abs(values).max(initial=0.0) + np.linalg.norm(slope))
    if scale == 0.0:
        return q.constant, _Moments(np.zeros(d), np.eye(d) / d)
    high = _multiplier(values, slope, max(0.0, float(values[-1])) + 1e-13 * scale)
    value = q.constant + high + 0.25 * float(np.sum(slope**2 / (high - values)))
    u = basis @ (0.5 * slope / (high - values))
    top = basis[:, -1]
    left = max(0.0, 1.0 - float(u @ u)) if values[-1] > 0 else 0.0
    reply = _Moments(u, np.outer(u, u) + left * np.outer(top, top))
    return value + 200 * d * EPS * (scale + abs(value)), reply


def _multiplier(
    values: Float[np.ndarray, " d"], slope: Float[np.ndarray, " d"], low: float
) -> float:
    """The m >= low where `|(m I - Q)^-1 l / 2| = 1`, or low; Newton on 1/norm (More, Sorensen)."""
    m = low
    for _ in range(30):
        ratios = 0.5 * slope / (m - values)
        norm = float(np.linalg.norm(ratios))
        if norm <= 1.0 + 1e-14:
            break
        step = (norm - 1.0) * norm**2 / float(np.sum(ratios**2 / (m - values)))
        if step <= 1e-15 * abs(m):
            break
        m += step
    return m


def _guarded_dual(
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    r: Float[np.ndarray, " n"],
    weight_decay: float,
) -> float:
    value = dual_value(y, r, pattern_free_bound(X, r), weight_decay)
    size = float(np.linalg.norm(y))
    return max(0.0, value - 8 * (len(y) + 30) * EPS * (value + min(value, size**2)))


def _values(
    X: Float[np.ndarray, "n d"], r: Float[np.ndarray, " n"], U: Float[np.ndarray, "d k"]
) -> Float[np.ndarray, " k"]:
    """`r'(X u)_+` at every column of `U`."""
    out = np.zeros(U.shape[1])
    for rows in _blocks(len(X)):
        out += r[rows] @ np.maximum(X[rows] @ U, 0.0)
    return out


def _ascend(
    X: Float[np.ndarray, "n d"],
    r: Float[np.ndarray, " n"],
    U: Float[np.ndarray, "d k"],
    iterations: int,
) -> Float[np.ndarray, "d k"]:
    """Monotone ascent of `r'(X u)_+` on the sphere from every column, with its own step each.

    Slopes see a boundary of shrinking width: sharp ones jam on the ridges of negative residuals.
    """
    value, steps = _values(X, r, U), np.full(U.shape[1], 4.0)
    widths = np.linalg.norm(X, axis=1)[:, None] + 1e-300
    for k in range(iterations):
        width, slopes = 0.2 * 0.8**k, np.zeros_like(U)
        for rows in _blocks(len(X)):
            gates = np.clip(0.5 + (X[rows] @ U) / (2 * width * widths[rows]), 0.0, 1.0)
            slopes += X[rows].T @ (r[rows, None] * gates)
        sizes = np.linalg.norm(slopes, axis=0)
        trial = U + steps * slopes / np.where(sizes > 0, sizes, 1.0)
        trial /= np.maximum(np.linalg.norm(trial, axis=0), 1e-300)
        reached = _values(X, r, trial)
        better = reached > value
        U, value = np.where(better, trial, U), np.where(better, reached, value)
        steps = np.where(better, np.minimum(2 * steps, 64.0), steps / 4)
    return U


def _seeds(
    X: Float[np.ndarray, "n d"], starts: int, rng: np.random.Generator
) -> Float[np.ndarray, "d k"]:
    """Unit Gaussian directions, a third each plain, half whitened and whitened for `X'X`."""
    values, basis = np.linalg.eigh(X.T @ X)
    values = np.maximum(values / max(values[-1], 1e-300), 1e-10)
    draws = rng.standard_normal((X.shape[1], max(3, starts)))
    powers = np.array([0.0, 0.25, 0.5])[np.arange(draws.shape[1]) % 3]
    seeds = basis @ (draws * values[:, None] ** -powers)
    return seeds / np.linalg.norm(seeds, axis=0)


def _lengths(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Row lengths rounded up, safe from overflow."""
    largest = np.abs(X).max(axis=1, initial=0.0)
    safe = np.where(largest > 0, largest, 1.0)
    scaled = X / safe[:, None]
    return largest * np.sqrt(np.einsum("nd,nd->n", scaled, scaled)) * (1 + (X.shape[1] + 8) * EPS)


def _spread(n: int, wanted: int) -> Int[np.ndarray, " k"]:
    """At most `wanted` row numbers, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).astype(np.int64))


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, 16384):
        yield slice(start, start + 16384)
