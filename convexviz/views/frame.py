"""What every page shares: configuration, logo, heading, and the lecture switch."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from convexviz import architectures

LECTURE = "lecture"
ROUTED = "routed"
PAGES = Path(__file__).parents[2] / "pages"
START = {"home": "Start", "theory": "Theory"}


def page_config() -> None:
    """Title, icon and width; the first call of app.py."""
    st.session_state[ROUTED] = True
    st.set_page_config(page_title="convexviz", page_icon="assets/mark.svg", layout="wide")


def through_router() -> None:
    """Run the page again through app.py where it was run alone.

    Beside a pages/ folder, Streamlit takes an app for one of the old kind until st.navigation was
    called once: all who open a deep link at once after a start get the bare page, for good. So each
    session asks whether app.py ran in it, and not the flag that the fastest of them has turned.
    """
    if not st.session_state.get(ROUTED):
        PagesManager.uses_pages_directory = False
        st.session_state[ROUTED] = True
        st.rerun()


def groups() -> dict[str, list[str]]:
    """The pages of the navigation: beside the logo, the labs, and what is done with results.

    Each is a file named as its URL: with a pages/ folder present, the first visitor after a restart
    is told "Page not found" at any address that is not a file in it. A page that is neither the
    start nor a lab lies in the folder like any other and is found there.
    """
    labs, files = list(architectures.registry()), {file.stem for file in PAGES.glob("*.py")}
    others = sorted(files - {*START, *labs})
    found = {"": [name for name in START if name in files], "Labs": labs, "Work": others}
    return {title: names for title, names in found.items() if names}


def sections() -> dict[str, list[StreamlitPage]]:
    """The groups as Streamlit's pages, with their titles."""
    return {title: [_page(name) for name in names] for title, names in groups().items()}


def _page(name: str) -> StreamlitPage:
    lab = architectures.registry().get(name)
    title = lab.title if lab else START.get(name) or name[:1].upper() + name[1:].replace("_", " ")
    return st.Page(f"pages/{name}.py", title=title, default=name == "home")


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
