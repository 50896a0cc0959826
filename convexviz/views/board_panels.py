"""The panels of a board. Each has a `slot` (id, title, place) and says what it shows.

A field named `variable` is the shared variable that a panel follows or moves. Where a panel has
several states, `at` lists the values of the variable that they belong to; without it the variable
is the state's number. The pictures are in `board_pictures`, what stands beside them in
`board_small`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC
from dataclasses import dataclass, is_dataclass
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
        area: `main`, twelve columns wide; `side`, the right column; or `below`, under the main
            one, which comes after the right column on a phone.
        columns: of the twelve, on a screen wider than 900 px.
        phone: of the twelve, on a screen narrower than 560 px.
        rows: how many rows of pictures beside it one tall picture takes.
    """

    id: str
    title: str = ""
    note: str = ""
    area: Literal["main", "side", "below"] = "main"
    columns: int = 12
    phone: int = 12
    rows: int = 1


class AbstractPanel(ABC):
    """A panel: a dataclass whose arrays travel as bytes and whose other fields as JSON."""

    __slots__ = ()
    kind: ClassVar[str]
    slot: Slot

    def sizes(self) -> Meta:
        """What the browser must know of the arrays' shapes."""
        return {}


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
            held = is_dataclass(value) and not isinstance(value, type)
            meta[_camel(each.name)] = dataclasses.asdict(value) if held else value
    meta |= panel.sizes()
    return meta, {f"{slot.id}.{name}": array for name, array in arrays.items()}


def _series(series: Any, index: int, arrays: Arrays) -> Meta:
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
