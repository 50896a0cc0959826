"""The pictures of a board: plane, spectrum, curves, and grids of small images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from convexviz.views.board_layers import Layer
from convexviz.views.board_panels import AbstractPanel, Meta, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points that a plane edits: rows (x, y, class) in the variable.

    Attributes:
        classes: how many classes there are; they differ in hue and shape.
        labels: what the classes are called.
        live: milliseconds between reports while a point is dragged; 0: none until it is let go.
    """

    variable: str = "points"
    editable: bool = True
    classes: int = 1
    labels: tuple[str, ...] = ()
    fewest: int = 1
    most: int = 60
    live: int = 0
    open: bool = False
    size: float = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane(AbstractPanel):
    """Layers and points of one plane; both axes have one scale unless it may `stretch`.

    Attributes:
        extent: x from, x to, y from, y to.
        key: the legend: (form, role, words) each; forms: arrow, area, line, dash, disc, ring,
            cross, plus.
        readout: whether the note reads the pointer's place.
        tallest: of the picture, in rem.
    """

    kind: ClassVar[str] = "plane"
    slot: Slot
    extent: tuple[float, float, float, float]
    points: Points | None = None
    layers: tuple[Layer, ...] = ()
    key: tuple[tuple[str, str, str], ...] = ()
    readout: bool = False
    stretch: bool = False
    tallest: float = 36
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum(AbstractPanel):
    """Values in decreasing order with a cut that is dragged, by hand or by keys.

    Attributes:
        mode: `cut` moves the number that is kept, `threshold` the value above which is kept.
        second: another series, drawn as a line.
        words: what is kept, and what is dropped.
        symbol: of the threshold.
        low, high: between which the variable moves.
        stops: the only values it takes, where each was solved by itself.
    """

    kind: ClassVar[str] = "spectrum"
    slot: Slot
    values: NDArray[Any]
    variable: str
    mode: Literal["cut", "threshold"] = "cut"
    second: NDArray[Any] | None = None
    log: bool = True
    words: tuple[str, str] = ("kept", "dropped")
    symbol: str = "β"
    low: float | None = None
    high: float | None = None
    stops: tuple[float, ...] | None = None
    x_label: str = ""
    height: float = 15
    live: int = 0
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve of a panel of curves.

    Attributes:
        low, high: of the band around it.
        words: its label, at the share `at` of its length, above it where `up`.
        quiet: whether the cursor leaves it out.
        said: what the cursor calls it; `words` where empty.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    role: str = "convex"
    words: str = ""
    low: NDArray[Any] | None = None
    high: NDArray[Any] | None = None
    width: float = 3
    dashed: bool = False
    dots: bool = False
    quiet: bool = False
    said: str = ""
    at: float = 0.98
    up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves(AbstractPanel):
    """Curves against a quantity, with reference lines and a dot where the variable stands.

    Attributes:
        references: horizontal lines: {"y", "words", "role"} each, and where its words are: "above"
            it or not, and "at" 0, 0.5 or 1 of its length.
        cursor: the variable; its value is a place on the x axis, or a number in `cursor_at`.
        drag: whether the cursor can be dragged here.
        x_unit, y_unit: `%` writes shares in per cent.
        variable: where given, each array of a series has a row for each of its values, `at`.
        key: as a plane's.
    """

    kind: ClassVar[str] = "curve"
    slot: Slot
    series: tuple[Series, ...]
    references: tuple[Mapping[str, Any], ...] = ()
    cursor: str | None = None
    cursor_at: tuple[float, ...] | None = None
    drag: bool = False
    x_log: bool = False
    y_log: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    x_label: str = ""
    x_unit: str = ""
    y_unit: str = ""
    height: float = 13
    variable: str | None = None
    at: tuple[float, ...] | None = None
    key: tuple[tuple[str, str, str], ...] = ()
    alt: str = ""

    def sizes(self) -> Meta:
        """How many rows the series have."""
        return {"frames": len(self.at or ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames(AbstractPanel):
    """A grid of small pictures out of stored ones, (F, count, h, w): int8 signed, or uint8 grey."""

    kind: ClassVar[str] = "tiles"
    slot: Slot
    frames: NDArray[Any]
    variable: str | None = None
    at: tuple[float, ...] | None = None
    across: int = 5
    across_phone: int | None = None
    labels: tuple[str, ...] = ()
    each: str = "picture"

    def sizes(self) -> Meta:
        """How many pictures, and their sides."""
        _, count, h, w = self.frames.shape
        return {"count": count, "h": h, "w": w}


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors(AbstractPanel):
    """A grid of pictures mean + sum_i gain_i z_i U_i, redrawn while the variable moves.

    Only directions whose change can be seen are added again.

    Attributes:
        mean: (h, w, channels), 0..255; flat where there is a `warp`.
        directions, scale: U_i = scale_i * directions_i, (k, h, w, channels) int8 and (k,).
        strength: s2 of each direction, in decreasing order.
        latents: (count, k), or (sets, count, k) where the variable `sets` says which.
        rule: `soft`: gain sqrt(max(s2 - variable, 0) / n); `hard`: sqrt(s2 / n) of the first.
        written: a number under each tile, in hundredths, (sets, states, count) with `at`.
        beside, which: pictures (m, h, w, channels) in bytes, and which of them stands under each
            tile beside its number, shaped as `written`.
        ends: the variable with two tiles, which a click on a tile changes.
        warp: a sum is a texture and a field, of these sides, that moves it; `unit` levels a pixel.
    """

    kind: ClassVar[str] = "tiles"
    slot: Slot
    mean: NDArray[Any]
    directions: NDArray[np.int8]
    scale: NDArray[Any]
    strength: NDArray[Any]
    latents: NDArray[Any]
    n: int
    variable: str
    rule: Literal["soft", "hard"] = "soft"
    across: int = 5
    across_phone: int | None = None
    labels: tuple[str, ...] = ()
    each: str = "picture"
    sets: str | None = None
    written: NDArray[np.uint16] | None = None
    beside: NDArray[np.uint8] | None = None
    which: NDArray[np.uint16] | None = None
    at: tuple[float, ...] | None = None
    ends: str | None = None
    warp: Mapping[str, float] | None = None

    def sizes(self) -> Meta:
        """How many pictures, their sides, and that they are sums."""
        side = None if self.warp is None else int(self.warp["texture"])
        h, w, channels = self.mean.shape if side is None else (side, side, 3)
        count, states = self.latents.shape[-2], len(self.at or ())
        sides = {"h": h, "w": w, "channels": channels}
        small = None if self.beside is None else list(self.beside.shape[1:])
        more = {"form": "factors", "count": count, "states": states, "beside": small}
        return {**more, **sides}


def shades(pictures: NDArray[Any]) -> NDArray[np.int8]:
    """Signed pictures (..., h, w) as int8, each over its own largest weight."""
    top = np.abs(pictures).max(axis=(-2, -1), keepdims=True)
    unit = pictures / np.where(top > 0, top, 1.0)
    return np.rint(127 * unit).astype(np.int8)
