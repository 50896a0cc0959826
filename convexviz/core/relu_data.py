"""What a ReLU program knows of its data alone: computed once, shared by all weight decays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.arrangements import Arrangements
from convexviz.core.compiled import compiled
from convexviz.core.cone_rows import ConeRows
from convexviz.core.cones import Cone, unit_rows
from convexviz.core.facets import facet_rows
from convexviz.core.masked import adjoint_of_many
from convexviz.core.types import Array

RANK = 1e-11  # directions of X below this share of the largest singular value are left out
_ENTRIES = 2**20  # of rows times filters at a time: 8 MB


@dataclass(frozen=True, slots=True)
class RowSpace:
    """`X = width * small @ basis.T` with `small` of unit norm and full column rank.

    `basis` is the identity where X has full column rank.
    """

    small: Float[np.ndarray, "n k"]
    basis: Float[np.ndarray, "d k"]
    width: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A point's residual r on the data, in numbers.

    Attributes:
        squares: `r'r`.
        along: `y'r`.
        outside: how far the point is outside its cones, relative to its largest group.
        correlations: `X'D_i r` for every pattern, where they were asked for.
    """

    squares: float
    along: float
    outside: float
    correlations: Float[np.ndarray, "P d"] | None


class ReluData:
    """Unit rows, the row space and the cones of one data set and its patterns, built on demand."""

    def __init__(self, X: Array, y: Array, arrangements: Arrangements) -> None:
        self.X, self.y, self.arrangements = X, y, arrangements
        self._lock = RLock()
        self._kept: dict[object, Any] = {}
        self._rows: dict[str, ConeRows] = {}
        self._facets: dict[int, Array] = {}
        self._cones: dict[int, Cone] = {}

    def describes(self, X: Array, y: Array, arrangements: Arrangements) -> bool:
        """Whether it is of these very arrays."""
        return self.X is X and self.y is y and self.arrangements is arrangements

    def once(self, key: str, build: Callable[[], Any]) -> Any:
        """What `build` made at the first request for `key`."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = build()
            return self._kept[key]

    def with_rows_scaled(self, X: Array, y: Array) -> ReluData:
        """The data with every row of X at another positive length; their cones are the same."""
        scaled = ReluData(X, y, self.arrangements)
        scaled._rows["cones"], scaled._facets = self.cones, self._facets
        return scaled

    def afresh(self) -> ReluData:
        """The same data, with cones by their first rows again: a solve's own, so that it finds
        the same whatever was solved before."""
        own = ReluData(self.X, self.y, self.arrangements)
        own._lock, own._kept = self._lock, self._kept
        own._facets, own._cones = self._facets, self._cones
        with self._lock:
            own._rows = {key: rows.afresh() for key, rows in self._rows.items()}
        return own

    @property
    def unit_rows(self) -> Float[np.ndarray, "n d"]:
        """The rows of X at unit length; zero rows stay zero."""
        rows: Array = self.once("rows", lambda: _unit(self.X))
        return rows

    @property
    def row_space(self) -> RowSpace | None:
        """X in its row space; None where X is zero."""
        found: RowSpace | None = self.once("row space", lambda: _row_space(self.X))
        return found

    @property
    def small_rows(self) -> Float[np.ndarray, "n k"]:
        """The rows of X in its row space, at unit length."""
        space = self.row_space
        assert space is not None
        if len(space.basis) == space.basis.shape[1]:
            return self.unit_rows
        rows: Array = self.once("small rows", lambda: _unit(space.small))
        return rows

    @property
    def cones(self) -> ConeRows:
        """The cones by the rows that were needed so far."""
        a = self.arrangements
        return self._by_rows("cones", lambda: ConeRows(self.unit_rows, a.patterns, a.gates))

    @property
    def small_cones(self) -> ConeRows:
        """The same in the row space of X."""
        space, a = self.row_space, self.arrangements
        if space is None or len(space.basis) == space.basis.shape[1]:
            return self.cones
        gates = space.basis.T @ a.gates
        return self._by_rows("small", lambda: ConeRows(self.small_rows, a.patterns, gates))

    def _by_rows(self, key: str, build: Callable[[], ConeRows]) -> ConeRows:
        with self._lock:
            if key not in self._rows:
                self._rows[key] = self.once(f"{key} listed", build).afresh()
            return self._rows[key]

    def facets(self, groups: Sequence[int]) -> list[Int[np.ndarray, " _"]]:
        """The rows that make the cones of these patterns (core/facets.py)."""
        with self._lock:
            new = [g for g in dict.fromkeys(groups) if g not in self._facets]
            space = self.row_space
            if new and space is not None:
                a = self.arrangements
                gates = space.basis.T @ a.gates
                found = facet_rows(self.small_rows, a.patterns, gates, new)
                self._facets.update(zip(new, found, strict=True))
            none = np.zeros(0, dtype=np.int64)
            return [self._facets.get(g, none) for g in groups]

    def cone(self, group: int) -> Cone:
        """The cone of a pattern by its facets."""
        with self._lock:
            if group not in self._cones:
                ids = self.facets([group])[0]
                signs = np.where(self.arrangements.patterns[ids, group], 1.0, -1.0)
                self._cones[group] = Cone(self.unit_rows[ids], signs)
            return self._cones[group]

    def largest_projection(
        self, C: Float[np.ndarray, "k d"], groups: Int[np.ndarray, " k"], stop: float
    ) -> float:
        """At least the longest projection of `C` and `-C` onto their patterns' cones, or `stop`."""
        both = np.repeat(C, 2, axis=0)
        both[1::2] *= -1.0
        _, bounds = self.project(both, np.repeat(groups, 2), stop)
        return max(stop, float(bounds.max(initial=0.0)))

    def project(
        self, C: Float[np.ndarray, "k d"], groups: Int[np.ndarray, " k"], stop: float = 0.0
    ) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " k"]]:
        """The rows of `C` projected onto the cones of their patterns, and bounds on their lengths.

        Where `stop` is positive, a row that is known to be shorter is not finished.
        """
        found = self.cones.project(C, groups, np.full(len(C), stop))
        return found.points, found.bounds

    def depths(
        self, groups: Int[np.ndarray, " K"], directions: Float[np.ndarray, "d K"]
    ) -> Float[np.ndarray, " K"]:
        """How far each direction is outside its pattern's cone, over all rows of X."""
        worst = np.zeros(len(groups))
        for start, block in self._blocks(len(groups)):
            _deepest(block @ directions, self.arrangements.patterns, groups, start, worst)
        return -worst

    def evaluate(
        self, points: Sequence[Float[np.ndarray, "2 P d"]], *, correlate: bool
    ) -> list[Evaluated]:
        """What each point gives on the data, in one pass over X; correlations where asked."""
        width = max(1, sum(int(p.any(axis=2).sum()) for p in points))
        where = [np.argwhere(p.any(axis=2)) for p in points]
        filters = [p[tuple(w.T)] for p, w in zip(points, where, strict=True)]
        signs = np.concatenate([1.0 - 2.0 * w[:, 0] for w in where])
        groups = np.concatenate([w[:, 1] for w in where])
        owner = np.repeat(np.arange(len(points)), [len(w) for w in where])
        W = np.concatenate(filters).T if len(groups) else np.zeros((self.X.shape[1], 0))
        worst, sums = np.zeros(len(groups)), np.zeros((2, len(points)))
        P, d = self.arrangements.patterns.shape[1], self.X.shape[1]
        C = np.zeros((P, d * len(points)))
        lengths = self.once("lengths", lambda: np.sum(self.X * self.unit_rows, axis=1))
        for start, block in self._blocks(width):
            r = np.repeat(self.y[start : start + len(block), None], len(points), axis=1)
            T = block @ W
            _subtract(T, self.arrangements.patterns, groups, signs, owner, start, lengths, r, worst)
            sums[0] += np.einsum("ij,ij->j", r, r)
            sums[1] += self.y[start : start + len(block)] @ r
            if correlate:
                here = slice(start, start + len(block))
                C += adjoint_of_many(self.X[here], self.arrangements.patterns[here], r)
        found = []
        for k in range(len(points)):
            norm = float(lengths_of(filters[k]).max(initial=0.0))
            deepest = -float(worst[owner == k].min(initial=0.0))
            outside = deepest / norm if norm else 0.0
            mine = C.reshape(P, d, -1)[:, :, k] if correlate else None
            found.append(Evaluated(float(sums[0, k]), float(sums[1, k]), outside, mine))
        return found

    def _blocks(self, width: int) -> list[tuple[int, Array]]:
        rows, step = self.unit_rows, max(1, _ENTRIES // max(1, width, self.X.shape[1]))
        return [(start, rows[start : start + step]) for start in range(0, len(rows), step)]

    def __reduce__(self) -> tuple[Any, ...]:
        return ReluData, (self.X, self.y, self.arrangements)


def lengths_of(V: Float[np.ndarray, "*groups d"]) -> Float[np.ndarray, "*groups"]:
    """Norms along the last axis, of numbers whose squares may be out of range."""
    unit = float(np.abs(V).max(initial=0.0))
    if unit == 0.0:
        return np.zeros(V.shape[:-1])
    return unit * np.linalg.norm(V / unit, axis=-1)


def _unit(X: Array) -> Array:
    rows, kept = unit_rows(X)
    if kept.all():
        return np.ascontiguousarray(rows)
    out = np.zeros_like(X)
    out[kept] = rows
    return out


def _row_space(X: Array) -> RowSpace | None:
    largest = float(np.abs(X).max(initial=0.0))
    if largest == 0.0:
        return None
    scaled = X / largest
    # Squared singular values tell a full rank apart where they are not tiny; else the slow way.
    squares = np.linalg.eigvalsh(scaled.T @ scaled)
    if squares[0] > 1e-10 * squares[-1]:
        top = float(np.sqrt(squares[-1]))
        scaled /= top
        return RowSpace(scaled, np.eye(X.shape[1]), largest * top)
    _, values, right = np.linalg.svd(np.linalg.qr(scaled, mode="r"))
    rank = int(np.sum(values > RANK * values[0]))
    if rank == X.shape[1]:
        return RowSpace(scaled / values[0], np.eye(rank), float(largest * values[0]))
    basis = np.ascontiguousarray(right[:rank].T)
    small = np.ascontiguousarray((scaled / values[0]) @ basis)
    return RowSpace(small, basis, float(largest * values[0]))


@compiled
def _deepest(
    T: Array, patterns: Array, groups: Array, start: int, worst: Array
) -> None:  # pragma: no cover - compiled
    """The least signed distance to a wall, over these rows, of every column."""
    for i in range(T.shape[0]):
        for j in range(T.shape[1]):
            s = T[i, j] if patterns[start + i, groups[j]] else -T[i, j]
            if s < worst[j]:
                worst[j] = s


@compiled
def _subtract(  # noqa: PLR0913 - a compiled loop
    T: Array,
    patterns: Array,
    groups: Array,
    signs: Array,
    owner: Array,
    start: int,
    lengths: Array,
    r: Array,
    worst: Array,
) -> None:  # pragma: no cover - compiled
    """Take every group's prediction from its point's residual, and note the deepest violation."""
    for i in range(T.shape[0]):
        for j in range(T.shape[1]):
            if patterns[start + i, groups[j]]:
                r[i, owner[j]] -= signs[j] * T[i, j] * lengths[start + i]
                s = T[i, j]
            else:
                s = -T[i, j]
            if s < worst[j]:
                worst[j] = s
