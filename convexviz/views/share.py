"""The Share button: the address holds the whole state, so sharing is copying it."""

from __future__ import annotations

import streamlit as st

from convexviz.views.component import make

NARROW = "narrow"

_share = make("share")


def share(key: str) -> None:
    """A button that copies the page's address and says so."""
    answer = _share(
        key=key,
        data={"narrow": is_narrow()},
        on_narrow_change=_nothing,
        height="content",
        width="content",
    )
    if answer.narrow is not None:
        st.session_state[NARROW] = bool(answer.narrow)


def is_narrow() -> bool:
    """Whether this visitor's screen is as narrow as a phone's; False until it has said so."""
    return bool(st.session_state.get(NARROW, False))


def _nothing() -> None:
    """A component's state exists only where a callback is named."""
