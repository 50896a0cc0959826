"""Small multiples: filters above their frequency responses, in one figure with two traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.figures.picture import Theme, canvas

Stack = NDArray[np.float64]
BETWEEN = 0.14  # of a tile's width, between columns and between a filter and its response
WORDS = 0.42  # of a tile's width, for the line of text under each pair
WIDE, NARROW = 920, 350  # px that a figure may count on, on a desktop and on a phone


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """What is drawn: pair i is `filters[i]` above `responses[i]` above `words[i]`.

    Attributes:
        filters: (n, k, k) signed; each is scaled to its own largest weight.
        responses: (n, s, s) magnitudes; each is scaled to its own largest value.
        words: a short text under each pair.
        columns: pairs in a row.
        bands: a colour above each pair, or none.
    """

    filters: Stack
    responses: Stack
    words: Sequence[str]
    columns: int
    bands: Sequence[str] = ()

    @property
    def rows(self) -> int:
        return -(-len(self.filters) // self.columns)

    @property
    def top(self) -> float:
        return 0.2 if self.bands else 0.0

    @property
    def pitch(self) -> float:
        """Height of one row of pairs, in tiles."""
        return self.top + 2 + BETWEEN + WORDS

    def corner(self, i: int, part: int) -> tuple[float, float]:
        """Left and top of tile i's filter (part 0) or response (part 1)."""
        row, column = divmod(i, self.columns)
        return column * (1 + BETWEEN), row * self.pitch + self.top + part * (1 + BETWEEN)


def draw(tiles: Tiles, theme: Theme) -> go.Figure:
    """The figure; its height follows from the width it may count on, and `meta` holds the ratio."""
    left = 0.34
    across = tiles.columns * (1 + BETWEEN) - BETWEEN + left
    down = tiles.rows * tiles.pitch
    tile = min((NARROW if theme.narrow else WIDE) / across, 88)
    figure = canvas(theme, down * tile + 8, aspect=across / down)
    figure.add_trace(_mosaic(tiles, tiles.filters, 0, theme))
    figure.add_trace(_mosaic(tiles, tiles.responses, 1, theme))
    figure.add_trace(_rims(tiles, theme))
    figure.add_trace(_words(tiles, theme))
    rim = {"color": theme.roles.line, "width": 1}
    for i, colour in enumerate(tiles.bands):
        x, y = tiles.corner(i, 0)
        figure.add_shape(
            type="rect", x0=x, x1=x + 1, y0=y - 0.16, y1=y - 0.04, fillcolor=colour, line=rim
        )
    small = {"size": 12 * theme.scale, "color": theme.roles.ink2}
    for part, words in enumerate(("filter", "passes")):
        y = tiles.corner(0, part)[1] + 0.5
        figure.add_annotation(x=-0.17, y=y, text=words, textangle=-90, font=small)
    figure.update_xaxes(visible=False, range=[-left, across - left], constrain="domain")
    figure.update_yaxes(visible=False, range=[down, 0], constrain="domain", scaleanchor="x")
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 4})


def _mosaic(tiles: Tiles, stack: Stack, part: int, theme: Theme) -> go.Heatmap:
    """All tiles of one kind as a single heatmap: NaN between them, edges where the tiles are."""
    n, k = len(stack), stack.shape[-1]
    largest = np.abs(stack).max(axis=(1, 2), initial=0.0)
    unit = stack / np.where(largest > 0, largest, 1.0)[:, None, None]
    z = np.full((tiles.rows * (k + 1) - 1, tiles.columns * (k + 1) - 1), np.nan)
    for i in range(n):
        row, column = divmod(i, tiles.columns)
        here = np.s_[row * (k + 1) : row * (k + 1) + k, column * (k + 1) : column * (k + 1) + k]
        z[here] = unit[i]
    steps = np.linspace(0, 1, k + 1)
    x = np.concatenate([tiles.corner(c, part)[0] + steps for c in range(tiles.columns)])
    y = np.concatenate(
        [tiles.corner(r * tiles.columns, part)[1] + steps for r in range(tiles.rows)]
    )
    scale = theme.roles.diverging if part == 0 else theme.roles.sequential
    what = "weight" if part == 0 else "response"
    return go.Heatmap(
        z=z.astype(np.float32),
        x=x,
        y=y,
        colorscale=ramp(scale),
        zmin=-1 if part == 0 else 0,
        zmax=1,
        showscale=False,
        hoverongaps=False,
        hovertemplate=f"{what} %{{z:.2f}} of its largest<extra></extra>",
    )


def ramp(colours: Sequence[str]) -> list[tuple[float, str]]:
    """An even Plotly colour scale."""
    return [(i / (len(colours) - 1), c) for i, c in enumerate(colours)]


def _rims(tiles: Tiles, theme: Theme) -> go.Scatter:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for i in range(len(tiles.filters)):
        for part in (0, 1):
            x, y = tiles.corner(i, part)
            xs += [x, x + 1, x + 1, x, x, None]
            ys += [y, y, y + 1, y + 1, y, None]
    line = {"color": theme.roles.line, "width": 1}
    return go.Scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip")


def _words(tiles: Tiles, theme: Theme) -> go.Scatter:
    corners = [tiles.corner(i, 1) for i in range(len(tiles.words))]
    return go.Scatter(
        x=[x + 0.5 for x, _ in corners],
        y=[y + 1.2 for _, y in corners],
        text=list(tiles.words),
        mode="text",
        textfont={"size": 12 * theme.scale, "color": theme.roles.ink2},
        hoverinfo="skip",
    )


def shades(n: int, theme: Theme) -> list[str]:
    """n steps of the sequential scale, darkest first: as light as the pixels they stand for."""
    ends = [_luminance(theme.roles.sequential[0]), _luminance(theme.roles.sequential[-1])]
    scale = theme.roles.sequential if ends[0] < ends[1] else theme.roles.sequential[::-1]
    at = np.linspace(0, len(scale) - 1, n) if n > 1 else np.array([len(scale) / 2])
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in scale], dtype=float)
    mixed = np.stack([np.interp(at, np.arange(len(scale)), rgb[:, i]) for i in range(3)], axis=1)
    return ["#{:02X}{:02X}{:02X}".format(*(round(v) for v in row)) for row in mixed]


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
