"""The panels of a board. Each has a `slot` (id, title, place) and says what it shows.

A field named `variable` is the shared variable that a panel follows or moves. Where a panel has
several states, `at` lists the values of the variable that they belong to; without it the variable
is the state's number.
"""

from __future__ import annotations

import dataclasses
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from convexviz.views.board_layers import Layer, watched

Meta = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a panel stands and what is written above it.

    Attributes:
        id: tells the panels of a board apart; a word.
        title: left above the picture; nothing is written where it is empty.
        note: right above it, in grey; some panels replace it by what they read.
        area: `main`, twelve columns wide, or `side`, the right column.
        columns: of the twelve, on a screen wider than 900 px.
        phone: of the twelve, on a screen narrower than 560 px.
    """

    id: str
    title: str = ""
    note: str = ""
    area: Literal["main", "side"] = "main"
    columns: int = 12
    phone: int = 12


class AbstractPanel(ABC):
    """A panel: a dataclass whose arrays travel as bytes and whose other fields as JSON."""

    __slots__ = ()
    kind: ClassVar[str]
    slot: Slot


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
    """Layers and points of one plane; both axes have one scale.

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
    at: float = 0.98
    up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves(AbstractPanel):
    """Curves against a quantity, with reference lines and a dot where the variable stands.

    Attributes:
        references: horizontal lines: {"y", "words", "role"} each.
        cursor: the variable; its value is a place on the x axis, or a number in `cursor_at`.
        drag: whether the cursor can be dragged here.
        x_unit, y_unit: `%` writes shares in per cent.
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
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Player(AbstractPanel):
    """Play (Space), step (arrows) and slow motion over `count` states of the variable.

    Attributes:
        wait: milliseconds a step.
        labels: what is said of each step.
        play: what the button says.
    """

    kind: ClassVar[str] = "player"
    slot: Slot
    variable: str
    count: int
    wait: int = 120
    labels: tuple[str, ...] | None = None
    play: str = "Play"
    alt: str = "step"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors(AbstractPanel):
    """A grid of pictures mean + sum_i gain_i z_i U_i, redrawn while the variable moves.

    Only directions whose change can be seen are added again.

    Attributes:
        mean: (h, w, channels), 0..255.
        directions, scale: U_i = scale_i * directions_i, (k, h, w, channels) int8 and (k,).
        strength: s2 of each direction, in decreasing order.
        latents: (count, k).
        rule: `soft`: gain sqrt(max(s2 - variable, 0) / n); `hard`: sqrt(s2 / n) of the first.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates(AbstractPanel):
    """The certificate card; `states` are `certificate.fields`."""

    kind: ClassVar[str] = "certificate"
    slot: Slot
    states: tuple[Mapping[str, Any], ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Say(AbstractPanel):
    """A sentence that says what the picture shows now; `**so**` is bold."""

    kind: ClassVar[str] = "say"
    slot: Slot
    texts: tuple[str, ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider(AbstractPanel):
    """A slider over `values`, or from `low` to `high`; `words` may name the values."""

    kind: ClassVar[str] = "slider"
    slot: Slot
    variable: str
    label: str
    values: tuple[float, ...] | None = None
    words: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    ends: tuple[str, str] | None = None
    live: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(AbstractPanel):
    """A row of buttons, one of which holds: (value, words) each."""

    kind: ClassVar[str] = "choice"
    slot: Slot
    variable: str
    options: tuple[tuple[Any, str], ...]
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(AbstractPanel):
    """Rows with bars, a list of rows a state.

    A row: `value`, and optionally `arrow` (x, y), `words`, `role`, `mark`, `hollow`, `shown` and
    `weights`, drawn as signed squares under `heads` (classes).
    """

    kind: ClassVar[str] = "bars"
    slot: Slot
    frames: tuple[Sequence[Mapping[str, Any]], ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None
    heads: tuple[int, ...] | None = None
    top: float | None = None
    wide: float = 2.4
    fewest: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks(AbstractPanel):
    """Values on one axis, a state each: `marks` (value, words, role, dashed, hollow) and `gaps`
    (from, to, words, role) between them.
    """

    kind: ClassVar[str] = "marks"
    slot: Slot
    frames: tuple[Mapping[str, Any], ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(AbstractPanel):
    """Predict, then reveal; panels in `hides` are covered until then. `answer` is a number."""

    kind: ClassVar[str] = "quiz"
    slot: Slot
    question: str
    options: tuple[str, ...]
    answer: int
    why: str
    hides: tuple[str, ...] = field(default=())


def packed(panel: AbstractPanel) -> tuple[Meta, Arrays]:
    """What the browser gets of a panel: values, and arrays under `<id>.<name>`."""
    slot = panel.slot
    meta: Meta = {"kind": panel.kind, **dataclasses.asdict(slot)}
    arrays: Arrays = {}
    fields: Any = dataclasses.fields(panel)  # type: ignore[arg-type]  # every panel is one
    for each in fields:
        value = getattr(panel, each.name)
        if value is None or each.name == "slot":
            continue
        if isinstance(value, np.ndarray):
            arrays[each.name] = _sendable(value)
        elif each.name == "series":
            meta["series"] = [_series(one, i, arrays) for i, one in enumerate(value)]
        elif each.name == "layers":
            meta["layers"] = [_layer(one, arrays) for one in value]
            meta["watch"] = watched(value)
        else:
            plain = dataclasses.asdict(value) if isinstance(value, Points) else value
            meta[_camel(each.name)] = plain
    if isinstance(panel, Frames):
        _, meta["count"], meta["h"], meta["w"] = panel.frames.shape
    if isinstance(panel, Factors):
        meta |= {"form": "factors", "count": len(panel.latents)}
        meta |= dict(zip(("h", "w", "channels"), panel.mean.shape, strict=True))
    return meta, {f"{slot.id}.{name}": array for name, array in arrays.items()}


def _series(series: Series, index: int, arrays: Arrays) -> Meta:
    meta: Meta = {}
    for each in dataclasses.fields(series):
        value = getattr(series, each.name)
        if isinstance(value, np.ndarray):
            arrays[f"{each.name}{index}"] = _sendable(value)
        elif value is not None:
            meta[_camel(each.name)] = value
    return meta


def _layer(layer: Layer, arrays: Arrays) -> Meta:
    meta = dict(layer.meta)
    if layer.array is not None:
        meta["array"] = f"layer{len(arrays)}"
        arrays[meta["array"]] = _sendable(layer.array)
    if layer.inner:
        meta["layers"] = [[_layer(one, arrays) for one in frame] for frame in layer.inner]
    return meta


def _sendable(array: NDArray[Any]) -> NDArray[Any]:
    """float32 for what the browser has no other type for."""
    kept = array.dtype.newbyteorder("<").str[1:] in {"u1", "i1", "u2"}
    return array if kept else array.astype(np.float32)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def shades(pictures: NDArray[Any]) -> NDArray[np.int8]:
    """Signed pictures (..., h, w) as int8, each over its own largest weight."""
    top = np.abs(pictures).max(axis=(-2, -1), keepdims=True)
    unit = pictures / np.where(top > 0, top, 1.0)
    return np.rint(127 * unit).astype(np.int8)
