"""Sums of x x' over the rows where two patterns both deviate from their majority.

On images most pixels agree with the sign of the sum of a gate, so few pairs of patterns
deviate together at one row: only those pairs are touched.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.compiled import compiled
from convexviz.core.types import Array


@compiled
def _accumulate(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    X: Array, deviates: Array, start: int, stop: int, total: Array, both: Array
) -> None:  # pragma: no cover - compiled
    d = X.shape[1]
    P = deviates.shape[1]
    q = total.shape[0]
    packed = np.empty(q)
    members = np.empty(P, np.int64)
    for r in range(start, stop):
        k = 0
        for a in range(d):
            xa = X[r, a]
            for b in range(a, d):
                packed[k] = xa * X[r, b]
                k += 1
        m = 0
        for i in range(P):
            if deviates[r, i]:
                members[m] = i
                m += 1
        for k in range(q):
            total[k] += packed[k]
        for a in range(m):
            i = members[a]
            for b in range(a, m):
                row = both[i, members[b]]
                for k in range(q):
                    row[k] += packed[k]


def packed_sums(
    X: Float[np.ndarray, "n d"], deviates: Bool[np.ndarray, "n P"], *, threads: int
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, "P P q"]]:
    """`sum_r x x'` and, for i <= j, `sum_{r in E_i, E_j} x x'`, upper triangles packed."""
    n, d = X.shape
    P = deviates.shape[1]
    q = d * (d + 1) // 2
    totals = np.zeros((threads, q))
    pairs = np.zeros((threads, P, P, q))
    cuts = np.linspace(0, n, threads + 1).astype(int)
    parts = [
        (X, deviates, int(cuts[t]), int(cuts[t + 1]), totals[t], pairs[t]) for t in range(threads)
    ]
    if threads == 1:
        _accumulate(*parts[0])
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: _accumulate(*part), parts))
    return totals.sum(axis=0), pairs.sum(axis=0) if threads > 1 else pairs[0]
