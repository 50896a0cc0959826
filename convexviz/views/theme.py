"""Which theme the visitor sees, and how a figure is shown in it."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from convexviz.figures import theme
from convexviz.views.frame import scale


def mode() -> theme.Mode:
    """`dark` or `light`, as the visitor's browser or choice says."""
    return "dark" if st.context.theme.type == "dark" else "light"


def roles() -> theme.Roles:
    """The colours of the theme on screen."""
    return theme.roles(mode())


def show(fig: go.Figure, key: str, *, alt: str, height: int = 300) -> None:
    """A figure in the template, as tall as it should be, with words for who cannot see it."""
    size = scale()
    fig.update_layout(template=theme.template(roles(), size), height=int(height * size))
    config: dict[str, Any] = {"displayModeBar": False, "responsive": True}
    st.plotly_chart(fig, key=key, theme=None, config=config, alt=alt)
