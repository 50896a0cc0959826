"""Quadratics above `r'(Z u)_+` on a box of the sphere, with all rounding: the verifier's loops."""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

UNIT = 2.0**-53  # relative rounding of one operation
SHORT = 2.0**-300  # rows below it are bounded by their length: nothing else can underflow then


@compiled
def model_above(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    Z: Array, r: Array, sign: float, lo: Array, hi: Array, mean: Array, second: Array
) -> tuple[float, Array, Array, float]:
    """c, b, A, e with `sign r'(Z u)_+ <= c + b'u + u'Au + e` for all |u| = 1, lo <= u <= hi.

    With s = z_i'u in [L, H], a row is 0 or linear where the sign of s is decided; elsewhere
    `(s)_+ = (s + |s|)/2` and |s| lies between two quadratics in s. `mean` and `second` (moments
    of u) choose among quadratics that all hold, so any numbers in them give a valid model.
    Every envelope is moved out by 1e-13 (H - L), L and H by their rounding, and e pays for the
    sums: at most 2 (n + 30) 2^-53 times the sum of the absolute terms.
    """
    n, d = Z.shape
    constant, total, left = 0.0, 0.0, 0.0
    linear, square = np.zeros(d), np.zeros((d, d))
    radius = rest_radius(lo[0], hi[0])
    for i in range(n):
        e, z = sign * r[i], Z[i]
        low, high, length = reach(z, lo, hi, radius)
        if length < SHORT:
            for k in range(d):
                left += abs(e) * abs(z[k])
            continue
        pad = 4 * (d + 4) * UNIT * length * np.sqrt(d)
        low -= pad
        high += pad
        if high <= 0.0:
            continue
        if low >= 0.0:
            for k in range(d):
                linear[k] += e * z[k]
            total += abs(e) * length
            continue
        first, spread = moments_along(z, length, mean, second)
        if e > 0.0:
            q0, q1, q2 = above_absolute(low, high, first, spread)
            q0 += 1e-13 * (high - low)
        else:
            q0, q1, q2 = below_absolute(low, high, first, spread)
            q0 -= 1e-13 * (high - low)
        half = 0.5 * e
        constant += half * q0
        total += abs(half) * (abs(q0) + abs(1 + q1) * length + q2 * length * length)
        for k in range(d):
            linear[k] += half * (1 + q1) * z[k]
            t = half * q2 * z[k]
            for j in range(k + 1):
                square[k, j] += t * z[j]
    square += np.tril(square, -1).T
    error = 2 * (n + 30) * UNIT * total + 2 * left + 1e-200 * (n + 1)
    return constant, linear, square, error


@compiled
def rest_radius(low: float, high: float) -> float:
    """At least the length of a unit vector without its first coordinate, which is in the range."""
    nearest = 0.0
    if low > 0.0 or high < 0.0:
        nearest = min(low * low, high * high)
    return np.sqrt(max(0.0, 1.0 - nearest) + 8 * UNIT) * (1 + 8 * UNIT)


@compiled
def reach(z: Array, lo: Array, hi: Array, radius: float) -> tuple[float, float, float]:
    """The range of z'u over the box, before rounding, and |z| rounded up.

    Both the box and |u| = 1, by the first coordinate's range, bound it.
    """
    d = len(z)
    low, high, rest = 0.0, 0.0, 0.0
    for k in range(d):
        x = z[k]
        if x >= 0.0:
            low += x * lo[k]
            high += x * hi[k]
        else:
            low += x * hi[k]
            high += x * lo[k]
        if k > 0:
            rest += x * x
    x = z[0]
    length = np.sqrt(rest + x * x) * (1 + 2 * d * UNIT)
    rest = np.sqrt(rest) * (1 + 2 * d * UNIT) * radius
    low = max(low, min(x * lo[0], x * hi[0]) - rest)
    high = min(high, max(x * lo[0], x * hi[0]) + rest)
    return low, high, length


@compiled
def moments_along(z: Array, length: float, mean: Array, second: Array) -> tuple[float, float]:
    """E s and E s^2 for s = z'u, the second at least the first squared and a little."""
    first, spread = 0.0, 0.0
    for k in range(len(z)):
        first += z[k] * mean[k]
        part = 0.0
        for j in range(len(z)):
            part += second[k, j] * z[j]
        spread += z[k] * part
    return first, max(spread, first * first + 1e-14 * length * length)


@compiled
def above_absolute(
    low: float, high: float, first: float, spread: float
) -> tuple[float, float, float]:
    """q with `q0 + q1 s + q2 s^2 >= |s|` on [low, high], low < 0 < high: least on average.

    The average is under `E s = first`, `E s^2 = spread`. Candidates: the chord, the parabola
    `(tau + s^2/tau)/2`, and those through one end that touch |s| on the other side.
    """
    left = -low
    q0, q1, q2 = 2 * left * high / (high + left), (high - left) / (high + left), 0.0
    best = q0 + q1 * first
    tau = np.sqrt(spread)
    if tau < best:
        best = tau
        q0, q1, q2 = 0.5 * tau, 0.0, 0.5 / tau
    if left + first > 0.0:
        p = (spread + first * left) / (left + first)
        if left <= p <= high:
            c = 2 * left / ((p + left) * (p + left))
            value = first + c * (spread - 2 * p * first + p * p)
            if value < best:
                best = value
                q0, q1, q2 = c * p * p, 1 - 2 * c * p, c
    if high - first > 0.0:
        p = (spread - first * high) / (high - first)
        if high <= p <= left:
            c = 2 * high / ((p + high) * (p + high))
            value = -first + c * (spread + 2 * p * first + p * p)
            if value < best:
                q0, q1, q2 = c * p * p, 2 * c * p - 1, c
    return q0, q1, q2


@compiled
def below_absolute(
    low: float, high: float, first: float, spread: float
) -> tuple[float, float, float]:
    """q with `q0 + q1 s + q2 s^2 <= |s|` on [low, high], low < 0 < high: largest on average.

    Candidates: s, -s, and the parabola through 0 and both ends.
    """
    q1, q2 = (1.0 if first > 0.0 else -1.0), 0.0
    if (2 * spread - (high + low) * first) / (high - low) > abs(first):
        q1, q2 = -(high + low) / (high - low), 2 / (high - low)
    return 0.0, q1, q2


@compiled
def blurred_activation(
    Z: Array, lo: Array, hi: Array, mean: Array, second: Array
) -> tuple[Array, Array]:
    """For each row an interval around `E (z_i'u)_+` over laws of u on the box with these moments.

    A neuron that is only known to lie in the box, as a dual point has to respect it; it is part
    of the recipe of a residual, of which any gives a bound, so its rounding is of no concern.
    """
    n = len(Z)
    least, most = np.zeros(n), np.zeros(n)
    radius = rest_radius(lo[0], hi[0])
    for i in range(n):
        low, high, length = reach(Z[i], lo, hi, radius)
        if high <= 0.0 or length < SHORT:
            continue
        first, spread = moments_along(Z[i], length, mean, second)
        if low >= 0.0:
            least[i] = most[i] = first
            continue
        q0, q1, q2 = above_absolute(low, high, first, spread)
        top = q0 + q1 * first + q2 * spread
        q0, q1, q2 = below_absolute(low, high, first, spread)
        bottom = max(abs(first), q0 + q1 * first + q2 * spread)
        least[i] = 0.5 * (first + bottom)
        most[i] = 0.5 * (first + max(top, bottom))
    return least, most
