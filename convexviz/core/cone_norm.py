"""The dual norm over the cones of chosen patterns, at any rank: climbed from below, proved from
above.

`max_i max_{K_i u >= 0, |u| <= 1} |G'D_i X u|` ranges over sampled patterns, or over all of them
where those are few. Climbing finds neurons; a bound comes from faces or multipliers alone.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.arrangements import Arrangements, enumerate_all
from convexviz.core.cone_ascent import ON
from convexviz.core.cone_bound import facet_rows
from convexviz.core.cone_climb import span_of
from convexviz.core.cone_search import ConeSearch, Proved
from convexviz.core.dual_norm import AllFaces, Found, Peaks, SearchedNorm, power_of_two
from convexviz.core.faces import MAX_CELLS, MAX_RANK, count_cells
from convexviz.core.faces_peaks import local_maxima
from convexviz.core.faces_rows import RowSpace
from convexviz.core.solution import Scope
from convexviz.core.types import Array
from convexviz.errors import SpecError

MAX_CONES = 1500  # beyond rank 4, where each is searched on its own: a second a search
_SECONDS_A_CONE = 1e-3
_SECONDS_A_CELL = {1: 1e-6, 2: 1e-6, 3: 1e-6, 4: 1.5e-6}  # of one search, measured
_OUTSIDE = 1e-7  # of unit rows and directions


class ChosenCones(SearchedNorm):
    """The cones of `arrangements`; a bound covers every network where those are complete."""

    def __init__(self, X: Float[np.ndarray, "N d"], arrangements: Arrangements) -> None:
        self._width = power_of_two(X)
        self._space = RowSpace.of(X / self._width)
        self._arrangements = arrangements
        rows = self._space.rows
        lengths = np.linalg.norm(rows, axis=1)
        there = lengths > 1e-12 * lengths.max(initial=0.0)
        self._unit = rows / np.where(there, lengths, 1.0)[:, None]
        self._there = there
        signs = np.where(arrangements.patterns[there], 1.0, -1.0)
        inside = arrangements.gates.T @ self._space.basis
        self._cones = [
            facet_rows(side[:, None] * self._unit[there], gate)
            for side, gate in zip(signs.T, inside, strict=True)
        ]
        self._search = ConeSearch(self._cones, self._space.rank)

    @property
    def scope(self) -> Scope:
        complete = self._arrangements.complete
        return Scope.RELU_NETWORK if complete else Scope.SAMPLED_PROGRAM

    @property
    def arrangements(self) -> Arrangements:
        """The patterns whose cones these are, and their gates."""
        return self._arrangements

    @property
    def exact(self) -> bool:
        return self._search.exact

    @property
    def n_patterns(self) -> int:
        return len(self._arrangements)

    @property
    def rows(self) -> Float[np.ndarray, "N r"]:
        return self._space.rows * self._width

    @property
    def basis(self) -> Float[np.ndarray, "d r"]:
        return self._space.basis

    def admits(self, U: Float[np.ndarray, "m d"]) -> bool:
        """Whether each neuron agrees with a pattern at every row that it is not next to."""
        if self._arrangements.complete or not len(U):
            return True
        points = U @ self._space.basis
        lengths = np.linalg.norm(points, axis=1)
        side = self._unit[self._there] @ (points / np.where(lengths > 0, lengths, 1.0)[:, None]).T
        signs = np.where(self._arrangements.patterns[self._there], 1.0, -1.0)
        on = (signs[:, :, None] * side[:, None, :]).min(axis=0, initial=0.0) >= -_OUTSIDE
        return bool(on.any(axis=0).all())

    def patterns(self) -> Bool[np.ndarray, "N P"]:
        return self._arrangements.patterns

    def forms(self, G: Float[np.ndarray, "N c"]) -> Float[np.ndarray, "P c r"]:
        """`G'D_i X` of every cone, in coordinates of the row space."""
        return self._forms(G) * self._width

    def cone(self, cell: int) -> Float[np.ndarray, "f r"]:
        """Inward unit normals of a cone; of its facets alone where they are few."""
        return self._cones[cell]

    def _forms(self, G: Array) -> Array:
        rows = self._space.rows
        outer = (G[:, :, None] * rows[:, None, :]).reshape(len(rows), G.shape[1] * rows.shape[1])
        masks = self._arrangements.patterns.T.astype(np.float64)
        out: Array = (masks @ outer).reshape(len(masks), G.shape[1], rows.shape[1])
        return out

    def search(
        self, G: Float[np.ndarray, "N c"], threshold: float = 0.0, share: float = 0.999
    ) -> Found:
        """What climbing finds; M itself where cones have few faces."""
        unit = power_of_two(G)
        size = unit * self._width
        found = self._search.climb(self._forms(G / unit), threshold / size, share)
        return Found(found.largest * size, _distinct(found.points))

    def largest(self, G: Float[np.ndarray, "N c"]) -> float:
        """At least M, proved; M itself where cones have few faces."""
        return self.prove(G).value

    def prove(
        self, G: Float[np.ndarray, "N c"], known: Float[np.ndarray, "q 4"] | None = None
    ) -> Proved:
        """An upper bound on M, from `known` multipliers where given: then nothing is searched."""
        unit = power_of_two(G)
        found = self._search.prove(self._forms(G / unit), known)
        return Proved(found.value * (unit * self._width), found.table)

    def peaks(self, G: Float[np.ndarray, "N c"], found: Found, most: int) -> Peaks:
        """Local maxima of the cones; where patterns are complete, of `|G'(Xu)_+|` itself."""
        space, unit = self._space, power_of_two(G)
        points = found.points
        if self._arrangements.complete and len(points):
            rho, _ = space.joined(G / unit)
            normals, owner, scale = space.normals, space.owner, space.scale
            keep = local_maxima(space.rows, normals, owner, scale, G / unit, rho, points)[0]
            points = points[np.flatnonzero(keep)]
        points = points[:most]
        on = np.abs(points @ self._unit.T) <= ON
        hidden = np.where(on, 0.0, np.maximum(points @ space.rows.T, 0.0))
        images = hidden @ (G / unit)
        values = np.linalg.norm(images, axis=1)
        rank = space.rank
        spans, dims = np.zeros((len(points), rank, rank)), np.zeros(len(points), dtype=np.int64)
        for j, here in enumerate(on):
            P = span_of(self._unit[here & self._there])
            dims[j], spans[j, : len(P)] = len(P), P
        return Peaks(
            points=points,
            hidden=hidden * self._width,
            values=values * (unit * self._width),
            outputs=images / np.where(values > 0, values, 1.0)[:, None],
            spans=spans,
            dims=dims,
        )


def _distinct(points: Float[np.ndarray, "k r"]) -> Float[np.ndarray, "q r"]:
    """Each point once: neighbouring cones share those on their walls."""
    if len(points) < 2:
        return points
    _, first = np.unique(np.round(points, 8), axis=0, return_index=True)
    out: Array = np.ascontiguousarray(points[np.sort(first)])
    return out


def every_cone(X: Float[np.ndarray, "N d"]) -> SearchedNorm:
    """Every cone of these rows: by faces up to rank 4, beyond one after another where few.

    Raises:
        SpecError: with what it would cost, and the ways out.
    """
    return _every_cone(X.tobytes(), X.shape)


@lru_cache(maxsize=4)
def _every_cone(content: bytes, shape: tuple[int, int]) -> SearchedNorm:
    # Verifying, drawing and solving ask for the same ones.
    X = np.frombuffer(content).reshape(shape)
    space = RowSpace.of(X)
    count = count_cells(space)
    if space.rank <= MAX_RANK and count <= MAX_CELLS:
        return AllFaces(X)
    if space.rank > MAX_RANK and count <= MAX_CONES:
        norm = ChosenCones(X, enumerate_all(X))
        if norm.exact:
            return norm
    shown = f"{count:,}" if count < 10**12 else f"about 1e{int(math.log10(count))}"
    cost = "years and terabytes"  # counts of 400 digits are no floats
    if count < 10**12:
        searches = count * _SECONDS_A_CELL.get(space.rank, _SECONDS_A_CONE)
        cost = f"some {searches:.2g} s a search and {count * 32 / 2**20:,.0f} MB"
    limit = f"{MAX_CELLS:,} patterns in up to {MAX_RANK} dimensions"
    raise SpecError(
        f"arrangements='all' is exact for at most {limit}, and for {MAX_CONES:,} in more; these "
        f"{shape[0]:,} rows of rank {space.rank} have up to {shown}: {cost}. Use fewer "
        "rows, or arrangements='adaptive', or 'sampled'"
    )
