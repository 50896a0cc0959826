"""The rows that can be facets of the cone of a pattern: of a whole image, about a hundred.

The cone `K = {v : k_r'v >= 0}` is looked at on a slice `h'v = 1` through its gate. Linear programs
over the nearest rows give a box around the slice, and a row that cannot touch the box is no facet:
leaving it out changes nothing. Rows that touch the box are all kept, facets or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from convexviz.core.compiled import compiled
from convexviz.core.facets_lp import bounding_box
from convexviz.core.types import Array

Pattern: TypeAlias = NDArray[np.bool_]
Ids: TypeAlias = NDArray[np.int64]

ALWAYS = 40  # times d: so few rows are kept all
NEAREST = 16  # times d: rows in the first linear programs
LISTED = 100  # times d: the nearest rows that are collected for all gates at once
ON_GATE = 1e-11  # unit rows nearer to the gate are on it, and the gate is moved inwards
_BLOCK = 8192


def facet_rows(
    rows: Float[np.ndarray, "n d"],
    patterns: Bool[np.ndarray, "n P"],
    gates: Float[np.ndarray, "d P"],
    groups: Sequence[int],
) -> list[Int[np.ndarray, " k"]]:
    """For each of `groups`, the rows that make its cone, facets all among them.

    `rows` are of unit length, or zero, and span all d dimensions.
    """
    n, d = rows.shape
    if n <= ALWAYS * d or d == 0:
        every = np.flatnonzero(rows.any(axis=1))
        return [every for _ in groups]
    inside = gates[:, groups] / np.maximum(np.linalg.norm(gates[:, groups], axis=0), 1e-300)
    near = near_rows(rows, patterns, inside, np.asarray(groups, dtype=np.int64))
    return [
        _of_one(rows, patterns[:, group], inside[:, j], *near[j]) for j, group in enumerate(groups)
    ]


@compiled
def _collect(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    T: Array,
    rows: Array,
    patterns: Pattern,
    groups: Ids,
    start: int,
    limits: Array,
    ids: Ids,
    distances: Array,
    counts: Ids,
) -> None:  # pragma: no cover - compiled
    """Append the rows whose signed distance to the gate's plane is below the limit."""
    for r in range(T.shape[0]):
        for j in range(T.shape[1]):
            s = T[r, j]
            if s == 0.0 and not rows[start + r].any():  # it constrains nothing
                continue
            if not patterns[start + r, groups[j]]:
                s = -s
            if s < limits[j]:
                if counts[j] < ids.shape[1]:
                    ids[j, counts[j]], distances[j, counts[j]] = start + r, s
                counts[j] += 1


def near_rows(
    rows: Array, patterns: Pattern, gates: Array, groups: Ids
) -> list[tuple[Ids, Array, float]]:
    """For each gate: rows below some distance, their distances, and that distance."""
    n, d = rows.shape
    limits = np.full(len(groups), np.inf)
    room = n
    if n > 2 * LISTED * d:
        sample = slice(None, None, max(1, n // 16384))
        few = np.abs(rows[sample] @ gates)
        few[~rows[sample].any(axis=1)] = np.inf
        rank = max(1, LISTED * d * len(few) // n)
        limits = np.partition(few, rank, axis=0)[rank]
        room = min(n, 2 * LISTED * d)
    while True:
        ids = np.empty((len(groups), room), dtype=np.int64)
        distances, counts = np.empty((len(groups), room)), np.zeros(len(groups), dtype=np.int64)
        for start in range(0, n, _BLOCK):
            T = rows[start : start + _BLOCK] @ gates
            _collect(T, rows, patterns, groups, start, limits, ids, distances, counts)
        if counts.max() <= room:
            break
        room = min(n, int(counts.max()))
    found = []
    for j, count in enumerate(counts):
        found.append((ids[j, :count], distances[j, :count], float(limits[j])))
    return found


def _of_one(  # noqa: PLR0913 - the list of near rows has three parts
    rows: Array, pattern: Pattern, gate: Array, ids: Ids, t: Array, limit: float
) -> Ids:
    if len(t) and t.min() <= ON_GATE:
        moved = _moved_inwards(rows, pattern, gate)
        if moved is None:  # a cone without interior
            return np.flatnonzero(rows.any(axis=1))
        gate, (ids, t, limit) = moved, _below(rows, pattern, moved, limit)
    for _ in range(3):
        found = _touching(rows[ids] * np.where(pattern[ids], 1.0, -1.0)[:, None], t, gate, limit)
        if not isinstance(found, float):
            return ids[found]
        if np.isinf(limit):
            break
        ids, t, limit = _below(rows, pattern, gate, found)
    return ids


def _below(rows: Array, pattern: Pattern, gate: Array, limit: float) -> tuple[Ids, Array, float]:
    """The rows nearer to the gate than `limit`, of all rows where that is most of them."""
    distances = np.where(pattern, 1.0, -1.0) * (rows @ gate)
    real = rows.any(axis=1)
    limit = np.inf if limit >= 0.5 else limit
    ids = np.flatnonzero(real & (distances < limit))
    return ids, distances[ids], limit


def _touching(normals: Array, t: Array, gate: Array, limit: float) -> Ids | float:
    """Which rows touch the box, or how far rows must be listed for that to be known.

    `normals` are the rows nearer than `limit`, at distances t > 0 inside the cone.
    """
    d = normals.shape[1]
    if d == 1:
        return np.array([int(np.argmin(t))]) if len(t) else np.zeros(0, dtype=np.int64)
    order, count, reach = np.argsort(t), NEAREST * d, np.inf
    while True:
        chosen = order[:count]
        weights = normals[chosen] / t[chosen, None]
        middle = weights.sum(axis=0)  # positive on the whole cone of these rows, so bounding it
        for across in (gate, middle / max(float(np.linalg.norm(middle)), 1e-300)):
            along = float(across @ gate)
            box = _box(normals[chosen], t[chosen] / along, across)
            if box is None:
                continue
            plane, high, low = box
            reach = min(reach, float(np.linalg.norm(np.maximum(high, low))) * along)
            if reach <= limit:
                Z = -normals @ plane
                touch = np.maximum(Z, 0.0) @ high + np.maximum(-Z, 0.0) @ low
                return np.flatnonzero(touch * (1 + 1e-9) >= t / along)
        if count >= min(len(order), 100 * d):
            return 1.5 * reach
        count *= 3


def _box(normals: Array, t: Array, across: Array) -> tuple[Array, Array, Array] | None:
    """Axes of the slice and the ends of a box around it; None where it is not bounded."""
    d = len(across)
    plane = np.linalg.qr(np.column_stack([across, np.eye(d)]))[0][:, 1:d]
    Q = -normals @ plane
    scaled = Q / t[:, None]
    curve, axes = np.linalg.eigh(scaled.T @ scaled)
    if not curve[0] > 1e-14 * curve[-1]:
        return None
    # Equal corners would let the simplex method cycle; walls moved outwards still bound.
    apart = 1 + 1e-7 * ((np.arange(len(t)) * 0.6180339887498949) % 1.0)
    high, low = np.empty(d - 1), np.empty(d - 1)
    if not bounding_box(np.ascontiguousarray((Q @ axes).T), t * apart, high, low):
        return None
    return plane @ axes, high, low


def _moved_inwards(rows: Array, pattern: Pattern, gate: Array) -> Array | None:
    """A gate of the same pattern with no row on it: perceptron steps (Rosenblatt, 1958)."""
    signs = np.where(pattern, 1.0, -1.0)
    real = rows.any(axis=1)
    distances = signs * (rows @ gate)
    on = np.flatnonzero(real & (distances <= ON_GATE))
    normals = signs[on, None] * rows[on]
    inward = normals.sum(axis=0)
    for _ in range(1000):
        slack = normals @ inward
        worst = int(np.argmin(slack))
        if slack[worst] > 1e-9 * np.linalg.norm(inward):
            break
        inward = inward + normals[worst]
    else:
        return None
    inward /= np.linalg.norm(inward)
    speed = signs * (rows @ inward)
    closing = real & (speed < 0)
    closing[on] = False
    room = float((distances[closing] / -speed[closing]).min(initial=2.0))
    moved = gate + 0.5 * min(room, 0.1) * inward
    moved /= np.linalg.norm(moved)
    return moved if (signs * (rows @ moved))[real].min() > ON_GATE else None
