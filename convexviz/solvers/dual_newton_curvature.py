"""How the peaks of the dual norm bend: the second derivative of `M_k(R)`, as columns `L L'`.

Near a residual R a peak is the largest singular value of `B = A*(R)' D X P`, with P the span of
its face. So `M_k` is convex in R, its gradient is `A((Xu)_+ g')`, and its second derivative has
rank (c - 1) + (q - 1): one pair of columns for each further pair of singular vectors.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.compiled import compiled
from convexviz.core.dual_norm import Peaks
from convexviz.core.types import Array

_DEGENERATE = 1e-3  # of the value: nearer singular values are held apart


@compiled
def _form(
    rows: Array, G: Array, hidden: Array, span: Array, q: int
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """`D X P` (N, q) and `G' D X P` (c, q)."""
    N, c = G.shape
    K = np.zeros((N, q))
    B = np.zeros((c, q))
    for i in range(N):
        if hidden[i] > 0.0:
            for b in range(q):
                K[i, b] = rows[i] @ span[b]
                for a in range(c):
                    B[a, b] += G[i, a] * K[i, b]
    return K, B


@compiled
def _columns(
    K: Array, B: Array, point: Array, weight: float, out: Array
) -> None:  # pragma: no cover - compiled
    """The columns of one peak into `out` (columns, N, c)."""
    N, q = K.shape
    c = len(B)
    U, s, Vt = np.linalg.svd(B, full_matrices=True)
    Vt = np.ascontiguousarray(Vt)
    if Vt[0] @ point < 0:
        U[:, 0] *= -1.0
        Vt[0] *= -1.0
    first = K @ Vt[0]
    column = 0
    for i in range(1, max(c, q)):
        pair = i < c and i < q
        apart = max(s[0] - s[i], _DEGENERATE * s[0]) if pair else s[0]
        one = np.sqrt(weight / (2 * apart)) if pair else np.sqrt(weight / apart)
        two = np.sqrt(weight / (2 * (s[0] + s[i]))) if pair else 0.0
        other = K @ Vt[i] if i < q else np.zeros(N)
        for n in range(N):
            for a in range(c):
                x = first[n] * U[a, i] if i < c else 0.0
                y = other[n] * U[a, 0]
                out[column, n, a] = one * (x + y)
                if pair:
                    out[column + 1, n, a] = two * (x - y)
        column += 2 if pair else 1


@compiled
def _all_columns(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rows: Array,
    G: Array,
    points: Array,
    hidden: Array,
    spans: Array,
    dims: Array,
    weights: Array,
    out: Array,
) -> None:  # pragma: no cover - compiled
    start = 0
    for k in range(len(weights)):
        q = dims[k]
        K, B = _form(rows, G, hidden[k], spans[k], q)
        point = np.empty(q)
        for b in range(q):
            point[b] = spans[k, b] @ points[k]
        count = len(B) + q - 2
        _columns(K, B, point, weights[k], out[start : start + count])
        start += count


def curvature(
    rows: Float[np.ndarray, "N r"],
    G: Float[np.ndarray, "N k"],
    peaks: Peaks,
    weights: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "columns N k"]:
    """`L` before the readout: `sum_k weights_k M_k''` at the residual whose adjoint image is G."""
    on = weights > 0
    dims = peaks.dims[on]
    out = np.zeros((int((dims + G.shape[1] - 2).sum()), *G.shape))
    _all_columns(
        rows, G, peaks.points[on], peaks.hidden[on], peaks.spans[on], dims, weights[on], out
    )
    return out
