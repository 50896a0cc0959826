"""Sums of ridge functions `e(u) = sum_i w_i (a_i'u)_+` on the unit sphere, and their extremes.

On a cone where the same rows are active e is linear, `c'u`, so that its extremes on the sphere are
at `c / |c|` or on the cone's border, where it is such a sum again in one dimension less. In the
plane these are finitely many angles; in three dimensions circles and directions. Every candidate is
a point where e is evaluated, and the true extreme is among them: the result is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

TURN = 2 * np.pi
MOST_ROWS_IN_SPACE = 600  # of three columns: arcs and cells fill 100 MB


def on_circle(angles: Float[np.ndarray, "*k"]) -> Float[np.ndarray, "*k 2"]:
    """Unit vectors of the plane."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def ridge_sum(
    A: Float[np.ndarray, "n s"], w: Float[np.ndarray, " n"], U: Float[np.ndarray, "k s"]
) -> Float[np.ndarray, " k"]:
    """e at the directions U, in blocks that fit a cache."""
    out = np.empty(len(U))
    step = max(1, 2**21 // max(1, len(A)))
    for begin in range(0, len(U), step):
        rows = slice(begin, begin + step)
        out[rows] = np.maximum(U[rows] @ A.T, 0.0) @ w
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Arcs:
    """The circle cut where a row switches: between `low` and `high` e is `c'u`.

    Attributes:
        on: which rows are active on each arc.
    """

    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    on: Bool[np.ndarray, "n k"]
    c: Float[np.ndarray, "k 2"]


def arcs(A: Float[np.ndarray, "n 2"], w: Float[np.ndarray, " n"]) -> Arcs:
    """The arcs of the plane's directions; one whole turn where every row is zero."""
    rows = A[np.abs(A).max(axis=1) > 0] if len(A) else A
    if len(rows) == 0:
        whole = np.array([0.0])
        return Arcs(whole, whole + TURN, np.zeros((len(A), 1), dtype=bool), np.zeros((1, 2)))
    normal = np.arctan2(rows[:, 1], rows[:, 0]) + np.pi / 2
    low = np.unique(np.mod(np.concatenate([normal, normal + np.pi]), TURN))
    high = np.append(low[1:], low[0] + TURN)
    on = A @ on_circle((low + high) / 2).T > 0
    return Arcs(low, high, on, on.T.astype(float) @ (w[:, None] * A))


def circle_extremes(
    A: Float[np.ndarray, "n 2"], w: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Angles among which e has all its local extremes, and e there."""
    found = arcs(A, w)
    start = on_circle(found.low)
    angles, values = [found.low], [np.einsum("ki,ki->k", found.c, start)]
    peak, size = np.arctan2(found.c[:, 1], found.c[:, 0]), np.hypot(found.c[:, 0], found.c[:, 1])
    for half_turns in range(-1, 6):
        angle = peak + half_turns * np.pi
        inside = (angle >= found.low) & (angle <= found.high)
        angles.append(angle[inside])
        values.append(size[inside] * (1 if half_turns % 2 == 0 else -1))
    return np.concatenate(angles), np.concatenate(values)


def largest(A: Float[np.ndarray, "n s"], w: Float[np.ndarray, " n"]) -> float:
    """`max e` over the unit sphere in at most three dimensions, exactly."""
    return float(max(extremes(A, w)[1].max(), 0.0))


def can_be_exact(A: Float[np.ndarray, "n s"]) -> bool:
    """Whether `extremes` takes these rows."""
    return A.shape[1] <= 2 or (A.shape[1] == 3 and len(A) <= MOST_ROWS_IN_SPACE)


def extremes(
    A: Float[np.ndarray, "n s"], w: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "m s"], Float[np.ndarray, " m"]]:
    """Directions among which e has its extremes, and e there; in at most three dimensions."""
    s = A.shape[1]
    if s == 1:
        U = np.array([[1.0], [-1.0]])
        return U, ridge_sum(A, w, U)
    if s == 2:
        angles, values = circle_extremes(A, w)
        return on_circle(angles), values
    assert s == 3
    return _in_space(A, w)


def _in_space(
    A: Float[np.ndarray, "n 3"], w: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, " m"]]:
    """The extremes on each row's great circle, then those of the cells beside its arcs that could
    be larger than all of these.
    """
    from convexviz.core.ridges_kernels import walk

    kept = np.abs(A).max(axis=1, initial=0.0) > 0
    if not kept.any():
        return np.eye(3)[:1], np.zeros(1)
    U, e, c = walk(np.ascontiguousarray(A[kept]), np.ascontiguousarray(w[kept]))
    sizes = np.linalg.norm(c, axis=1)
    least = np.abs(e).max()
    promising = c[sizes > least * (1 + 1e-12)] / sizes[sizes > least * (1 + 1e-12), None]
    promising = np.unique(np.round(promising, 13), axis=0)
    if len(promising):
        promising /= np.linalg.norm(promising, axis=1, keepdims=True)
        both = np.concatenate([promising, -promising])
        U, e = np.concatenate([U, both]), np.concatenate([e, ridge_sum(A, w, both)])
    return U, e
