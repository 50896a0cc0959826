"""The cones `K_i = {u : (2 D_i - I) X u >= 0}` on which a ReLU agrees with its pattern `D_i`.

Support function and projection are one non-negative least squares problem (Moreau, 1962):
`max {c'u : K u >= 0, |u| <= 1} = min {|c + K'l| : l >= 0} = |projection of c onto the cone|`,
and *any* `l >= 0` bounds the maximum from above, however it was found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import nnls

from convexviz.core.cones_kernels import divide_by_lengths, project_on_rows

# A row counts as satisfied where k'u >= -ROUNDING |u| for a unit row k: what float64 leaves of 0.
ROUNDING = 1e-13
AT_ONCE = 2**17  # entries of a cone whose rows are all looked at in each step


@dataclass(frozen=True, slots=True)
class Projection:
    """The projection of `c` onto a cone, proven by multipliers.

    Attributes:
        point: `c + K'l`, in the cone up to rounding where the search finished.
        bound: at least `max {c'u : K u >= 0, |u| <= 1}`, recomputed from the multipliers.
        rows: the rows that carry a multiplier.
        multipliers: `l > 0` on those rows.
        considered: the rows that were needed on the way; a good start for the next projection.
    """

    point: Float[np.ndarray, " d"]
    bound: float
    rows: Int[np.ndarray, " k"]
    multipliers: Float[np.ndarray, " k"]
    considered: Int[np.ndarray, " m"]


@dataclass(frozen=True, slots=True)
class Cone:
    """`{u : signs_r rows_r'u >= 0 for all r}`; the unit rows are shared between the cones."""

    rows: Float[np.ndarray, "n d"]
    signs: Float[np.ndarray, " n"]

    def normals(self, ids: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k d"]:
        """The inward unit normals of the rows `ids`."""
        return self.signs[ids, None] * self.rows[ids]

    def slack(self, u: Float[np.ndarray, " d"]) -> Float[np.ndarray, " n"]:
        """The signed distance of `u` to every wall, negative outside."""
        return self.signs * (self.rows @ u)

    def project(
        self, c: Float[np.ndarray, " d"], first: Int[np.ndarray, " m"] | None = None
    ) -> Projection:
        """Project `c`: non-negative least squares on few rows, adding those still violated.

        The bound never increases from round to round, and every round's is valid, whatever rows
        come `first`.
        """
        n, d = self.rows.shape
        size = float(np.linalg.norm(c))
        none = np.zeros(0, dtype=np.int64)
        ids = np.arange(n) if n <= 16 * d else (none if first is None else first)
        above = size * (1 + 4 * (d + 4) * np.finfo(float).eps)
        best = Projection(c, above, none, np.zeros(0), ids)
        if size == 0.0 or n == 0:
            return best
        if n * d <= AT_ONCE:
            found, done = _on_all(c / size, self.signs[:, None] * self.rows, first)
            if done:
                return _scaled(found, size)
        for _ in range(50):
            if len(ids):
                found = _on_rows(c / size, self.normals(ids), ids)
                if size * found.bound <= best.bound or best.point is c:
                    best = _scaled(found, size)
            slack = self.slack(best.point)
            slack[ids] = np.inf
            worst = np.flatnonzero(slack < -ROUNDING * size)
            if not len(worst):
                break
            if len(worst) > 4 * d:
                worst = worst[np.argpartition(slack[worst], 4 * d)[: 4 * d]]
            ids = np.concatenate([ids, worst])
        return best


def unit_rows(
    X: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "k d"], Bool[np.ndarray, " n"]]:
    """The non-zero rows of `X` divided by their lengths, and which rows those are.

    A zero row constrains nothing. Scaling first keeps tiny and huge rows from under- or overflow.
    """
    rows, kept = np.empty(X.shape), np.empty(len(X), dtype=np.bool_)
    divide_by_lengths(np.ascontiguousarray(X), rows, kept)
    return rows if kept.all() else rows[kept], kept


def cone_of(
    rows: Float[np.ndarray, "k d"], kept: Bool[np.ndarray, " n"], pattern: Bool[np.ndarray, " n"]
) -> Cone:
    """The cone of one pattern from `unit_rows(X)`."""
    return Cone(rows, np.where(pattern[kept], 1.0, -1.0))


def _scaled(found: Projection, size: float) -> Projection:
    return replace(
        found,
        point=size * found.point,
        bound=size * found.bound,
        multipliers=size * found.multipliers,
    )


def _on_all(
    c: Float[np.ndarray, " d"], K: Float[np.ndarray, "n d"], first: Int[np.ndarray, " m"] | None
) -> tuple[Projection, bool]:
    """The projection onto all rows, and whether it meets them all."""
    d = len(c)
    rows, multipliers, point = np.zeros(d + 1, dtype=np.int64), np.zeros(d + 1), np.empty(d)
    k = 0 if first is None else min(d, len(first))
    if first is not None:
        rows[:k] = first[:k]
    F = np.ascontiguousarray(K)
    k, done = project_on_rows(F, 0, len(F), c, rows, k, 0.0, multipliers, point)
    used, carried = rows[:k].copy(), multipliers[:k].copy()
    raw = c + K[used].T @ carried
    bound = float(np.linalg.norm(raw)) + _rounding(d, carried)
    met = bool((K @ point).min(initial=0.0) >= -ROUNDING)
    return Projection(point, bound, used, carried, used), done and met


def _rounding(d: int, multipliers: Float[np.ndarray, " k"]) -> float:
    """What float64 may lose in `|c + K'l|`, |c| = 1: |l| is large where the cone is thin."""
    return float(
        4 * (d + (multipliers > 0).sum()) * np.finfo(float).eps * (1.0 + multipliers.sum())
    )


def _on_rows(
    c: Float[np.ndarray, " d"], K: Float[np.ndarray, "k d"], ids: Int[np.ndarray, " k"]
) -> Projection:
    multipliers = _multipliers(K, c)
    used = multipliers > 0
    raw = c + K[used].T @ multipliers[used]
    bound = float(np.linalg.norm(raw)) + _rounding(len(c), multipliers)
    point = raw
    if 0 < used.sum() <= len(c):
        basis, _ = np.linalg.qr(K[used].T)
        for _ in range(2):  # twice is enough (Kahan): the point lies on its walls to rounding
            point = point - basis @ (basis.T @ point)
    return Projection(point, bound, ids[used], multipliers[used], ids)


def _multipliers(
    K: Float[np.ndarray, "k d"], c: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " k"]:
    """`argmin {|c + K'l| : l >= 0}`."""
    try:
        return np.maximum(nnls(K.T, -c)[0], 0.0)
    except (RuntimeError, np.linalg.LinAlgError):  # SciPy gives up on some degenerate rows
        return lawson_hanson(K.T, -c)


def lawson_hanson(
    A: Float[np.ndarray, "d k"], b: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " k"]:
    """`argmin {|A x - b| : x >= 0}`; returns the best x it saw, never raises.

    Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23.
    """
    best, best_norm = np.zeros(A.shape[1]), float(np.linalg.norm(b))
    floor = ROUNDING * best_norm
    refused = np.zeros(A.shape[1], dtype=bool)
    for _ in range(10 * A.shape[1] + 10):
        gradient = np.where((best > 0) | refused, -np.inf, A.T @ (b - A @ best))
        j = int(np.argmax(gradient))
        if gradient[j] <= floor:
            break
        trial = _grow(A, b, best, j)
        norm = float(np.linalg.norm(b - A @ trial))
        if norm < best_norm:
            best, best_norm = trial, norm
            refused[:] = False
        else:
            refused[j] = True  # a dependent column, which would cycle
    return best


def _grow(
    A: Float[np.ndarray, "d k"], b: Float[np.ndarray, " d"], x: Float[np.ndarray, " k"], j: int
) -> Float[np.ndarray, " k"]:
    """Least squares on the support of `x` and column `j`, cut back until it is non-negative."""
    passive = x > 0
    passive[j] = True
    while passive.any():
        trial = np.zeros_like(x)
        trial[passive] = np.linalg.lstsq(A[:, passive], b, rcond=None)[0]
        blocking = np.flatnonzero(passive & (trial <= 0))
        if not len(blocking):
            return trial
        drop = x[blocking] - trial[blocking]
        ratios = np.where(drop > 0, x[blocking] / np.where(drop > 0, drop, 1.0), 0.0)
        k = blocking[int(np.argmin(ratios))]
        x = np.maximum(x + ratios.min() * (trial - x), 0.0) * passive
        x[k] = 0.0
        passive[k] = False
    return x
