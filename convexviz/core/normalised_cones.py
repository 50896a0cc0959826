"""The cones of batch norm after the ReLU, pattern by pattern, and the dual norm over them.

`max_i max |G'F_i u|` over unit u of cone i, `F_i = [U_i, 1/sqrt(N)]`, `C D_i X = U_i S_i V_i'`:
what `cone_norm` is where every pattern has the same features.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linprog

from convexviz.core.arrangements import Arrangements
from convexviz.core.cone_bound import facet_rows
from convexviz.core.cone_search import Climbed, ConeSearch, Proved
from convexviz.core.cone_shadow import shadow
from convexviz.core.cones import unit_rows
from convexviz.core.normalised_blocks import Block, Blocks
from convexviz.core.solution import Scope
from convexviz.core.types import Array

_SEEN = 1e-9  # products of unit rows and a unit basis that are more than rounding


class NormalisedCones:
    """Every pattern's features and cone, in `width` coordinates each, and the dual norm over them.

    The coordinates are those of `Block.lift`, then a; what lies in a null space has no image.
    """

    def __init__(
        self, X: Float[np.ndarray, "N d"], arrangements: Arrangements, gated: bool
    ) -> None:
        self.X, self.arrangements, self.gated = X, arrangements, gated
        self.blocks = Blocks(X, arrangements.patterns)
        everyone = range(len(arrangements))
        self.width = self.blocks.X.shape[1] + 1
        self._ways = [None if gated else _way_in(self.blocks[i]) for i in everyone]
        self._walls, self._active = zip(*(self._normals(i) for i in everyone), strict=True)
        self._search = ConeSearch([self._lifted(i) for i in everyone], self.width)
        shadows = [self._shadow(i) for i in everyone]
        self._proof = ConeSearch([walls for walls, _ in shadows], self.width)
        self._whole = all(whole for _, whole in shadows)

    @property
    def scope(self) -> Scope:
        """What a lower bound covers."""
        if self.gated:
            return Scope.GATED_NETWORK
        return Scope.RELU_NETWORK if self.arrangements.complete else Scope.SAMPLED_PROGRAM

    @property
    def exact(self) -> bool:
        """Whether the dual norm is evaluated: gated, or cones with few faces."""
        return self.gated or (self._search.exact and self._proof.exact and self._whole)

    def normals(self, i: int) -> Float[np.ndarray, "f d1"]:
        """The inward unit normals of cone i; none where gates are fixed."""
        return self._search.cones[i]

    def features(self, i: int) -> Float[np.ndarray, "N d1"]:
        """`F_i` with columns of zeros for the null space."""
        block = self.blocks[i]
        out = np.zeros((len(block.features), block.lift.shape[1] + 1))
        out[:, : block.rank], out[:, -1] = block.features[:, :-1], block.features[:, -1]
        return out

    def forms(self, G: Float[np.ndarray, "N c"]) -> Float[np.ndarray, "P c d1"]:
        """`G'F_i` of every pattern."""
        return np.stack([G.T @ self.features(i) for i in range(len(self.blocks))])

    def climb(self, G: Float[np.ndarray, "N c"], threshold: float, share: float) -> Climbed:
        """Neurons above `threshold`, best first."""
        return self._search.climb(self.forms(G), threshold, share)

    def prove(
        self, G: Float[np.ndarray, "N c"], known: Float[np.ndarray, "q 4"] | None = None
    ) -> Proved:
        """At least the dual norm, and what proves it; one output needs a projection only.

        What no feature sees is eliminated: any step in a null space costs nothing.
        """
        blocks = [self.blocks[i] for i in range(len(self.blocks))]
        if self.gated or G.shape[1] > 1:
            found = self._proof.prove(self.forms(G), known)
            value = found.value * (1.0 + max(float(block.slack) for block in blocks))
            if any(block.blurred for block in blocks):
                value = max(value, float(np.linalg.norm(G, 2)) * (1.0 + 1e-12))
            return Proved(float(value), found.table)
        r, largest = G[:, 0], 0.0
        for block in blocks:
            if block.longest(r) > largest:
                largest = max(largest, block.largest(r), block.largest(-r))
        return Proved(largest, np.zeros((0, 4)))

    def weights(self, i: int, e: Float[np.ndarray, " k1"]) -> Float[np.ndarray, " d"]:
        """The weights of (coordinates, a) of block i."""
        w = self._moved_in(i, self.blocks[i].lifted(e))
        return np.asarray(self.blocks.back @ (w if self.gated else self.blocks[i].onto_walls(w, e)))

    def _moved_in(self, i: int, w: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """`w` moved into cone i along its null space, where that leads there from everywhere."""
        way = self._ways[i]
        if way is None:
            return w
        rows, kept = unit_rows(self.blocks.X)
        sides = np.where(self.arrangements.patterns[kept, i], 1.0, -1.0)
        far = float((-sides * (rows @ w) / (sides * (rows @ way))).max(initial=0.0))
        return w + max(far, 0.0) * (1.0 + 1e-9) * way

    def _normals(self, i: int) -> tuple[Array, Bool[np.ndarray, " f"]]:
        """The inward unit normals of the weights' cone, and which are of active rows; none where
        the null space leads in."""
        if self.gated or self._ways[i] is not None:
            return np.zeros((0, self.width - 1)), np.zeros(0, dtype=bool)
        rows, kept = unit_rows(self.blocks.X)
        pattern = self.arrangements.patterns[kept, i]
        order = np.argsort(~pattern, kind="stable")  # of equal normals, that of an active row
        K = np.where(pattern, 1.0, -1.0)[order, None] * rows[order]
        facets = facet_rows(K)
        if not len(facets):
            return facets, np.zeros(0, dtype=bool)
        return facets, pattern[order][(facets @ K.T).argmax(axis=1)]

    def _lifted(self, i: int) -> Array:
        """Cone i where a step in the null space costs a little: where neurons are looked for."""
        rows, _ = unit_rows(self._walls[i] @ self.blocks[i].lift)
        return np.hstack([rows, np.zeros((len(rows), 1))])

    def _shadow(self, i: int) -> tuple[Array, bool]:
        """The walls of what its features can be, and whether these are all."""
        block = self.blocks[i]
        out = np.zeros((0, self.width))
        if not len(self._walls[i]):
            return out, not block.blurred
        seen, free, sure = block.walls(self._walls[i], self._active[i])
        seen, whole = shadow(seen[sure], free[sure])
        whole = whole and bool(sure.all()) and not block.blurred
        out = np.zeros((len(seen), self.width))
        out[:, : block.rank] = seen
        return out, whole


def _way_in(block: Block) -> Array | None:
    """A direction of the null space that leads into the cone from everywhere, or None."""
    there = block.lift[:, block.rank :]
    if not there.shape[1]:
        return None
    rows, kept = unit_rows(block.X)
    inside = np.where(block.pattern[kept], 1.0, -1.0)[:, None] * (rows @ there)
    largest = float(np.abs(inside).max(initial=0.0))
    if largest <= _SEEN:  # the null space of the rows themselves: what moves in it is rounding
        return None
    inside /= largest
    found = linprog(
        np.r_[np.zeros(inside.shape[1]), -1.0],
        A_ub=np.hstack([-inside, np.ones((len(inside), 1))]),
        b_ub=np.zeros(len(inside)),
        bounds=[(-1, 1)] * inside.shape[1] + [(None, 1)],
    )
    if found.status != 0 or -found.fun <= 1e-6:
        return None
    way = there @ found.x[:-1]
    return way / np.linalg.norm(way)
