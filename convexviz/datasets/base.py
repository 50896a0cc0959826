"""What a data set says about itself, and the arrays it holds, read when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.errors import SpecError

Rows = int | slice | list[int] | NDArray[Any]
WHOLE_BYTES = 2 << 30  # up to here a checksum reads every byte; beyond, names and sizes


@dataclass(frozen=True, slots=True)
class Images:
    """Clean images in [0, 1]: those to train on, and those held out; read-only.

    Attributes:
        split: where train and test are the left and the right part of one picture, the column
            at which the test part starts; None otherwise.
    """

    train: Float[np.ndarray, "N h w"]
    test: Float[np.ndarray, "M a b"]
    split: int | None = None

    def __post_init__(self) -> None:
        self.train.flags.writeable = self.test.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Lazy:
    """An array whose shape is known and whose values are read when rows are asked for.

    `lazy[3]`, `lazy[:10]`, `lazy[[4, 1]]`, `np.asarray(lazy)`; what comes back may be changed.

    Attributes:
        read: (row numbers) -> the values of these rows, stacked.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[NDArray[np.intp]], NDArray[Any]] = field(repr=False)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Rows) -> NDArray[Any]:
        numbers = np.arange(self.shape[0])[rows]
        found = self.read(np.atleast_1d(numbers))
        return found if numbers.ndim else found[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("values that lie on disk cannot be had without a copy")
        values = self[:]
        return values if dtype is None else values.astype(dtype)

    @classmethod
    def of(cls, array: NDArray[Any]) -> Lazy:
        """An array that is in memory, or mapped into it."""
        return cls(array.shape, array.dtype, lambda rows: np.array(array[rows]))


Splits = Mapping[str, Mapping[str, Lazy]]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A data set that was found.

    Attributes:
        splits: arrays by the name of the part (`train`, `test`, ...) and their own.
        names: what the integers of an array mean: `names["labels"][3]`.
        files: what it is read from; empty where it is drawn by a formula.
    """

    splits: Splits
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[Path, ...] = field(default=(), repr=False)

    def checksum(self) -> str:
        """`sha256:` of the files' names and bytes, or of the arrays where there are no files.

        Of more than 2 GiB, `listing:` of names and sizes.
        """
        digest = hashlib.sha256()
        if not self.files:
            for split, arrays in sorted(self.splits.items()):
                for name, array in sorted(arrays.items()):
                    values = np.ascontiguousarray(array)
                    digest.update(f"{split}/{name} {values.dtype.str} {values.shape} ".encode())
                    digest.update(values.tobytes())
            return f"sha256:{digest.hexdigest()}"
        sizes = [file.stat().st_size for file in self.files]
        whole = sum(sizes) <= WHOLE_BYTES
        for file, size in zip(self.files, sizes, strict=True):
            digest.update(f"{file.name} {size} ".encode())
            if whole:
                with file.open("rb") as stream:
                    while block := stream.read(1 << 20):
                        digest.update(block)
        return f"{'sha256' if whole else 'listing'}:{digest.hexdigest()}"


@dataclass(frozen=True, slots=True)
class Remote:
    """A file that can be had from elsewhere, and how to know that it is the right one."""

    name: str
    md5: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Guide:
    """How to get a data set that convexviz may not ship.

    Attributes:
        page: the address of its home, where its terms stand.
        place: the folder under CONVEXVIZ_DATA that it belongs into.
        words: what to put there, in a sentence.
        also: other folders that it may lie in.
        files: those whose checksum is known; with an address, `convexviz data get` fetches them.
    """

    page: str
    place: str
    words: str
    files: tuple[Remote, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def can_be_fetched(self) -> bool:
        """Whether every file has an address that needs no agreement."""
        return bool(self.files) and all(file.url for file in self.files)


@dataclass(frozen=True, slots=True)
class Draw:
    """What is drawn of rows with targets: seed, how many to train on, the share of wrong labels."""

    seed: int = 0
    n_train: int = 0
    label_noise: float = 0.0

    def rows(self, own: int, most: int) -> int:
        """The number of training rows: the data set's own where none is asked for."""
        return min(self.n_train or own, most)

    def labels(self, labels: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
        """The labels, a share of them replaced by classes drawn uniformly."""
        rng = np.random.default_rng([self.seed, 1])
        wrong = rng.random(len(labels)) < self.label_noise
        drawn = rng.integers(0, n_classes, len(labels))
        return np.where(wrong, drawn, labels)


def no_images() -> Images:
    """What `load` is where a data set holds rows with targets.

    Raises:
        SpecError: always.
    """
    raise SpecError("this data set holds rows with targets and no images; take its `draw`")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named source of data, with the words that must stand beside it.

    Attributes:
        load: its clean grey images, ready for a denoiser.
        reader: (the folder or file it lies in) -> what is there; None where it is always there.
        guide: how to get it, where it is not shipped.
        draw: (what to draw) -> `X`, `Y` and, where rows are held out, `test_X`, `test_Y`.
    """

    name: str
    title: str
    source: str
    licence: str
    load: Callable[[], Images] = no_images
    reader: Callable[[Path], Opened] | None = None
    guide: Guide | None = None
    draw: Callable[[Draw], Mapping[str, NDArray[np.float64]]] | None = None

    @property
    def is_shipped(self) -> bool:
        """Whether it comes with convexviz or its packages."""
        return self.reader is None

    def open(self, path: str | Path | None = None) -> Opened:
        """Its parts, lazily; `path` is where it lies, else it is looked for under CONVEXVIZ_DATA.

        Raises:
            DataError: it is not there (with the way to get it), or is not what it should be.
        """
        if self.reader is not None and self.guide is None:  # it says itself where it lies
            return self.reader(Path())
        if self.draw is not None and self.reader is None:
            drawn = self.draw(Draw())
            split = {name: name.startswith("test_") for name in drawn}
            arrays = {name: Lazy.of(array) for name, array in drawn.items()}
            return Opened(
                {
                    part: {n.removeprefix("test_"): arrays[n] for n in arrays if split[n] is held}
                    for part, held in (("train", False), ("test", True))
                    if held in split.values()
                }
            )
        if self.reader is None:
            images = self.load()
            parts = {"train": images.train, "test": images.test}
            return Opened({name: {"images": Lazy.of(part)} for name, part in parts.items()})
        from convexviz.datasets import places

        return self.reader(places.found(self, None if path is None else Path(path)))

    @property
    def splits(self) -> Splits:
        """Its parts: `dataset.splits["train"]["images"][:10]`."""
        return self.open().splits

    def checksum(self, path: str | Path | None = None) -> str:
        """What tells this copy from another one; see `Opened.checksum`."""
        return self.open(path).checksum()
