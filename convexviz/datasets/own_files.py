"""Data of one's own: a folder of pictures, an npz or npy file, or any layout that is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets import pictures
from convexviz.datasets.base import Dataset, Images, Lazy, Opened
from convexviz.datasets.npz import read_npz
from convexviz.errors import DataError

PARTS = ("train", "val", "validation", "test")
LARGEST_FILE = 2 << 30


def at(path: str | Path) -> Dataset:
    """What lies at `path`, told by its layout: MNIST, CIFAR, CelebA, fastMRI, pictures, npz, npy.

    Raises:
        DataError: nothing is there, or it is of no kind that is known.
    """
    path = Path(path)
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    from convexviz import datasets

    for signs, names in (
        (("*-images*idx3-ubyte*",), ("mnist",)),
        (("batches.meta*", "data_batch_1*"), ("cifar10",)),
        (("fine_label_names.txt", "meta"), ("cifar100",)),
        (("img_align_celeba",), ("celeba",)),
        (("singlecoil_*",), ("fastmri_singlecoil",)),
        (("multicoil_*",), ("fastmri_multicoil",)),
    ):
        if any(next(path.glob(sign), None) for sign in signs):
            return _moved(datasets.get(names[0]), path)
    return folder(path)


def _moved(known: Dataset, path: Path) -> Dataset:
    """A known set that lies elsewhere than CONVEXVIZ_DATA says."""
    assert known.reader is not None  # all those are read from disk
    return _dataset(known.name, path, partial(known.reader, path), known.source, known.licence)


def _of_file(path: Path) -> Dataset:
    if path.suffix == ".npz":
        return arrays(path)
    if path.suffix == ".npy":
        return arrays(path)
    raise DataError(f"{path}: must be .npz, .npy or a folder; pictures belong into a folder")


def folder(path: Path, mode: str = "RGB") -> Dataset:
    """Pictures: `*.png`, or one folder a class, or both under `train` and `test`.

    Its labels count the classes in the order of their names. `mode` "L" reads grey.
    """
    return _dataset(path.name, path, lambda: _folder(path, mode))


def _folder(path: Path, mode: str) -> Opened:
    parts = {name: path / name for name in PARTS if (path / name).is_dir()} or {"train": path}
    homes = {name: _classes(home) for name, home in parts.items()}
    classes = tuple(sorted({label for home in homes.values() for label in home if label}))
    splits, files = {}, []
    for name, home in homes.items():
        members = [(file, label) for label, found in sorted(home.items()) for file in found]
        splits[name] = {"images": pictures.stack([file for file, _ in members], mode)}
        if classes and all(label for _, label in members):
            numbers = np.array([classes.index(label) for _, label in members], np.int32)
            splits[name]["labels"] = Lazy.of(numbers)
        files += [file for file, _ in members]
    return Opened(splits, {"labels": classes} if classes else {}, tuple(files))


def _classes(home: Path) -> dict[str, list[Path]]:
    """Class -> its pictures; the class is empty for pictures that lie in no folder."""
    direct = pictures.files_in(home)
    if direct:
        return {"": direct}
    found = {
        inner.name: pictures.files_in(inner)
        for inner in sorted(home.iterdir())
        if inner.is_dir() and not inner.name.startswith(".")
    }
    found = {name: files for name, files in found.items() if files}
    if not found:
        kinds = ", ".join(pictures.SUFFIXES)
        raise DataError(f"{home}: has no pictures ({kinds}), nor folders of them")
    return found


def arrays(path: Path) -> Dataset:
    """The arrays of an npz file by name, or the one of an npy file; `test_...` is the test part."""
    return _dataset(path.stem, path, lambda: _arrays(path))


def _arrays(path: Path) -> Opened:
    found = read_npz(path) if path.suffix == ".npz" else {"images": _npy(path)}
    splits: dict[str, dict[str, Lazy]] = {}
    for name, array in found.items():
        part = "test" if name.startswith("test_") else "train"
        array = array[None] if not array.ndim else array
        splits.setdefault(part, {})[name.removeprefix("test_")] = Lazy.of(array)
    return Opened(splits, {}, (path,))


def _npy(path: Path) -> NDArray[np.generic]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{path}: must have at most {LARGEST_FILE >> 30} GB")
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except DataError:
        raise
    except (OSError, ValueError, EOFError) as error:
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{path}: cannot be read ({said}); save it with numpy.save") from error
    if array.dtype.kind not in "biufc":
        raise DataError(f"{path}: must hold numbers, got dtype {array.dtype}")
    return array


def _dataset(
    name: str,
    path: Path,
    reader: Callable[[], Opened],
    source: str = "",
    licence: str = "unknown",
) -> Dataset:
    return Dataset(
        name=name,
        title=name,
        source=source or f"files of this machine: {path.name}",
        licence=licence,
        load=lambda: _grey(reader()),
        reader=lambda _place: reader(),
        guide=None,
    )


def _grey(opened: Opened) -> Images:
    """The images of an opened set in [0, 1], as a denoiser takes them."""
    from convexviz.datasets.cifar import LUMINANCE

    parts = []
    for split in list(opened.splits.values())[:2]:
        values = np.asarray(split["images"] if "images" in split else next(iter(split.values())))
        scale = 255.0 if values.dtype == np.uint8 else 1.0
        grey = values / scale @ LUMINANCE if values.shape[-1] == 3 else values / scale
        parts.append(np.asarray(grey, float).reshape(-1, *grey.shape[-2:]))
    return Images(parts[0], parts[-1].copy())
