"""Colour roles and the Plotly template: hairline axes, nothing that the data does not need.

One colour means one thing on every page. The roles are written here and, for Streamlit and the
components, in `.streamlit/config.toml`; a unit test keeps the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

Mode = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each colour means.

    Attributes:
        convex: the convex solution and its neurons; thick and solid.
        descent: gradient descent; thin, one line a start.
        bound: what is proved, the dual value; dashed or a shaded floor.
        hand: what is pointed at or held; always with a rim, never text.
        plus, minus: sign of a weight.
        data: what was given.
        noise: discarded, inactive, exactly zero; hollow or pale.
        sequential, diverging: magnitudes, and signed arrays centred on zero.
    """

    convex: str
    descent: str
    bound: str
    hand: str
    plus: str
    minus: str
    data: str
    noise: str
    ink2: str
    surface: str
    ink: str
    line: str
    paper: str
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]


LIGHT = Roles(
    convex="#1D4FC4",
    descent="#BC4708",
    bound="#00756A",
    hand="#F0A500",
    plus="#A3246F",
    minus="#4A7A12",
    data="#1A1C21",
    noise="#8D919A",
    ink2="#565A63",
    surface="#FFFFFF",
    ink="#1A1C21",
    line="#DDD9D0",
    paper="#FBFAF7",
    sequential=(
        "#F4F3EF",
        "#DFE5F3",
        "#C3D1EF",
        "#A3BAEA",
        "#81A0E2",
        "#5F86D9",
        "#3F6BCE",
        "#1D4FC4",
        "#163C98",
        "#0F2A6B",
    ),
    diverging=(
        "#3F6A0D",
        "#5F8F25",
        "#8DB457",
        "#BBD595",
        "#E9EFDD",
        "#F6E4EE",
        "#E9B3D1",
        "#D57DB0",
        "#B84489",
        "#8F1A5F",
    ),
)

DARK = Roles(
    convex="#8CB0FF",
    descent="#FF9C63",
    bound="#4FD0B5",
    hand="#FFC247",
    plus="#F28CC2",
    minus="#A9D05B",
    data="#ECEEF2",
    noise="#737B88",
    ink2="#A9B0BC",
    surface="#171A20",
    ink="#ECEEF2",
    line="#2E333D",
    paper="#101216",
    sequential=(
        "#14171C",
        "#1A2338",
        "#213155",
        "#2B4273",
        "#375694",
        "#466CB6",
        "#5C86D6",
        "#8CB0FF",
        "#B6CDFF",
        "#E3ECFF",
    ),
    diverging=(
        "#C3E57E",
        "#9CC24F",
        "#739735",
        "#4B6722",
        "#262E1B",
        "#2F1D28",
        "#6B3155",
        "#A54A82",
        "#DB6FAD",
        "#FFAAD6",
    ),
)


def roles(mode: Mode = "light") -> Roles:
    """The colours of one theme."""
    return DARK if mode == "dark" else LIGHT


def template(colours: Roles = LIGHT, scale: float = 1.0) -> go.layout.Template:
    """One template for every figure; `scale` enlarges type and strokes for a lecture."""
    axis = {
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "linecolor": colours.ink2,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": colours.ink2,
        "tickfont": {"size": 12 * scale, "color": colours.ink2},
        "title": {"font": {"size": 13 * scale, "color": colours.ink2}, "standoff": 8},
        "exponentformat": "power",
        "automargin": True,
    }
    layout = {
        "font": {
            "family": "Inter, DejaVu Sans, sans-serif",
            "size": 13 * scale,
            "color": colours.ink,
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": [colours.convex, colours.descent, colours.bound, colours.plus, colours.minus],
        "margin": {"l": 56, "r": 16, "t": 12, "b": 44},
        "xaxis": axis,
        "yaxis": axis,
        "showlegend": False,
        "hoverlabel": {
            "bgcolor": colours.surface,
            "bordercolor": colours.line,
            "font": {"color": colours.ink, "size": 13 * scale},
        },
        "hovermode": "closest",
        "dragmode": False,
        "annotationdefaults": {"showarrow": False, "font": {"size": 13 * scale}},
    }
    return go.layout.Template(
        layout=layout, data={"scatter": [go.Scatter(line={"width": 2 * scale})]}
    )


def label(fig: go.Figure, at: tuple[Any, Any], words: str, colour: str, **more: Any) -> None:
    """A direct label beside its line: this replaces the legend. On log axes give log10 values."""
    anchored = {"xanchor": "right", "xshift": -8, "showarrow": False, **more}
    x, y = at
    fig.add_annotation(x=x, y=y, text=f"<b>{words}</b>", font={"color": colour}, **anchored)


def log_ticks(low: int, high: int, step: int = 1) -> dict[str, Any]:
    """Ticks of a log axis as people write them: 100, 1, 1e-2, 1e-4."""
    exponents = range(low, high + 1, step)
    words = [f"{10**e:g}" if -1 <= e <= 3 else f"1e{e}" for e in exponents]
    return {"type": "log", "tickvals": [10.0**e for e in exponents], "ticktext": words}
