"""Images drawn by a formula: the same on every machine, and small enough to enumerate."""

from __future__ import annotations

import numpy as np

from convexviz.datasets.base import Dataset, Images


def tiny() -> Images:
    """A 4x4 corner and its mirror image: small enough that every pattern can be enumerated."""
    corner = np.zeros((1, 4, 4))
    corner[0, :2, :3] = 1.0
    return Images(corner, corner[:, ::-1, ::-1].copy())


def shapes() -> Images:
    """A disc, a square and slanted bars, 64 by 64; the right half is held out."""
    i, j = np.mgrid[:64, :64]
    image = 0.15 + 0.55 * ((i - 18) ** 2 + (j - 17) ** 2 < 130)
    image += 0.75 * ((abs(i - 46) < 9) & (abs(j - 16) < 9))
    image += 0.6 * (((i + 2 * j) // 9 % 3 == 0) & (j > 31))
    clipped = np.clip(image, 0, 1)
    return Images(clipped[None, :, :32].copy(), clipped[None, :, 32:].copy(), split=32)


DATASETS = (
    Dataset(
        name="shapes",
        title="Shapes",
        source="drawn by convexviz.datasets.synthetic.shapes",
        licence="MIT",
        load=shapes,
    ),
    Dataset(
        name="tiny",
        title="Tiny corner, 4x4",
        source="drawn by convexviz.datasets.synthetic.tiny",
        licence="MIT",
        load=tiny,
    ),
)
