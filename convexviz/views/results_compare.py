"""Two to four results side by side: the same array of each, and a table of what differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.experiments.result import Result
from convexviz.views import format as written
from convexviz.views.component import make, pack

_compare = make("compare")

GAP = "Relative gap against seconds"
MOST = 4
LONGEST, WIDEST = 4096, 512
PREFERRED = ("denoised", "test_denoised", "predictions", "generated", "singular_values")


def show(results: Sequence[Result], titles: Sequence[str]) -> None:
    """The choice of what to compare, the linked pictures, and the table under them."""
    names = choices(results)
    what = st.selectbox(
        "What to compare",
        names,
        format_func=lambda name: name[:1].upper() + name[1:].replace("_", " "),
        key="results.compare.what",
    )
    _compare(
        key="results.compare",
        data=payload(results, titles, what if what in names else names[0]),
        height="content",
    )


def choices(results: Sequence[Result]) -> list[str]:
    """The arrays that all have and that can be drawn, the telling ones first; then the gap."""
    common = set.intersection(*(set(result.arrays) for result in results))
    drawn = [
        name
        for name in sorted(common)
        if all(_is_drawn(result.arrays[name]) for result in results)
        and len({np.squeeze(result.arrays[name]).ndim == 1 for result in results}) == 1
        and not name.startswith(("path_", "descent_"))
    ]
    first = [name for name in PREFERRED if name in drawn]
    return [*first, GAP, *(name for name in drawn if name not in first)]


def _is_drawn(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "fiub" and array.ndim >= 1 and array.size > 1


def payload(results: Sequence[Result], titles: Sequence[str], what: str) -> bytes:
    """What the component reads: a panel each, on the same scales, and the differences."""
    arrays: dict[str, NDArray[Any]] = {}
    panels = []
    for place, (result, title) in enumerate(zip(results, titles, strict=True)):
        panel, cells, across = _panel(result, what)
        arrays[f"a{place}"] = cells.ravel().astype(np.float32)
        if across is not None:
            arrays[f"x{place}"] = across.astype(np.float32)
        panels.append({"title": title, **panel})
    cells = np.concatenate([arrays[f"a{place}"] for place in range(len(results))])
    low, high = float(cells.min()), float(cells.max())
    signed = low < 0 < high and what not in ("denoised", "test_denoised")
    if signed and panels[0]["kind"] == "image":
        high = max(-low, high)
        low = -high
    places = [array for name, array in arrays.items() if name.startswith("x")]
    meta = {
        "what": what.replace("_", " ").capitalize() if what != GAP else GAP,
        "panels": [
            {**panel, "signed": signed, "grey": what in ("denoised", "test_denoised")}
            for panel in panels
        ],
        "low": low,
        "high": high if high > low else low + 1.0,
        "left": float(min((a.min() for a in places), default=0.0)),
        "right": float(max((a.max() for a in places), default=1.0)),
        "unit": "s" if what == GAP else "",
        "logX": what == GAP,
        "logY": what == GAP,
        "rows": differences(results),
    }
    return pack(meta, **arrays)


def _panel(
    result: Result, what: str
) -> tuple[dict[str, Any], NDArray[Any], NDArray[np.float64] | None]:
    if what == GAP:
        steps = [
            (max(step.seconds, 1e-6), (step.primal - step.dual) / abs(step.primal))
            for step in result.trace
            if step.primal and math.isfinite(step.dual)
        ] or [(1e-6, max(result.certificate.relative_gap, 1e-16))]
        across, gaps = np.array(steps).T
        return {"kind": "line"}, np.clip(gaps, 1e-16, 1e6), across
    array = np.squeeze(np.asarray(result.arrays[what], dtype=np.float64))
    array = np.nan_to_num(np.atleast_1d(array), posinf=0.0, neginf=0.0)
    if array.ndim == 1:
        array = array[:LONGEST]
        return {"kind": "line"}, array, np.arange(len(array), dtype=np.float64)
    while array.ndim > 2:
        array = array[0]
    array = array[:WIDEST, :WIDEST]
    return {"kind": "image", "h": array.shape[0], "w": array.shape[1]}, array, None


def differences(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The fields, certificates and scalars in which the results differ, as texts."""
    rows = []
    for name in dict.fromkeys(name for result in results for name in result.spec):
        rows.append((name, [_text(result.spec.get(name)) for result in results]))
    certificates = [result.certificate for result in results]
    rows.append(("primal", [f"{c.primal:.8g}" for c in certificates]))
    rows.append(("dual", [f"{c.dual:.8g}" for c in certificates]))
    rows.append(("relative gap", [written.gap(c.relative_gap) for c in certificates]))
    rows.append(("covers", [c.scope.covers for c in certificates]))
    rows.append(("device", [result.provenance["device"] for result in results]))
    for name in dict.fromkeys(name for result in results for name in result.scalars):
        rows.append((name, [_text(result.scalars.get(name)) for result in results]))
    return [
        {"name": name.replace("_", " "), "values": values}
        for name, values in rows
        if len(set(values)) > 1
    ]


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower()
