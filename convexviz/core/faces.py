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
from convexviz.core.faces_lines import circle, distinct, tree_signs
from convexviz.core.faces_sweep import sweep
from convexviz.core.faces_walk import facets, walk
from convexviz.core.types import Array
from convexviz.errors import SpecError

TOLERANCE = 1e-9  # of unit normals: nearer ones are the same hyperplane
MAX_RANK = 4
MAX_CELLS = 80_000  # 4 dimensions: some 60 MB, and half a second an evaluation of the dual norm
Keys: TypeAlias = NDArray[np.uint64]
_BUFFER = 1 << 15


@dataclass(frozen=True, slots=True)
class RowSpace:
    """X in its row space, with the rows of one direction joined.

    `G'(X E t)_+ = B0 t + sum_l rho_l (h_l't)_+` for coordinates t of `u = E t`.
    """

    rows: Float[np.ndarray, "N r"]
    basis: Float[np.ndarray, "d r"]
    normals: Float[np.ndarray, "m r"]
    owner: Int[np.ndarray, " N"]
    scale: Float[np.ndarray, " N"]

    @staticmethod
    def of(X: Float[np.ndarray, "N d"]) -> RowSpace:
        s, Vt = np.linalg.svd(X, full_matrices=False)[1:]
        rank = int((s > TOLERANCE * s[0]).sum()) if len(s) and s[0] > 0 else 0
        basis = np.ascontiguousarray(Vt[:rank].T)
        rows = X @ basis
        normals, owner, scale = distinct(rows, TOLERANCE)
        return RowSpace(rows, basis, normals, owner, scale)

    @property
    def rank(self) -> int:
        return self.basis.shape[1]

    def joined(
        self, G: Float[np.ndarray, "N c"]
    ) -> tuple[Float[np.ndarray, "m c"], Float[np.ndarray, "c r"]]:
        """`rho` and `B0`."""
        there = self.owner >= 0
        rho = np.zeros((len(self.normals), G.shape[1]))
        np.add.at(rho, self.owner[there], np.abs(self.scale[there])[:, None] * G[there])
        back = there & (self.scale < 0)
        B0 = (G[back] * self.scale[back][:, None]).T @ self.normals[self.owner[back]]
        return rho, B0


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


@dataclass(frozen=True, slots=True)
class _Cells:
    """A spanning tree of the cells, their signs, and the facets between them."""

    parent: NDArray[Any]
    flip: NDArray[Any]
    signs: NDArray[np.int8]
    minus: NDArray[Any]
    plus: NDArray[Any]
    wall: NDArray[Any]


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
            circles.has_arc, circles.active, limits, values, points,
        )  # fmt: skip
        cells = self._cells
        if cells is not None:
            forms = np.empty((self.n_cells, *B0.shape))
            tops = np.empty(self.n_cells)
            count = walk(
                rho, B0, H, cells.parent, cells.flip, cells.signs, limits, values, points, count,
                forms, tops,
            )  # fmt: skip
            if self.space.rank == MAX_RANK:
                count = facets(
                    H, cells.signs, cells.minus, cells.plus, cells.wall, self.spans, forms, tops,
                    limits, values, points, count,
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
            self._circles = _joined([around], [np.eye(2)])
            self.n_cells = int(around[3].sum())
            return
        find = self._of_circles if rank == 3 else self._of_planes
        circles, planes, keys, walls = find(z)
        self._circles = _joined(circles, planes)
        self._cells = _tree(keys, walls, z, m)
        self.n_cells = len(self._cells.parent)

    def _of_circles(self, z: Keys) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """Rank 3: every hyperplane is a circle, its arcs are the facets."""
        H = self.space.normals
        circles, keys, walls = [], [], []
        for j in range(len(H)):
            a = H @ self.spans[j]
            a[j] = 0
            around = circle(a, z, TOLERANCE)
            circles.append(around)
            keys.append(around[5][around[3]])
            walls.append(np.full(len(keys[-1]), j))
        return circles, list(self.spans), keys, walls

    def _of_planes(self, z: Keys) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """Rank 4: in every hyperplane, the two sides of an arc are facets."""
        H = self.space.normals
        circles, planes, keys, walls = [], [], [], []
        for j in range(len(H)):
            b = H @ self.spans[j]
            b[j] = 0
            lines, owner, scale = distinct(b, TOLERANCE)
            found = []
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
                if j < through[0]:
                    circles.append(around)
                    planes.append(plane)
            keys.append(np.unique(np.concatenate(found)))
            walls.append(np.full(len(keys[-1]), j))
        return circles, planes, keys, walls


def _complement(h: Float[np.ndarray, " r"]) -> Float[np.ndarray, "r _"]:
    """An orthonormal basis of the directions at right angles to h."""
    return np.linalg.svd(h[None])[2][1:].T.copy()


def _joined(circles: list[Any], planes: list[Any]) -> _Circles:
    starts = np.cumsum([0, *(len(around[0]) for around in circles)])
    line, sign, t2, arcs = (np.concatenate([c[q] for c in circles]) for q in range(4))
    active = np.array([around[4] for around in circles])
    return _Circles(np.array(planes), starts, line, sign, t2, arcs, active)


def _tree(keys: list[Any], walls: list[Any], z: Keys, m: int) -> _Cells:
    """Cells from their facets: a facet's key is that of its minus side, z away from the plus."""
    below, wall = np.concatenate(keys), np.concatenate(walls)
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
    return _Cells(parent, flip, (signs + root).astype(np.int8), minus, plus, wall)
