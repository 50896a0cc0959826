"""What every page shares: configuration, logo, heading, and the lecture switch."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.pages_manager import PagesManager

LECTURE = "lecture"


def page_config() -> None:
    """Title, icon and width; the first call of app.py."""
    st.set_page_config(page_title="convexviz", page_icon="assets/mark.svg", layout="wide")


def through_router() -> None:
    """Run the page again through app.py where it was run alone.

    Beside a pages/ folder, Streamlit takes an app for one of the old kind until st.navigation was
    called once: whoever opens a deep link first after a start gets the bare page, for good.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def logo() -> None:
    """The wordmark, as outlines: an SVG image sees no web fonts."""
    dark = st.context.theme.type == "dark"
    st.logo(f"assets/wordmark_{'dark' if dark else 'light'}.svg", size="large")


def align() -> None:
    """The header starts where the text starts; without the rule it only moves left."""
    st.html(
        "<style>@media (min-width:900px)"
        "{[data-testid=stHeader]{padding-inline:calc(5rem - 1.125rem)}}</style>"
    )


def scale() -> float:
    """How much larger than on a desk: 1.3 on a projector."""
    return 1.3 if st.session_state.get(LECTURE) else 1.0


def lecture() -> None:
    """Projector mode: the root font size is all it changes; everything else is in rem."""
    st.toggle(
        "Lecture",
        key=LECTURE,
        bind="query-params",
        help="Larger type and strokes for a projector",
    )
    if st.session_state.get(LECTURE):
        st.html("<style>:root{font-size:21px !important}</style>")


def heading(title: str, sentence: str) -> DeltaGenerator:
    """A page's title, its one sentence, and the row beside the title, which is returned.

    The row holds the lecture switch; what a page puts there costs the hero no height.
    """
    through_router()
    left, right = st.columns([1, 2], vertical_alignment="center")
    with left:
        st.title(title, anchor=False)
    with right:
        tools = st.container(
            horizontal=True,
            horizontal_alignment="right",
            vertical_alignment="center",
            key="heading.tools",
        )
    with tools:
        lecture()
    st.markdown(sentence)
    return tools
