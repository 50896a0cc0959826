"""Upper bounds on `max |B u|` over unit vectors of a cone `{K u >= 0}`, at any rank.

Faces, where they are few: a maximiser inside a face is a top eigenvector there, and a face whose
own eigenvalue is small is left with all that lies on it. Else any `N >= 0` proves

    max |B u|^2 <= lambda_max(B'B + 1/2 sum_ab N_ab (k_a k_b' + k_b k_a'))

(the copositive relaxation of Sahiner, Ergen, Pauly, Pilanci, ICLR 2021, in one cone); N comes from
quasi-Newton steps on a smoothed eigenvalue, and its worth is one eigenvalue, whoever found it.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize, nnls

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

FACES = 3000  # of a cone: up to here they are visited
MOST_ROWS = 160  # of a cone that carry multipliers: some 2 s
_SMOOTH = (1e-1, 1e-2, 1e-3, 1e-4)  # of the eigenvalue
_STEPS = 150
_INSIDE = 1e-10
_DROP = 1e-7  # of the largest multiplier


def facet_rows(K: Float[np.ndarray, "f r"]) -> Float[np.ndarray, "q r"]:
    """The unit rows of K that no others imply; K itself where there are too many to ask."""
    _, first = np.unique(np.round(K, 9), axis=0, return_index=True)
    K = np.ascontiguousarray(K[np.sort(first)])
    if len(K) > 40:
        return K
    keep = np.ones(len(K), dtype=bool)
    for a in range(len(K)):
        keep[a] = False
        if keep.any() and nnls(K[keep].T, K[a])[1] <= 1e-9:
            continue
        keep[a] = True
    return np.ascontiguousarray(K[keep])


def faces_at_most(facets: int, rank: int) -> int:
    """How many faces a cone can have that are more than its tip."""
    return sum(math.comb(facets, j) for j in range(min(rank, facets + 1)))


@compiled
def _visit(  # noqa: C901, PLR0912 - a compiled loop
    B: Array, K: Array, best: float, points: Array
) -> tuple[float, int]:  # pragma: no cover - compiled
    """Depth first over sets of facets, largest index last; a face is left where its eigenvalue is
    no larger than the best, or its eigenvector is in the cone."""
    f, r = K.shape
    spans, on, count = np.zeros((r + 1, r, r)), np.full(r + 1, -1), 0
    spans[0] = np.eye(r)
    depth, fresh = 0, True
    while depth >= 0:
        q = r - depth
        P = spans[depth, :q]
        if fresh:
            image = B @ np.ascontiguousarray(P.T)
            values, vectors = np.linalg.eigh(np.ascontiguousarray(image.T) @ image)
            deeper = values[-1] > best
            if deeper:
                u = np.ascontiguousarray(vectors[:, -1]) @ P
                slack = K @ u
                for a in range(1, depth + 1):
                    slack[on[a]] = 0.0
                if slack.sum() < 0.0:
                    u, slack = -u, -slack
                inside = True
                for a in range(f):
                    inside = inside and slack[a] >= -_INSIDE
                if inside:
                    best, deeper = values[-1], False
                    points[count % len(points)] = u
                    count += 1
            fresh = deeper and q > 1
            if fresh:
                on[depth + 1] = on[depth]  # where the search for the next facet starts
                depth += 1
                fresh = False
            else:
                fresh = False
        if depth == 0:
            break
        # The next facet of the face above, which spans[depth - 1] is a basis of.
        above = spans[depth - 1, : r - depth + 1]
        found = False
        for j in range(on[depth] + 1, f):
            a = above @ K[j]
            length = np.sqrt(a @ a)
            if length > 1e-9:
                a = a / length
                a[0] += 1.0 if a[0] >= 0 else -1.0
                scale = 2.0 / (a @ a)
                for i in range(1, r - depth + 1):
                    for t in range(r):
                        s = above[i, t]
                        for k in range(r - depth + 1):
                            s -= scale * a[i] * a[k] * above[k, t]
                        spans[depth, i - 1, t] = s
                on[depth], found = j, True
                break
        if found:
            fresh = True
        else:
            depth -= 1
    return best, count


def by_faces(
    B: Float[np.ndarray, "c r"], K: Float[np.ndarray, "f r"], floor: float
) -> tuple[float, Float[np.ndarray, "k r"]]:
    """The larger of the maximum and `floor`, and the points above it; exact."""
    points = np.zeros((64, K.shape[1]))
    best, count = _visit(np.ascontiguousarray(B), K, floor**2, points)
    return float(np.sqrt(best)), points[: min(count, len(points))]


def multipliers(
    B: Float[np.ndarray, "c r"], K: Float[np.ndarray, "f r"], near: Float[np.ndarray, "k r"]
) -> Float[np.ndarray, "q 3"]:
    """N as rows (a, b, N_ab), b < a, in units of the largest eigenvalue of B'B.

    Where K has many rows, those carry multipliers that lie next to the points `near`, or that the
    singular directions of B violate most.
    """
    chosen = np.arange(len(K))
    if len(K) > MOST_ROWS:
        tops = np.linalg.svd(B, full_matrices=False)[2]
        ways = np.concatenate([near, tops, -tops])
        chosen = np.argsort((K @ ways.T).min(axis=1))[:MOST_ROWS]
    rows = K[np.sort(chosen)]
    names = np.sort(chosen)
    a, b = np.tril_indices(len(rows), -1)
    Q = B.T @ B
    scale = float(np.linalg.eigvalsh(Q)[-1])
    if scale <= 0.0 or not len(a):
        return np.zeros((0, 3))
    Q = Q / scale

    def smooth(x: Array, width: float) -> tuple[float, Array]:
        N = np.zeros((len(rows),) * 2)
        N[a, b] = 0.5 * x
        values, vectors = np.linalg.eigh(Q + rows.T @ (N + N.T) @ rows)
        part = np.exp((values - values[-1]) / width)
        total = float(part.sum())
        image = rows @ (vectors * np.sqrt(part / total))
        return float(values[-1]) + width * math.log(total), (image @ image.T)[a, b]

    x = np.zeros(len(a))
    bounds = [(0.0, None)] * len(a)
    options = {"maxiter": _STEPS, "maxcor": 20}
    for width in _SMOOTH:
        x = minimize(
            smooth, x, (width,), jac=True, method="L-BFGS-B", bounds=bounds, options=options
        ).x
    on = np.flatnonzero(x > _DROP * x.max(initial=0.0))
    return np.stack([names[a[on]], names[b[on]], x[on]], axis=1).astype(np.float64)


def proved(
    B: Float[np.ndarray, "c r"], K: Float[np.ndarray, "f r"], N: Float[np.ndarray, "q 3"]
) -> float:
    """What the multipliers prove: at least `max |B u|`; negative ones count as zero."""
    Q = B.T @ B
    scale = float(np.linalg.eigvalsh(Q)[-1])
    if scale <= 0.0:
        return 0.0
    a, b, x = N[:, 0].astype(int), N[:, 1].astype(int), np.maximum(N[:, 2], 0.0)
    half = (K[a] * (0.5 * x)[:, None]).T @ K[b]
    whole = Q / scale + half + half.T
    size = 1.0 + float(x.sum())
    top = float(np.linalg.eigvalsh(whole)[-1]) + 8 * len(Q) * np.finfo(float).eps * size
    return float(np.sqrt(scale * min(max(top, 0.0), 1.0 + 1e-15 * len(Q))))
