"""PNG and JPEG, read in the guard's child: size before pixels, first frame, grey."""

from __future__ import annotations

from typing import IO

import numpy as np
from jaxtyping import Num
from PIL import (
    Image,
    MpoImagePlugin,  # noqa: F401 - Pillow would import it with the first MPO
)

from convexviz.datasets.uploads_images import Choice, Contents, Wanted, centre, check_index, shrink
from convexviz.errors import DataError

LARGEST_PIXELS = 25_000_000
# Telephones write MPO, JPEG with more frames behind the first: Pillow opens it as JPEG. Asked for
# a format that it cannot open by name, Pillow imports all its plugins.
FORMATS = ("PNG", "JPEG")
# Pillow would import what it needs with the first file: too late in a child that may open none.
Image.preinit()
_STRIP = 256
_GREY_16 = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def opened(file: IO[bytes]) -> Image.Image:
    """The picture with its header read and no pixel decoded."""
    Image.MAX_IMAGE_PIXELS = None  # its own check warns at three times what is allowed here
    image = Image.open(file, formats=FORMATS)
    width, height = image.size
    if width * height > LARGEST_PIXELS:
        raise DataError(
            f"picture must have at most {LARGEST_PIXELS:,} pixels, got {width:,} x {height:,}; "
            "make it smaller first"
        )
    return image


def describe(file: IO[bytes], _kind: str) -> Contents:
    """What the headers say that the file holds."""
    image = opened(file)
    says = "grey levels in [0, 1]" if image.mode in ("1", "L", *_GREY_16) else "luminance in [0, 1]"
    warnings = []
    if getattr(image, "n_frames", 1) > 1:
        warnings.append("the picture moves: only its first frame is used")
    if _is_transparent(image):
        warnings.append("transparent parts are laid over white")
    return Contents(
        (Choice(name="", slices=1, height=image.height, width=image.width, says=says),),
        tuple(warnings),
    )


def load(file: IO[bytes], _kind: str, wanted: Wanted) -> list[Num[np.ndarray, "h w"]]:
    """The images wanted, each in [0, 1]."""
    for index in wanted.slices:
        check_index(index, 1)
    image = opened(file)
    image.load()
    levels, white = _levels(image)
    # Smaller first: 25 million pixels as float64 are 200 MB.
    return [shrink(centre(levels, wanted.crop), wanted.max_side).astype(np.float64) / white]


def _levels(image: Image.Image) -> tuple[Num[np.ndarray, "h w"], float]:
    """Grey levels, and the level of white."""
    if image.mode in _GREY_16:
        return np.asarray(image), 65535.0
    levels = np.empty((image.height, image.width), dtype=np.float32)
    # Strip by strip, because 25 million pixels with transparency would be held five times.
    for top in range(0, image.height, _STRIP):
        bottom = min(top + _STRIP, image.height)
        levels[top:bottom] = np.asarray(_grey(image.crop((0, top, image.width, bottom))))
    return levels, 255.0


def _grey(image: Image.Image) -> Image.Image:
    if _is_transparent(image):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white.convert("RGB")
    elif image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    # Pillow's conversion to F weighs red, green and blue as ITU-R BT.601 does, without rounding.
    return image.convert("F")


def _is_transparent(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info
