"""Where pages find results: the stored ones that ship with the app, then this machine's store."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from convexviz.errors import StoreError
from convexviz.experiments import store
from convexviz.experiments.precomputed import FOLDER, file_name
from convexviz.experiments.result import Result
from convexviz.views.memory import LastFew

PRIVATE = 8


def stored_file(architecture: str, name: str) -> Path:
    """Where a family lies if it was computed on this machine."""
    return store.default_folder() / "paths" / file_name(architecture, name)


def find(architecture: str, name: str) -> Result | None:
    """The stored result of a family, or None; a damaged file counts as absent."""
    for file in (FOLDER / file_name(architecture, name), stored_file(architecture, name)):
        if file.exists():
            try:
                return opened(str(file), file.stat().st_mtime_ns)
            except StoreError:
                continue
    return None


def keep(result: Result, name: str) -> None:
    """Store a computed family, so that it opens at once next time."""
    store.write(result, stored_file(result.architecture, name))


@st.cache_resource(show_spinner=False)
def private() -> LastFew[Result]:
    """The visitors' results of this server, by family (which hashes their images)."""
    return LastFew(PRIVATE)


@st.cache_resource(show_spinner=False, max_entries=8)
def opened(file: str, _modified: int) -> Result:
    """A result in memory, shared by all sessions: read-only by convention."""
    return store.read(Path(file))
