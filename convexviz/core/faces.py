"""The faces of `{u : x_i'u = 0}` for rank(X) <= 4, and the exact dual norm over all of them.

On every face `|G'(Xu)_+|^2` is a quadratic form, and a maximiser inside a face is a top
eigenvector of the form on the face's span. So `max_u |G'(Xu)_+|` is the largest feasible
stationary value over all faces, each visited once: cone-constrained PCA (Sahiner, Ergen, Pauly,
Pilanci: Vector-output ReLU Neural Network Problems are Copositive Programs, ICLR 2021, after
Asteris, Papailiopoulos, Dimakis 2014) without its recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order

from convexviz.core.arrangements import count_generic
from convexviz.core.faces_extent import Extent, around_facets, extent_of, joined_extents
from convexviz.core.faces_lines import circle, distinct, tree_signs
from convexviz.core.faces_rows import TOLERANCE, RowSpace
from convexviz.core.faces_sweep import sweep
from convexviz.core.faces_walk import facets, walk
from convexviz.core.types import Array
from convexviz.errors import SpecError

MAX_RANK = 4
MAX_CELLS = 80_000  # 4 dimensions: some 60 MB, and half a second an evaluation of the dual norm
Keys: TypeAlias = NDArray[np.uint64]
_BUFFER = 1 << 15


def count_cells(space: RowSpace) -> int:
    """How many cells at most; exact in general position."""
    return count_generic(len(space.normals), space.rank) if space.rank else 1


@dataclass(frozen=True, slots=True)
class _Circles:
    planes: NDArray[Any]
    starts: NDArray[Any]
    line: NDArray[Any]
    sign: NDArray[Any]
    t2: NDArray[Any]
    has_arc: NDArray[Any]
    active: NDArray[Any]
    on_starts: NDArray[Any]
    on: NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Cells:
    """A spanning tree of the cells, their signs, the facets between them, and where they lie."""

    parent: NDArray[Any]
    flip: NDArray[Any]
    signs: NDArray[np.int8]
    minus: NDArray[Any]
    plus: NDArray[Any]
    wall: NDArray[Any]
    cells: Extent
    facets: Extent


@dataclass(frozen=True, slots=True)
class _Facets:
    """Those on one hyperplane, by the key of their minus side."""

    wall: int
    keys: Keys
    extent: Extent


class Faces:
    """All faces of the arrangement of X, found once and visited at every `search`.

    Raises:
        SpecError: the rank is above 4, or the cells are too many.
    """

    def __init__(self, X: Float[np.ndarray, "N d"]) -> None:
        self.space = RowSpace.of(X)
        if self.space.rank > MAX_RANK:
            raise SpecError(
                f"faces are enumerated up to rank {MAX_RANK}, the rows have rank {self.space.rank}"
            )
        if count_cells(self.space) > MAX_CELLS:
            raise SpecError(
                f"faces of at most {MAX_CELLS:,} cells are enumerated, "
                f"got up to {count_cells(self.space):,}"
            )
        H, rank = self.space.normals, self.space.rank
        self.spans = np.array([_complement(h) for h in H]) if rank > 1 else np.zeros((0, 1, 0))
        self._circles: _Circles | None = None
        self._cells: _Cells | None = None
        self.n_cells = 1 if rank == 0 else 2
        if rank >= 2:
            self._enumerate()

    @property
    def cell_signs(self) -> Int[np.ndarray, "P m"]:
        """1 where a hyperplane is positive on a cell, else 0 (rank 3 or 4)."""
        assert self._cells is not None
        return self._cells.signs

    @property
    def cell_extent(self) -> Extent:
        """Where each cell lies (rank 3 or 4)."""
        assert self._cells is not None
        return self._cells.cells

    @property
    def facet_list(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """For each facet (rank 3 or 4): the cells on its minus and plus side, its hyperplane."""
        assert self._cells is not None
        return self._cells.minus, self._cells.plus, self._cells.wall

    def search(
        self, G: Float[np.ndarray, "N c"], threshold: float, share: float
    ) -> tuple[float, Float[np.ndarray, " k"], Float[np.ndarray, "k r"]]:
        """The dual norm `max_u |G'(Xu)_+|`, and the stationary points near it.

        Those with a value above `threshold` and above `share` of the largest, best first, in
        coordinates of the row space.
        """
        rank = self.space.rank
        if rank == 0:
            return 0.0, np.zeros(0), np.zeros((0, 0))
        rho, B0 = self.space.joined(G)
        values, points = np.empty(_BUFFER), np.empty((_BUFFER, rank))
        limits = np.array([threshold**2, 0.0, share**2])
        count = 0
        if rank == 1:
            for i, side in enumerate((1.0, -1.0)):
                points[i] = side
                values[i] = np.sum(
                    (B0[:, 0] * side + np.maximum(self._line() * side, 0) @ rho) ** 2
                )
            limits[1], count = values[:2].max(), 2
        else:
            count = self._visit(rho, B0, limits, values, points)
        floor = max(threshold**2, share**2 * limits[1])
        keep = np.flatnonzero(values[:count] >= floor)
        order = keep[np.argsort(-values[keep], kind="stable")]
        return float(np.sqrt(limits[1])), np.sqrt(values[order]), points[order]

    def _line(self) -> Array:
        return np.ascontiguousarray(self.space.normals[:, 0])

    def _visit(self, rho: Array, B0: Array, limits: Array, values: Array, points: Array) -> int:
        H, circles = self.space.normals, self._circles
        assert circles is not None
        count = sweep(
            rho, B0, H, circles.planes, circles.starts, circles.line, circles.sign, circles.t2,
            circles.has_arc, circles.active, circles.on_starts, circles.on, limits, values, points,
        )  # fmt: skip
        cells = self._cells
        if cells is not None:
            forms = np.empty((self.n_cells, *B0.shape))
            count = walk(
                rho, B0, H, cells.parent, cells.flip, cells.signs, cells.cells.centers,
                cells.cells.reach, limits, values, points, count, forms,
            )  # fmt: skip
            if self.space.rank == MAX_RANK:
                count = facets(
                    rho, H, cells.signs, cells.minus, cells.wall, self.spans,
                    cells.facets.centers, cells.facets.reach, forms, limits, values, points, count,
                )  # fmt: skip
        return int(count)

    def _enumerate(self) -> None:
        H, rank = self.space.normals, self.space.rank
        m = len(H)
        rng = np.random.default_rng(0)  # keys of sign vectors: exact bits, or random ones
        z = rng.integers(1, 2**63, m).astype(np.uint64)
        if m <= 63:
            z = np.uint64(1) << np.arange(m, dtype=np.uint64)
        if rank == 2:
            around = circle(H, z, TOLERANCE)
            self._circles = _joined([around], [np.eye(2)], [np.zeros(0, np.int64)])
            self.n_cells = int(around[3].sum())
            return
        find = self._of_circles if rank == 3 else self._of_planes
        circles, planes, on, facets = find(z)
        self._circles = _joined(circles, planes, on)
        self._cells = _tree(facets, z, m)
        self.n_cells = len(self._cells.parent)

    def _of_circles(self, z: Keys) -> tuple[list[Any], list[Any], list[Any], list[_Facets]]:
        """Rank 3: every hyperplane is a circle, its arcs are the facets."""
        H = self.space.normals
        circles, facets = [], []
        for j in range(len(H)):
            a = H @ self.spans[j]
            a[j] = 0
            around = circle(a, z, TOLERANCE)
            circles.append(around)
            ends, arcs = _ends(around, self.spans[j]), around[3]
            each = np.arange(int(arcs.sum()))
            facets.append(_Facets(j, around[5][arcs], extent_of(each, ends, len(each))))
        return circles, list(self.spans), [np.array([j]) for j in range(len(H))], facets

    def _of_planes(self, z: Keys) -> tuple[list[Any], list[Any], list[Any], list[_Facets]]:
        """Rank 4: in every hyperplane, the two sides of an arc are facets."""
        H = self.space.normals
        circles, planes, on, facets = [], [], [], []
        for j in range(len(H)):
            b = H @ self.spans[j]
            b[j] = 0
            lines, owner, scale = distinct(b, TOLERANCE)
            found, ends = [], []
            for k in range(len(lines)):
                through = np.flatnonzero(owner == k)
                plane = self.spans[j] @ _complement(lines[k])
                a = H @ plane
                a[j] = 0
                a[through] = 0
                around = circle(a, z, TOLERANCE)
                arcs = around[5][around[3]]
                for side in (scale[through] > 0, scale[through] < 0):
                    found.append(arcs ^ np.bitwise_xor.reduce(z[through[side]], initial=0))
                    ends.append(_ends(around, plane))
                if j < through[0]:
                    circles.append(around)
                    planes.append(plane)
                    on.append(np.r_[j, through])
            keys, owner = np.unique(np.concatenate(found), return_inverse=True)
            rays = np.concatenate(ends, axis=1)
            facets.append(_Facets(j, keys, extent_of(owner, rays, len(keys))))
        return circles, planes, on, facets


def _complement(h: Float[np.ndarray, " r"]) -> Float[np.ndarray, "r _"]:
    """An orthonormal basis of the directions at right angles to h."""
    return np.linalg.svd(h[None])[2][1:].T.copy()


def _ends(around: Any, plane: Float[np.ndarray, "r 2"]) -> Float[np.ndarray, "2 a r"]:
    """The two rays that bound each arc of a circle."""
    rays = around[2] @ plane.T
    return np.stack([rays[around[3]], np.roll(rays, -1, axis=0)[around[3]]])


def _joined(circles: list[Any], planes: list[Any], on: list[Any]) -> _Circles:
    starts = np.cumsum([0, *(len(around[0]) for around in circles)])
    line, sign, t2, arcs = (np.concatenate([c[q] for c in circles]) for q in range(4))
    active = np.array([around[4] for around in circles])
    through = np.cumsum([0, *(len(rows) for rows in on)])
    rows = np.concatenate(on).astype(np.int64)
    return _Circles(np.array(planes), starts, line, sign, t2, arcs, active, through, rows)


def _tree(facets: list[_Facets], z: Keys, m: int) -> _Cells:
    """Cells from their facets: a facet's key is that of its minus side, z away from the plus."""
    below = np.concatenate([facet.keys for facet in facets])
    wall = np.concatenate([np.full(len(facet.keys), facet.wall) for facet in facets])
    above = below ^ z[wall]
    cells = np.unique(np.concatenate([below, above]))
    count = len(cells)
    a, b = np.searchsorted(cells, below), np.searchsorted(cells, above)
    entries = np.concatenate([wall + 1, -wall - 1])
    graph = csr_matrix((entries, (np.r_[a, b], np.r_[b, a])), shape=(count, count))
    order, before = breadth_first_order(graph, 0)
    assert len(order) == count  # cells of an arrangement are connected through facets
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    parent = np.r_[0, place[before[order[1:]]]]
    flip = np.r_[0, np.asarray(graph[before[order[1:]], order[1:]]).ravel()]
    signs = np.zeros((count, m), np.int8)
    tree_signs(parent, flip, signs)
    minus, plus = place[a], place[b]
    root = np.zeros(m, np.int8)
    root[wall] = -signs[minus, wall]  # the minus side of any facet has sign 0
    where = joined_extents([facet.extent for facet in facets])
    inside = around_facets(where, minus, plus, count)
    return _Cells(parent, flip, (signs + root).astype(np.int8), minus, plus, wall, inside, where)
