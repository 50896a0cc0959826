"""Stationary values in the cells of an arrangement and, in four dimensions, on their facets."""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.faces_sweep import LEVEL, push
from convexviz.core.types import Array

_INSIDE = 1e-12  # a direction this far outside a closed cell still belongs to it


@compiled
def _top_bound(
    Q: Array, k: int, threshold: float, one: Array, two: Array
) -> float:  # pragma: no cover - compiled
    """At least the largest eigenvalue: `||Q^(2^j)||_F^(1/2^j)`, until it is below the threshold."""
    trace = 0.0
    s = 0.0
    for i in range(k):
        trace += Q[i, i]
    if trace <= threshold:
        return trace
    for i in range(k):
        for j in range(k):
            one[i, j] = Q[i, j] / trace
            s += one[i, j] ** 2
    bound = np.sqrt(s)
    power = 0.5
    for _ in range(3):
        if bound * trace <= threshold:
            return bound * trace
        s = 0.0
        for i in range(k):
            for j in range(i, k):
                t = 0.0
                for row in range(k):
                    t += one[i, row] * one[row, j]
                two[i, j] = t
                two[j, i] = t
                s += t * t if i == j else 2 * t * t
        one, two = two, one
        power *= 0.5
        bound = s**power
    return bound * trace * (1 + 1e-13)


@compiled
def _top_pair(  # noqa: C901, PLR0912 - a compiled loop
    Q: Array, k: int, A: Array, V: Array
) -> tuple[float, Array]:  # pragma: no cover - compiled
    """Top eigenvalue and eigenvector of a symmetric k by k matrix, by Jacobi rotations."""
    for i in range(k):
        for j in range(k):
            A[i, j] = Q[i, j]
            V[i, j] = 1.0 if i == j else 0.0
    for _ in range(12):
        off = 0.0
        diagonal = 0.0
        for i in range(k):
            diagonal += A[i, i] ** 2
            for j in range(i):
                off += A[i, j] ** 2
        if off <= 1e-31 * diagonal:
            break
        for p in range(k - 1):
            for q in range(p + 1, k):
                if A[p, q] == 0:
                    continue
                theta = (A[q, q] - A[p, p]) / (2 * A[p, q])
                turn = 1.0 if theta >= 0 else -1.0
                t = turn / (abs(theta) + np.sqrt(theta * theta + 1))
                c = 1 / np.sqrt(t * t + 1)
                s = t * c
                for i in range(k):
                    x = A[i, p]
                    y = A[i, q]
                    A[i, p] = c * x - s * y
                    A[i, q] = s * x + c * y
                for i in range(k):
                    x = A[p, i]
                    y = A[q, i]
                    A[p, i] = c * x - s * y
                    A[q, i] = s * x + c * y
                for i in range(k):
                    x = V[i, p]
                    y = V[i, q]
                    V[i, p] = c * x - s * y
                    V[i, q] = s * x + c * y
    best = 0
    for i in range(1, k):
        if A[i, i] > A[best, best]:
            best = i
    return A[best, best], V[:k, best].copy()


@compiled
def _side(u: Array, H: Array, signs: Array, skip: int) -> int:  # pragma: no cover - compiled
    """+1 or -1 where u or -u lies in the closed cell, else 0."""
    plus = True
    minus = True
    for row in range(len(H)):
        if row == skip:
            continue
        t = 0.0
        for i in range(len(u)):
            t += H[row, i] * u[i]
        if not signs[row]:
            t = -t
        if t < -_INSIDE:
            plus = False
        if t > _INSIDE:
            minus = False
        if not (plus or minus):
            return 0
    return 1 if plus else -1


@compiled
def _gram(B: Array, Q: Array) -> int:  # pragma: no cover - compiled
    """The smaller of `B'B` and `BB'` into Q; its size."""
    c, r = B.shape
    k = min(c, r)
    for a in range(k):
        for b in range(a, k):
            t = 0.0
            if r <= c:
                for i in range(c):
                    t += B[i, a] * B[i, b]
            else:
                for i in range(r):
                    t += B[a, i] * B[b, i]
            Q[a, b] = t
            Q[b, a] = t
    return k


@compiled
def _right(B: Array, top: Array) -> Array:  # pragma: no cover - compiled
    """The unit right singular vector of B from the top eigenvector of its smaller Gram matrix."""
    c, r = B.shape
    if r <= c:
        return top
    u = np.zeros(r)
    for i in range(c):
        for k in range(r):
            u[k] += B[i, k] * top[i]
    size = 0.0
    for k in range(r):
        size += u[k] * u[k]
    return u / np.sqrt(size)


@compiled
def _turned(
    B: Array, c: Array, normal: Array, reach: float, w: Array
) -> bool:  # pragma: no cover - compiled
    """Whether B'B has no top eigenvector within `reach` of the unit vector c.

    `|Qc - mu c| <= mu |c - v|` for a unit eigenvector v of the largest eigenvalue mu, and no scalar
    makes the left side smaller than the part of Qc across c. Within the hyperplane of `normal`,
    where it is not zero.
    """
    r = len(c)
    trace = 0.0
    w[:] = 0.0
    for i in range(len(B)):
        t = 0.0
        for k in range(r):
            t += B[i, k] * c[k]
            trace += B[i, k] ** 2
        for k in range(r):
            w[k] += t * B[i, k]
    along, across, size = 0.0, 0.0, 0.0
    for k in range(r):
        along += w[k] * c[k]
        across += w[k] * normal[k]
        size += w[k] ** 2
    left = size - along * along - across * across
    return left > (reach * trace) ** 2


@compiled
def walk(  # noqa: C901, PLR0913 - a compiled loop takes arrays, not objects
    rho: Array,
    B0: Array,
    H: Array,
    parent: Array,
    flip: Array,
    signs: Array,
    centers: Array,
    reach: Array,
    limits: Array,
    values: Array,
    points: Array,
    count: int,
    forms: Array,
) -> int:  # pragma: no cover - compiled
    """Cells along a spanning tree: the form B changes by one hyperplane from cell to cell.

    Cell i lies within `reach[i]` of the unit vector `centers[i]`.
    """
    c, r = B0.shape
    Q, one, two = np.empty((r, r)), np.empty((r, r)), np.empty((r, r))
    w, no_normal = np.empty(r), np.zeros(r)
    for i in range(len(parent)):
        if i == 0:
            forms[0] = B0
            for row in range(len(H)):
                if signs[0, row]:
                    for a in range(c):
                        for b in range(r):
                            forms[0, a, b] += rho[row, a] * H[row, b]
        else:
            row = abs(flip[i]) - 1
            s = 1.0 if flip[i] > 0 else -1.0
            for a in range(c):
                t = s * rho[row, a]
                for b in range(r):
                    forms[i, a, b] = forms[parent[i], a, b] + t * H[row, b]
        if _turned(forms[i], centers[i], no_normal, reach[i], w):
            continue
        k = _gram(forms[i], Q)
        if _top_bound(Q, k, limits[0], one, two) <= limits[0]:
            continue
        top, vector = _top_pair(Q, k, one, two)
        u = _right(forms[i], vector)
        side = _side(u, H, signs[i], -1)
        if side != 0:
            count = push(top, side * u, limits, values, points, count)
    return count


@compiled
def _level(
    B: Array, u: Array, h: Array, kink: Array, slack: float
) -> bool:  # pragma: no cover - compiled
    """Whether both sides of the hyperplane h lead down from u; B is the form where `h'u < 0`."""
    below, change = 0.0, 0.0
    for i in range(len(B)):
        g, b = 0.0, 0.0
        for k in range(len(u)):
            g += B[i, k] * u[k]
            b += B[i, k] * h[k]
        below += g * b
        change += g * kink[i]
    return below >= -slack and below + change <= slack


@compiled
def facets(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rho: Array,
    H: Array,
    signs: Array,
    minus: Array,
    wall: Array,
    spans: Array,
    centers: Array,
    reach: Array,
    forms: Array,
    limits: Array,
    values: Array,
    points: Array,
    count: int,
) -> int:  # pragma: no cover - compiled
    """Facets between cells (four dimensions only), each within `reach` of its `centers`."""
    c = forms.shape[1]
    Q, one, two = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    C, w = np.empty((c, 3)), np.empty(4)
    for e in range(len(wall)):
        i, h = minus[e], H[wall[e]]
        if _turned(forms[i], centers[e], h, reach[e], w):
            continue
        for a in range(c):
            for b in range(3):
                t = 0.0
                for k in range(4):
                    t += forms[i, a, k] * spans[wall[e], k, b]
                C[a, b] = t
        size = _gram(C, Q)
        if _top_bound(Q, size, limits[0], one, two) <= limits[0]:
            continue
        top, vector = _top_pair(Q, size, one, two)
        u = spans[wall[e]] @ _right(C, vector)
        side = _side(u, H, signs[i], wall[e])
        if side == 0:
            continue
        u = side * u
        if top > limits[1] or _level(forms[i], u, h, rho[wall[e]], LEVEL * top):
            count = push(top, u, limits, values, points, count)
    return count
