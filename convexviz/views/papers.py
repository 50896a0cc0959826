"""The papers' experiments: what each paper claims, where that is confirmed, and our own figure."""

from __future__ import annotations

import math

import streamlit as st

from convexviz.errors import ConvexvizError
from convexviz.experiments import store
from convexviz.experiments.presets import PRESETS, Preset, Size
from convexviz.experiments.sweep_plan import plan
from convexviz.experiments.sweep_record import FOLDER, Record
from convexviz.views import format as written
from convexviz.views import frame
from convexviz.views.sweeps_map import titled

SENTENCE = (
    "What the papers report, *only where a source confirms it*, beside what was computed here."
)


def show() -> None:
    """Draw the page."""
    frame.heading("Papers", SENTENCE)
    for preset in PRESETS:
        with st.container(border=True, key=f"papers.{preset.name}"):
            left, right = st.columns([0.6, 0.4], gap="medium")
            with left:
                st.subheader(preset.title, anchor=False)
                st.caption(written.literal(preset.paper))
                if preset.is_confirmed:
                    st.markdown(f"**The paper:** {written.literal(preset.claim)}")
                else:
                    st.markdown("**The paper:** unconfirmed; no source at hand has its figures.")
                st.markdown(f"**Small:** {preset.small_words}. **Full:** {preset.full_words}.")
            with right:
                for size in ("small", "full"):
                    st.markdown(f"**Ours, {size}:** {ours(preset, size)}")
                st.code(f"convexviz preset run {preset.name}", language=None)


def ours(preset: Preset, size: Size) -> str:
    """The figure of what was computed here, with its bound's reach; or that there is none."""
    if preset.data is not None:
        return "runs on your own volumes; see Sweeps for what was computed"
    try:
        axes, fields = preset.sized(size)
        made = plan(preset.architecture, axes, None, fields)
    except ConvexvizError as error:
        return written.literal(str(error))
    cells = Record(store.default_folder() / FOLDER / made.name).cells()
    values = [
        float(cell.summary[preset.measure])
        for cell in cells.values()
        if cell.summary and math.isfinite(float(cell.summary.get(preset.measure, math.nan)))
    ]
    if not values:
        return "not computed here"
    scopes = {str(cell.summary["scope"]) for cell in cells.values() if cell.summary}
    span = f"{min(values):.3g}" if len(values) == 1 else f"{min(values):.3g} to {max(values):.3g}"
    reach = ", ".join(sorted(scopes)).replace("_", " ").lower()
    return f"{titled(preset.measure).lower()} {span} over {len(values)} cells (bound: {reach})"
