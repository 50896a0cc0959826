"""The largest value of a quadratic on a box of the sphere: its best multipliers, by Newton."""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array
from convexviz.solvers.branch_and_bound_rows import factor, inverse, solved

_STEPS = 60
_OUT = 1e-12  # by so much a box must miss the sphere to be left out
_LAST_BARRIER = 1e-6  # values are within about so much of the least, relative to the quadratic


@compiled
def largest_on_box(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    constant: float, linear: Array, square: Array, lo: Array, hi: Array, warm: Array
) -> tuple[float, Array, Array, Array]:
    """About the least dual value, moments (mean, second) of its maximisers, its multipliers.

    Minimises over `lam, mu >= 0` with `S = lam I + diag(mu) - A > 0` the dual value of
    `proof_quadratic` by barrier Newton; the barrier's inverse is the spread of the maximisers.
    `warm` are multipliers to start from, or zeros.
    """
    d = len(linear)
    size = np.sqrt(np.sum(linear**2)) + d * np.abs(square).max()
    if not (size > 1e-200 and size < 1e200):
        middle = 0.5 * (lo + hi)
        return constant, middle, np.outer(middle, middle) + np.diag((hi - lo) ** 2 / 12), warm
    g, A = linear / size, square / size
    theta = warm / size
    S, L = np.empty((d, d)), np.zeros((d, d))
    if theta[0] <= 0.0:
        theta[0] = max(np.linalg.eigvalsh(A)[-1], 0.0) + 0.5 * np.sqrt(np.sum(g**2)) + 0.02
        theta[1:] = 0.01 / d
    barrier = 0.03 / d
    best, found = np.inf, theta.copy()
    mean, second = 0.5 * (lo + hi), np.eye(d) / d
    for _ in range(_STEPS):
        fill(S, theta, A)
        weight = abs(theta[0]) + theta[1:].sum() + np.abs(A).sum()
        for k in range(d):
            S[k, k] -= 1e-14 * d * weight
        if not factor(S, L):
            fill(S, theta, A)
            lowest = np.linalg.eigvalsh(S)[0]
            theta[0] += 1.1 * abs(lowest) + 1e-12 * d * weight + 1e-9
            continue
        fill(S, theta, A)
        factor(S, L)
        b = g + theta[1:] * (lo + hi)
        u = 0.5 * solved(L, b)
        value = theta[0] - np.sum(theta[1:] * lo * hi) + 0.5 * np.sum(b * u)
        # Multipliers reach 1e8 where box and sphere meet in a corner: the verifier's rounding.
        value += 1e-15 * (d + 4) * weight * (1 + np.sqrt(np.sum(u**2)) + 2.0) ** 2
        spread = inverse(L)
        if value < best:
            best, found = value, theta.copy()
        # Of the last step, whatever its value: before the barrier has fallen they fit no box.
        mean, second = u, np.outer(u, u) + barrier * spread
        step, decrement = newton_step(u, spread, theta, lo, hi, barrier)
        length = line_search(A, g, theta, step, decrement, lo, hi, barrier)
        theta = theta + length * step
        if decrement < 0.3 * barrier * d or length == 0.0:
            if barrier <= _LAST_BARRIER / d:
                break
            barrier *= 0.2
    return constant + size * best, mean, second, size * found


@compiled
def fill(S: Array, theta: Array, A: Array) -> None:
    """`S = lam I + diag(mu) - A`."""
    for k in range(len(A)):
        for j in range(len(A)):
            S[k, j] = -A[k, j]
        S[k, k] += theta[0] + theta[k + 1]


@compiled
def newton_step(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    u: Array, spread: Array, theta: Array, lo: Array, hi: Array, barrier: float
) -> tuple[Array, float]:
    """The Newton direction of the barrier function, and how far it promises to descend."""
    d = len(u)
    gradient, H = np.empty(d + 1), np.empty((d + 1, d + 1))
    slopes = np.zeros((d + 1, d))
    gradient[0] = 1.0 - np.sum(u * u) - barrier * np.trace(spread)
    slopes[0] = -u
    for k in range(d):
        gradient[k + 1] = (u[k] - lo[k]) * (hi[k] - u[k]) - barrier * (
            spread[k, k] + 1.0 / theta[k + 1]
        )
        slopes[k + 1, k] = 0.5 * (lo[k] + hi[k]) - u[k]
    H[:] = 2 * (slopes @ (spread @ slopes.T))
    for k in range(d):
        row = barrier * np.sum(spread[k] * spread[k])
        H[0, 0] += row
        H[0, k + 1] += row
        H[k + 1, 0] += row
        H[k + 1, k + 1] += barrier / theta[k + 1] ** 2
        for j in range(d):
            H[k + 1, j + 1] += barrier * spread[k, j] ** 2
    for k in range(d + 1):
        H[k, k] = H[k, k] * (1 + 1e-10) + 1e-300
    L = np.zeros((d + 1, d + 1))
    if not factor(H, L):
        return np.zeros(d + 1), 0.0
    step = -solved(L, gradient)
    return step, -np.sum(step * gradient)


@compiled
def barrier_value(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    A: Array, g: Array, theta: Array, lo: Array, hi: Array, barrier: float
) -> float:
    """The dual value less the logarithms that keep S and mu positive; infinite outside."""
    d = len(g)
    S, L = np.empty((d, d)), np.zeros((d, d))
    fill(S, theta, A)
    if not factor(S, L):
        return np.inf
    b = g + theta[1:] * (lo + hi)
    value = theta[0] - np.sum(theta[1:] * lo * hi) + 0.25 * np.sum(b * solved(L, b))
    for k in range(d):
        value -= barrier * (2 * np.log(L[k, k]) + np.log(theta[k + 1]))
    return value


@compiled
def line_search(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    A: Array,
    g: Array,
    theta: Array,
    step: Array,
    decrement: float,
    lo: Array,
    hi: Array,
    barrier: float,
) -> float:
    """A step length that stays in the cone and descends; 0 where none does."""
    length = 1.0
    for k in range(1, len(theta)):
        if step[k] < 0.0:
            length = min(length, -0.9 * theta[k] / step[k])
    start = barrier_value(A, g, theta, lo, hi, barrier)
    for _ in range(30):
        value = barrier_value(A, g, theta + length * step, lo, hi, barrier)
        if value <= start - 0.1 * length * decrement + 1e-13 * abs(start):
            return length
        length *= 0.5
    return 0.0


def uniform_moments(lo: Array, hi: Array) -> tuple[Array, Array]:
    """Moments of a point spread over the box, no longer than 1 in the mean square."""
    mean, variance = 0.5 * (lo + hi), (hi - lo) ** 2 / 12
    room = max(1e-9, 1 - float(mean @ mean))
    variance = variance * min(1.0, room / max(float(variance.sum()), 1e-12))
    return mean, np.outer(mean, mean) + np.diag(variance)


def misses_sphere(lo: Array, hi: Array) -> bool:
    """Whether the box clearly has no point with |u| = 1; the verifier asks exactly."""
    near, far = np.clip(0.0, lo, hi), np.maximum(np.abs(lo), np.abs(hi))
    return bool(near @ near > 1 + _OUT or far @ far < 1 - _OUT)
