"""A walk around every great circle on which a ridge of three dimensions switches.

Between two switches the sum of ridges is linear; each switch changes its slope by one row, so that
all arcs of n circles cost n^2 log n, where looking at each alone would cost n^3.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

PARALLEL = 1e-13  # of the row's length


@compiled
def walk(A: Array, w: Array) -> tuple[Array, Array, Array]:
    """Directions on the circles among which all extremes on them are, their values, and the slopes
    of the cells on both sides of every arc. A has no zero row.
    """
    n = len(A)
    points, values = np.zeros((4 * n * n, 3)), np.zeros(4 * n * n)
    slopes = np.zeros((4 * n * n, 3))
    n_points, n_slopes = 0, 0
    turn = 2 * np.pi
    angles, rows = np.empty(2 * n), np.empty(2 * n, np.int64)
    for i in range(n):
        normal = A[i] / np.sqrt(A[i] @ A[i])
        p, q = _frame(normal)
        count, above, below, c = _switches(A, w, normal, p, q, angles, rows)
        if count == 0:
            points[n_points], values[n_points] = p, 0.0
            n_points += 1
            slopes[n_slopes], slopes[n_slopes + 1] = c + above, c + below
            n_slopes += 2
            continue
        order = np.argsort(angles[:count])
        for k in range(count):
            at = order[k]
            low = angles[at]
            high = angles[order[k + 1]] if k + 1 < count else angles[order[0]] + turn
            j = rows[at]
            c = c + w[j] * A[j] if j >= 0 else c - w[-j - 1] * A[-j - 1]
            slopes[n_slopes], slopes[n_slopes + 1] = c + above, c + below
            n_slopes += 2
            cp, cq = c @ p, c @ q
            points[n_points] = np.cos(low) * p + np.sin(low) * q
            values[n_points] = cp * np.cos(low) + cq * np.sin(low)
            n_points += 1
            size = np.sqrt(cp * cp + cq * cq)
            peak = np.arctan2(cq, cp)
            for half in range(-1, 5):
                angle = peak + half * np.pi
                if low < angle < high and n_points < len(points):
                    points[n_points] = np.cos(angle) * p + np.sin(angle) * q
                    values[n_points] = size if half % 2 == 0 else -size
                    n_points += 1
    return points[:n_points], values[:n_points], slopes[:n_slopes]


@compiled
def _frame(normal: Array) -> tuple[Array, Array]:
    """Two unit vectors across `normal` and each other."""
    k = np.argmin(np.abs(normal))
    p = -normal[k] * normal
    p[k] += 1.0
    p = p / np.sqrt(p @ p)
    q = np.empty(3)
    q[0] = normal[1] * p[2] - normal[2] * p[1]
    q[1] = normal[2] * p[0] - normal[0] * p[2]
    q[2] = normal[0] * p[1] - normal[1] * p[0]
    return p, q


@compiled
def _switches(  # noqa: PLR0913 - a compiled loop
    A: Array, w: Array, normal: Array, p: Array, q: Array, angles: Array, rows: Array
) -> tuple[int, Array, Array, Array]:
    """Where rows switch on (j) and off (-j - 1) along the circle, the slopes that parallel rows add
    on either side of it, and the slope just before the angle 0.
    """
    turn = 2 * np.pi
    above, below, c = np.zeros(3), np.zeros(3), np.zeros(3)
    count = 0
    for j in range(len(A)):
        x, y = A[j] @ p, A[j] @ q
        length = np.sqrt(A[j] @ A[j])
        if np.sqrt(x * x + y * y) <= PARALLEL * length:
            if A[j] @ normal > 0:
                above = above + w[j] * A[j]
            else:
                below = below + w[j] * A[j]
            continue
        middle = np.arctan2(y, x)
        on, off = (middle - np.pi / 2) % turn, (middle + np.pi / 2) % turn
        if on > off:  # active across the angle 0
            c = c + w[j] * A[j]
        angles[count], rows[count] = on, j
        angles[count + 1], rows[count + 1] = off, -j - 1
        count += 2
    return count, above, below, c
