"""Machine code for projections onto a cone given by few rows.

Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23, by Gram-Schmidt on the rows
that carry a multiplier, and started from the rows of an earlier projection.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexviz.core.compiled import compiled, compiled_sums
from convexviz.core.types import Array

DEPENDENT = 1e-24  # squared distance of a unit row to the span of others: below, it is in it


@compiled_sums
def orthonormal(  # noqa: C901 - a compiled loop
    A: Array, start: int, k: int, Q: Array, R: Array
) -> int:  # pragma: no cover - compiled
    """Rows `A[:k]` as `R' Q`, Gram-Schmidt twice; the number of leading independent rows.

    The rows before `start` are done already.
    """
    d = A.shape[1]
    for i in range(start, k):
        size = 0.0
        for t in range(d):
            Q[i, t] = A[i, t]
            size += A[i, t] * A[i, t]
        for j in range(i):
            R[j, i] = 0.0
        for _ in range(2):
            for j in range(i):
                s = 0.0
                for t in range(d):
                    s += Q[j, t] * Q[i, t]
                R[j, i] += s
                for t in range(d):
                    Q[i, t] -= s * Q[j, t]
        left = 0.0
        for t in range(d):
            left += Q[i, t] * Q[i, t]
        if left <= DEPENDENT * size:
            return i
        left = np.sqrt(left)
        R[i, i] = left
        for t in range(d):
            Q[i, t] /= left
    return k


@compiled_sums
def project_on_rows(  # noqa: C901, PLR0912, PLR0913, PLR0915 - a compiled loop
    F: Array,
    first_row: int,
    m: int,
    c: Array,
    rows: Array,
    k: int,
    stop: float,
    multipliers: Array,
    v: Array,
) -> tuple[int, bool]:  # pragma: no cover - compiled
    """`v = c + F'l` of least norm over `l >= 0`, from the guess that `rows[:k]` carry l.

    F are the m rows from `first_row` on, and `rows` counts from there. `rows` and `multipliers`
    have room for d + 1. Returns how many carry a multiplier, and whether every row is satisfied
    to rounding or |v| is at most `stop`; whatever it found, `l >= 0`.
    """
    d = F.shape[1]
    A, Q, R = np.empty((d + 1, d)), np.empty((d + 1, d)), np.empty((d + 1, d + 1))
    new = np.empty(d + 1)
    inside, refused = np.zeros(m, np.bool_), np.zeros(m, np.bool_)
    size = 0.0
    for t in range(d):
        size += c[t] * c[t]
        v[t] = c[t]
    size = np.sqrt(size)
    for i in range(k):
        multipliers[i] = 0.0
        inside[rows[i]] = True
    warm, ready = k > 0, 0  # rows of Q that belong to the first of `rows`
    for _ in range(30 * d + 100):
        if not warm:
            if stop > 0.0:
                square = 0.0
                for t in range(d):
                    square += v[t] * v[t]
                if square <= stop * stop:
                    return k, True
            worst, chosen = -1e-14 * size, -1
            for r in range(m):
                if inside[r] or refused[r]:
                    continue
                s = 0.0
                for t in range(d):
                    s += F[first_row + r, t] * v[t]
                if s < worst:
                    worst, chosen = s, r
            if chosen < 0 or k >= d:
                return k, True
            rows[k], multipliers[k], inside[chosen] = chosen, 0.0, True
            k += 1
        first, warm = warm, False
        while k > 0:
            for i in range(ready, k):
                for t in range(d):
                    A[i, t] = F[first_row + rows[i], t]
            rank = orthonormal(A, ready, k, Q, R)
            ready = rank
            if rank < k:  # the first dependent row goes, and is not asked again
                inside[rows[rank]], refused[rows[rank]] = False, True
                for i in range(rank, k - 1):
                    rows[i], multipliers[i] = rows[i + 1], multipliers[i + 1]
                k -= 1
                continue
            for i in range(k):
                s = 0.0
                for t in range(d):
                    s -= Q[i, t] * c[t]
                new[i] = s
            for i in range(k - 1, -1, -1):
                s = new[i]
                for j in range(i + 1, k):
                    s -= R[i, j] * new[j]
                new[i] = s / R[i, i]
            part, out = 1.0, -1
            for i in range(k):
                if new[i] <= 0.0:
                    a = 0.0
                    if not first and multipliers[i] > 0.0:
                        a = multipliers[i] / (multipliers[i] - new[i])
                    if out < 0 or a < part or (first and new[i] < new[out]):
                        part, out = a, i
            if out < 0:
                for i in range(k):
                    multipliers[i] = new[i]
                break
            if not first:
                for i in range(k):
                    multipliers[i] += part * (new[i] - multipliers[i])
            inside[rows[out]], ready = False, out
            for i in range(out, k - 1):
                rows[i], multipliers[i] = rows[i + 1], multipliers[i + 1]
            k -= 1
        for t in range(d):
            v[t] = c[t]
        for _ in range(2):
            for i in range(k):
                s = 0.0
                for t in range(d):
                    s += Q[i, t] * v[t]
                for t in range(d):
                    v[t] -= s * Q[i, t]
    return k, False


@compiled_sums
def project_groups(  # noqa: PLR0913 - a compiled loop
    F: Array,
    spans: Array,
    C: Array,
    rows: Array,
    counts: Array,
    stops: Array,
    points: Array,
    bounds: Array,
) -> None:  # pragma: no cover - compiled
    """Project `C[j]` onto the cone with the rows `F[spans[j, 0]:spans[j, 1]]`, for every j.

    `rows[j, :counts[j]]` is the guess and becomes the answer; where `stops[j]` is positive, a
    bound below it will do. `bounds[j]`, at least the norm of
    the projection, is recomputed from the multipliers; nan where the search did not finish.
    """
    d = C.shape[1]
    multipliers = np.empty(d + 1)
    for j in range(len(C)):
        first, m = spans[j, 0], spans[j, 1] - spans[j, 0]
        size = 0.0
        for t in range(d):
            size += C[j, t] * C[j, t]
        size = np.sqrt(size)
        k, done = project_on_rows(
            F, first, m, C[j], rows[j], counts[j], stops[j], multipliers, points[j]
        )
        counts[j] = k
        total, square = 0.0, 0.0
        for i in range(k):
            total += multipliers[i]
        for t in range(d):
            s = C[j, t]
            for i in range(k):
                s += multipliers[i] * F[first + rows[j, i], t]
            square += s * s
        rounding = 4 * (d + k) * 2.2e-16 * (size + total)
        bounds[j] = np.sqrt(square) + rounding if done else np.nan


@compiled
def divide_by_lengths(
    X: Array, rows: Array, kept: NDArray[np.bool_]
) -> None:  # pragma: no cover - compiled
    """`rows` become those of X at unit length, zero where they are zero; `kept` tells which."""
    n, d = X.shape
    for r in range(n):
        largest, square = 0.0, 0.0
        for t in range(d):
            largest = max(largest, abs(X[r, t]))
        kept[r] = largest > 0.0
        for t in range(d):
            rows[r, t] = X[r, t] / largest if kept[r] else 0.0
            square += rows[r, t] * rows[r, t]
        length = np.sqrt(square) if kept[r] else 1.0
        for t in range(d):
            rows[r, t] /= length
