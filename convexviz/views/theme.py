"""Which theme the visitor sees."""

from __future__ import annotations

import streamlit as st

from convexviz.figures import theme


def mode() -> theme.Mode:
    """`dark` or `light`, as the visitor's browser or choice says."""
    return "dark" if st.context.theme.type == "dark" else "light"


def roles() -> theme.Roles:
    """The colours of the theme on screen."""
    return theme.roles(mode())
