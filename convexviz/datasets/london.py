"""The Face Research Lab London Set where it lies on this machine: its faces, found on their mean.

The set does not ship. Where a visitor has it, each of its pictures is searched for the place and
size at which it is most like the mean face that ships, and comes as a face of 64 x 64 like those
that the generator was learned from. A file's name begins with its person: `001_03.jpg`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.datasets import pictures, places, portraits
from convexviz.datasets.base import Dataset, Guide, Images, Lazy, Opened
from convexviz.datasets.cifar import LUMINANCE
from convexviz.errors import DataError

FOLDERS = ("", "neutral_front", "smiling_front")
WIDE = 220  # pixels to which a picture is reduced before it is searched
SHARES = np.geomspace(0.3, 0.95, 33)  # of the picture's width that a face may take
CLOSE = (0.98, 1.0, 1.02)  # of what the first few pictures have
FIRST = 9

Box = tuple[float, float, float]


def open_folder(folder: Path) -> Opened:
    """Faces (n, 64, 64, 3) in [0, 1] and the number of their person.

    Raises:
        DataError: there are no pictures whose names begin with three digits.
    """
    homes = [folder / name for name in FOLDERS if (folder / name).is_dir()]
    files = [file for home in homes for file in pictures.files_in(home)]
    files = [file for file in files if file.stem[:3].isdecimal() and len(file.stem) >= 3]
    if not files:
        raise DataError(
            f"{folder}: has no pictures named like 001_03.jpg; unpack neutral_front.zip and "
            "smiling_front.zip there"
        )
    people = np.array([int(file.stem[:3]) for file in files], np.int32)
    parts = {"images": Lazy.of(faces(files)), "person": Lazy.of(people)}
    return Opened({"train": parts}, files=tuple(files))


def faces(files: list[Path]) -> Float[np.ndarray, "n 64 64 3"]:
    """The face of each picture. None is left out for being unlike the mean: that would leave out
    some people more than others.
    """
    mean = portraits.stored_faces()["mean"].reshape(portraits.SIDE, portraits.SIDE, 3)
    shares: list[float] = []
    found = []
    for file in files:
        picture = pictures.read(file)
        usual = float(np.median(shares)) if len(shares) >= FIRST else None
        tried = SHARES if usual is None else usual * np.array(CLOSE)
        box = best_place(picture, mean @ LUMINANCE, tried)
        if usual is None:
            shares.append(box[2] / picture.shape[1])
        found.append(_cut(picture, box))
    return np.stack(found)


def best_place(
    picture: NDArray[np.uint8], mean: Float[np.ndarray, "s s"], shares: NDArray[np.float64]
) -> Box:
    """The square that correlates most with the mean: left, top and side."""
    from PIL import Image
    from skimage.feature import match_template

    side, (h, w) = len(mean), picture.shape[:2]
    most, best = -1.0, (0.0, 0.0, float(min(h, w)))
    small = Image.fromarray(picture)
    small.thumbnail((WIDE, WIDE * h // w + 1), Image.Resampling.LANCZOS)
    for share in shares:
        width = round(side / share)
        height = round(width * h / w)
        if min(width, height) < side:
            continue
        grey = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)) @ LUMINANCE
        map_ = np.nan_to_num(match_template(grey, mean))
        y, x = np.unravel_index(int(map_.argmax()), map_.shape)
        if map_[y, x] > most:
            most, k = float(map_[y, x]), w / width
            best = (float(x) * k, float(y) * k, side * k)
    return best


def _cut(picture: NDArray[np.uint8], box: Box) -> Float[np.ndarray, "64 64 3"]:
    from PIL import Image

    left, top, side = box
    h, w = picture.shape[:2]
    edges = (max(left, 0.0), max(top, 0.0), min(left + side, float(w)), min(top + side, float(h)))
    size = (portraits.SIDE, portraits.SIDE)
    cut = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, box=edges)
    return np.asarray(cut) / 255.0


def here() -> tuple[Float[np.ndarray, "n 12288"], NDArray[np.int32]] | None:
    """The faces as rows, and their people, where the set lies on this machine.

    Raises:
        DataError: it lies there and is not what it should be.
    """
    if not places.is_here(LONDON):
        return None
    part = LONDON.splits["train"]
    rows = np.asarray(part["images"])
    return rows.reshape(len(rows), -1), np.asarray(part["person"])


def load() -> Images:
    """Grey faces; the last sixth is held out."""
    rows = np.asarray(LONDON.splits["train"]["images"]) @ LUMINANCE
    last = len(rows) - max(1, len(rows) // 6)
    return Images(rows[:last].copy(), rows[last:].copy())


LONDON = Dataset(
    name="london",
    title="London faces, 64x64",
    source="Face Research Lab London Set (Lisa DeBruine and Benedict Jones)",
    licence="CC BY 4.0",
    load=load,
    reader=open_folder,
    guide=Guide(
        page="https://doi.org/10.6084/m9.figshare.5047666",
        place="london",
        words="neutral_front.zip and smiling_front.zip (unpacked)",
    ),
)
DATASETS = (LONDON,)
