"""Fused passes over (rows) x (neurons): blocks of rows stay in cache between the two products.

Measured at 65,536 rows and 10 to 40 neurons against a row-at-a-time loop: 5 to 12 times faster
for d = 9 to 50. Activations are stored neuron by neuron, so that every loop runs along rows.
Arrays may be float32: the sum of squares is then rounded at 1e-8 or so, block by block.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

_ROWS = 512  # a block: its rows and the activations of 100 neurons fit the second-level cache


@compiled
def residual_and_correlations(
    X: Array, y: Array, W: Array, signs: Array, residual: Array
) -> tuple[float, Array]:
    """`1/2 ||r||^2` and `C_j = X' D_j r`, with `r = y - sum_j s_j (X w_j)_+` written out."""
    correlations = np.zeros(W.shape, W.dtype)
    loss = 0.0
    for start in range(0, len(X), _ROWS):
        rows = X[start : start + _ROWS]
        Z = W @ rows.T
        r = residual[start : start + _ROWS]
        r[:] = y[start : start + _ROWS]
        for j in range(len(W)):
            sign, z = signs[j], Z[j]
            for b in range(len(r)):
                r[b] -= sign * (z[b] if z[b] > 0.0 else 0.0)
        loss += np.dot(r, r)
        for j in range(len(W)):
            z = Z[j]
            for b in range(len(r)):
                z[b] = r[b] if z[b] >= 0.0 else 0.0
        correlations += Z @ rows
    return 0.5 * loss, correlations


@compiled
def squared_loss(X: Array, y: Array, W: Array, signs: Array) -> float:
    """`1/2 ||y - sum_j s_j (X w_j)_+||^2`: half the price of a gradient."""
    loss = 0.0
    for start in range(0, len(X), _ROWS):
        rows = X[start : start + _ROWS]
        Z = W @ rows.T
        r = y[start : start + _ROWS].copy()
        for j in range(len(W)):
            sign, z = signs[j], Z[j]
            for b in range(len(r)):
                r[b] -= sign * (z[b] if z[b] > 0.0 else 0.0)
        loss += np.dot(r, r)
    return 0.5 * loss


@compiled
def correlations(X: Array, r: Array, U: Array) -> Array:
    """`C_j = X' D_j r` for every direction `u_j`, so that `r'(X u_j)_+ = C_j . u_j`."""
    total = np.zeros(U.shape)
    for start in range(0, len(X), _ROWS):
        rows = X[start : start + _ROWS]
        Z = U @ rows.T
        here = r[start : start + _ROWS]
        for j in range(len(U)):
            z = Z[j]
            for b in range(len(here)):
                z[b] = here[b] if z[b] >= 0.0 else 0.0
        total += Z @ rows
    return total


@compiled
def boundary_curvature(X: Array, r: Array, U: Array, width: Array) -> Array:
    """`B_j = sum_i r_i K(x_i . u_j) x_i x_i'`, K a triangle of half-width `width[j]` and area 1.

    The second derivative of `r'(X u)_+` sits on the rows that `u` just grazes; the kernel
    spreads it over their neighbours. Returns lower triangles, row by row; `unpack` restores them.
    """
    d = X.shape[1]
    packed = np.zeros((len(U), d * (d + 1) // 2))
    outer = np.empty(d * (d + 1) // 2)
    for start in range(0, len(X), _ROWS):
        rows = X[start : start + _ROWS]
        Z = rows @ U.T
        for b in range(len(rows)):
            c = 0
            for k in range(d):
                for q in range(k + 1):
                    outer[c] = rows[b, k] * rows[b, q]
                    c += 1
            for j in range(len(U)):
                distance = abs(Z[b, j]) / width[j]
                if distance < 1.0:
                    weight = r[start + b] * (1.0 - distance) / width[j]
                    into = packed[j]
                    for c in range(len(outer)):
                        into[c] += weight * outer[c]
    return packed


def unpack(packed: Float[np.ndarray, "k q"], d: int) -> Float[np.ndarray, "k d d"]:
    """Symmetric matrices from their lower triangles."""
    full = np.empty((len(packed), d, d))
    rows, columns = np.tril_indices(d)
    full[:, rows, columns] = packed
    full[:, columns, rows] = packed
    return full


@compiled
def lasso(gram: Array, target: Array, weight_decay: float, start: Array, sweeps: int) -> Array:
    """Coordinate descent for `1/2 a'Qa - h'a + beta |a|_1` from `start`."""
    a = start.copy()
    gradient = gram @ a - target
    enough = 1e-8 * np.sqrt(np.max(np.abs(target)) + 1e-300)
    for _ in range(sweeps):
        moved = 0.0
        for i in range(len(a)):
            if gram[i, i] <= 0.0:
                continue
            wanted = gram[i, i] * a[i] - gradient[i]
            value = np.sign(wanted) * max(abs(wanted) - weight_decay, 0.0) / gram[i, i]
            step = value - a[i]
            if step != 0.0:
                a[i] = value
                gradient += gram[i] * step
                moved = max(moved, abs(step) * np.sqrt(gram[i, i]))
        if moved <= enough:
            break
    return a
