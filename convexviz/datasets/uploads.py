"""Files that visitors bring: what is in them, and the images one chooses, in [0, 1].

    upload = describe(data, "file1000001.h5")       # PNG, JPEG, npy, npz, fastMRI HDF5
    upload.choices[0].slices, upload.warnings
    images = load(upload, slice=12, max_side=256)    # (1, h, w) float64

Nothing here opens the file: `guard` has a child do it. Kinds are told by content, not by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.datasets import guard
from convexviz.datasets.guard_child import one_line
from convexviz.datasets.uploads_images import Choice
from convexviz.errors import DataError, WorkError

SIDES = (8, 2048)
LARGEST_COUNT = 64
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "picture",
    b"\xff\xd8\xff": "picture",
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "npz",
    b"\x89HDF\r\n\x1a\n": "fastmri",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was looked into; `load` takes images from it.

    Attributes:
        filename: as the visitor called it, on one line; text, never a path.
        kind: `picture`, `npy`, `npz` or `fastmri`.
        choices: what it holds; the first is what `load` takes unless told.
        warnings: what a visitor should know, one line each.
    """

    filename: str
    kind: str
    choices: tuple[Choice, ...]
    warnings: tuple[str, ...]
    source: bytes | Path = field(repr=False, compare=False)

    def choice(self, name: str | None = None) -> Choice:
        """The choice called `name`, the first where it is None.

        Raises:
            DataError: the file holds none of that name.
        """
        for choice in self.choices:
            if name is None or choice.name == name:
                return choice
        names = ", ".join(choice.name for choice in self.choices)
        raise DataError(f"{self.filename}: choice must be one of {names}, got {name!r}")


def describe(source: bytes | Path, filename: str = "") -> Upload:
    """What a visitor's bytes, or a file of this machine, hold, by headers alone.

    Raises:
        DataError: the file is refused, in one line.
        WorkError: too many files are being read.
    """
    name = one_line(filename or (source.name if isinstance(source, Path) else "file"), 60)
    kind = _kind(source, name)
    facts = _ask({"kind": kind, "wanted": None}, source, name).facts
    try:
        choices = tuple(_choice(plain) for plain in facts["choices"])
        warnings = tuple(one_line(text) for text in facts["warnings"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name} could not be understood; save it anew") from error
    return Upload(filename=name, kind=kind, choices=choices, warnings=warnings, source=source)


def load(
    upload: Upload,
    *,
    choice: str | None = None,
    slice: int | Sequence[int] | None = None,
    crop: int | tuple[int, int] | None = None,
    max_side: int = 512,
) -> Float[np.ndarray, "N h w"]:
    """Images in [0, 1]: the slices asked for (the middle one unless told), centre-cropped.

    Without `crop` a fastMRI volume is cropped to its target's size, all else is kept whole. What
    is larger than `max_side` afterwards is averaged down to it.

    Raises:
        DataError: the file or the request is refused, in one line.
        WorkError: too many files are being read.
    """
    chosen = upload.choice(choice)
    indices = _indices(chosen, slice)
    if not SIDES[0] <= max_side <= SIDES[1]:
        raise DataError(f"max_side must be in [{SIDES[0]}, {SIDES[1]}], got {max_side}")
    sides = (crop, crop) if isinstance(crop, int) else crop
    if sides is not None and not (1 <= sides[0] <= chosen.height and 1 <= sides[1] <= chosen.width):
        raise DataError(
            f"crop must be between 1 x 1 and {chosen.height} x {chosen.width}, "
            f"got {sides[0]} x {sides[1]}"
        )
    wanted = {"name": chosen.name, "slices": indices, "crop": sides, "max_side": max_side}
    answer = _ask({"kind": upload.kind, "wanted": wanted}, upload.source, upload.filename)
    if answer.images is None or len(answer.images) != len(indices):
        raise DataError(f"{upload.filename} could not be understood; save it anew")
    return answer.images


def _indices(chosen: Choice, slice: int | Sequence[int] | None) -> list[int]:
    if slice is None:
        return [chosen.slices // 2]
    indices = [slice] if isinstance(slice, int) else list(slice)
    if not 1 <= len(indices) <= LARGEST_COUNT:
        raise DataError(f"slice must name 1 to {LARGEST_COUNT} slices, got {len(indices)}")
    for index in indices:
        if not 0 <= index < chosen.slices:
            raise DataError(f"slice must be in [0, {chosen.slices - 1}], got {index}")
    return [int(index) for index in indices]


def _kind(source: bytes | Path, name: str) -> str:
    try:
        with guard.opened(source) as file:
            start = file.read(16)
    except DataError as error:
        raise DataError(f"{name} {error}") from error
    for magic, kind in _KINDS.items():
        if start.startswith(magic):
            return kind
    raise DataError(
        f"{name} must be PNG, JPEG, npy, npz or fastMRI HDF5, and begins like none of them; "
        "save it as PNG or with numpy.save"
    )


def _ask(request: dict[str, Any], source: bytes | Path, name: str) -> guard.Answer:
    try:
        return guard.ask(request, source)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except OSError as error:
        raise WorkError(f"{name} could not be read now ({error.strerror}); try again") from error


def _choice(plain: dict[str, Any]) -> Choice:
    crop = plain["crop"]
    return Choice(
        name=one_line(plain["name"], 80),
        slices=int(plain["slices"]),
        height=int(plain["height"]),
        width=int(plain["width"]),
        crop=None if crop is None else (int(crop[0]), int(crop[1])),
        says=one_line(plain["says"]),
    )
