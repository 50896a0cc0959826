"""Where data sets that are not shipped lie: under CONVEXVIZ_DATA, or where the caller says."""

from __future__ import annotations

import os
from pathlib import Path

from convexviz.datasets.base import Dataset
from convexviz.errors import DataError

VARIABLE = "CONVEXVIZ_DATA"


def root() -> Path | None:
    """The folder that CONVEXVIZ_DATA names, if it names one."""
    named = os.environ.get(VARIABLE, "").strip()
    return Path(named).expanduser() if named else None


def found(dataset: Dataset, path: Path | None = None) -> Path:
    """The folder or file of `dataset`.

    Raises:
        DataError: it is not there; the line says where to get it and where to put it.
    """
    guide = dataset.guide
    assert guide is not None  # one without a guide is always there
    base = root() if path is None else path
    for place in (guide.place, *guide.also):
        for candidate in (place, Path(place).name):
            if base is not None and (base / candidate).exists():
                return base / candidate
    if path is None:
        raise DataError(f"{dataset.name} is not on this machine; {how_to_get(dataset)}")
    if path.exists():
        return path
    raise DataError(f"{dataset.name}: nothing at {path}; {how_to_get(dataset)}")


def is_here(dataset: Dataset) -> bool:
    """Whether it can be opened without being fetched."""
    if dataset.guide is None:
        return True
    try:
        found(dataset)
    except DataError:
        return False
    return True


def how_to_get(dataset: Dataset) -> str:
    """Where it is from, under which terms, and where it belongs, in one line."""
    assert dataset.guide is not None
    base = root()
    place = (
        f"{base / dataset.guide.place}"
        if base is not None
        else f"a folder of yours as {dataset.guide.place}, and name that folder in {VARIABLE}"
    )
    fetch = f", or `convexviz data get {dataset.name}`" if dataset.guide.can_be_fetched else ""
    return (
        f"get {dataset.guide.words} from {dataset.guide.page} ({dataset.licence}) and put "
        f"them into {place}{fetch}"
    )
