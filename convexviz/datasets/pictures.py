"""Pictures on this machine: colour or grey, of one size, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets.base import Lazy
from convexviz.errors import DataError

LARGEST_PIXELS = 25_000_000
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


def read(path: Path, mode: str = "RGB") -> NDArray[np.uint8]:
    """One picture as bytes: (h, w, 3) for `RGB`, (h, w) for `L`; the first frame of several.

    Raises:
        DataError: it is no picture, damaged, or larger than 25 megapixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > LARGEST_PIXELS:
                raise DataError(
                    f"{path}: must have at most {LARGEST_PIXELS:,} pixels, got {width} x {height}"
                )
            return np.array(image.convert(mode))
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: is no PNG, JPEG, BMP, TIFF or WebP picture") from error
    except Exception as error:  # Pillow's decoders have no common error, nor its warnings of bombs
        said = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: cannot be decoded ({said}); save it anew") from error


def size(path: Path) -> tuple[int, int]:
    """Height and width, without decoding.

    Raises:
        DataError: it is no picture.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=_FORMATS) as image:
            return image.height, image.width
    except Exception as error:  # as above
        raise DataError(f"{path}: is no PNG, JPEG, BMP, TIFF or WebP picture") from error


def stack(paths: Sequence[Path], mode: str = "RGB") -> Lazy:
    """The pictures as one array, read one by one; all must have the size of the first.

    Raises:
        DataError: there are none, or (as it is read) one has another size.
    """
    if not paths:
        raise DataError("a data set of pictures needs at least one; the folder has none")
    shape = (*size(paths[0]), *((3,) if mode == "RGB" else ()))

    def values(rows: NDArray[np.intp]) -> NDArray[Any]:
        out = np.empty((len(rows), *shape), np.uint8)
        for place, row in enumerate(rows):
            picture = read(paths[row], mode)
            if picture.shape != shape:
                raise DataError(
                    f"{paths[row]}: must be {shape[0]} x {shape[1]} like {paths[0].name}, got "
                    f"{picture.shape[0]} x {picture.shape[1]}; bring the pictures to one size"
                )
            out[place] = picture
        return out

    return Lazy((len(paths), *shape), np.dtype(np.uint8), values)


def files_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name; hidden files are none."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
