"""Loops that find the faces of an arrangement: distinct hyperplanes, circles, signs of cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array


@compiled
def distinct(A: Array, tolerance: float) -> tuple[Any, ...]:  # pragma: no cover - compiled
    """Distinct hyperplanes: `A[i] = scale[i] * H[owner[i]]`; zero rows have owner -1."""
    n, k = A.shape
    H = np.empty((n, k))
    owner = -np.ones(n, np.int64)
    scale = np.zeros(n)
    count = 0
    lengths = np.sqrt((A * A).sum(1))
    top = lengths.max() if n else 0.0
    for i in range(n):
        if lengths[i] <= tolerance * top:
            continue
        for j in range(count):
            s = 0.0
            for q in range(k):
                s += A[i, q] * H[j, q]
            off = 0.0
            for q in range(k):
                off += (A[i, q] - s * H[j, q]) ** 2
            if off <= (tolerance * lengths[i]) ** 2:
                owner[i] = j
                scale[i] = s
                break
        if owner[i] < 0:
            H[count] = A[i] / lengths[i]
            owner[i] = count
            scale[i] = lengths[i]
            count += 1
    return H[:count].copy(), owner, scale


@compiled
def circle(a: Array, z: Array, tolerance: float) -> tuple[Any, ...]:  # pragma: no cover - compiled
    """The lines `a_l't = 0` in the order in which a turn round the circle crosses them.

    Returns the line, the sign it changes to, the crossing t, whether an arc of positive length
    follows, which lines are positive on the last arc, and the key of each arc (sum of `z`).
    Zero rows contain the plane and are skipped.
    """
    m = a.shape[0]
    angle = np.empty(2 * m)
    line = np.empty(2 * m, np.int32)
    sign = np.empty(2 * m)
    count = 0
    for row in range(m):
        if np.hypot(a[row, 0], a[row, 1]) <= tolerance:
            continue
        t = np.arctan2(a[row, 0], -a[row, 1])  # just after (-a1, a0) the sign is -
        angle[count] = t
        line[count] = row
        sign[count] = -1.0
        angle[count + 1] = t + np.pi if t <= 0 else t - np.pi
        line[count + 1] = row
        sign[count + 1] = 1.0
        count += 2
    order = np.argsort(angle[:count])
    angle, line, sign = angle[order], line[order], sign[order]
    arc = np.empty(count)
    for e in range(count):
        after = angle[e + 1] if e + 1 < count else angle[0] + 2 * np.pi
        arc[e] = after - angle[e]
    start = (np.argmax(arc) + 1) % count  # the widest arc comes last: its middle is the start
    order = (np.arange(count) + start) % count
    angle, line, sign, arc = angle[order], line[order], sign[order], arc[order]
    middle = angle[count - 1] + 0.5 * arc[count - 1]
    active = np.zeros(m, np.uint8)
    key = np.uint64(0)
    for row in range(m):
        if a[row, 0] * np.cos(middle) + a[row, 1] * np.sin(middle) > 0:
            active[row] = 1
            key ^= z[row]
    keys = np.empty(count, np.uint64)
    t2 = np.empty((count, 2))
    for e in range(count):
        key ^= z[line[e]]
        keys[e] = key
        t2[e, 0] = np.cos(angle[e])
        t2[e, 1] = np.sin(angle[e])
    return line, sign, t2, arc > tolerance, active, keys


@compiled
def tree_signs(parent: Array, flip: Array, signs: Array) -> None:  # pragma: no cover - compiled
    """Net crossings of every hyperplane on the way from the root to each cell."""
    for i in range(1, len(parent)):
        signs[i] = signs[parent[i]]
        f = flip[i]
        signs[i, abs(f) - 1] += 1 if f > 0 else -1
