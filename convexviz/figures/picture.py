"""What a page needs of one figure: the drawing, its text alternative and what to notice in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from convexviz.experiments.result import Result
from convexviz.figures.theme import LIGHT, Roles, log_ticks, template


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours a figure is drawn in, and for which screen.

    Attributes:
        roles: colour of each role.
        scale: 1 on a screen, more in a lecture.
        narrow: True on a phone: fewer small multiples in a row.
    """

    roles: Roles = LIGHT
    scale: float = 1.0
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """One titled figure of a result; calling it draws it.

    Attributes:
        draw: result, theme -> figure.
        alt: what a screen reader says instead of it.
        caption: what to notice, at most 40 words, every number from the result.
    """

    draw: Callable[[Result, Theme], go.Figure]
    alt: Callable[[Result], str]
    caption: Callable[[Result], str]

    def __call__(self, result: Result, theme: Theme | None = None) -> go.Figure:
        return self.draw(result, theme or Theme())


def canvas(theme: Theme, height: float, *, aspect: float | None = None) -> go.Figure:
    """An empty figure in the template; `layout.meta.aspect` is width over height where fixed."""
    meta = {} if aspect is None else {"aspect": aspect}
    figure = go.Figure()
    return figure.update_layout(
        template=template(theme.roles, theme.scale), height=round(height * theme.scale), meta=meta
    )


def note(figure: go.Figure, theme: Theme, words: str) -> go.Figure:
    """One sentence in place of a drawing that has nothing to draw."""
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.add_annotation(
        x=0.5, y=0.5, xref="paper", yref="paper", text=words, font={"color": theme.roles.ink2}
    )


def decades(low: float, high: float, every: int = 2) -> dict[str, Any]:
    """Ticks of a log axis between two exponents, at multiples of `every`, finer where too few.

    The keys are `tickvals` and `ticktext`.
    """
    for step in (every, 1):
        ticks = log_ticks(step * math.ceil(low / step), math.floor(high), step)
        if len(ticks["tickvals"]) > 1:
            return {"tickvals": ticks["tickvals"], "ticktext": ticks["ticktext"]}
    exponents = range(math.floor(low), math.ceil(high) + 1)
    shown: list[float] = []
    for multiples in ((1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        values = [m * 10.0**e for e in exponents for m in multiples]
        shown = [v for v in values if low <= math.log10(v) <= high]
        if len(shown) > 1:
            break
    return {"tickvals": shown, "ticktext": [_plain(v) for v in shown]}


def _plain(value: float) -> str:
    """0.02, 5, 3e-4."""
    return f"{value:g}" if value >= 0.01 else f"{value:g}".replace("e-0", "e-")
