"""Where cells and facets lie: a unit vector in each, and how far its directions are from it.

A cell is the hull of its rays, and a circular cone of less than a half turn is convex: within the
angle of the farthest ray lies all of the cell. So a form that turns no vector this close into
itself has no stationary point there, and need not be decomposed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.types import Array

_ROUNDING = 1e-7  # of a distance: the root of what an inner product loses
_WIDE = 0.1  # cosine: what spreads as far has no extent of use
_WHOLE = 2.0  # the distance within which all directions are


@dataclass(frozen=True, slots=True)
class Extent:
    """Unit vectors, and the distance within which all unit vectors of each face are."""

    centers: Float[np.ndarray, "k r"]
    reach: Float[np.ndarray, " k"]


def extent_of(owner: Int[np.ndarray, " a"], ends: Float[np.ndarray, "2 a r"], count: int) -> Extent:
    """Of faces spanned by rays: arc i has the rays `ends[:, i]` and bounds face `owner[i]`."""
    centers = _centers(owner, ends.sum(axis=0), count)
    cosine = np.ones(count)
    for rays in ends:
        np.minimum.at(cosine, owner, np.einsum("ar,ar->a", rays, centers[owner]))
    return Extent(centers, _distance(cosine))


def joined_extents(extents: list[Extent]) -> Extent:
    """One after another."""
    return Extent(
        np.concatenate([extent.centers for extent in extents]),
        np.concatenate([extent.reach for extent in extents]),
    )


def around_facets(
    facets: Extent, minus: Int[np.ndarray, " k"], plus: Int[np.ndarray, " k"], count: int
) -> Extent:
    """Of the cells on either side of facets, which are the hull of those."""
    sides = np.concatenate([minus, plus])
    centers = _centers(sides, np.concatenate([facets.centers] * 2), count)
    own = 2.0 * np.arcsin(np.minimum(0.5 * facets.reach, 1.0))
    widest = np.zeros(count)
    for side in (minus, plus):
        cosine = np.einsum("kr,kr->k", facets.centers, centers[side])
        np.maximum.at(widest, side, np.arccos(np.clip(cosine, -1.0, 1.0)) + own)
    return Extent(centers, _distance(np.cos(np.minimum(widest, np.pi))))


def _centers(owner: Int[np.ndarray, " a"], rays: Float[np.ndarray, "a r"], count: int) -> Array:
    sums = np.stack([np.bincount(owner, column, count) for column in rays.T], axis=1)
    lengths = np.linalg.norm(sums, axis=1)
    first = np.zeros(rays.shape[1])
    first[0] = 1.0  # where rays cancel any vector will do: the reach is then everything
    small = lengths <= 1e-6
    out: Array = np.where(small[:, None], first, sums / np.where(small, 1.0, lengths)[:, None])
    return out


def _distance(cosine: Float[np.ndarray, " k"]) -> Array:
    near: Array = np.sqrt(2.0 * np.maximum(1.0 - cosine, 0.0)) + _ROUNDING
    return np.where(cosine > _WIDE, near, _WHOLE)
