"""Batch norm after the ReLU: each pattern's features and cone, in coordinates that suit them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.cone_shadow import balanced
from convexviz.core.cones import Cone, Projection, unit_rows
from convexviz.core.types import Array

_CONSTANT = 1e-10
_NEAR = 1e-8  # of a unit row to a filter, of the length of what that gives: on it
_ROUNDING = 1e-12  # the same, of the filter's own length
_EXACT = 1e-13  # of a unit row: less than this is nothing
RANK = 1e-7  # of a pattern's rows: smaller singular values of its features have no exact direction
FREE = 1e-5  # what a unit step in the null space costs where a point is looked for, never a bound
_LEAST = 1e-10  # of the largest singular value: what is smaller is not stretched further


class Block:
    """One pattern's features in coordinates in which they are orthonormal.

    Args:
        X: data whose columns are all seen, best orthonormal; see `Blocks`.

    Attributes:
        features: `[U_i, 1/sqrt(n)]` of `C D_i X = U_i S_i V_i'`, (n, r+1).
        lift: `[V_i / S_i, N_i / FREE]` (k, k), N_i a basis of what `C D_i X` does not see, or so
            little of that rounding turns it.
        blurred: whether some of it is seen: a neuron may give that, so bounds allow all there is.
        slack: what rounding of the features may cost a bound, relative.
    """

    def __init__(self, X: Float[np.ndarray, "n k"], pattern: Bool[np.ndarray, " n"]) -> None:
        n = len(X)
        masked = np.where(pattern[:, None], X, 0.0)
        size, eps = float(np.linalg.norm(masked)), float(np.finfo(float).eps)
        masked = masked - masked.mean(axis=0)
        wide = n < masked.shape[1]  # else all of Vt is there anyway, and all of U would be (n, n)
        U, s, Vt = np.linalg.svd(masked, full_matrices=wide)
        V = Vt.T
        rank = int((s > RANK * size).sum())
        self.rank, self.blurred = rank, bool((s[rank:] > n * eps * size).any())
        self.features = np.hstack([U[:, :rank], np.full((n, 1), 1.0 / np.sqrt(n))])
        self._cost = FREE * (float(s[0]) if rank else 1.0)
        self.lift = np.hstack([V[:, :rank] / s[:rank], V[:, rank:] / self._cost])
        self.X, self.pattern = X, pattern
        spread = size / float(s[rank - 1]) if rank else 1.0
        self.slack = 1e-12 + 8 * float(np.sqrt(n)) * eps * spread
        self._noise = 64 * eps * spread

    @cached_property
    def cone(self) -> Cone:
        """Where the pattern holds, in the coordinates of `lift`."""
        rows, kept = unit_rows(self.X @ self.lift)
        return Cone(rows, np.where(self.pattern[kept], 1.0, -1.0))

    def walls(
        self, K: Float[np.ndarray, "k d"], active: Bool[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "k r"], Float[np.ndarray, "k p"], Bool[np.ndarray, " k"]]:
        """Unit normals K of the weights' cone: along the features, and in the null space; and which
        of them a bound may use. Rounding must not make a wall of one that a free step could pass.
        """
        lifted = K @ self.lift
        free = lifted[:, self.rank :] * self._cost
        if not self.blurred and not self.pattern.all():
            free[active] = 0.0  # what the features do not see, no active row sees
        free[np.abs(free) <= _EXACT] = 0.0
        sure = ((free == 0.0) | (np.abs(free) > self._noise)).all(axis=1)
        return lifted[:, : self.rank], free, sure

    def project(self, c: Float[np.ndarray, " r1"]) -> tuple[Array, float]:
        """A point of the cone near (q, a) as `lift` coordinates and a, and its length."""
        found = self._nearest(c)
        return np.append(found.point, c[-1]), float(np.hypot(found.bound, c[-1]))

    def lifted(self, e: Float[np.ndarray, " k1"]) -> Float[np.ndarray, " k"]:
        """What (coordinates, a) lift to; zeros where, but for rounding, they are a constant."""
        there = np.linalg.norm(e[: self.rank]) > _CONSTANT * np.linalg.norm(e)
        return self.lift @ (e[:-1] if there else np.zeros(len(e) - 1))

    def onto_walls(
        self, w: Float[np.ndarray, " k"], e: Float[np.ndarray, " k1"]
    ) -> Float[np.ndarray, " k"]:
        """`w`, lifted from e, moved by its rounding onto the rows that it is next to: coordinates
        of a null space are long, and lose digits. There it is moved first: no feature sees it."""
        rows, _ = unit_rows(self.X)
        size = float(np.linalg.norm(np.append(e[: self.rank], e[-1])))
        near = rows[np.abs(rows @ w) <= max(_ROUNDING * np.linalg.norm(w), _NEAR * size)]
        if not len(near):
            return w
        N = self.lift[:, self.rank :] * self._cost
        free = near @ N
        free[np.abs(free) <= max(self._noise, 1e-9)] = 0.0
        w = w - N @ (np.linalg.pinv(free, rcond=1e-6) @ (near @ w))
        return w - np.linalg.pinv(near, rcond=1e-6) @ (near @ w)

    def longest(self, r: Float[np.ndarray, " n"]) -> float:
        """At least `r'h` for every unit output h of the pattern's features, whatever the cone."""
        whole = np.linalg.norm(r if self.blurred else self.features.T @ r)
        return float(whole) * (1.0 + self.slack)

    def largest(self, r: Float[np.ndarray, " n"]) -> float:
        """At least `r'h` for every unit output h that a neuron of this pattern can have.

        Multipliers of the projection, changed until a step in the null space costs nothing.
        """
        c = self.features.T @ r
        found, size = self._nearest(c), float(np.linalg.norm(c[:-1]))
        if self.blurred or not len(found.rows):
            return self.longest(r)
        here = np.flatnonzero(np.abs(self.X).max(axis=1) > 0)[found.rows]
        K = np.where(self.pattern[here], 1.0, -1.0)[:, None] * unit_rows(self.X[here])[0]
        seen, free, sure = self.walls(K, self.pattern[here])
        lengths = np.linalg.norm(K @ self.lift, axis=1)
        multipliers = balanced(free, np.where(sure, found.multipliers / lengths, 0.0))
        whole = float(np.linalg.norm(c[:-1] + seen.T @ multipliers))
        terms = size + float(multipliers @ np.linalg.norm(seen, axis=1))
        whole += 4 * (self.rank + len(here)) * np.finfo(float).eps * terms
        return float(np.hypot(min(whole, size), c[-1])) * (1.0 + self.slack)

    def _nearest(self, c: Float[np.ndarray, " r1"]) -> Projection:
        start = np.zeros(self.lift.shape[1])
        start[: self.rank] = c[:-1]
        return self.cone.project(start)


class Blocks:
    """Every pattern's block, found when it is asked for and kept.

    Invertible maps of the features change nothing after the ReLU, so the blocks are those of
    `X back`, whose columns are orthonormal whatever the scales of X.

    Attributes:
        X: the data in these coordinates, (n, k), k what the rows span.
        back: from these coordinates to weights, (d, k).
    """

    def __init__(self, X: Float[np.ndarray, "n d"], patterns: Bool[np.ndarray, "n P"]) -> None:
        self.back = orthonormal(X)
        self.X, self.patterns = X @ self.back, patterns
        self._known: dict[int, Block] = {}

    def __len__(self) -> int:
        return self.patterns.shape[1]

    def __getitem__(self, i: int) -> Block:
        if i not in self._known:
            self._known[i] = Block(self.X, self.patterns[:, i])
        return self._known[i]


def orthonormal(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d k"]:
    """A map T of full rank to what the rows of X span; the columns of X T are orthonormal, but for
    what is below 1e-10 of the rest.
    """
    scales = np.abs(X).max(axis=0, initial=0.0)
    scales = np.exp2(np.round(np.log2(np.where(scales > 0, scales, 1.0))))
    even = X / scales
    rows, _ = unit_rows(even)
    _, s, Vt = np.linalg.svd(rows, full_matrices=False)
    rank = int((s > max(X.shape) * np.finfo(float).eps * s.max(initial=0.0)).sum())
    _, s, turn = np.linalg.svd(even @ Vt[:rank].T, full_matrices=False)
    sizes = np.maximum(s, _LEAST * s.max(initial=0.0))
    turned = np.zeros((0, rank)) if rank == 0 else turn
    return (Vt[:rank].T @ turned.T) / sizes[:rank] / scales[:, None]
