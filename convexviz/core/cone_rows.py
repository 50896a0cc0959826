"""The cones of patterns by the rows that were needed so far: no facets have to be found first.

A cone by a few of its rows contains the true one, so multipliers found on it bound the true dual
norm, and a point on it that violates no other row is on the true one. Only rows near the gate can
be violated: with the gate g and a row k at distance t = k'g inside (both of unit length),

    k'v / |v| >= t cos a - sqrt(1 - t^2) sin a >= 0   wherever tan a <= t, a the angle of v and g.

Rows are listed once per gate up to some distance, by distance; few points ask for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from threading import RLock

import numpy as np
from jaxtyping import Bool, Float, Int

from convexviz.core.compiled import compiled_sums
from convexviz.core.cones import ROUNDING, Cone, unit_rows
from convexviz.core.cones_kernels import project_groups
from convexviz.core.facets import ALWAYS, near_rows
from convexviz.core.types import Array

START = 4  # times d: the nearest rows, with which every cone starts
ADDED = 2  # times d: the most that one point may add at a time
LISTED = 0.125  # of all rows: where more could be violated, all are looked at


@dataclass(slots=True)
class _Found:
    """The rows of one cone so far."""

    ids: Int[np.ndarray, " m"]
    normals: Float[np.ndarray, "m d"]


@dataclass(slots=True)
class _Near:
    """The rows below some distance of a gate, by distance; the first were the first listed."""

    first: Int[np.ndarray, " m"]
    listed: Int[np.ndarray, " k"]
    distances: Float[np.ndarray, " k"]
    limit: float


@dataclass(frozen=True, slots=True)
class Projections:
    """Projections of k points onto cones.

    Attributes:
        points: the projections, in their cones to rounding.
        bounds: at least their lengths, recomputed from the multipliers.
        rows: `rows[j, :counts[j]]`, numbers within the cone, carry a multiplier.
        counts: how many do.
    """

    points: Float[np.ndarray, "k d"]
    bounds: Float[np.ndarray, " k"]
    rows: Int[np.ndarray, "k m"]
    counts: Int[np.ndarray, " k"]

    def held(self, j: int) -> Int[np.ndarray, " _"]:
        """The rows that hold point j."""
        rows: Array = self.rows[j, : self.counts[j]].copy()
        return rows


class ConeRows:
    """Rows of unit length (or zero), in any orthonormal coordinates of their span."""

    def __init__(
        self,
        rows: Float[np.ndarray, "n d"],
        patterns: Bool[np.ndarray, "n P"],
        gates: Float[np.ndarray, "d P"],
    ) -> None:
        self.rows, self.patterns = rows, patterns
        self.gates = np.zeros(gates.shape)
        units, there = unit_rows(gates.T)
        self.gates[:, there] = units.T
        self.all = len(rows) <= ALWAYS * rows.shape[1]
        self._found: dict[int, _Found] = {}
        self._near: dict[int, _Near] = {}
        self._lock = RLock()

    def afresh(self) -> ConeRows:
        """The same cones, from their first rows on; what was listed is shared.

        The last digits of an answer depend on the rows it began with: whoever begins with the
        first ones finds the same each time.
        """
        if self.all:
            return self
        again = copy(self)
        again._found = {}
        return again

    def normals(self, groups: Sequence[int]) -> list[Float[np.ndarray, "_ d"]]:
        """The inward unit normals of each cone's rows so far; rows are only ever appended."""
        with self._lock:
            self._look(groups)
            return [self._found[int(g)].normals for g in groups]

    def project(
        self,
        C: Float[np.ndarray, "k d"],
        groups: Int[np.ndarray, " k"],
        stops: Float[np.ndarray, " k"],
        guesses: Sequence[Int[np.ndarray, " _"]] | None = None,
    ) -> Projections:
        """Project each row of `C` onto the cone of its group, all rows of the data met.

        Where a stop is positive, a projection that is known to be shorter is not finished.
        `guesses` are numbers of rows within each cone that may carry a multiplier.
        """
        k, d = C.shape
        found = Projections(
            np.empty((k, d)), np.empty(k), np.zeros((k, d + 1), np.int64), np.zeros(k, np.int64)
        )
        for j, first in enumerate(guesses or ()):
            found.counts[j] = min(d, len(first))
            found.rows[j, : found.counts[j]] = first[:d]
        left, sizes = np.arange(k), np.linalg.norm(C, axis=1)
        while len(left):
            known = self._project(C[left], groups[left], stops[left], left, found)
            ask = found.bounds[left] > stops[left] * (1 + 1e-13)
            left, known = left[ask], known[ask]
            left = left[self.add_violated(groups[left], found.points[left], sizes[left], known)]
        return found

    def _project(
        self,
        C: Float[np.ndarray, "k d"],
        groups: Int[np.ndarray, " k"],
        stops: Float[np.ndarray, " k"],
        where: Int[np.ndarray, " k"],
        found: Projections,
    ) -> Int[np.ndarray, " k"]:
        """Fill in the answers on the rows known now; how many those are."""
        chosen, which = np.unique(groups, return_inverse=True)
        cones = self.normals(chosen.tolist())
        ends = np.cumsum([0, *(len(normals) for normals in cones)])
        spans = np.stack([ends[:-1], ends[1:]], axis=1)[which]
        points, bounds = np.empty_like(C), np.empty(len(C))
        rows, counts = found.rows[where], found.counts[where]
        project_groups(np.concatenate(cones), spans, C, rows, counts, stops, points, bounds)
        for j in np.flatnonzero(np.isnan(bounds)).tolist():
            normals = cones[which[j]]
            alone = Cone(normals, np.ones(len(normals))).project(C[j])
            points[j], bounds[j], counts[j] = alone.point, alone.bound, 0
        found.points[where], found.bounds[where] = points, bounds
        found.rows[where], found.counts[where] = rows, counts
        known: Array = spans[:, 1] - spans[:, 0]
        return known

    def add_violated(
        self,
        groups: Int[np.ndarray, " K"],
        points: Float[np.ndarray, "K d"],
        sizes: Float[np.ndarray, " K"],
        known: Int[np.ndarray, " K"],
    ) -> Bool[np.ndarray, " K"]:
        """Add rows that points violate by more than `ROUNDING sizes`; which points had such rows.

        Each point was found with the first `known` rows of its cone, and those do not count.
        """
        found = np.zeros(len(groups), dtype=np.bool_)
        if self.all:
            return found
        with self._lock:
            self._look(groups.tolist())
            for a, group in enumerate(groups.tolist()):
                allowed = ROUNDING * float(sizes[a])
                found[a] = self._add(group, points[a], allowed, int(known[a]))
        return found

    def _add(self, group: int, point: Float[np.ndarray, " d"], allowed: float, known: int) -> bool:
        if not point.any():
            return False
        here = self._found[group]
        ids, slack = self._violated(group, point, allowed)
        if not len(ids) or np.isin(ids, here.ids[:known]).all():
            return False
        new = ~np.isin(ids, here.ids)
        ids, slack = ids[new], slack[new]
        most = ADDED * len(point)
        if len(ids) > most:
            ids = ids[np.argpartition(slack, most)[:most]]
        here.ids = np.concatenate([here.ids, ids])
        here.normals = np.concatenate([here.normals, self._inward(group, ids)])
        return True

    def _violated(
        self, group: int, point: Float[np.ndarray, " d"], allowed: float
    ) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """The rows that a point violates, in their order, and by how much."""
        gate, here = self.gates[:, group], self._near[group]
        along = float(gate @ point)
        across = float(np.linalg.norm(point - along * gate))
        if across > here.limit * along and not self._list_more(group, here, across, along):
            return self._of_all(group, point, allowed)
        count = len(here.listed)
        if across <= here.limit * along:
            reach = (across / along) * (1 + 1e-9) + 1e-12 if along > 0 else np.inf
            count = int(np.searchsorted(here.distances, reach, side="right"))
        out, slack = np.empty(count, dtype=np.int64), np.empty(count)
        k = _below(
            self.rows, self.patterns, group, here.listed[:count], point, -allowed, out, slack
        )
        order = np.argsort(out[:k])  # however far the rows are listed by now
        return out[order], slack[order]

    def _list_more(self, group: int, here: _Near, across: float, along: float) -> bool:
        """List the rows of one cone anew, far enough for such points; False where too many are."""
        if here.limit == np.inf:
            return True
        if across >= 0.5 * along:
            return False
        limit = 1.5 * (across / along)
        t = np.where(self.patterns[:, group], 1.0, -1.0) * (self.rows @ self.gates[:, group])
        ids = np.flatnonzero(t < limit)
        if len(ids) > LISTED * len(t):
            return False
        order = ids[np.argsort(t[ids], kind="stable")]
        here.listed, here.distances, here.limit = order, t[order], limit
        return True

    def _of_all(
        self, group: int, point: Float[np.ndarray, " d"], allowed: float
    ) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        slack = np.where(self.patterns[:, group], 1.0, -1.0) * (self.rows @ point)
        ids = np.flatnonzero(slack < -allowed)
        return ids, slack[ids]

    def _look(self, groups: Sequence[int]) -> None:
        new = [g for g in dict.fromkeys(int(g) for g in groups) if g not in self._found]
        if not new:
            return
        if self.all:
            every = np.flatnonzero(self.rows.any(axis=1))
            self._found.update((g, _Found(every, self._inward(g, every))) for g in new)
            return
        which = np.array([g for g in new if g not in self._near], dtype=np.int64)
        if len(which):
            near = near_rows(self.rows, self.patterns, self.gates[:, which], which)
            for g, (ids, distances, limit) in zip(which.tolist(), near, strict=True):
                order = np.argsort(distances, kind="stable")
                first = ids[order[: START * self.rows.shape[1]]]
                self._near[g] = _Near(first, ids[order], distances[order], limit)
        for g in new:
            first = self._near[g].first
            self._found[g] = _Found(first, self._inward(g, first))

    def _inward(self, group: int, ids: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k d"]:
        signs = np.where(self.patterns[ids, group], 1.0, -1.0)
        normals: Array = np.ascontiguousarray(signs[:, None] * self.rows[ids])
        return normals


@compiled_sums
def _below(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rows: Array,
    patterns: Array,
    group: int,
    listed: Array,
    point: Array,
    least: float,
    out: Array,
    slack: Array,
) -> int:  # pragma: no cover - compiled
    """The listed rows whose signed distance to `point` is below `least`, and the distances."""
    k = 0
    for i in range(len(listed)):
        r = listed[i]
        s = 0.0
        for t in range(len(point)):
            s += rows[r, t] * point[t]
        if not patterns[r, group]:
            s = -s
        if s < least:
            out[k], slack[k] = r, s
            k += 1
    return k
