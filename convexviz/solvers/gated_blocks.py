"""Block coordinate descent on a small group lasso, each group solved exactly.

With `H = Q diag(lambda) Q'` the minimiser of `1/2 v'Hv - q'v + beta ||v||` is zero where
`||q|| <= beta`; else its norm t solves the secular equation
`sum_k (Q'q)_k^2 / (lambda_k t + beta)^2 = 1`.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array


@compiled
def exact_group(
    eigenvalues: Array, q: Array, beta: float, out: Array
) -> None:  # pragma: no cover - compiled
    """The minimiser in the eigenbasis; eigenvalues must be positive."""
    d = eigenvalues.shape[0]
    norm = 0.0
    largest = 0.0
    for k in range(d):
        norm += q[k] * q[k]
        largest = max(largest, eigenvalues[k])
    norm = np.sqrt(norm)
    if norm <= beta:
        for k in range(d):
            out[k] = 0.0
        return
    # A lower bound on t; 1/sqrt(sum) is concave in t, so Newton rises to the root from it.
    t = (norm - beta) / largest
    for _ in range(100):
        total = 0.0
        slope = 0.0
        for k in range(d):
            weight = eigenvalues[k] * t + beta
            ratio = q[k] / weight
            total += ratio * ratio
            slope += ratio * ratio * eigenvalues[k] / weight
        step = (np.sqrt(total) - 1.0) * total / slope
        t += step
        if abs(step) <= 1e-14 * t:
            break
    for k in range(d):
        out[k] = q[k] * t / (eigenvalues[k] * t + beta)


@compiled
def sweep_groups(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    G: Array,
    gradient: Array,
    W: Array,
    eigenvalues: Array,
    eigenvectors: Array,
    beta: float,
    n_sweeps: int,
) -> None:  # pragma: no cover - compiled
    """Sweep over the groups in place, keeping `gradient = G w - b` up to date."""
    n_groups, d = W.shape
    q = np.empty(d)
    out = np.empty(d)
    for _ in range(n_sweeps):
        moved = 0.0
        largest = 0.0
        for i in range(n_groups):
            Q = eigenvectors[i]
            for k in range(d):
                a = 0.0
                for j in range(d):
                    a += Q[j, k] * (eigenvalues[i, k] * W[i, j] - gradient[i * d + j])
                q[k] = a
            exact_group(eigenvalues[i], q, beta, out)
            for j in range(d):
                value = 0.0
                for k in range(d):
                    value += Q[j, k] * out[k]
                change = value - W[i, j]
                largest = max(largest, abs(value))
                if change != 0.0:
                    moved = max(moved, abs(change))
                    W[i, j] = value
                    row = G[i * d + j]
                    for r in range(row.shape[0]):
                        gradient[r] += row[r] * change
        if moved <= 1e-13 * largest:
            break
