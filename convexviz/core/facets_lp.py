"""Boxes around polytopes by the simplex method, each end proven by its multipliers.

The polytope `{z : Q'z <= t}`, t > 0, holds zero in its interior. The vertex found for one
direction serves the next as a start, so that a box of 2 m ends costs few pivots an end.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

REFRESH = 40  # pivots after which the inverse of the active rows is corrected


@compiled
def _first_wall(
    Q: Array, along: Array, speed: Array, slack: Array, active: Array
) -> tuple[int, float]:  # pragma: no cover - compiled
    """The wall that is met first along a direction, and when; -1 where there is none.

    `Q` has a column a wall, and `speed` becomes `Q'along`.
    """
    m, n = Q.shape
    square = 0.0
    for r in range(n):
        speed[r] = 0.0
    for k in range(m):
        c = along[k]
        square += c * c
        for r in range(n):
            speed[r] += c * Q[k, r]
    least = 1e-12 * np.sqrt(square)
    best, found = np.inf, -1
    for r in range(n):
        if speed[r] > least and not active[r] and slack[r] < best * speed[r]:
            best, found = slack[r] / speed[r], r
    return found, max(best, 0.0)


@compiled
def _orthogonalise(x: Array, basis: Array, k: int) -> float:  # pragma: no cover - compiled
    """Take from x its parts along `basis[:k]`, twice; the squared length that is left."""
    left = 0.0
    for _ in range(2):
        for i in range(k):
            s = 0.0
            for t in range(len(x)):
                s += basis[i, t] * x[t]
            for t in range(len(x)):
                x[t] -= s * basis[i, t]
    for t in range(len(x)):
        left += x[t] * x[t]
    return left


@compiled
def _vertex(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    Q: Array, slack: Array, speed: Array, rows: Array, active: Array, inverse: Array
) -> bool:  # pragma: no cover - compiled
    """From zero wall by wall to a vertex; False where the polytope is not bounded.

    The active walls' normals, as columns of `A`, are `R' basis`; `inverse` is that of `A'`.
    """
    m, n = Q.shape
    basis, along, normal = np.zeros((m, m)), np.zeros(m), np.zeros(m)
    R = np.zeros((m, m))
    for k in range(m):
        for axis in range(m):
            along[:] = 0.0
            along[axis] = 1.0
            if _orthogonalise(along, basis, k) > 0.5 / m:
                break
        r, a = _first_wall(Q, along, speed, slack, active)
        if r < 0:
            return False
        for i in range(n):
            slack[i] -= a * speed[i]
        rows[k], active[r] = r, True
        for t in range(m):
            normal[t] = Q[t, r]
        left = np.sqrt(_orthogonalise(normal, basis, k))
        if left < 1e-12:
            return False
        for t in range(m):
            basis[k, t] = normal[t] / left
        for i in range(k + 1):
            for t in range(m):
                R[k, i] += basis[i, t] * Q[t, r]
    # The rows of walls are R basis with R lower triangular: the inverse is basis' R^-1.
    for c in range(m):
        for i in range(m):
            s = 1.0 if i == c else 0.0
            for j in range(i):
                s -= R[i, j] * normal[j]
            normal[i] = s / R[i, i]
        for t in range(m):
            s = 0.0
            for i in range(m):
                s += basis[i, t] * normal[i]
            inverse[t, c] = s
    return True


@compiled
def _correct(Q: Array, rows: Array, inverse: Array) -> None:  # pragma: no cover - compiled
    """One step of Newton for the inverse of the active walls: `B <- B (2 I - A B)`."""
    m = len(rows)
    error, new = np.zeros((m, m)), np.zeros((m, m))
    for i in range(m):
        error[i, i] = 2.0
        for t in range(m):
            for j in range(m):
                error[i, j] -= Q[t, rows[i]] * inverse[t, j]
    for i in range(m):
        for t in range(m):
            for j in range(m):
                new[i, j] += inverse[i, t] * error[t, j]
    for i in range(m):
        for j in range(m):
            inverse[i, j] = new[i, j]


@compiled
def _end(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    Q: Array,
    t: Array,
    axis: int,
    sign: float,
    slack: Array,
    speed: Array,
    rows: Array,
    active: Array,
    inverse: Array,
    count: Array,
) -> float:  # pragma: no cover - compiled
    """At least `max {sign z_axis : Q'z <= t}`, inf where not found; moves the vertex there."""
    m, n = Q.shape
    multipliers, along, pivot = np.empty(m), np.empty(m), np.empty(m)
    for _ in range(60 * m + 60):
        least, out, largest = 0.0, -1, 0.0
        for k in range(m):
            multipliers[k] = sign * inverse[axis, k]
            largest = max(largest, abs(multipliers[k]))
            if multipliers[k] < least:
                least, out = multipliers[k], k
        if least >= -1e-12 * largest:
            bound = 0.0
            for k in range(m):
                bound += max(multipliers[k], 0.0) * t[rows[k]]
            return bound
        for i in range(m):
            along[i] = -inverse[i, out]
        r, a = _first_wall(Q, along, speed, slack, active)
        if r < 0:
            return np.inf
        for k in range(m):
            pivot[k] = 0.0
        for i in range(m):
            for k in range(m):
                pivot[k] += Q[i, r] * inverse[i, k]
        active[rows[out]], active[r] = False, True
        rows[out] = r
        for i in range(n):
            slack[i] -= a * speed[i]
        for i in range(m):
            step = inverse[i, out] / pivot[out]
            for k in range(m):
                inverse[i, k] -= pivot[k] * step
            inverse[i, out] = step
        count[0] += 1
        if count[0] % REFRESH == 0:
            _correct(Q, rows, inverse)
            for i in range(n):
                slack[i] = t[i]
            for j in range(m):
                z = 0.0
                for k in range(m):
                    z += inverse[j, k] * t[rows[k]]
                for i in range(n):
                    slack[i] -= Q[j, i] * z
    return np.inf


@compiled
def bounding_box(
    Q: Array, t: Array, high: Array, low: Array
) -> bool:  # pragma: no cover - compiled
    """Upper ends of z and of -z over `{Q'z <= t}`, a wall a column; whether they were found."""
    m, n = Q.shape
    slack, speed = t.copy(), np.empty(n)
    rows, active = np.zeros(m, np.int64), np.zeros(n, np.bool_)
    count, inverse = np.zeros(1, np.int64), np.empty((m, m))
    if not _vertex(Q, slack, speed, rows, active, inverse):
        return False
    for k in range(m):
        high[k] = _end(Q, t, k, 1.0, slack, speed, rows, active, inverse, count)
        low[k] = _end(Q, t, k, -1.0, slack, speed, rows, active, inverse, count)
        if not np.isfinite(high[k] + low[k]):
            return False
    return True
