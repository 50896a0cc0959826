"""How near generated images come to those that they were learned from: is anything remembered?

Distances are Euclidean, between flat images in [0, 1].
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray


def nearest(
    rows: Float[np.ndarray, "m d"], real: Float[np.ndarray, "n d"]
) -> tuple[Float[np.ndarray, " m"], NDArray[np.intp]]:
    """Distance of each row to the nearest real one, and which that is."""
    squares = np.square(rows).sum(1)[:, None] + np.square(real).sum(1) - 2 * rows @ real.T
    at = squares.argmin(axis=1)
    return np.sqrt(np.maximum(squares[np.arange(len(rows)), at], 0.0)), at


def nearest_table(
    factors: tuple[Float[np.ndarray, "q d"], Float[np.ndarray, " r"]],
    real: Float[np.ndarray, "n d"],
    latents: Float[np.ndarray, "s t k"],
    count_real: int | None = None,
) -> tuple[Float[np.ndarray, "s k t"], NDArray[np.intp]]:
    """Distance from each generated image to the nearest real one, with 1, ..., k directions kept,
    and which that is.

    `factors`: directions as rows, and the squared singular values of `real`, at least k + 1; beta
    is the square after those that are kept. Both sides are compared in the directions, where the
    generated images lie; what real ones have outside is added. `count_real`: how many images the
    squares are sums over, where they are not those of `real`.
    """
    V, squares = factors
    sets, count, k = latents.shape
    n = len(real) if count_real is None else count_real
    codes = real @ V[:k].T
    inner = V[:k] @ V[:k].T  # eight bits a pixel: not quite the identity
    own = np.square(real).sum(1)
    found = np.empty((sets, k, count))
    which = np.empty((sets, k, count), dtype=np.intp)
    for kept in range(1, k + 1):
        gains = np.sqrt(np.maximum(squares[:kept] - squares[kept], 0.0) / n)
        made = (latents[:, :, :kept] * gains).reshape(-1, kept)
        size = np.einsum("ij,jk,ik->i", made, inner[:kept, :kept], made)
        apart = size[:, None] + own - 2 * made @ codes[:, :kept].T
        found[:, kept - 1] = np.sqrt(np.maximum(apart.min(axis=1), 0.0)).reshape(sets, count)
        which[:, kept - 1] = apart.argmin(axis=1).reshape(sets, count)
    return found, which


def hundredths(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Distances as they are stored and sent."""
    return np.round(100 * values).astype(np.uint16)
