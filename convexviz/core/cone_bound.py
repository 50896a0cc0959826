"""Upper bounds on `max |B u|` over unit vectors of a cone `{K u >= 0}`, at any rank.

Faces, where they are few: a maximiser inside a face is a top eigenvector there, and a face whose
own eigenvalue is small is left with all that lies on it. Else any `N >= 0` proves

    max |B u|^2 <= lambda_max(B'B + 1/2 sum_ab N_ab (k_a k_b' + k_b k_a'))

(the copositive relaxation of Sahiner, Ergen, Pauly, Pilanci, ICLR 2021, in one cone); N comes from
quasi-Newton steps on a smoothed eigenvalue, and its worth is one eigenvalue, whoever found it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize, nnls

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

FACES = 3000  # of a cone: up to here they are visited
MOST_ROWS = 160  # of a cone that carry multipliers: some 2 s
MOST_ASKED = 40  # rows that are asked one after another whether others imply them
HULL_RANK = 6  # of a convex hull of rows: seconds
_IMPLIED = 1e-9
_ON_EDGE = 1e-10  # unit rows nearer to a point are on it
_SMOOTH = (1e-1, 1e-2, 1e-3, 1e-4)  # of the eigenvalue
_FINER = (1e-4, 1e-5)  # where that leaves a cone undecided
_STEPS, _MORE_STEPS = 150, 500
_TRIED = 60  # steps towards a bound that is enough
_INSIDE = 1e-10
_CLOSE = 1e-9
_DROP = 1e-7  # of the largest multiplier


def facet_rows(
    K: Float[np.ndarray, "f r"], inside: Float[np.ndarray, " r"] | None = None
) -> Float[np.ndarray, "q r"]:
    """The unit rows of K that no others imply; K itself where there are too many to ask.

    From a point `inside` the cone, rows are ruled out by a convex hull, in few dimensions.
    """
    _, first = np.unique(np.round(K, 9), axis=0, return_index=True)
    K = np.ascontiguousarray(K[np.sort(first)])
    if len(K) > MOST_ASKED:
        hull = np.zeros(0) if inside is None else _hull(K, inside)
        if not len(hull):
            return K
        corner = np.zeros(len(K), dtype=bool)
        corner[hull] = True
        for a in np.flatnonzero(~corner):  # what rounding may have lost comes back
            corner[a] = nnls(K[corner].T, K[a])[1] > _IMPLIED
        K = np.ascontiguousarray(K[corner])
        if len(K) > MOST_ASKED:
            return K
    keep = np.ones(len(K), dtype=bool)
    for b in range(len(K)):
        keep[b] = False
        if keep.any() and nnls(K[keep].T, K[b])[1] <= _IMPLIED:
            continue
        keep[b] = True
    return np.ascontiguousarray(K[keep])


def _hull(K: Float[np.ndarray, "f r"], inside: Float[np.ndarray, " r"]) -> np.ndarray:
    """Which rows span the dual cone: corners of its slice across `inside`; none where unknown."""
    from scipy.spatial import ConvexHull, QhullError

    r, length = K.shape[1], float(np.linalg.norm(inside))
    if not (3 <= r <= HULL_RANK and length > 0):
        return np.zeros(0, dtype=np.int64)
    depth = K @ inside / length
    if depth.min() <= _ON_EDGE:
        return np.zeros(0, dtype=np.int64)
    slice_ = K @ np.linalg.svd(inside[None])[2][1:].T / depth[:, None]
    try:
        return np.asarray(ConvexHull(slice_).vertices, dtype=np.int64)
    except QhullError:
        return np.zeros(0, dtype=np.int64)


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
    B: Float[np.ndarray, "c r"],
    K: Float[np.ndarray, "f r"],
    near: Float[np.ndarray, "k r"],
    enough: float = 0.0,
) -> Float[np.ndarray, "q 3"]:
    """N as rows (a, b, N_ab), b < a, in units of the largest eigenvalue of B'B.

    Where K has many rows, those carry multipliers that lie next to the points `near`, or that the
    singular directions of B violate most. A bound of `enough` need not be improved.
    """
    chosen = np.arange(len(K))
    if len(K) > MOST_ROWS:
        tops = np.linalg.svd(B, full_matrices=False)[2]
        ways = np.concatenate([near, tops, -tops])
        chosen = np.argsort((K @ ways.T).min(axis=1))[:MOST_ROWS]
    names = np.sort(chosen)
    if len(names) < 2 or not np.any(B):
        return np.zeros((0, 3))
    eigenvalue = _Eigenvalue(B, K[names])

    def rows_of(x: Array) -> Array:
        on = np.flatnonzero(x > _DROP * x.max(initial=0.0))
        pairs = names[eigenvalue.first[on]], names[eigenvalue.second[on]], x[on]
        return np.stack(pairs, axis=1).astype(np.float64)

    limit = enough**2 / eigenvalue.scale
    quick = rows_of(_lowered(eigenvalue.excess, limit, np.zeros(eigenvalue.size), _TRIED))
    if proved(B, K, quick) <= enough * (1 + _CLOSE):
        return quick
    x = np.zeros(eigenvalue.size)
    for width in _SMOOTH:
        x = _lowered(eigenvalue.smooth, width, x, _STEPS)
    found = rows_of(x)
    if enough > 0.0 and proved(B, K, found) > enough * (1 + _CLOSE) and len(K) <= MOST_ROWS:
        for width in _FINER:
            x = _lowered(eigenvalue.smooth, width, x, _MORE_STEPS)
        found = min((found, rows_of(x)), key=lambda N: proved(B, K, N))
    return found


def _lowered(
    value: Callable[..., tuple[float, Array]], width: float, x: Array, steps: int
) -> Array:
    options = {"maxiter": steps, "maxcor": 20, "maxfun": 4 * steps}
    bounds = [(0.0, None)] * len(x)
    found: Array = minimize(
        value, x, (width,), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    ).x
    return found


class _Eigenvalue:
    """The largest eigenvalue of `B'B + 1/2 sum N_ab (k_a k_b' + k_b k_a')`, made smooth; B'B has
    1."""

    def __init__(self, B: Float[np.ndarray, "c r"], rows: Float[np.ndarray, "f r"]) -> None:
        self.first, self.second = np.tril_indices(len(rows), -1)
        self.size = len(self.first)
        Q = B.T @ B
        self.scale = float(np.linalg.eigvalsh(Q)[-1])
        self._Q, self._rows = Q / self.scale, rows

    def smooth(self, x: Array, width: float) -> tuple[float, Array]:
        """The softmax of the eigenvalues, and its gradient."""
        values, vectors = self._spectrum(x)
        part = np.exp((values - values[-1]) / width)
        total = float(part.sum())
        return float(values[-1]) + width * math.log(total), self._along(vectors, part / total)

    def excess(self, x: Array, limit: float) -> tuple[float, Array]:
        """Half the squares of what eigenvalues are above a limit, and its gradient."""
        values, vectors = self._spectrum(x)
        above = np.maximum(values - limit, 0.0)
        return 0.5 * float(above @ above), self._along(vectors, above)

    def _spectrum(self, x: Array) -> tuple[Array, Array]:
        N = np.zeros((len(self._rows),) * 2)
        N[self.first, self.second] = 0.5 * x
        values, vectors = np.linalg.eigh(self._Q + self._rows.T @ (N + N.T) @ self._rows)
        return values, vectors

    def _along(self, vectors: Array, weights: Array) -> Array:
        image = self._rows @ (vectors * np.sqrt(weights))
        out: Array = (image @ image.T)[self.first, self.second]
        return out


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
