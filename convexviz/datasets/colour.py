"""Colour pictures of 32 x 32 pixels as rows with a class each: CIFAR where it is on this machine,
else patches of photographs that come with convexviz's packages, which are textures and no CIFAR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets.base import Dataset, Draw
from convexviz.errors import DataError

Arrays = Mapping[str, NDArray[np.float64]]

SIDE = 32
BLOCK = 4  # of the patches that are sum-pooled
PHOTOGRAPHS = (
    "astronaut", "chelsea", "coffee", "rocket", "retina",
    "hubble_deep_field", "immunohistochemistry", "china", "flower", "grace_hopper",
)  # fmt: skip
OWN, HELD_OUT = 500, 1000  # patches of all photographs that are drawn to train on, and held out
CIFAR_OWN = 1000


@cache
def _photograph(name: str) -> NDArray[np.uint8]:
    """One of the ten, at most 640 pixels wide by leaving pixels out."""
    if name in ("china", "flower"):
        from sklearn.datasets import load_sample_image

        image = load_sample_image(f"{name}.jpg")
    elif name == "grace_hopper":
        import matplotlib
        from PIL import Image

        path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
        image = np.asarray(Image.open(path).convert("RGB"))
    else:
        import skimage.data

        image = np.asarray(getattr(skimage.data, name)())
    step = -(-image.shape[1] // 640)
    return np.ascontiguousarray(image[::step, ::step, :3])


def photo_patches(draw: Draw) -> Arrays:
    """Patches of ten photographs; the class is the photograph. Left halves train, right are held
    out, so no pixel is in both.
    """
    rng = np.random.default_rng(draw.seed)
    n = draw.rows(OWN, 20_000)
    counts = [n // 10 + (place < n % 10) for place in range(10)]
    wanted = zip(PHOTOGRAPHS, counts, strict=True)
    train = [_cut(name, rng, count, left=True) for name, count in wanted]
    test = [_cut(name, rng, HELD_OUT // 10, left=False) for name in PHOTOGRAPHS]
    labels = np.repeat(np.arange(10), counts)
    one_hot = np.eye(10)
    return {
        "X": np.concatenate(train),
        "Y": one_hot[draw.labels(labels, 10)],
        "test_X": np.concatenate(test),
        "test_Y": one_hot[np.repeat(np.arange(10), HELD_OUT // 10)],
    }


def _cut(name: str, rng: np.random.Generator, count: int, *, left: bool) -> NDArray[np.float64]:
    image = _photograph(name)
    half = image.shape[1] // 2
    low, high = (0, half - SIDE) if left else (half, image.shape[1] - SIDE)
    rows = rng.integers(0, image.shape[0] - SIDE + 1, count)
    columns = rng.integers(low, high + 1, count)
    cut = [image[y : y + SIDE, x : x + SIDE] for y, x in zip(rows, columns, strict=True)]
    return np.reshape(cut, (count, 3 * SIDE * SIDE)) / 255.0


def cifar(name: str) -> Callable[[Draw], Arrays]:
    """Training pictures drawn from the seed, one-hot, and the test part whole.

    Raises:
        DataError: the set is not on this machine, or has fewer pictures than classes need.
    """

    def drawn(draw: Draw) -> Arrays:
        from convexviz import datasets

        splits = datasets.get(name).open().splits
        train, test = splits["train"], splits["test"]
        classes = 100 if name == "cifar100" else 10
        n = draw.rows(CIFAR_OWN, len(train["images"]))
        if n < 2:
            raise DataError(f"{name}: must have at least 2 pictures, got {n}; fetch it again")
        order = np.random.default_rng(draw.seed).permutation(len(train["images"]))[:n]
        labels = train["labels"][order].astype(np.int64)
        one_hot = np.eye(classes)
        return {
            "X": train["images"][order].reshape(n, -1) / 255.0,
            "Y": one_hot[draw.labels(labels, classes)],
            "test_X": test["images"][:].reshape(len(test["images"]), -1) / 255.0,
            "test_Y": one_hot[test["labels"][:]],
        }

    return drawn


def pooled(draw_rows: Callable[[Draw], Arrays]) -> Callable[[Draw], Arrays]:
    """The same pictures as 64 patches of 4 x 4 pixels each, (n, 64, 48), to be sum-pooled."""

    def drawn(draw: Draw) -> Arrays:
        found = dict(draw_rows(draw))
        across = SIDE // BLOCK
        for name in ("X", "test_X"):
            images = found[name].reshape(-1, across, BLOCK, across, BLOCK, 3)
            turned = images.transpose(0, 1, 3, 2, 4, 5)
            found[name] = turned.reshape(len(images), across**2, BLOCK * BLOCK * 3)
        return found

    return drawn


_SOURCE = (
    "32x32 patches of ten photographs of scikit-image, scikit-learn and matplotlib "
    f"({', '.join(PHOTOGRAPHS)}); textures, not CIFAR"
)
_LICENCE = "public domain and CC0; china and flower CC BY 2.0"

DATASETS = (
    Dataset(
        name="photo_patches",
        title="Colour patches of ten photographs",
        source=_SOURCE,
        licence=_LICENCE,
        draw=photo_patches,
    ),
    Dataset(
        name="photo_pools",
        title="Colour patches, sum-pooled",
        source=_SOURCE,
        licence=_LICENCE,
        draw=pooled(photo_patches),
    ),
)
