"""Exact block coordinate descent from the rows, for programs whose Gram is too large."""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled_sums
from convexviz.core.types import Array
from convexviz.solvers.gated_blocks import exact_group


@compiled_sums
def _correlate(
    X: Array, active: Array, residual: Array, out: Array
) -> None:  # pragma: no cover - compiled
    """`X'r` over the active rows."""
    out[:] = 0.0
    for row in active:
        value = residual[row]
        for j in range(out.shape[0]):
            out[j] += X[row, j] * value


@compiled_sums
def _subtract(
    X: Array, active: Array, change: Array, residual: Array
) -> None:  # pragma: no cover - compiled
    """Take `X change` from the residual on the active rows."""
    for row in active:
        value = 0.0
        for j in range(change.shape[0]):
            value += X[row, j] * change[j]
        residual[row] -= value


@compiled_sums
def _in_eigenbasis(
    Q: Array, eigenvalues: Array, w: Array, correlation: Array, q: Array
) -> None:  # pragma: no cover - compiled
    """`Q'(c + H w)`, `H = Q diag(eigenvalues) Q'`: the linear term without the group itself."""
    d = w.shape[0]
    q[:] = 0.0
    own = np.zeros(d)
    for j in range(d):
        for k in range(d):
            q[k] += Q[j, k] * correlation[j]
            own[k] += Q[j, k] * w[j]
    for k in range(d):
        q[k] += eigenvalues[k] * own[k]


@compiled_sums
def _move_to(Q: Array, out: Array, w: Array, change: Array) -> float:  # pragma: no cover - compiled
    """Set w to `Q out`; returns the largest of its changes."""
    d = w.shape[0]
    size = 0.0
    for j in range(d):
        value = 0.0
        for k in range(d):
            value += Q[j, k] * out[k]
        change[j] = value - w[j]
        w[j] = value
        size = max(size, abs(change[j]))
    return size


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
    correlation, q, out, change = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    for _ in range(n_sweeps):
        moved = 0.0
        for i in groups:
            active = rows[starts[i] : starts[i + 1]]
            _correlate(X, active, residual, correlation)
            _in_eigenbasis(eigenvectors[i], eigenvalues[i], W[i], correlation, q)
            exact_group(eigenvalues[i], q, beta, out)
            size = _move_to(eigenvectors[i], out, W[i], change)
            if size > 0.0:
                moved = max(moved, size)
                _subtract(X, active, change, residual)
        if moved <= 1e-13 * np.abs(W).max():
            break
