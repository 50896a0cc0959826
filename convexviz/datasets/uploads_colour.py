"""One picture as three planes, read in the guard's child: the centre square, made small."""

from __future__ import annotations

from typing import IO

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError

from convexviz.datasets.uploads_pictures import opened
from convexviz.errors import DataError

SMALLEST, LARGEST = 16, 128


def read(file: IO[bytes], side: int) -> Float[np.ndarray, "3 s s"]:
    """The centre square of a picture as red, green and blue in [0, 1], `side` pixels wide.

    Raises:
        DataError: it has more than 25 megapixels or fewer than 16 pixels a side.
    """
    if not SMALLEST <= side <= LARGEST:
        raise DataError(f"side must be in [{SMALLEST}, {LARGEST}], got {side}")
    try:
        image = opened(file)
    except UnidentifiedImageError as error:
        raise DataError("is no PNG or JPEG that can be read; save it anew") from error
    width, height = image.size
    if min(width, height) < SMALLEST:
        raise DataError(
            f"picture must be at least {SMALLEST} pixels wide and high, got {width} x {height}"
        )
    image.draft("RGB", (2 * side, 2 * side))  # JPEG: decoded smaller than it is
    image = ImageOps.exif_transpose(image)
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    square = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS)
    return np.moveaxis(np.asarray(square, dtype=np.float64) / 255.0, 2, 0).copy()
