"""A lab that is opened on one stored result, a cell of a sweep say, and not on a family of them.

The address names it by its key (`denoiser.result=0123456789abcdef`), so it survives a reload. As
soon as a setting moves, the page goes its own way again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from convexviz.errors import StoreError
from convexviz.experiments import store
from convexviz.experiments.result import Result
from convexviz.views import library
from convexviz.views.toolbar import Wanted

_KEY = re.compile(r"[0-9a-f]{16}")


def address(architecture: str, spec: Mapping[str, Any], key: str) -> dict[str, str]:
    """The query of the lab that opens on this result, settings and all."""
    text = {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in spec.items()}
    query = {f"{architecture}.{name}": value for name, value in text.items()}
    if has(architecture, key):
        query[f"{architecture}.result"] = key
    return query


def has(architecture: str, key: str) -> bool:
    """Whether this machine's store holds a result under that key."""
    if not _KEY.fullmatch(key):
        return False
    return store.Store(store.default_folder()).path(architecture, key).is_file()


def asked(wanted: Wanted) -> Result | None:
    """The result that the address names, for as long as no setting has moved since."""
    name = wanted.arch.name
    parameter, slot = f"{name}.result", f"{name}.result.seen"
    key = st.query_params.get(parameter, "")
    if not has(name, key):
        st.query_params.pop(parameter, None)
        return None
    now = (key, wanted.family, st.query_params.get(f"{name}.weight_decay"))
    seen = st.session_state.get(slot)
    if seen is not None and seen[0] == key and seen != now:
        st.query_params.pop(parameter)
        st.session_state.pop(slot)
        return None
    path = store.Store(store.default_folder()).path(name, key)
    try:
        found = library.opened(str(path), path.stat().st_mtime_ns)
    except (StoreError, OSError):  # damaged, or gone in this moment: it is solved anew
        st.query_params.pop(parameter)
        return None
    st.session_state[slot] = now
    return found
