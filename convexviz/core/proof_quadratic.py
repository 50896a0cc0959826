"""The largest value of a quadratic on a box of the sphere, bounded in exact arithmetic.

By weak duality: for any `lam` and any `mu >= 0` with `S = lam I + diag(mu) - A >= 0`,

    c + b'u + u'Au <= c + lam - sum_k mu_k lo_k hi_k + g'u - u'Su,    g = b + mu (lo + hi),

for |u| = 1 and lo <= u <= hi, and the right side lies below its tangent at any point.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter

import numpy as np
from jaxtyping import Float

from convexviz.core.types import Array

_LARGEST = 1e100  # multipliers beyond it prove nothing


def largest_value(
    model: tuple[float, Array, Array, float],
    lo: Float[np.ndarray, " d"],
    hi: Float[np.ndarray, " d"],
    multipliers: Float[np.ndarray, " d1"],
) -> float:
    """At least `c + b'u + u'Au + e` for all |u| = 1, lo <= u <= hi; rounded up.

    `multipliers` are (lam, mu_1, ..., mu_d): any numbers give a bound, or infinity.
    """
    constant, linear, square, error = model
    numbers = np.concatenate([[constant, error], linear, square.ravel(), multipliers])
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > _LARGEST:
        return inf
    mu = np.maximum(multipliers[1:], 0.0)
    lam = _convex_from(float(multipliers[0]), mu, square)
    if lam is None:
        return inf
    S = lam * np.eye(len(mu)) + np.diag(mu) - square
    with np.errstate(all="ignore"):
        try:
            u = np.linalg.solve(2 * S, linear + mu * (lo + hi))
        except np.linalg.LinAlgError:
            return inf
    if not np.isfinite(u).all() or np.abs(u).max() > _LARGEST:
        return inf
    exact = _exact(constant, linear, square, error)
    value = _dual_value(exact, _rationals(lo), _rationals(hi), (lam, mu, u))
    return nextafter(float(value), inf)


def is_positive(S: Float[np.ndarray, "d d"]) -> bool:
    """Whether the LDL' factors of S come out positive.

    Then `S + (d + 2) 2^-53 trace(S) I` is positive semidefinite (Rump, Verification of positive
    definiteness, BIT 2006; Higham, Accuracy and Stability, Theorem 10.3).
    """
    S = S.copy()
    with np.errstate(all="ignore"):
        for k in range(len(S)):
            if not S[k, k] > 0:
                return False
            column = S[k + 1 :, k]
            S[k + 1 :, k + 1 :] -= np.outer(column, column) / S[k, k]
    return True


def _convex_from(
    lam: float, mu: Float[np.ndarray, " d"], square: Float[np.ndarray, "d d"]
) -> float | None:
    """The first number from `lam` on that provably makes S positive semidefinite."""
    d = len(mu)
    size = float(mu.sum() + np.abs(square).sum())
    for _ in range(60):
        S = lam * np.eye(d) + np.diag(mu) - square
        # Ten times what Rump's margin and the rounding of S itself can need.
        margin = 1e-15 * (d + 4) * (d * abs(lam) + size) + 1e-290
        if is_positive(S - margin * np.eye(d)):
            return lam
        lam += max(2 * margin, -2 * float(np.linalg.eigvalsh(S)[0]))
    return None


def _rationals(values: Float[np.ndarray, " k"]) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


def _exact(
    constant: float, linear: Array, square: Array, error: float
) -> tuple[Fraction, list[Fraction], list[list[Fraction]]]:
    level = Fraction(constant) + Fraction(error)
    return level, _rationals(linear), [_rationals(row) for row in square]


def _dual_value(
    model: tuple[Fraction, list[Fraction], list[list[Fraction]]],
    lo: list[Fraction],
    hi: list[Fraction],
    point: tuple[float, Array, Array],
) -> Fraction:
    """The right side's tangent at `u`, at its largest over the box; exact."""
    constant, linear, square = model
    lam, mu, u = Fraction(point[0]), _rationals(point[1]), _rationals(point[2])
    value = constant + lam
    for k, (row, x) in enumerate(zip(square, u, strict=True)):
        g = linear[k] + mu[k] * (lo[k] + hi[k])
        product = (lam + mu[k]) * x - sum(a * other for a, other in zip(row, u, strict=True))
        farthest = max(abs(lo[k] - x), abs(hi[k] - x))
        value += (g - product) * x + abs(g - 2 * product) * farthest - mu[k] * lo[k] * hi[k]
    return value
