"""CelebA: aligned faces, forty attributes, identities and its own partition.

Both shapes of the tables are read: the original text (runs of spaces) and the CSV of the mirrors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets import pictures
from convexviz.datasets.base import Dataset, Guide, Images, Lazy, Opened, Remote
from convexviz.datasets.cifar import LUMINANCE
from convexviz.errors import DataError

PARTS = {0: "train", 1: "validation", 2: "test"}
LARGEST_TABLE = 64 << 20
GREY = (200, 200)

Table = tuple[tuple[str, ...], dict[str, list[int]]]


def table(path: Path, *, headed: bool) -> Table:
    """The names of the columns and, for each file name, its integers.

    Raises:
        DataError: it is too large, or a row is not what the header promises.
    """
    if path.stat().st_size > LARGEST_TABLE:
        raise DataError(f"{path}: must have at most {LARGEST_TABLE >> 20} MB; download it again")
    lines = path.read_text("utf-8", "replace").splitlines()
    comma = path.suffix == ".csv"
    rows = [line.split(",") if comma else line.split() for line in lines if line.strip()]
    count = None
    if not comma and headed:
        count, rows = _count(path, rows), rows[1:]
    names: tuple[str, ...] = ()
    if comma or headed:
        if not rows:
            raise DataError(f"{path}: has no header; download it again")
        head = [name.strip() for name in rows[0]]
        names = tuple(head[1:] if comma or head[0] == "image_id" else head)
        rows = rows[1:]
    width = len(names) or 1
    found: dict[str, list[int]] = {}
    for number, row in enumerate(rows, start=len(lines) - len(rows) + 1):
        try:
            values = [int(cell) for cell in row[1:]]
        except ValueError:
            values = []
        if len(values) != width:
            raise DataError(
                f"{path}: line {number} must be a file name and {width} integers, "
                f"got {' '.join(row)[:60]!r}"
            )
        found[row[0].strip()] = values
    if count is not None and count != len(found):
        raise DataError(f"{path}: says {count:,} rows and has {len(found):,}; download it again")
    return names, found


def _count(path: Path, rows: list[list[str]]) -> int:
    if not rows or len(rows[0]) != 1 or not rows[0][0].isdecimal():
        raise DataError(f"{path}: line 1 must be the number of rows; download it again")
    return int(rows[0][0])


def open_folder(folder: Path) -> Opened:
    """The faces (N, 178 or so, ..., 3) by part, with attributes in {-1, 1} and identities.

    Raises:
        DataError: there are no pictures, or a table is malformed or names files there are not.
    """
    home = folder / "img_align_celeba"
    if (home / "img_align_celeba").is_dir():  # the mirrors' archive has the folder twice
        home = home / "img_align_celeba"
    if not home.is_dir():
        raise DataError(f"{folder}: needs the folder img_align_celeba; it is not there")
    names = [path.name for path in pictures.files_in(home)]
    if not names:
        raise DataError(f"{home}: has no pictures; unpack img_align_celeba.zip")
    tables = {
        "attributes": _table(folder, "list_attr_celeba", headed=True),
        "partition": _table(folder, "list_eval_partition", headed=False),
        "identity": _table(folder, "identity_CelebA", headed=False),
        "box": _table(folder, "list_bbox_celeba", headed=True),
        "landmarks": _table(folder, "list_landmarks_align_celeba", headed=True),
    }
    parts = _parts(folder, names, tables.pop("partition"))
    splits = {}
    for part, members in parts.items():
        arrays = {"images": pictures.stack([home / name for name in members])}
        for kind, found in tables.items():
            if found is not None:
                arrays[kind] = Lazy.of(_columns(folder, kind, found[1], members))
        splits[part] = arrays
    files = [home / name for name in names]
    files += [path for path in sorted(folder.glob("*.*")) if path.suffix in (".txt", ".csv")]
    attributes = tables["attributes"]
    meanings = {} if attributes is None else {"attributes": attributes[0]}
    return Opened(splits, meanings, tuple(files))


def _table(folder: Path, name: str, *, headed: bool) -> Table | None:
    for suffix in (".txt", ".csv"):
        if (folder / f"{name}{suffix}").is_file():
            return table(folder / f"{name}{suffix}", headed=headed)
    return None


def _parts(folder: Path, names: list[str], partition: Table | None) -> dict[str, list[str]]:
    """Part -> its pictures, in order; all of them train where no table says otherwise."""
    if partition is None:
        return {"train": names}
    parts: dict[str, list[str]] = {part: [] for part in PARTS.values()}
    for name in names:
        if name not in partition[1]:
            raise DataError(f"{folder}: list_eval_partition does not name {name}")
        (number,) = partition[1][name]
        if number not in PARTS:
            raise DataError(f"{folder}: {name} must be in part 0, 1 or 2, got {number}")
        parts[PARTS[number]].append(name)
    return {part: members for part, members in parts.items() if members}


def _columns(
    folder: Path, kind: str, rows: dict[str, list[int]], members: list[str]
) -> NDArray[np.int32]:
    lacking = next((name for name in members if name not in rows), None)
    if lacking is not None:
        raise DataError(f"{folder}: the table of {kind} does not name {lacking}")
    values = np.array([rows[name] for name in members], np.int32)
    if kind == "attributes" and not np.isin(values, (-1, 1)).all():
        raise DataError(f"{folder}: attributes must be -1 or 1")
    return values[:, 0] if kind == "identity" else values


def load() -> Images:
    """Grey faces: the first 200 of training, and the first 200 of the test part."""
    from convexviz import datasets

    splits = datasets.get("celeba").open().splits
    last = splits.get("test", splits["train"])
    train, test = (
        part["images"][:count] / 255.0 @ LUMINANCE
        for part, count in zip((splits["train"], last), GREY, strict=True)
    )
    return Images(train, test)


DATASETS = (
    Dataset(
        name="celeba",
        title="CelebA faces",
        source="Liu, Luo, Wang, Tang: Deep Learning Face Attributes in the Wild, ICCV 2015",
        licence="non-commercial research only, no redistribution; by agreement",
        load=load,
        reader=open_folder,
        guide=Guide(
            page="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
            place="celeba",
            words="img_align_celeba.zip (unpacked), list_attr_celeba.txt and "
            "list_eval_partition.txt",
            files=(
                Remote("img_align_celeba.zip", "00d2c5bc6d35e252742224ab0c1e8fcb"),
                Remote("list_attr_celeba.txt", "75e246fa4810816ffd6ee81facbd244c"),
                Remote("identity_CelebA.txt", "32bd1bd63d3c78cd57e08160ec5ed1e2"),
                Remote("list_bbox_celeba.txt", "00566efa6fedff7a56946cd1c10f1c16"),
                Remote("list_landmarks_align_celeba.txt", "cc24ecafdb5b50baae59b03474781f8c"),
                Remote("list_eval_partition.txt", "d32c9cbf5e040fd4025c592c306e6668"),
            ),
        ),
    ),
)
