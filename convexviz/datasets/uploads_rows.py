"""Rows of numbers in CSV, npy or npz, read in the guard's child; what comes out is one flat array.

Of the facts, `columns` names the columns of a table and `classes` the words of a column of words.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import IO, Any

import numpy as np
from jaxtyping import Num

from convexviz.datasets.guard_child import one_line
from convexviz.datasets.uploads_numpy import Header, header_of, members_of
from convexviz.errors import DataError

TABLE = "table"  # how the one array of a CSV or npy file is called
LARGEST = 4_000_000  # numbers in all arrays together: what a child reads in its time
MOST_COLUMNS, MOST_CLASSES, MOST_AXES = 20_000, 50, 3
_LONGEST_WORD = 40

# Before the child gives up opening files.
codecs.lookup("utf-8-sig")


@dataclass(frozen=True, slots=True)
class Rows:
    """Arrays by name, the names of a table's columns, and the classes of columns of words."""

    arrays: dict[str, Num[np.ndarray, "..."]]
    columns: list[str] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What stands beside `flat`, as values that JSON holds."""
        shapes = [[name, list(array.shape)] for name, array in self.arrays.items()]
        return {"arrays": shapes, "columns": self.columns, "classes": self.classes}

    def flat(self) -> Num[np.ndarray, "1 1 N"]:
        """All numbers in one row: the way back to the parent is made for stacks of images."""
        parts = [np.asarray(a, dtype=np.float64).ravel() for a in self.arrays.values()]
        return np.concatenate(parts)[None, None]


def read(file: IO[bytes], kind: str) -> Rows:
    """What the file holds.

    Raises:
        DataError: something in it is no finite number, or there is too much of it.
    """
    if kind == "csv":
        return _csv(file)
    arrays = {TABLE: _array(file, header_of(file))} if kind == "rows-npy" else _npz(file)
    for name, array in arrays.items():
        _check_finite(name, array)
    return Rows(arrays, _numbered(arrays[TABLE]) if TABLE in arrays else [])


def _numbered(table: Num[np.ndarray, "..."]) -> list[str]:
    wide = table.ndim == 2 and table.shape[1] <= MOST_COLUMNS
    return [f"column {i + 1}" for i in range(table.shape[1])] if wide else []


def _npz(file: IO[bytes]) -> dict[str, Num[np.ndarray, "..."]]:
    archive = members_of(file)
    found: dict[str, Num[np.ndarray, "..."]] = {}
    for member in archive.infolist():
        name = one_line(member.filename.removesuffix(".npy"), _LONGEST_WORD)
        with archive.open(member) as stream:
            found[name] = _array(stream, header_of(stream, name, member.file_size))
        if sum(array.size for array in found.values()) > LARGEST:
            raise DataError(f"npz must hold at most {LARGEST:,} numbers in all; save fewer rows")
    return found


def _array(file: IO[bytes], header: Header) -> Num[np.ndarray, "..."]:
    count = int(np.prod(header.shape))
    if header.dtype.kind not in "buif" or header.dtype.itemsize > 8:
        raise DataError(f"{header.name} must hold real numbers, got {header.dtype}")
    if not 1 <= len(header.shape) <= MOST_AXES or not 1 <= count <= LARGEST:
        raise DataError(
            f"{header.name} must have 1 to {MOST_AXES} axes and at most {LARGEST:,} numbers, got "
            f"shape {header.shape}; save fewer rows"
        )
    flat = np.frombuffer(file.read(header.size), dtype=header.dtype)
    shaped = flat.reshape(header.shape[::-1]).T if header.fortran else flat.reshape(header.shape)
    return shaped.astype(np.float64)


def _check_finite(name: str, array: Num[np.ndarray, "..."]) -> None:
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(f"{name} must be finite, got {bad:,} NaN or infinite values; remove them")


def _csv(file: IO[bytes]) -> Rows:
    try:
        text = TextIOWrapper(file, "utf-8-sig", newline="")
        first = text.readline(1 << 20)
        text.seek(0)
        mark = max(",;\t", key=first.count)
        lines = [row for row in csv.reader(text, delimiter=mark) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"CSV must be UTF-8 text: {one_line(error, 120)}") from error
    if not lines:
        raise DataError("CSV must hold rows of numbers, got none")
    head = None if all(map(_is_number, lines[0])) else lines.pop(0)
    width = len(head or lines[0])
    if not lines or not 1 <= width <= MOST_COLUMNS or width * len(lines) > LARGEST:
        raise DataError(
            f"CSV must hold 1 to {LARGEST:,} numbers in at most {MOST_COLUMNS:,} columns, got "
            f"{len(lines):,} rows of {width:,}; save fewer rows"
        )
    for number, row in enumerate(lines, start=1 if head is None else 2):
        if len(row) != width:
            raise DataError(
                f"CSV row {number:,} must have {width:,} cells as the first, got {len(row):,}"
            )
    names = [one_line(name, _LONGEST_WORD) for name in head] if head else []
    columns = _distinct(names or [""] * width)
    table = np.empty((len(lines), width))
    classes: dict[str, list[str]] = {}
    for j, name in enumerate(columns):
        table[:, j] = _column(name, [row[j].strip() for row in lines], classes)
    _check_finite("CSV", table)
    return Rows({TABLE: table}, columns, classes)


def _distinct(names: list[str]) -> list[str]:
    """Names that tell the columns apart: the second of two equal ones gets its number."""
    found: list[str] = []
    for i, name in enumerate(names, start=1):
        plain = name or f"column {i}"
        found.append(plain if plain not in found else f"{plain} ({i})")
    return found


def _column(name: str, cells: list[str], classes: dict[str, list[str]]) -> Num[np.ndarray, " n"]:
    """A column of numbers; words become 0, 1, ... in alphabetical order."""
    if all(map(_is_number, cells)):
        return np.array([float(cell) for cell in cells])
    words = sorted(set(cells))
    if len(words) > MOST_CLASSES or "" in words:
        bad = next(cell for cell in cells if not _is_number(cell))
        raise DataError(
            f"CSV column {name!r} must hold numbers, or at most {MOST_CLASSES} different words, "
            f"got {one_line(bad, _LONGEST_WORD)!r}; fill or remove such rows"
        )
    classes[name] = [one_line(word, _LONGEST_WORD) for word in words]
    place = {word: i for i, word in enumerate(words)}
    return np.array([place[cell] for cell in cells], dtype=np.float64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
