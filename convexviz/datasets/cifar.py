"""CIFAR-10 and CIFAR-100, in the python and in the binary layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets import batch_pickle, colour
from convexviz.datasets.base import Dataset, Guide, Images, Lazy, Opened, Remote
from convexviz.errors import DataError

SIDE = 32
PIXELS = 3 * SIDE * SIDE
GREY = (500, 500)  # images of each part that a denoiser trains on and is tested with
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells the two sets apart.

    Attributes:
        parts: split -> the files of it, without a suffix.
        labels: our name of an array of labels -> the key in a pickled batch, the largest
            label and the places of its names: a pickled key, and a text file.
    """

    parts: Mapping[str, tuple[str, ...]]
    meta: str
    labels: Mapping[str, tuple[str, int, str, str]]


_TEN = _Kind(
    {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
    "batches.meta",
    {"labels": ("labels", 9, "label_names", "batches.meta.txt")},
)
_HUNDRED = _Kind(
    {"train": ("train",), "test": ("test",)},
    "meta",
    {
        "coarse_labels": ("coarse_labels", 19, "coarse_label_names", "coarse_label_names.txt"),
        "labels": ("fine_labels", 99, "fine_label_names", "fine_label_names.txt"),
    },
)


def open_folder(folder: Path, kind: _Kind) -> Opened:
    """Either layout: images (N, 32, 32, 3) of bytes, and labels.

    Raises:
        DataError: a file is missing or malformed.
    """
    pickled = (folder / next(iter(kind.parts.values()))[0]).is_file()
    suffix = "" if pickled else ".bin"
    batch = _pickled if pickled else _binary
    splits, files = {}, []
    for split, names in kind.parts.items():
        paths = [folder / f"{name}{suffix}" for name in names]
        for path in paths:
            if not path.is_file():
                raise DataError(f"{folder}: needs {path.name}; it is not there")
        counts = [_count(path, kind) for path in paths] if not pickled else None
        splits[split] = _arrays(paths, kind, batch, counts)
        files += paths
    return Opened(splits, _names(folder, kind), tuple(files))


def _arrays(
    paths: Sequence[Path],
    kind: _Kind,
    batch: Callable[[Path, int, _Kind], Mapping[str, Any]],
    counts: list[int] | None,
) -> dict[str, Lazy]:
    """The batches one after another; a batch is read when one of its rows is asked for."""
    stamped = [(path, path.stat().st_mtime_ns) for path in paths]
    if counts is None:
        counts = [len(batch(path, stamp, kind)["images"]) for path, stamp in stamped]
    ends = np.cumsum(counts)

    def reader(name: str) -> Callable[[NDArray[np.intp]], NDArray[Any]]:
        def read(rows: NDArray[np.intp]) -> NDArray[Any]:
            places = np.searchsorted(ends, rows, side="right")
            shape = (SIDE, SIDE, 3) if name == "images" else ()
            out = np.empty((len(rows), *shape), np.uint8)
            for place in np.unique(places):
                here = places == place
                start = int(ends[place]) - counts[place]
                path, stamp = stamped[place]
                out[here] = batch(path, stamp, kind)[name][rows[here] - start]
            return out

        return read

    shapes = {"images": (SIDE, SIDE, 3), **dict.fromkeys(kind.labels, ())}
    return {
        name: Lazy((int(ends[-1]), *shape), np.dtype(np.uint8), reader(name))
        for name, shape in shapes.items()
    }


def _images(flat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Planes of red, green and blue, row-major, as pictures."""
    return np.ascontiguousarray(flat.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


@lru_cache(maxsize=6)
def _pickled_at(path: Path, _modified: int, hundred: bool) -> Mapping[str, NDArray[Any]]:
    kind = _HUNDRED if hundred else _TEN
    found = batch_pickle.read(path)
    flat = found.get("data")
    if not isinstance(flat, np.ndarray) or flat.ndim != 2 or flat.shape[1] != PIXELS:
        shape = getattr(flat, "shape", None)
        raise DataError(f"{path}: data must be (N, {PIXELS}) bytes, got {shape}; download it again")
    arrays: dict[str, NDArray[Any]] = {"images": _images(flat)}
    for name, (key, largest, _, _) in kind.labels.items():
        arrays[name] = _labels(path, key, found.get(key), len(flat), largest)
    return arrays


def _pickled(path: Path, modified: int, kind: _Kind) -> Mapping[str, NDArray[Any]]:
    return _pickled_at(path, modified, kind is _HUNDRED)


def _labels(path: Path, key: str, values: Any, count: int, largest: int) -> NDArray[np.uint8]:
    whole = isinstance(values, list) and all(type(value) is int for value in values)
    if not whole or len(values) != count or not all(0 <= value <= largest for value in values):
        raise DataError(
            f"{path}: {key} must be {count} integers in [0, {largest}]; download it again"
        )
    return np.array(values, np.uint8)


def _record(kind: _Kind) -> int:
    return len(kind.labels) + PIXELS


def _count(path: Path, kind: _Kind) -> int:
    size, record = path.stat().st_size, _record(kind)
    if size == 0 or size % record:
        raise DataError(
            f"{path}: must be records of {record:,} bytes, got {size:,} bytes; download it again"
        )
    return size // record


def _binary(path: Path, _modified: int, kind: _Kind) -> Mapping[str, Any]:
    records = np.memmap(path, np.uint8, "r", shape=(_count(path, kind), _record(kind)))
    arrays: dict[str, NDArray[Any]] = {}
    for column, (name, (key, largest, _, _)) in enumerate(kind.labels.items()):
        values = np.array(records[:, column])
        if values.max() > largest:
            raise DataError(f"{path}: {key} must be in [0, {largest}], got {values.max()}")
        arrays[name] = values
    return {"images": _Planes(records[:, len(kind.labels) :]), **arrays}


class _Planes:
    """Rows of a binary file as pictures, turned when they are asked for."""

    def __init__(self, flat: NDArray[np.uint8]) -> None:
        self.flat = flat

    def __len__(self) -> int:
        return len(self.flat)

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        return _images(np.array(self.flat[rows]))


def _names(folder: Path, kind: _Kind) -> dict[str, tuple[str, ...]]:
    """What the labels mean, where the file that says so is there."""
    found: dict[str, tuple[str, ...]] = {}
    meta = batch_pickle.read(folder / kind.meta) if (folder / kind.meta).is_file() else {}
    for name, (_, largest, key, text) in kind.labels.items():
        words = meta.get(key)
        if words is None and (folder / text).is_file():
            words = (folder / text).read_text("utf-8", "replace").split()
        if isinstance(words, list) and len(words) == largest + 1:
            found[name] = tuple(map(str, words))
    return found


def _load(name: str) -> Images:
    from convexviz import datasets

    opened = datasets.get(name).open()
    train, test = (
        opened.splits[split]["images"][:count] / 255.0 @ LUMINANCE
        for split, count in zip(("train", "test"), GREY, strict=True)
    )
    return Images(train, test)


def _guide(places: tuple[str, str], files: tuple[Remote, ...]) -> Guide:
    return Guide(
        page="https://www.cs.toronto.edu/~kriz/cifar.html",
        place=places[0],
        also=places[1:],
        words="the python or the binary version, unpacked,",
        files=files,
    )


def _remote(name: str, md5: str) -> Remote:
    return Remote(name, md5, f"https://www.cs.toronto.edu/~kriz/{name}")


_SOURCE = "Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009"
DATASETS = (
    Dataset(
        name="cifar10",
        title="CIFAR-10",
        source=_SOURCE,
        licence="none stated",
        load=lambda: _load("cifar10"),
        draw=colour.cifar("cifar10"),
        reader=lambda folder: open_folder(folder, _TEN),
        guide=_guide(
            ("cifar-10-batches-py", "cifar-10-batches-bin"),
            (_remote("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),),
        ),
    ),
    Dataset(
        name="cifar100",
        title="CIFAR-100",
        source=_SOURCE,
        licence="none stated",
        load=lambda: _load("cifar100"),
        draw=colour.cifar("cifar100"),
        reader=lambda folder: open_folder(folder, _HUNDRED),
        guide=_guide(("cifar-100-python", "cifar-100-binary"), ()),
    ),
)
