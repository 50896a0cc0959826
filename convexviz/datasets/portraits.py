"""Images as rows for a generator: 8x8 digits, 25x25 faces, and the spectrum of a set of portraits.

The portraits themselves do not ship. What ships is what a quadratic discriminator sees of them:
their mean, their leading directions (8 bits a pixel) and their singular values, and what was
measured with them; `experiments/faces.py` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.datasets.base import Dataset
from convexviz.datasets.digits import digits
from convexviz.datasets.npz import read_npz
from convexviz.datasets.planar import no_images
from convexviz.datasets.warped import Warp

FACES = Path(__file__).parents[2] / "assets" / "faces.npz"
SHAPES = FACES.with_name("faces_shape.npz")
CROP = slice(14, 114)  # of 128: without hair and background
SIDE, DIRECTIONS = 64, 101  # one more than are ever kept: its square is the last beta


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """Centred images as rows, and what brings them back.

    Attributes:
        X: rows whose second moment is that of the centred images, read-only.
        mean: the mean image, flat.
        shape: height, width and channels of a picture.
        n_images: how many images the moment is a sum over.
        held_out: other images, centred by the same mean; none where they do not ship.
        warp: where the rows are textures and shapes, how a picture is made of one.
    """

    X: Float[np.ndarray, "n d"]
    mean: Float[np.ndarray, " d"]
    shape: tuple[int, int, int]
    n_images: int
    held_out: Float[np.ndarray, "m d"]
    digest: str = ""  # of a visitor's own
    warp: Warp | None = None


def portraits_of(train: np.ndarray, test: np.ndarray, digest: str = "") -> Portraits:
    """Images (n, h, w) or (n, h, w, channels) in [0, 1], and others to hold out."""
    shape = (*train.shape[1:3], train.shape[3] if train.ndim == 4 else 1)
    flat = train.reshape(len(train), -1)
    other = test.reshape(len(test), flat.shape[1])
    mean = flat.mean(axis=0)
    return Portraits(flat - mean, mean, shape, len(flat), other - mean, digest)


@cache
def handwriting() -> Portraits:
    """scikit-learn's 8x8 digits, a sixth of them held out."""
    images = digits()[0] / 16.0
    return portraits_of(images[:1500], images[1500:])


@cache
def lfw() -> Portraits:
    """The hundred faces of scikit-image's 25x25 sample, twenty held out: too few, too small."""
    import skimage.data

    images = np.asarray(skimage.data.lfw_subset()[:100], dtype=float)
    return portraits_of(images[:80], images[80:])


@cache
def faces() -> Portraits:
    """The stored spectrum of the Face Research Lab London Set: directions times singular values."""
    return _of_spectrum(stored_faces(), (SIDE, SIDE, 3), None)


@cache
def warped_faces() -> Portraits:
    """The stored spectrum of the same faces as texture and shape."""
    stored = stored_warps()
    warp = Warp(int(stored["texture"]), int(stored["field"]), float(stored["unit"]))
    return _of_spectrum(stored, (warp.texture, warp.texture, 3), warp)


def _of_spectrum(
    stored: Mapping[str, NDArray[Any]], shape: tuple[int, int, int], warp: Warp | None
) -> Portraits:
    """Eight bits turn the directions by less than a percent; the nearest orthonormal ones replace
    them, so that the singular values of the rows are those that are stored.
    """
    rough = stored["directions"] * stored["scale"][:, None]
    values, V = np.linalg.eigh(rough @ rough.T)  # all within some per cent of 1
    X = stored["singular_values"][: len(V), None] * ((V / np.sqrt(values)) @ (V.T @ rough))
    none = np.zeros((0, X.shape[1]))
    mean = stored["mean"].astype(float)
    return Portraits(X, mean, shape, int(stored["n_images"]), none, warp=warp)


@cache
def stored_faces() -> dict[str, NDArray[Any]]:
    """The arrays of the file that ships, read-only by convention."""
    return read_npz(FACES)


@cache
def stored_warps() -> dict[str, NDArray[Any]]:
    """The same of texture and shape."""
    return read_npz(SHAPES)


def small(images: NDArray[np.uint8]) -> Float[np.ndarray, "n s s 3"]:
    """The faces of (n, 128, 128, 3) portraits, 64 x 64, in [0, 1]."""
    from PIL import Image

    resample = Image.Resampling.LANCZOS
    cropped = [Image.fromarray(x[CROP, CROP]).resize((SIDE, SIDE), resample) for x in images]
    return np.array([np.asarray(x) for x in cropped]) / 255.0


def spectrum(
    images: Float[np.ndarray, "n h w c"], count: int = DIRECTIONS
) -> dict[str, NDArray[Any]]:
    """Mean, leading directions in 8 bits and all singular values of centred images."""
    rows = images.reshape(len(images), -1)
    mean = rows.mean(axis=0)
    _, singular, V = np.linalg.svd(rows - mean, full_matrices=False)
    few = V[:count]
    scale = np.maximum(np.abs(few).max(axis=1), 1e-12) / 127
    return {
        "directions": np.round(few / scale[:, None]).astype(np.int8),
        "scale": scale,
        "singular_values": singular,
        "mean": mean.astype(np.float32),
        "n_images": np.array(len(images)),
    }


OF: Mapping[str, Callable[[], Portraits]] = MappingProxyType(
    {"faces": faces, "warped_faces": warped_faces, "handwriting": handwriting, "lfw": lfw}
)
DATASETS = (
    Dataset(
        name="faces",
        title="Faces, 64x64 (spectrum)",
        source="mean, 101 directions and singular values of the Face Research Lab London Set "
        "(Lisa DeBruine and Benedict Jones; from debruine/webmorphR.stim), cropped to the face",
        licence="CC BY 4.0",
        load=no_images,
    ),
    Dataset(
        name="warped_faces",
        title="Faces, texture and shape (spectrum)",
        source="mean, 49 directions and singular values of textures and shapes of the Face "
        "Research Lab London Set (Lisa DeBruine and Benedict Jones; from debruine/webmorphR.stim), "
        "registered to their mean",
        licence="CC BY 4.0",
        load=no_images,
    ),
    Dataset(
        name="handwriting",
        title="All 8x8 digits",
        source="scikit-learn digits (UCI optical recognition of handwritten digits)",
        licence="CC BY 4.0",
        load=no_images,
    ),
    Dataset(
        name="lfw",
        title="Faces, 25x25 (poor)",
        source="scikit-image data, lfw_subset: 100 patches of Labeled Faces in the Wild",
        licence="none stated",
        load=no_images,
    ),
)
