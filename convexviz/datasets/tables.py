"""A visitor's rows of numbers: CSV, npy or npz, read in a limited child."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from convexviz.datasets import guard
from convexviz.datasets.guard_child import one_line
from convexviz.errors import DataError, WorkError

TABLE = "table"
MOST_CLASSES = 20  # a column of that few different integers may name classes


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds.

    Attributes:
        filename: as the visitor called it, on one line; text, never a path.
        arrays: by name; one called `table` where the file has no names.
        columns: names of the table's columns; empty where there is no table.
        classes: for a column that held words, those words in the order of its numbers.
    """

    filename: str
    arrays: Mapping[str, Num[np.ndarray, "..."]]
    columns: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]

    @property
    def is_table(self) -> bool:
        """Whether it is one array of named columns."""
        return bool(self.columns)

    def column(self, name: str) -> Float[np.ndarray, " n"]:
        """One column.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self.columns:
            raise DataError(f"{self.filename}: no column {name!r}")
        found: Float[np.ndarray, " n"] = self.arrays[TABLE][:, self.columns.index(name)]
        return found

    def without(self, name: str) -> Float[np.ndarray, "n d"]:
        """All columns but one."""
        kept = [i for i, other in enumerate(self.columns) if other != name]
        if not kept:
            raise DataError(f"{self.filename} must have a column beside {name!r}, got none")
        rest: Float[np.ndarray, "n d"] = self.arrays[TABLE][:, kept]
        return rest


def read(source: bytes | Path, filename: str = "") -> Table:
    """The arrays in a visitor's bytes, or in a file of this machine.

    Raises:
        DataError: the file is refused, in one line.
        WorkError: too many files are being read.
    """
    name = one_line(filename or (source.name if isinstance(source, Path) else "file"), 60)
    kind = _kind(source, name)
    try:
        answer = guard.ask({"kind": kind, "wanted": None}, source)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except OSError as error:
        raise WorkError(f"{name} could not be read now ({error.strerror}); try again") from error
    try:
        return _table(name, answer)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name} could not be understood; save it anew") from error


def _kind(source: bytes | Path, name: str) -> str:
    try:
        with guard.opened(source) as file:
            start = file.read(8)
    except DataError as error:
        raise DataError(f"{name} {error}") from error
    if start.startswith(b"\x93NUMPY"):
        return "rows-npy"
    if start.startswith(b"PK\x03\x04"):
        return "rows-npz"
    if b"\0" in start:
        raise DataError(f"{name} must be CSV, npy or npz, and begins like none of them")
    return "csv"


def _table(name: str, answer: guard.Answer) -> Table:
    facts: Mapping[str, Any] = answer.facts
    assert answer.images is not None
    flat, start = answer.images.ravel(), 0
    arrays = {}
    for array, shape in facts["arrays"]:
        size = prod(shape)
        arrays[one_line(array, 40)] = flat[start : start + size].reshape(shape)
        start += size
    if start != flat.size or not arrays:
        raise ValueError("more numbers than shapes")
    classes = {
        one_line(column, 40): tuple(one_line(word, 40) for word in words)
        for column, words in facts["classes"].items()
    }
    return Table(name, arrays, tuple(one_line(c, 40) for c in facts["columns"]), classes)


def may_name_classes(values: Float[np.ndarray, " n"]) -> bool:
    """Whether these are few different integers: 2 to 20 of them."""
    different = np.unique(values)
    whole = bool(np.array_equal(different, np.round(different)))
    return whole and 2 <= len(different) <= min(MOST_CLASSES, len(values) - 1)


def one_hot(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n c"]:
    """A column a class, in increasing order of the values."""
    different, place = np.unique(values, return_inverse=True)
    return np.eye(len(different))[place]


def split(
    arrays: Mapping[str, Num[np.ndarray, "..."]], held_out: float, seed: int
) -> dict[str, Num[np.ndarray, "..."]]:
    """The rows shuffled, with the share `held_out` of them under `test_` names."""
    n = len(next(iter(arrays.values())))
    order = np.random.default_rng(seed).permutation(n)
    last = n - round(held_out * n)
    train = {name: array[order[:last]] for name, array in arrays.items()}
    return train | {f"test_{name}": array[order[last:]] for name, array in arrays.items()}
