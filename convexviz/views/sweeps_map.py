"""What the map of a sweep shows: its axes, and a measure of every cell that has finished."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from convexviz import architectures
from convexviz.architectures.base import params
from convexviz.experiments.sweep_record import Cell
from convexviz.views.component import make

_map = make("sweepmap")

FIRST = (
    "test_psnr_denoised", "psnr_denoised", "test_accuracy", "train_accuracy", "n_neurons",
    "relative_gap", "primal", "seconds",
)  # fmt: skip
TITLES = {
    "test_psnr_denoised": "PSNR held out, dB",
    "psnr_denoised": "PSNR, dB",
    "relative_gap": "Relative gap",
    "primal": "Objective",
    "n_neurons": "Neurons",
    "seconds": "Seconds",
}
WIDEST = 64  # values of an axis of a map; more are parallel coordinates
DECADES = 3.0


def titled(measure: str) -> str:
    """A measure as people read it."""
    return TITLES.get(measure, measure.replace("_", " ").capitalize())


def measures(cells: Mapping[int, Cell]) -> list[str]:
    """The numbers that finished cells have, the telling ones first."""
    found = dict.fromkeys(
        name
        for cell in cells.values()
        for name, value in (cell.summary or {}).items()
        if isinstance(value, int | float) and math.isfinite(value)
    )
    first = [name for name in FIRST if name in found]
    return [*first, *sorted(name for name in found if name not in first)] or ["relative_gap"]


def payload(
    document: Mapping[str, Any], cells: Mapping[int, Cell], measure: str, picked: int | None
) -> dict[str, Any]:
    """Everything that the component draws."""
    specs: Sequence[Mapping[str, Any]] = document["cells"]
    labels = {
        name: field.param.label
        for name, field in params(architectures.get(document["architecture"]).spec).items()
    }
    values = {name: _ordered(spec[name] for spec in specs) for name in document["axes"]}
    varying = [name for name in document["axes"] if len(values[name]) > 1]
    names = varying or list(document["axes"][:1])
    whole = math.prod(len(values[name]) for name in names) == len(specs)
    is_map = len(names) <= 2 and whole and all(len(values[name]) <= WIDEST for name in names)
    if is_map and len(names) == 2 and len(values[names[0]]) < len(values[names[1]]):
        names = names[::-1]
    drawn = [_cell(spec, cells.get(i), measure, names, values) for i, spec in enumerate(specs)]
    for place, why in document["refused"].items():
        drawn[int(place)] |= {"state": "failed", "why": why}
    numbers = [cell["value"] for cell in drawn if cell["value"] is not None]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    finished = sum(cell["state"] != "open" for cell in drawn)
    return {
        "kind": "map" if is_map else "parallel",
        "axes": [{"label": labels[name], "values": values[name]} for name in names],
        "cells": drawn,
        "measure": titled(measure),
        "low": low,
        "high": high,
        "log": low > 0 and math.log10(high / low) > DECADES,
        "picked": picked,
        "title": titled(measure) + (f"; upwards: {labels[names[1]]}" if len(names) == 2 else ""),
        "said": f"{finished} of {len(specs)} cells",
        "hint": "Point at a cell to read it; press it to see its certificate.",
    }


def _ordered(values: Any) -> list[Any]:
    found = list(dict.fromkeys(values))
    return found if any(isinstance(value, str | bool) for value in found) else sorted(found)


def _cell(
    spec: Mapping[str, Any],
    cell: Cell | None,
    measure: str,
    names: Sequence[str],
    values: Mapping[str, Sequence[Any]],
) -> dict[str, Any]:
    value = (cell.summary or {}).get(measure) if cell else None
    usable = isinstance(value, int | float) and math.isfinite(value)
    place = [values[name].index(spec[name]) for name in names[:2]]
    return {
        "at": [spec[name] for name in names],
        "place": place if len(place) == 2 else [*place, 0],
        "state": cell.state if cell else "open",
        "why": cell.why if cell else "",
        "value": value if usable else None,
    }


def draw(data: Mapping[str, Any], key: str, on_cell: Callable[[int], None]) -> None:
    """The map; `on_cell` hears which cell was pressed."""

    def heard() -> None:
        cell = (st.session_state.get(key) or {}).get("cell")
        if cell is not None:
            on_cell(int(cell))

    _map(key=key, data=dict(data), on_cell_change=heard, height="content")
