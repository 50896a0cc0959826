"""A visitor's own folder of pictures as rows for a generator: read one by one, shifted, cropped.

    read = thumbnail(data, "anna.jpg")     # (80, 80, 3), or a DataError that says what is wrong
    found = album(list_of_those)           # Portraits of 64 x 64, a few of them held out

The pictures are decoded in the guard's child. They are aligned by shifts alone: each is moved to
where it correlates best with the mean of all, so that faces or objects lie on one another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.datasets import guard
from convexviz.datasets.guard_child import one_line
from convexviz.datasets.portraits import Portraits, portraits_of
from convexviz.errors import DataError, WorkError

WIDE, SIDE = 80, 64  # as read, and as kept: between them lies the room to shift
FEWEST, MOST = 4, 500
HELD_OUT, ENOUGH = 0.1, 20  # a tenth is held out of as many pictures
PASSES = 3

Picture = NDArray[np.float64]


def thumbnail(source: bytes, filename: str) -> Float[np.ndarray, "80 80 3"]:
    """The centre square of one PNG or JPEG in [0, 1].

    Raises:
        DataError: it is refused, in one line that begins with its name.
        WorkError: too many files are being read.
    """
    name = one_line(filename, 60)
    try:
        planes = guard.ask({"kind": "colour", "side": WIDE}, source).images
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except OSError as error:
        raise WorkError(f"{name} could not be read now ({error.strerror}); try again") from error
    if planes is None or planes.shape != (3, WIDE, WIDE):
        raise DataError(f"{name}: could not be understood; save it anew")
    return np.ascontiguousarray(np.moveaxis(planes, 0, 2))


def album(pictures: Sequence[Picture], *, align: bool = True) -> Portraits:
    """The pictures as a data set; a tenth is held out where there are twenty or more.

    Raises:
        DataError: fewer than four, more than 500, or all the same.
    """
    if not FEWEST <= len(pictures) <= MOST:
        raise DataError(
            f"a folder must have {FEWEST} to {MOST} pictures that can be read, got {len(pictures)}"
        )
    wide = np.stack(pictures)
    small = aligned(wide) if align else wide[:, _CENTRE, _CENTRE]
    last = len(small) - (round(HELD_OUT * len(small)) if len(small) >= ENOUGH else 0)
    train, other = small[:last], small[last:]
    flat = train.reshape(len(train), -1)
    rank = int(np.linalg.matrix_rank(flat - flat.mean(axis=0), tol=1e-6 * np.sqrt(flat.size)))
    if rank < FEWEST - 1:
        raise DataError(
            f"the pictures must differ in at least {FEWEST - 1} ways, got {rank}; add others"
        )
    digest = hashlib.blake2b(small.tobytes(), digest_size=16).hexdigest()
    return portraits_of(train, other, digest)


_MARGIN = (WIDE - SIDE) // 2
_CENTRE = slice(_MARGIN, _MARGIN + SIDE)


def aligned(wide: Float[np.ndarray, "n 80 80 3"]) -> Float[np.ndarray, "n 64 64 3"]:
    """Each picture cropped where it correlates best with the mean of all, a few passes."""
    from skimage.feature import match_template

    small = wide[:, _CENTRE, _CENTRE]
    grey = wide.mean(axis=3)
    for _ in range(PASSES):
        mean = small.mean(axis=(0, 3))
        if float(mean.std()) < 1e-6:
            return small
        places = [
            np.unravel_index(np.argmax(np.nan_to_num(match_template(one, mean))), (17, 17))
            for one in grey
        ]
        small = np.stack(
            [one[y : y + SIDE, x : x + SIDE] for one, (y, x) in zip(wide, places, strict=True)]
        )
    return small
