"""The way up to a local maximum of `|B u|` over unit vectors of a cone, from wall to wall.

On a face the top singular direction is the highest point, and the value rises all along the arc
towards it. A wall that is met on the way is taken into the face; where the top is reached, a wall
off which the slope leads up is let go. Alternation comes near a maximum soon and then creeps; this
ends at it after a few walls.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

ON = 1e-9  # nearer to a hyperplane, a unit direction lies on it
_DEPENDENT = 1e-8  # of unit normals: what others of the face imply
_LEVEL = 1e-12  # of the squared value: slopes below it are none


@compiled
def _append(k: Array, basis: Array, R: Array, count: int) -> bool:  # pragma: no cover - compiled
    """k made orthonormal to the rows of `basis`, and put behind them, with its coefficients in a
    column of R; whether it is independent of them."""
    r = len(k)
    v = k.copy()
    for i in range(count):
        R[i, count] = 0.0
    for _ in range(2):  # twice is enough
        for i in range(count):
            t = 0.0
            for s in range(r):
                t += v[s] * basis[i, s]
            R[i, count] += t
            for s in range(r):
                v[s] -= t * basis[i, s]
    length = np.sqrt(v @ v)
    if length <= _DEPENDENT:
        return False
    R[count, count] = length
    basis[count] = v / length
    return True


@compiled
def within(v: Array, basis: Array, count: int) -> None:  # pragma: no cover - compiled
    """v without its part in the first rows of `basis`, in place."""
    for i in range(count):
        t = 0.0
        for s in range(len(v)):
            t += v[s] * basis[i, s]
        for s in range(len(v)):
            v[s] -= t * basis[i, s]


@compiled
def _highest(B: Array, basis: Array, count: int, u: Array) -> Array:  # pragma: no cover - compiled
    """The top right singular vector of B across the rows of `basis`, on the side of u; u where B
    vanishes there."""
    c, r = B.shape
    across = B.copy()
    for a in range(c):
        within(across[a], basis, count)
    values, vectors = np.linalg.eigh(across @ across.T)
    w = np.zeros(r)
    for a in range(c):
        for s in range(r):
            w[s] += vectors[a, c - 1] * across[a, s]
    within(w, basis, count)
    length = np.sqrt(w @ w)
    if not length > 0.0 or not values[c - 1] > 0.0:
        return u.copy()
    out = w / length
    return out if out @ u >= 0.0 else -out


@compiled
def _steepest(B: Array, basis: Array, count: int, u: Array) -> Array:  # pragma: no cover - compiled
    """`B'Bu` within the face, at unit length: the value rises along the arc to it as well."""
    w = np.zeros(len(u))
    image = B @ u
    for a in range(len(B)):
        for s in range(len(u)):
            w[s] += image[a] * B[a, s]
    within(w, basis, count)
    length = np.sqrt(w @ w)
    return w / length if length > 0.0 else u.copy()


@compiled
def _moved(
    K: Array, u: Array, w: Array, inside: Array
) -> tuple[Array, int]:  # pragma: no cover - compiled
    """Along the arc from u to w up to the first wall outside the face; that wall, or -1."""
    c = min(1.0, float(w @ u))
    t = w - c * u
    length = np.sqrt(t @ t)
    if length <= 1e-14:
        return u, -1
    t /= length
    angle, wall = float(np.arctan2(length, c)), -1
    now, change = K @ u, K @ t
    for j in range(len(K)):
        if inside[j]:
            continue
        # Sines and cosines of the angle so far: below zero there, the wall was crossed before.
        if now[j] * np.cos(angle) + change[j] * np.sin(angle) < 0.0:
            angle, wall = max(float(np.arctan2(now[j], -change[j])), 0.0), j
    out = np.cos(angle) * u + np.sin(angle) * t
    return out / np.sqrt(out @ out), wall


@compiled
def _off(
    B: Array, u: Array, basis: Array, R: Array, count: int
) -> int:  # pragma: no cover - compiled
    """The wall of the face off which the slope leads up most, or -1.

    The slope at the top of a face is `sum_i t_i k_i` over its walls: t_i > 0 leads up off wall i.
    """
    slope = np.zeros(len(u))
    image = B @ u
    size = image @ image
    for a in range(len(B)):
        for s in range(len(u)):
            slope[s] += image[a] * B[a, s]
    slope -= size * u
    t, best, leave = np.zeros(count), _LEVEL * size, -1
    for i in range(count - 1, -1, -1):
        x = basis[i] @ slope
        for j in range(i + 1, count):
            x -= R[i, j] * t[j]
        t[i] = x / R[i, i]
        if t[i] > best:
            best, leave = t[i], i
    return leave


@compiled
def ascend(  # noqa: C901 - a compiled loop
    K: Array, B: Array, start: Array, steps: int
) -> Array:  # pragma: no cover - compiled
    """A local maximum, or the highest point after so many faces; the start is in the cone."""
    f, r = K.shape
    basis, R = np.empty((r, r)), np.empty((r, r))
    on, inside = np.empty(r, np.int64), np.zeros(f, np.bool_)
    count, freed = 0, False
    u = start.copy()
    slack = K @ u
    for j in range(f):
        if slack[j] <= ON and count < r - 1:
            inside[j] = True
            if _append(K[j], basis, R, count):
                on[count] = j
                count += 1
    for _ in range(steps):
        within(u, basis, count)
        u /= np.sqrt(u @ u)
        w = _steepest(B, basis, count, u) if freed else _highest(B, basis, count, u)
        u, wall = _moved(K, u, w, inside)
        again, freed = freed and wall < 0, False
        if wall >= 0:
            inside[wall] = True
            if count < r - 1 and _append(K[wall], basis, R, count):
                on[count] = wall
                count += 1
            continue
        if again:
            continue  # after a step along the slope, to the top
        leave = _off(B, u, basis, R, count)
        if leave < 0:
            break
        freed = True
        kept = on[:count].copy()
        inside[:] = False
        count = 0
        for i in range(len(kept)):
            if i != leave:
                inside[kept[i]] = True
                if _append(K[kept[i]], basis, R, count):
                    on[count] = kept[i]
                    count += 1
    return u
