"""Where pages find results: the stored ones that ship with the app, then this machine's store.

A page's result is a path: one file serves every weight decay of its slider, so it is named by
its family, the key of everything but the weight decay.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from convexviz.errors import StoreError
from convexviz.experiments import store
from convexviz.experiments.key import key
from convexviz.experiments.result import Result

SHIPPED = Path(__file__).parents[2] / "assets" / "precomputed"


def family(architecture: str, spec: Mapping[str, Any], data_sha256: str = "") -> str:
    """The key of everything but the weight decay."""
    rest = {name: value for name, value in spec.items() if name != "weight_decay"}
    return key(architecture, rest, data_sha256)


def shipped_file(architecture: str, name: str) -> Path:
    """Where a family lies if it ships with the app."""
    return SHIPPED / f"{architecture}-{name}.h5"


def stored_file(architecture: str, name: str) -> Path:
    """Where a family lies if it was computed on this machine."""
    return store.default_folder() / "paths" / f"{architecture}-{name}.h5"


def find(architecture: str, name: str) -> Result | None:
    """The stored result of a family, or None; a damaged file counts as absent."""
    for file in (shipped_file(architecture, name), stored_file(architecture, name)):
        if file.exists():
            try:
                return _opened(str(file), file.stat().st_mtime_ns)
            except StoreError:
                continue
    return None


def keep(result: Result, name: str) -> None:
    """Store a computed family, so that it opens at once next time."""
    store.write(result, stored_file(result.architecture, name))


@st.cache_resource(show_spinner=False, max_entries=8)
def _opened(file: str, _modified: int) -> Result:
    """A result in memory, shared by all sessions: read-only by convention."""
    return store.read(Path(file))
