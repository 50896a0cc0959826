"""Search over given cones for `max_i max_{K_i u >= 0, |u| <= 1} |B_i u|`: climbed from below, and
proved from above.

Climbing finds neurons; a bound comes from faces where they are few, else from multipliers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.cone_bound import FACES, by_faces, faces_at_most, multipliers, proved
from convexviz.core.cone_climb import local_peaks
from convexviz.core.types import Array

_REMEMBERED = 8  # peaks of a cone where the next climb starts
_EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class Proved:
    """An upper bound on M, and what proves it: rows (cone, a, b, N_ab); faces need no proof."""

    value: float
    table: Float[np.ndarray, "q 4"]


@dataclass(frozen=True, slots=True)
class Climbed:
    """What was climbed to: the largest value, and points with their cones, best first."""

    largest: float
    points: Float[np.ndarray, "k r"]
    owners: Int[np.ndarray, " k"]


class ConeSearch:
    """The cones by their inward unit normals, all in r coordinates; it remembers where to climb."""

    def __init__(self, cones: Sequence[Array], rank: int) -> None:
        self.cones, self.rank = cones, rank
        self.exact = all(faces_at_most(len(K), rank) <= FACES for K in cones)
        self._starts: dict[int, Array] = {}

    def climb(self, forms: Float[np.ndarray, "P c r"], threshold: float, share: float) -> Climbed:
        """Peaks above `threshold` and within `share` of the largest; it is M itself where exact."""
        tops = np.linalg.norm(forms, 2, axis=(1, 2)) if forms.size else np.zeros(len(forms))
        points, values = [np.zeros((0, self.rank))], [np.zeros(0)]
        owners = [np.zeros(0, dtype=np.int64)]
        largest = 0.0
        for i in np.argsort(-tops, kind="stable").tolist():
            if tops[i] <= max(threshold, share * largest):
                break
            found, heights = self._peaks(i, forms[i])
            if self.exact:
                value, more = by_faces(forms[i], self.cones[i], largest)
                found = np.concatenate([found, more])
                heights = np.concatenate([heights, np.linalg.norm(more @ forms[i].T, axis=1)])
                largest = max(largest, value)
            largest = max(largest, float(heights.max(initial=0.0)))
            points.append(found)
            values.append(heights)
            owners.append(np.full(len(found), i, dtype=np.int64))
        all_values = np.concatenate(values)
        near = np.flatnonzero(all_values >= max(threshold, share * largest))
        order = near[np.argsort(-all_values[near], kind="stable")]
        return Climbed(largest, np.concatenate(points)[order], np.concatenate(owners)[order])

    def prove(
        self, forms: Float[np.ndarray, "P c r"], known: Float[np.ndarray, "q 4"] | None = None
    ) -> Proved:
        """An upper bound, from `known` multipliers where given: then nothing is searched."""
        if self.exact:
            return Proved(self.climb(forms, 0.0, 1.0).largest, np.zeros((0, 4)))
        tops = np.linalg.norm(forms, 2, axis=(1, 2))
        found = Climbed(0.0, np.zeros((0, self.rank)), np.zeros(0, dtype=np.int64))
        if known is None:
            found = self.climb(forms, 0.0, 0.5)
        worst, tables = found.largest, [np.zeros((0, 4))]
        for i in np.argsort(-tops, kind="stable").tolist():
            if tops[i] <= worst * (1 + _EQUAL):
                worst = max(worst, float(tops[i]))  # it bounds this cone and all that follow
                break
            if known is None:
                N = multipliers(forms[i], self.cones[i], found.points, worst)
            else:
                N = known[known[:, 0] == i, 1:]
            worst = max(worst, proved(forms[i], self.cones[i], N))
            tables.append(np.concatenate([np.full((len(N), 1), float(i)), N], axis=1))
        table = np.concatenate(tables)
        return Proved(worst, table) if known is not None else self.prove(forms, table)

    def _peaks(self, i: int, B: Float[np.ndarray, "c r"]) -> tuple[Array, Array]:
        left = np.linalg.svd(B, full_matrices=False)[0].T
        before = self._starts.get(i, np.zeros((0, len(B))))
        kept = before if before.shape[1] == len(B) else np.zeros((0, len(B)))
        starts = np.ascontiguousarray(np.concatenate([left, -left, np.eye(len(B)), kept]))
        points, heights = local_peaks(B, self.cones[i], starts)
        if len(points):
            images = points[:_REMEMBERED] @ B.T
            self._starts[i] = images / np.linalg.norm(images, axis=1, keepdims=True)
        return points, heights
