"""What every kind of file becomes: finite grey images in [0, 1], cropped and averaged down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from convexviz.errors import DataError

LARGEST_RESULT = 8 << 20  # pixels in all the images handed back
_LEVELS = (1, 255, 65535)
_PLAIN = (-1.0, 2.0)  # float images in [0, 1] with noise stay what they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing in a file that can be shown.

    Attributes:
        name: what to ask for; empty where the file holds one thing only.
        slices: how many images there are.
        crop: the centre that is shown unless another is asked for.
        says: how the image comes about and how it is scaled to [0, 1].
    """

    name: str
    slices: int
    height: int
    width: int
    crop: tuple[int, int] | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, known from its headers alone; the first choice is the default."""

    choices: tuple[Choice, ...]
    warnings: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to show: the choice, the slices, the centre crop, and the largest side afterwards."""

    name: str
    slices: tuple[int, ...]
    crop: tuple[int, int] | None
    max_side: int

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Wanted:
        crop = plain["crop"]
        return cls(
            name=plain["name"],
            slices=tuple(plain["slices"]),
            crop=None if crop is None else (crop[0], crop[1]),
            max_side=plain["max_side"],
        )


def check_index(index: int, slices: int) -> None:
    """Refuse a slice that there is not."""
    if not 0 <= index < slices:
        raise DataError(f"slice must be in [0, {slices - 1}], got {index}")


def check_finite(name: str, values: Num[np.ndarray, "..."]) -> None:
    """Refuse NaN, infinity, and an image that is zero everywhere."""
    if not np.isfinite(values).all():
        count = int(values.size - np.isfinite(values).sum())
        raise DataError(f"{name} must be finite, got {count:,} NaN or infinite values; remove them")
    if not values.any():
        raise DataError(f"{name} must not be zero everywhere; choose another slice")


def unit(image: Num[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The image scaled to [0, 1].

    Integers are divided by the smallest of 1, 255 and 65535 that none exceeds; floats between -1
    and 2 stay as they are, since noise leaves [0, 1]; anything else is mapped from its range.
    """
    low, high = float(image.min()), float(image.max())
    if image.dtype.kind in "bui" and low >= 0:
        white = 255 if image.dtype == np.uint8 else 65535 if image.dtype == np.uint16 else None
        fitting = [level for level in _LEVELS if high <= level]
        if white or fitting:
            return image.astype(np.float64) / (white or fitting[0])
    elif image.dtype.kind == "f" and _PLAIN[0] <= low and high <= _PLAIN[1]:
        return image.astype(np.float64)
    if not low < high:
        raise DataError(f"an image outside [-1, 2] must not be constant, got {low:g} everywhere")
    span = high - low
    if not math.isfinite(span):
        raise DataError(f"values must span less than 1e308, got {low:g} to {high:g}")
    return (image.astype(np.float64) - low) / span


def centre(image: Num[np.ndarray, "h w"], crop: tuple[int, int] | None) -> Num[np.ndarray, "a b"]:
    """The centre of `crop` = (height, width), rounded as in fastMRI: the upper left is kept."""
    if crop is None:
        return image
    for name, side, whole in zip(("height", "width"), crop, image.shape, strict=True):
        if not 1 <= side <= whole:
            raise DataError(f"crop {name} must be in [1, {whole}] for this image, got {side}")
    top, left = ((whole - side) // 2 for side, whole in zip(crop, image.shape, strict=True))
    return image[top : top + crop[0], left : left + crop[1]]


def shrink(image: Num[np.ndarray, "h w"], max_side: int) -> Num[np.ndarray, "a b"]:
    """The image with no side above `max_side`: each pixel the mean over the area it covers."""
    longest = max(image.shape)
    if longest <= max_side:
        return image
    height, width = (max(1, round(side * max_side / longest)) for side in image.shape)
    return _shrink_rows(_shrink_rows(image, height).T, width).T


def _shrink_rows(image: Num[np.ndarray, "h w"], rows: int) -> Float[np.ndarray, "rows w"]:
    # Row by row: a picture of 25 million pixels is never held as float64 whole.
    edges = np.linspace(0.0, image.shape[0], rows + 1)
    result = np.empty((rows, image.shape[1]))
    for row, (low, high) in enumerate(pairwise(edges)):
        covered = np.arange(int(low), min(math.ceil(high), image.shape[0]))
        weights = np.minimum(covered + 1, high) - np.maximum(covered, low)
        result[row] = weights @ image[covered[0] : covered[-1] + 1] / weights.sum()
    return result


def prepared(
    images: Sequence[Num[np.ndarray, "h w"]], wanted: Wanted
) -> Float[np.ndarray, "N a b"]:
    """The images as float64, averaged down to `max_side`."""
    shrunk = [np.asarray(shrink(image, wanted.max_side), dtype=np.float64) for image in images]
    pixels = sum(image.size for image in shrunk)
    if pixels > LARGEST_RESULT:
        raise DataError(
            f"images must have at most {LARGEST_RESULT:,} pixels together, got {pixels:,}; "
            "choose fewer slices or a smaller crop"
        )
    return np.stack(shrunk)
