"""Exact block coordinate descent from the rows, for programs whose Gram is too large."""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled_sums
from convexviz.core.types import Array
from convexviz.solvers.gated_blocks import exact_group


@compiled_sums
def sweep_rows(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    X: Array,
    rows: Array,
    starts: Array,
    groups: Array,
    W: Array,
    residual: Array,
    eigenvalues: Array,
    eigenvectors: Array,
    beta: float,
    n_sweeps: int,
) -> None:  # pragma: no cover - compiled
    """Sweep over `groups` in place, keeping `residual = y - A w` up to date."""
    d = X.shape[1]
    correlation = np.empty(d)
    q = np.empty(d)
    part = np.empty(d)
    out = np.empty(d)
    change = np.empty(d)
    for _ in range(n_sweeps):
        moved = 0.0
        largest = 0.0
        for i in groups:
            for j in range(d):
                correlation[j] = 0.0
                q[j] = 0.0
                part[j] = 0.0
            for at in range(starts[i], starts[i + 1]):
                row = rows[at]
                value = residual[row]
                for j in range(d):
                    correlation[j] += X[row, j] * value
            Q = eigenvectors[i]
            for j in range(d):
                c = correlation[j]
                w = W[i, j]
                for k in range(d):
                    q[k] += Q[j, k] * c
                    part[k] += Q[j, k] * w
            for k in range(d):
                q[k] += eigenvalues[i, k] * part[k]
            exact_group(eigenvalues[i], q, beta, out)
            size = 0.0
            for j in range(d):
                value = 0.0
                for k in range(d):
                    value += Q[j, k] * out[k]
                change[j] = value - W[i, j]
                W[i, j] = value
                size = max(size, abs(change[j]))
                largest = max(largest, abs(value))
            if size == 0.0:
                continue
            moved = max(moved, size)
            for at in range(starts[i], starts[i + 1]):
                row = rows[at]
                value = 0.0
                for j in range(d):
                    value += X[row, j] * change[j]
                residual[row] -= value
        if moved <= 1e-13 * largest:
            break
