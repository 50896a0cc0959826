"""The Face Research Lab London Set where it lies on this machine: its faces, found on their mean.

The set does not ship. Where a visitor has it, each of its pictures is searched for the place and
size at which it is most like the mean face that ships, and comes as a face of 64 x 64 like those
that the generator was learned from. A file's name is its person and the pose, neutral or smiling,
from the front: `001_03.jpg`, `001_08.jpg`. Pictures by other names are none of the set.
"""

from __future__ import annotations

import hashlib
import re
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
TALLEST = 3  # times as high as wide, or as wide as high: beyond, the search takes minutes
TINY = 0.25  # correlation with the mean face; of the set's own pictures the least is 0.56
NAME = re.compile(r"[0-9]{3}_(03|08)")
HELD_OUT = (6, 11, 12, 14, 18, 22, 31, 42, 43, 45, 91, 107, 126, 128, 129, 141, 144)
LEARNED = (
    *(1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 16, 17, 19, 20, 21, 24, 25, 26, 27, 29, 30, 32, 33, 34),
    *(36, 37, 38, 39, 41, 44, 61, 62, 63, 64, 66, 67, 68, 69, 70, 81, 82, 83, 86, 87, 90, 92),
    *(94, 96, 97, 99, 100, 101, 102, 103, 104, 105, 108, 112, 113, 114, 115, 117, 118, 119),
    *(120, 121, 122, 123, 124, 125, 127, 130, 131, 132, 134, 135, 136, 137, 138, 139, 140, 142),
    *(143, 172, 173),
)  # the people whose pictures the shipped generator was learned from

Box = tuple[float, float, float]


def open_folder(folder: Path) -> Opened:
    """Faces (n, 64, 64, 3) in [0, 1] and the number of their person.

    Pictures that cannot be read, or hold no face, are left out of `files` as of the arrays.

    Raises:
        DataError: there are no pictures with names of the set, or none of them holds a face.
    """
    files = files_of(folder)
    if not files:
        raise DataError(
            f"{folder}: has no pictures named like 001_03.jpg; unpack neutral_front.zip and "
            "smiling_front.zip there"
        )
    images, files = faces(files)
    people = np.array([int(file.stem[:3]) for file in files], np.int32)
    parts = {"images": Lazy.of(images), "person": Lazy.of(people)}
    return Opened({"train": parts}, files=tuple(files))


def files_of(folder: Path) -> list[Path]:
    """The pictures with names of the set, each name once."""
    homes = [folder / name for name in FOLDERS if (folder / name).is_dir()]
    found: dict[str, Path] = {}
    for file in (file for home in homes for file in pictures.files_in(home)):
        if NAME.fullmatch(file.stem):
            found.setdefault(file.stem, file)
    return list(found.values())


def faces(files: list[Path]) -> tuple[Float[np.ndarray, "n 64 64 3"], list[Path]]:
    """The faces, and which pictures they are of: those that can be read and hold one.

    What is left out for being unlike the mean is no face at all (`TINY`): a stricter limit would
    leave out some people more than others.

    Raises:
        DataError: no picture is left; the line says why the first was not taken.
    """
    mean = portraits.stored_faces()["mean"].reshape(portraits.SIDE, portraits.SIDE, 3)
    shares: list[float] = []
    found: dict[Path, NDArray[np.float64]] = {}
    first: DataError | None = None
    for file in files:
        usual = float(np.median(shares)) if len(shares) >= FIRST else None
        tried = SHARES if usual is None else usual * np.array(CLOSE)
        try:
            picture = _read(file)
            try:
                box = best_place(picture, mean @ LUMINANCE, tried)
            except DataError:  # this one may be taken from nearer or farther
                box = best_place(picture, mean @ LUMINANCE, SHARES)
        except DataError as error:
            said = str(error) if str(file) in str(error) else f"{file}: {error}"
            first = first or DataError(said)
            continue
        if usual is None:
            shares.append(box[2] / picture.shape[1])
        found[file] = _cut(picture, box)
    if not found:
        raise first or DataError("there are no pictures to look for faces in")
    return np.stack(list(found.values())), list(found)


def _read(file: Path) -> NDArray[np.uint8]:
    """One picture.

    Raises:
        DataError: it cannot be read, or is too narrow to be searched.
    """
    h, w = pictures.size(file)
    if max(h, w) > TALLEST * min(h, w):
        raise DataError(
            f"{file}: must be at most {TALLEST} times as high as wide, or as wide as high, got "
            f"{w} x {h}; cut it to the face and shoulders"
        )
    return pictures.read(file)


def best_place(
    picture: NDArray[np.uint8], mean: Float[np.ndarray, "s s"], shares: NDArray[np.float64]
) -> Box:
    """The square that correlates most with the mean: left, top and side.

    Raises:
        DataError: nowhere is it like the mean.
    """
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
    if most < TINY:
        raise DataError(
            f"holds no face: nowhere does it correlate with the mean face by {TINY:g}, at most by "
            f"{max(most, 0.0):.2f}; take it out of the folder"
        )
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


def listing() -> str:
    """What tells this copy of the set from another one, or from none, without reading it."""
    if not places.is_here(LONDON):
        return ""
    folder, digest = places.found(LONDON), hashlib.sha256()
    try:
        for file in files_of(folder) if folder.is_dir() else [folder]:
            known = file.stat()
            digest.update(f"{file} {known.st_size} {known.st_mtime_ns}\n".encode())
    except OSError as error:
        digest.update(type(error).__name__.encode())
    return digest.hexdigest()


def left_out(taken: int) -> int:
    """How many pictures with names of the set were not taken."""
    return len(files_of(places.found(LONDON))) - taken


def without_place(words: str) -> str:
    """A line about the set without the folders of this machine."""
    if not places.is_here(LONDON):
        return words
    folder = places.found(LONDON)
    return words.replace(f"{folder}/", "").replace(str(folder), folder.name)


def load() -> Images:
    """Grey faces; the last sixth is held out.

    Raises:
        DataError: there are fewer than two faces.
    """
    rows = np.asarray(LONDON.splits["train"]["images"]) @ LUMINANCE
    if len(rows) < 2:
        raise DataError(
            f"london: must have at least two faces, one to learn from and one to hold out, got "
            f"{len(rows)}; unpack neutral_front.zip and smiling_front.zip there"
        )
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
