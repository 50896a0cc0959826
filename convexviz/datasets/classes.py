"""Small rows with vector targets: classes in the plane, spirals, patches, and known answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets.base import Dataset, Draw
from convexviz.datasets.labelled import digit_classes

Arrays = Mapping[str, NDArray[np.float64]]

_TOY = ((1, 0.2), (0.8, -0.3), (-0.5, 1), (-0.9, 0.4), (-0.2, -1), (0.4, -0.9))


def three_classes(draw: Draw) -> Arrays:
    """Six points of the plane in three classes, two each."""
    del draw  # written out
    return {"X": np.array(_TOY), "Y": np.repeat(np.eye(3), 2, axis=0)}


def spiral(draw: Draw) -> Arrays:
    """Three arms of a spiral, one a class, with a ones column, which gives neurons a bias."""
    rng = np.random.default_rng(draw.seed)
    each = max(draw.rows(60, 3000) // 3, 1)
    parts = []
    for arm in range(3):
        radius, angle = np.linspace(0, 1, each), np.linspace(4 * arm, 4 * arm + 4, each)
        angle = angle + 0.2 * rng.standard_normal(each)
        plane = [radius * np.sin(angle), radius * np.cos(angle), np.ones(each)]
        parts.append(np.stack(plane, axis=1))
    return {"X": np.concatenate(parts), "Y": np.repeat(np.eye(3), each, axis=0)}


def loose_relaxation(draw: Draw) -> Arrays:
    """Six Gaussian rows on which the copositive relaxation is not tight; the same for any seed."""
    del draw
    rng = np.random.default_rng(3)
    return {"X": rng.standard_normal((6, 3)), "Y": rng.standard_normal((6, 2))}


def whitened(draw: Draw) -> Arrays:
    """Twelve orthonormal rows of sixteen values in four classes, drawn from the seed."""
    rng = np.random.default_rng(draw.seed)
    n = draw.rows(12, 1000)
    X = np.linalg.qr(rng.standard_normal((n + 4, n)))[0].T
    return {"X": X, "Y": np.eye(4)[rng.permutation(n) % 4]}


def teacher(draw: Draw) -> Arrays:
    """Rows of the plane, and targets that four ReLU neurons give, with noise."""
    rng = np.random.default_rng(draw.seed)
    n = draw.rows(9, 100_000)
    X = rng.standard_normal((n, 2))
    U, V = rng.standard_normal((2, 4)), rng.standard_normal((4, 2))
    noise = 0.1 * rng.standard_normal((n, 2))
    return {"X": X, "Y": np.maximum(X @ U, 0) @ V + noise}


def digit_patches(draw: Draw) -> Arrays:
    """Digits cut into sixteen patches of 2 x 2 pixels: a convolution of stride two, sum-pooled."""
    found = dict(digit_classes(draw))
    for name in ("X", "test_X"):
        images = found[name].reshape(-1, 4, 2, 4, 2)
        found[name] = images.transpose(0, 1, 3, 2, 4).reshape(-1, 16, 4)
    return found


_DRAWN = "drawn by convexviz.datasets.classes"
_DIGITS = "scikit-learn digits (UCI optical recognition of handwritten digits)"

DATASETS = (
    Dataset(
        name="three_classes",
        title="Six points, three classes",
        source=f"{_DRAWN}.three_classes",
        licence="MIT",
        draw=three_classes,
    ),
    Dataset(
        name="spiral",
        title="Spiral with three arms",
        source=f"{_DRAWN}.spiral",
        licence="MIT",
        draw=spiral,
    ),
    Dataset(
        name="loose_relaxation",
        title="Where the relaxation is loose",
        source=f"{_DRAWN}.loose_relaxation",
        licence="MIT",
        draw=loose_relaxation,
    ),
    Dataset(
        name="whitened",
        title="Whitened rows in four classes",
        source=f"{_DRAWN}.whitened",
        licence="MIT",
        draw=whitened,
    ),
    Dataset(
        name="teacher",
        title="A teacher of four neurons",
        source=f"{_DRAWN}.teacher",
        licence="MIT",
        draw=teacher,
    ),
    Dataset(
        name="digit_patches",
        title="Patches of digits, sum-pooled",
        source=_DIGITS,
        licence="CC BY 4.0",
        draw=digit_patches,
    ),
)
