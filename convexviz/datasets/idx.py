"""MNIST's idx format: a big-endian header, then bytes; gzipped or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets.base import Dataset, Draw, Guide, Images, Lazy, Opened, Remote
from convexviz.errors import DataError

LARGEST = 1 << 31  # bytes of one array, unpacked
_UNSIGNED_BYTES = 0x08
_SETS = {"train": "train", "test": "t10k"}
_KINDS = {"images": (3, "images", "idx3"), "labels": (1, "labels", "idx1")}
FASHION = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
TRAIN, TEST = 600, 10_000  # P4, section 5.1
ROWS, HELD_OUT = 1000, 2000  # of rows with a class each


def read(path: Path) -> Lazy:
    """The array of unsigned bytes in an idx file; its values are read at first use.

    Raises:
        DataError: it is no idx file, or shorter or longer than its header says.
    """
    with _opened(path) as file:
        shape = _shape(path, file)
    if path.suffix == ".gz":
        return Lazy(shape, np.dtype(np.uint8), lambda rows: _unpacked(path, shape)[rows])
    held = path.stat().st_size - 4 * (1 + len(shape))
    if held != math.prod(shape):
        raise _wrong_length(path, shape, held)
    values = np.memmap(path, np.uint8, "r", offset=4 * (1 + len(shape)), shape=shape)
    return Lazy(shape, values.dtype, lambda rows: np.array(values[rows]))


def _opened(path: Path) -> Any:
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _shape(path: Path, file: IO[Any]) -> tuple[int, ...]:
    try:
        head = file.read(4)
        axes = head[3] if len(head) == 4 else 0
        if head[:3] != bytes([0, 0, _UNSIGNED_BYTES]) or axes not in (1, 2, 3, 4):
            raise DataError(
                f"{path}: must be an idx file of unsigned bytes (00 00 08 and the number of "
                f"axes), begins with {head.hex(' ') or 'nothing'}; download it again"
            )
        sides = file.read(4 * axes)
        shape = struct.unpack(f">{axes}I", sides)
    except (struct.error, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: is cut short or damaged; download it again") from error
    if not all(shape) or math.prod(shape) > LARGEST:
        raise DataError(f"{path}: must hold 1 to {LARGEST:,} bytes, got shape {shape}")
    return shape


def _wrong_length(path: Path, shape: tuple[int, ...], held: int) -> DataError:
    return DataError(
        f"{path}: must hold {math.prod(shape):,} bytes for shape {shape}, got {held:,}; "
        "download it again"
    )


@lru_cache(maxsize=4)
def _unpacked_at(path: Path, _modified: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    size = math.prod(shape)
    try:
        with gzip.open(path) as file:
            file.read(4 * (1 + len(shape)))
            values = file.read(size + 1)  # no more: a bomb unpacks to a thousand times its size
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: is cut short or damaged; download it again") from error
    if len(values) != size:
        raise _wrong_length(path, shape, len(values))
    return np.frombuffer(values, np.uint8).reshape(shape)


def _unpacked(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return _unpacked_at(path, path.stat().st_mtime_ns, shape)


def open_folder(folder: Path) -> Opened:
    """Train and test of MNIST and of everything that is laid out like it.

    Raises:
        DataError: a file is missing or malformed, or images and labels differ in number.
    """
    splits: dict[str, dict[str, Lazy]] = {}
    files: list[Path] = []
    for split, prefix in _SETS.items():
        splits[split] = {}
        for name, (axes, kind, number) in _KINDS.items():
            path = _file(folder, f"{prefix}-{kind}", number)
            array = read(path)
            if len(array.shape) != axes:
                raise DataError(f"{path}: must have {axes} axes, got shape {array.shape}")
            splits[split][name] = array
            files.append(path)
        counts = [len(array) for array in splits[split].values()]
        if len(set(counts)) > 1:
            raise DataError(f"{folder}: {prefix} has {counts[0]} images and {counts[1]} labels")
    return Opened(splits, {}, tuple(files))


def _file(folder: Path, start: str, number: str) -> Path:
    names = [f"{start}{dot}{number}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder}: needs {names[0]} or {names[1]}; there is neither")


def _load(name: str) -> Images:
    from convexviz import datasets

    opened = datasets.get(name).open()
    train, test = (
        opened.splits[split]["images"][:count] / 255.0
        for split, count in (("train", TRAIN), ("test", TEST))
    )
    return Images(train, test)


def load_mnist() -> Images:
    """The first 600 training digits and all 10,000 that are held out, as in P4, section 5.1."""
    return _load("mnist")


def load_fashion() -> Images:
    """The first 600 training pictures and all 10,000 that are held out."""
    return _load("fashion_mnist")


def _drawn(name: str) -> Any:
    """Rows of pixels in [0, 1] with a class each: some of the training set, and held out."""

    def draw(wanted: Draw) -> Mapping[str, NDArray[np.float64]]:
        from convexviz import datasets

        train, test = (datasets.get(name).open().splits[part] for part in ("train", "test"))
        n = wanted.rows(ROWS, len(train["labels"]))
        chosen = np.random.default_rng(wanted.seed).permutation(len(train["labels"]))[:n]
        one_hot = np.eye(10)
        # From all over: the first half of MNIST's test digits is the harder one, by 6 % of them.
        held_out = slice(0, None, max(1, len(test["labels"]) // HELD_OUT))
        return {
            "X": train["images"][chosen].reshape(n, -1) / 255.0,
            "Y": one_hot[wanted.labels(train["labels"][chosen].astype(np.int64), 10)],
            "test_X": test["images"][held_out].reshape(-1, train["images"][:1].size) / 255.0,
            "test_Y": one_hot[test["labels"][held_out]],
        }

    return draw


def _remotes(base: str, md5s: tuple[str, str, str, str]) -> tuple[Remote, ...]:
    names = [
        f"{prefix}-{kind}-{number}-ubyte.gz"
        for prefix in _SETS.values()
        for _, kind, number in _KINDS.values()
    ]
    return tuple(Remote(name, md5, base + name) for name, md5 in zip(names, md5s, strict=True))


def _labelled(names: tuple[str, ...]) -> Any:
    def reader(folder: Path) -> Opened:
        opened = open_folder(folder)
        return Opened(opened.splits, {"labels": names}, opened.files)

    return reader


DATASETS = (
    Dataset(
        name="mnist",
        title="MNIST digits",
        source="LeCun, Cortes, Burges: The MNIST database of handwritten digits",
        licence="none stated by its authors; usually given as CC BY-SA 3.0",
        load=load_mnist,
        draw=_drawn("mnist"),
        reader=_labelled(tuple("0123456789")),
        guide=Guide(
            page="http://yann.lecun.com/exdb/mnist/",
            place="MNIST/raw",
            words="the four idx files",
            files=_remotes(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                (
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                    "d53e105ee54ea40749a09fcbcd1e9432",
                    "9fb629c4189551a2d022fa330f9573f3",
                    "ec29112dd5afa0611ce80d1b7f02629c",
                ),
            ),
        ),
    ),
    Dataset(
        name="fashion_mnist",
        title="Fashion-MNIST",
        source="Xiao, Rasul, Vollgraf: Fashion-MNIST, 2017",
        licence="MIT",
        load=load_fashion,
        draw=_drawn("fashion_mnist"),
        reader=_labelled(FASHION),
        guide=Guide(
            page="https://github.com/zalandoresearch/fashion-mnist",
            place="FashionMNIST/raw",
            words="the four idx files",
            files=_remotes(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                (
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    "25c81989df183df01b3e8a0aad5dffbe",
                    "bef4ecab320f06d8554ea6380940ec79",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                ),
            ),
        ),
    ),
)
