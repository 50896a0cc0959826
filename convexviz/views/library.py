"""Where pages find results: the stored ones that ship with the app, then this machine's store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from convexviz.core.solution import Status
from convexviz.errors import StoreError
from convexviz.experiments import path, store
from convexviz.experiments.precomputed import FOLDER, file_name
from convexviz.experiments.result import Result
from convexviz.views.memory import LastFew

PRIVATE, LIVE = 8, 128  # images are large; what solves at once is small
LARGE = 4 << 20  # bytes
_KEEPING = threading.Lock()  # from a look at what is stored to what takes its place


def stored_file(architecture: str, name: str) -> Path:
    """Where a family lies if it was computed on this machine."""
    return store.default_folder() / "paths" / file_name(architecture, name)


def find(architecture: str, name: str) -> Result | None:
    """The result of a family, shipped, stored or in memory, or None; a damaged file is absent."""
    return next((result for _, result in found(architecture, name)), None)


def found(architecture: str, name: str) -> Iterator[tuple[Path | None, Result]]:
    """Every result of a family that is here, the newest file first, each with its file if any."""
    for file in files(architecture, name):
        try:
            yield file, opened(str(file), file.stat().st_mtime_ns)
        except (StoreError, FileNotFoundError):  # damaged, or gone in this moment
            continue
    for place in (private(), live()):
        if (result := place.get(name)) is not None:
            yield None, result


def files(architecture: str, name: str) -> list[Path]:
    """Where a family lies, the newest first: what was improved here, then what ships."""
    places = (FOLDER / file_name(architecture, name), stored_file(architecture, name))
    return sorted((p for p in places if p.exists()), key=lambda p: -p.stat().st_mtime_ns)


def known(architecture: str, families: Mapping[Any, str]) -> dict[Any, str]:
    """Of many families, those that may be found: in one look at each folder, not one a family."""
    folders = (FOLDER, stored_file(architecture, "").parent)
    there = {file.name for folder in folders if folder.is_dir() for file in folder.iterdir()}
    return {
        key: name
        for key, name in families.items()
        if file_name(architecture, name) in there or private().get(name) or live().get(name)
    }


def keep(result: Result, name: str) -> bool:
    """Store a computed family, to open at once next time; in memory where the disk refuses.

    One that was stopped takes no place of one that came further: then False, and nothing is stored.
    """
    file = stored_file(result.architecture, name)
    with _KEEPING:
        if result.status == Status.CANCELLED:
            others = [other for _, other in found(result.architecture, name)]
            if not all(is_further(result, other) for other in others):
                return False
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            store.write(result, file)
        except OSError:  # a StoreError is one
            private().put(name, result)
    return True


def is_further(stopped: Result, other: Result) -> bool:
    """Whether a solve that was stopped came further than another result of the same: to more
    weight decays, or at as many to smaller gaps. Never further than one that is whole.
    """
    if other.status != Status.CANCELLED:
        return False
    mine, its = path.certificates(stopped), path.certificates(other)
    if len(mine) != len(its):
        return len(mine) > len(its)
    return sum(each.relative_gap for each in mine) < sum(each.relative_gap for each in its)


def mark(result: Result) -> str:
    """What tells a result from one that was stored in its place."""
    numbers = [(each.primal, each.dual) for each in path.certificates(result)]
    return repr((result.provenance.get("created"), result.status, numbers))


@st.cache_resource(show_spinner=False)
def private() -> LastFew[Result]:
    """The visitors' results of this server, by family (which hashes their images)."""
    return LastFew(PRIVATE)


@st.cache_resource(show_spinner=False)
def live() -> LastFew[Result]:
    """The results that were solved while a page was drawn, by family."""
    return LastFew(LIVE)


@st.cache_resource(show_spinner=False, max_entries=24)
def opened(file: str, modified: int) -> Result:  # noqa: ARG001 - the cache goes by it
    """A result in memory, shared by all sessions: read-only by convention; a file that was
    written anew is read anew."""
    return store.read(Path(file))
