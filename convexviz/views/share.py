"""The Share button: the address holds the whole state, so sharing is copying it."""

from __future__ import annotations

from convexviz.views.component import make

_share = make("share")


def share(key: str) -> None:
    """A button that copies the page's address and says so."""
    _share(key=key, data={}, height="content", width="content")
