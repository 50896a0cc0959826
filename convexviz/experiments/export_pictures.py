"""The images of a result as grey PNGs, side by side and in one grey scale."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.errors import SpecError
from convexviz.experiments.result import Result

IMAGES = "N h w"  # how an architecture declares an input that is a stack of images
GAP = 8
SMALLEST_SIDE = 160  # smaller images are magnified by a whole factor
MOST_ROWS = 12
PAPER = 255


def pictures(result: Result) -> dict[str, NDArray[np.float64]]:
    """The stacks of training images (N, h, w): given ones, then computed ones of their shape.

    Raises:
        SpecError: this architecture works on something else than images.
    """
    inputs = architectures.get(result.architecture).inputs
    given = {
        field.name: result.data[field.name]
        for field in inputs
        if field.shape == IMAGES and field.name in result.data
    }
    if not given:
        raise SpecError(
            f"this {result.architecture} result holds no images; export it as npz, torch or html"
        )
    shapes = {array.shape for array in given.values()}
    computed = {
        name: array
        for name, array in result.arrays.items()
        if array.shape in shapes and array.dtype.kind == "f" and not name.startswith("test_")
    }
    return {name: np.asarray(a, dtype=float) for name, a in {**given, **computed}.items()}


def grey_scale(stacks: Mapping[str, NDArray[np.float64]]) -> tuple[float, float]:
    """Black and white for all pictures alike: [0, 1], or the range of what is clean."""
    reference = stacks.get("clean", next(iter(stacks.values())))
    low, high = float(reference.min()), float(reference.max())
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return low, high if high > low else low + 1.0


def png(image: NDArray[np.float64], scale: tuple[float, float]) -> bytes:
    """One image in 8 bits."""
    return _encode(_grey(image, scale))


def contact_sheet(result: Result) -> bytes:
    """All pictures in one PNG: a column a kind, a row an image (the first twelve)."""
    stacks = pictures(result)
    scale = grey_scale(stacks)
    count, height, width = next(iter(stacks.values())).shape
    rows = [
        [_grey(stack[index], scale) for stack in stacks.values()]
        for index in range(min(count, MOST_ROWS))
    ]
    side_h, side_w = rows[0][0].shape
    sheet = np.full(
        (len(rows) * (side_h + GAP) - GAP, len(stacks) * (side_w + GAP) - GAP), PAPER, np.uint8
    )
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            top, left = i * (side_h + GAP), j * (side_w + GAP)
            sheet[top : top + side_h, left : left + side_w] = panel
    shown = f"left to right: {', '.join(stacks)}; {len(rows)} of {count} images, {height}x{width}"
    return _encode(sheet, shown)


def _grey(image: NDArray[np.float64], scale: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = scale
    unit = np.clip((image - low) / (high - low), 0.0, 1.0)
    factor = max(1, SMALLEST_SIDE // max(image.shape))
    return np.rint(255 * unit).astype(np.uint8).repeat(factor, 0).repeat(factor, 1)


def _encode(pixels: NDArray[np.uint8], description: str = "") -> bytes:
    from PIL import Image, PngImagePlugin

    about = PngImagePlugin.PngInfo()
    about.add_text("Software", "convexviz")
    if description:
        about.add_text("Description", description)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", pnginfo=about)
    return buffer.getvalue()
