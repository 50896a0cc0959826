"""Below the hero: one figure at a time, beside it the story that leads there and what to notice.

On a narrow screen the story stands under its figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from convexviz import figures
from convexviz.architectures import story
from convexviz.experiments.result import Result
from convexviz.figures.picture import Theme
from convexviz.views import controls, theme
from convexviz.views.frame import scale
from convexviz.views.share import is_narrow

RACE = "Race"
# A card is narrow: its formulas are set in the size of its words, and scroll where still too wide.
_STYLE = """<style>
[class*=story] .katex{font-size:1.05em}
[class*=story] .katex-display{overflow:auto hidden;padding-block:2px;margin-block:.4em}
</style>"""


def chosen(name: str, titles: list[str]) -> str:
    """Which figure is on: a choice that lives in the address."""
    key = f"{name}.panel"
    widget = f"{key}.{controls.version(name)}"
    if st.session_state.get(key) not in titles:
        asked = st.query_params.get(key)
        st.session_state[key] = asked if asked in titles else titles[0]
    # What the widget starts from must stay while it is the same widget.
    start = st.session_state.setdefault(f"{widget}.start", st.session_state[key])
    title = st.segmented_control(
        "Figure", titles, default=start, required=True, key=widget, label_visibility="collapsed"
    )
    title = st.session_state[key] = str(title or start)
    if title != titles[0]:
        st.query_params[key] = title
    elif key in st.query_params:
        del st.query_params[key]
    return title


@dataclass(frozen=True, slots=True)
class Places:
    """Where a figure goes, and what is said of it beside, or under it on a narrow screen."""

    figure: DeltaGenerator
    words: DeltaGenerator


def show(
    result: Result,
    label: str,
    race: Callable[[Places], None],
    apply: Callable[[story.Card], None],
) -> bool:
    """The chosen figure, beside it the story and what to notice; whether that is the race.

    `label` tells results apart, `race` draws the race, `apply` sets the page to a card's settings.
    """
    name = result.architecture
    pictures = figures.for_architecture(name)
    title = chosen(name, [RACE, *pictures])
    left, right = st.columns([0.64, 0.36], gap="medium")
    with right:
        tell(name, apply)
    places = Places(left, right.container())
    if title == RACE:
        race(places)
        return True
    figure, alt, caption = _drawn(label, title, look(), result)
    with places.figure:
        plot(figure, f"{name}.figure.{title}", alt)
    notice(places, caption)
    return False


def notice(places: Places, caption: str) -> None:
    """What to notice in a figure."""
    with places.words:
        st.subheader("What to notice", anchor=False)
        st.markdown(caption)


def look() -> Theme:
    """Colours, size and width of the screen that figures are drawn for."""
    return Theme(roles=theme.roles(), scale=scale(), narrow=is_narrow())


@st.cache_resource(show_spinner=False, max_entries=64)
def _drawn(
    label: str,  # noqa: ARG001 - the cache goes by it
    title: str,
    drawn_for: Theme,
    _result: Result,
) -> tuple[Any, str, str]:
    """The figure, what is said instead of it, and what to notice in it."""
    picture = figures.for_architecture(_result.architecture)[title]
    return picture(_result, drawn_for), picture.alt(_result), picture.caption(_result)


def plot(figure: Any, key: str, alt: str) -> None:
    """A finished figure, in its own template."""
    config = {"displayModeBar": False, "responsive": True}
    st.plotly_chart(figure, key=key, theme=None, config=config, alt=alt)


def tell(name: str, apply: Callable[[story.Card], None]) -> None:
    """The story, a card at a time; showing a card sets the page to what it speaks of."""
    cards = story.of(name)
    if not cards:
        return
    place = f"{name}.card"
    step = min(max(int(st.session_state.get(place, 0)), 0), len(cards) - 1)

    def go(to: int) -> None:
        st.session_state[place] = to
        apply(cards[to])

    with st.container(border=True, key=f"{name}.story"):
        st.html(_STYLE)
        st.subheader(cards[step].title, anchor=False)
        st.markdown(cards[step].body)
        count, moves = st.columns([0.3, 0.7], vertical_alignment="center")
        with count:
            st.caption(f"{step + 1} of {len(cards)}")
        with moves, st.container(horizontal=True, horizontal_alignment="right"):
            st.button(
                "Back", key=f"{place}.back", disabled=step == 0, on_click=go, args=(step - 1,)
            )
            last = step == len(cards) - 1
            st.button("Next", key=f"{place}.next", disabled=last, on_click=go, args=(step + 1,))
