"""Boxes around polytopes by the simplex method, each end proven by its multipliers.

The polytope `{z : Q z <= t}`, t > 0, holds zero in its interior. The vertex found for one
direction serves the next as a start, so that a box of 2 m ends costs few pivots an end.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

REFRESH = 40  # pivots after which the inverse of the active rows is computed anew


@compiled
def _first_wall(
    speed: Array, slack: Array, active: Array, least: float
) -> tuple[int, float]:  # pragma: no cover - compiled
    """The wall that is met first at these speeds and when; -1 where there is none."""
    best, found = np.inf, -1
    for r in range(len(speed)):
        if speed[r] > least and not active[r] and slack[r] < best * speed[r]:
            best, found = slack[r] / speed[r], r
    return found, max(best, 0.0)


@compiled
def _vertex(
    Q: Array, c: Array, slack: Array, rows: Array, active: Array
) -> bool:  # pragma: no cover - compiled
    """From zero along `c`, wall by wall, to a vertex; False where the polytope is unbounded."""
    m = Q.shape[1]
    basis = np.zeros((m, m))
    for k in range(m):
        along = c.copy()
        for attempt in range(m + 1):
            for _ in range(2):
                for i in range(k):
                    along -= np.sum(basis[i] * along) * basis[i]
            if np.sum(along * along) > 1e-16 * np.sum(c * c) or attempt == m:
                break
            along = np.zeros(m)  # c is in the span of the walls: any other direction does
            along[attempt] = 1.0
            c = along.copy()
        speed = np.dot(Q, along)
        r, a = _first_wall(speed, slack, active, 1e-12 * np.sqrt(np.sum(along * along)))
        if r < 0:
            return False
        slack -= a * speed
        rows[k], active[r] = r, True
        normal = Q[r].copy()
        for _ in range(2):
            for i in range(k):
                normal -= np.sum(basis[i] * normal) * basis[i]
        size = np.sqrt(np.sum(normal * normal))
        if size < 1e-12:
            return False
        basis[k] = normal / size
    return True


@compiled
def _end(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    Q: Array,
    t: Array,
    c: Array,
    slack: Array,
    rows: Array,
    active: Array,
    inverse: Array,
    count: Array,
) -> float:  # pragma: no cover - compiled
    """At least `max {c'z : Q z <= t}`, inf where that was not found; moves the vertex there."""
    m = Q.shape[1]
    multipliers, along, pivot = np.empty(m), np.empty(m), np.empty(m)
    for _ in range(60 * m + 60):
        least, out, largest = 0.0, -1, 0.0
        for k in range(m):
            s = 0.0
            for i in range(m):
                s += inverse[i, k] * c[i]
            multipliers[k] = s
            largest = max(largest, abs(s))
            if s < least:
                least, out = s, k
        if least >= -1e-12 * largest:
            bound = 0.0
            for k in range(m):
                bound += max(multipliers[k], 0.0) * t[rows[k]]
            return bound
        for i in range(m):
            along[i] = -inverse[i, out]
        speed = np.dot(Q, along)
        r, a = _first_wall(speed, slack, active, 1e-12 * np.sqrt(np.sum(along * along)))
        if r < 0:
            return np.inf
        for k in range(m):
            s = 0.0
            for i in range(m):
                s += Q[r, i] * inverse[i, k]
            pivot[k] = s
        active[rows[out]], active[r] = False, True
        rows[out] = r
        count[0] += 1
        if count[0] % REFRESH == 0:
            walls = np.empty((m, m))
            ends = np.empty(m)
            for k in range(m):
                walls[k] = Q[rows[k]]
                ends[k] = t[rows[k]]
            inverse[:] = np.linalg.inv(walls)
            slack[:] = t - np.dot(Q, np.dot(inverse, ends))
            continue
        slack -= a * speed
        for i in range(m):
            step = inverse[i, out] / pivot[out]
            for k in range(m):
                inverse[i, k] -= pivot[k] * step
            inverse[i, out] = step
    return np.inf


@compiled
def bounding_box(
    Q: Array, t: Array, axes: Array
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Upper ends of `axes'z` and of `-axes'z` over `{Q z <= t}`; all inf where it is unbounded."""
    n, m = Q.shape
    high, low = np.full(m, np.inf), np.full(m, np.inf)
    slack, rows, active = t.copy(), np.zeros(m, np.int64), np.zeros(n, np.bool_)
    count = np.zeros(1, np.int64)
    if not _vertex(Q, axes[:, 0].copy(), slack, rows, active):
        return high, low
    walls = np.empty((m, m))
    for k in range(m):
        walls[k] = Q[rows[k]]
    inverse = np.linalg.inv(walls)
    for k in range(m):
        high[k] = _end(Q, t, axes[:, k].copy(), slack, rows, active, inverse, count)
        low[k] = _end(Q, t, -axes[:, k], slack, rows, active, inverse, count)
        if not np.isfinite(high[k] + low[k]):
            high[:] = np.inf
            low[:] = np.inf
            break
    return high, low
