"""The papers' experiments: what each paper claims, where that is confirmed, and our own figures."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from convexviz import architectures, datasets
from convexviz.architectures.base import params
from convexviz.core.solution import Scope
from convexviz.datasets import places
from convexviz.experiments import papers, store
from convexviz.experiments.papers import Figures
from convexviz.experiments.presets import PRESETS, SIZES, Preset, Size
from convexviz.views import format as written
from convexviz.views import frame
from convexviz.views.home import COVERS
from convexviz.views.share import share
from convexviz.views.sweeps_map import titled

SENTENCE = (
    "What the papers report, *only where a source confirms it*, beside what was computed here."
)
TITLES = {
    "test_psnr_noisy": "Noisy, dB",
    "test_psnr_denoised": "Denoised, dB",
    "train_accuracy": "Trained on",
    "test_accuracy": "Held out",
    "kept": "Directions",
    "f_over_beta": "F / β",
    "published_f_over_beta": "Published F / β",
    "resolution": "Side, pixels",
}
STYLE = """<style>
.cx-paper { overflow-x: auto; }
.cx-paper table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.cx-paper :is(th, td) { padding: 0.3rem 0 0.3rem 0.75rem; text-align: right; line-height: 1.3; }
.cx-paper :is(th, td):first-child { padding-left: 0; text-align: left; }
.cx-paper th { font-size: 0.8125rem; font-weight: 600; vertical-align: bottom; }
.cx-paper td { border-top: 1px solid rgba(128, 128, 128, 0.25); white-space: nowrap; }
@media (max-width: 640px) { .cx-paper :is(th, td) { font-size: 0.75rem; padding-left: 0.4rem; } }
</style>"""
UNCONFIRMED = "unconfirmed; no source at hand has its figures."


def show() -> None:
    """Draw the page."""
    tools = frame.heading("Papers", SENTENCE)
    with tools:
        share("papers.share")
    for preset in PRESETS:
        with st.container(border=True, key=f"papers.{preset.name}"):
            left, right = st.columns([0.42, 0.58], gap="large")
            with left:
                _words(preset)
            with right:
                _ours(preset)
    _missing()


def _missing() -> None:
    """Every data set that a preset needs and this machine has not, once."""
    found = dict.fromkeys(name for p in PRESETS for size in SIZES for name in lacking(p, size))
    if not found:
        return
    st.subheader("Data that are not on this machine", anchor=False)
    for name in found:
        dataset = datasets.get(name)
        assert dataset.guide is not None  # what is always there is not missing
        how = written.literal(places.how_to_get(dataset).replace("`", ""))
        how = how.replace(written.literal(dataset.guide.page), dataset.guide.page)  # a link
        st.markdown(f"**{written.literal(dataset.title)}:** {how}.")


def _words(preset: Preset) -> None:
    """What the experiment is, and what its paper says of it."""
    st.subheader(preset.title, anchor=False)
    st.caption(written.literal(preset.paper))
    claim = written.literal(preset.claim) if preset.is_confirmed else UNCONFIRMED
    st.markdown(f"**The paper:** {claim}")
    st.markdown(
        f"**Small:** {written.literal(preset.small.words)}.  \n"
        f"**Full:** {written.literal(preset.full.words)}."
    )


def _ours(preset: Preset) -> None:
    """Our figures at each size, or how to compute them."""
    for size in SIZES:
        figures = _known(preset, size)
        if figures is not None:
            st.markdown(f"**Ours, {size}**")
            st.html(STYLE + table(preset, figures))
            if preset.reading and size == "small":
                st.markdown(written.literal(preset.reading))
            st.caption(written.literal(foot(figures)))
            continue
        names = [datasets.get(name).title for name in lacking(preset, size)]
        needs = f" and needs {written.literal(' and '.join(names))}, see below" if names else ""
        st.markdown(
            f"**Ours, {size}:** not computed yet{needs}.  \n"
            f"`convexviz preset figures {preset.name} --size {size}`"
        )


def _known(preset: Preset, size: Size) -> Figures | None:
    places_of = [
        papers.file_of(preset, size, folder)
        for folder in (store.default_folder() / papers.FOLDER, papers.SHIPPED)
    ]
    stamps = tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in places_of)
    return _read(preset.name, size, str(places_of[0].parent.parent), stamps)


@st.cache_resource(show_spinner=False, max_entries=64)
def _read(
    name: str,
    size: Size,
    home: str,
    stamps_of_files: tuple[int, ...],  # noqa: ARG001 - the cache goes by it
) -> Figures | None:
    preset = next(preset for preset in PRESETS if preset.name == name)
    return papers.known(preset, size, Path(home))


def lacking(preset: Preset, size: Size) -> list[str]:
    """The data sets of a size that are not on this machine."""
    sizing = preset.sized(size)
    names = list(sizing.axes.get("dataset", [sizing.fixed.get("dataset", "")]))
    if preset.source is not None:
        names = [preset.source(size)["dataset"]]
    return [name for name in names if name and not places.is_here(datasets.get(name))]


def table(preset: Preset, figures: Figures) -> str:
    """The rows as HTML: what varies, the measures, the gap, and what Adam reached."""
    axes = [axis for axis in figures.rows[0]["at"] if len(_values(figures, axis)) > 1]
    measures = [name for name in preset.measures if any(name in row for row in figures.rows)]
    has_gap = any("relative_gap" in row for row in figures.rows)
    has_race = any(row.get("descent") for row in figures.rows)
    heads = [_label(preset, name) for name in (*axes, *measures)]
    heads += ["Gap"] if has_gap else []
    heads += ["Adam against ours"] if has_race else []
    lines = [_line("th", heads)]
    for row in figures.rows:
        line = [_number(axis, row["at"][axis]) for axis in axes]
        line += [_number(name, row.get(name)) for name in measures]
        if has_gap:
            line.append(written.gap(float(row["relative_gap"])))
        line += [against(row)] if has_race else []
        lines.append(_line("td", line))
    return f'<div class="cx-paper"><table>{"".join(lines)}</table></div>'


def _line(kind: str, words: Sequence[str]) -> str:
    cells = "".join(f"<{kind}>{html.escape(word)}</{kind}>" for word in words)
    return f"<tr>{cells}</tr>"


def covers(scope: str) -> str:
    """What a bound covers, in the words of all pages."""
    return COVERS[Scope(scope)] if scope in set(Scope) else written.literal(scope)


def against(row: Mapping[str, Any]) -> str:
    """How far Adam ended above our optimum, or below it: then it used what was not sampled."""
    race = row.get("descent")
    if not race or not row["primal"]:
        return ""
    excess = 100 * (float(race["objective"]) / float(row["primal"]) - 1)
    if abs(excess) < 0.05:
        return f"< 0.1 % {'above' if excess >= 0 else 'below'}"
    return f"{abs(excess):.1f} % {'above' if excess > 0 else 'below'}"


def foot(figures: Figures) -> str:
    """Where the figures are from."""
    about = figures.about
    where = about["machine"] if about["device"] == "cpu" else about["device"]
    spent = written.seconds(figures.seconds)
    text = f"{spent} of wall clock on {where}, {str(about['created'])[:10]}. "
    scopes = dict.fromkeys(str(row["scope"]) for row in figures.rows if "scope" in row)
    if scopes:
        text += f"The bound covers {' or '.join(covers(scope) for scope in scopes)}. "
    race = figures.rows[0].get("descent")
    if race:
        text += f"Adam: {race['width']} neurons, {written.count(race['steps'])} steps, one start. "
    return f"{text}Data: {about['source']} ({about['licence']})."


def _values(figures: Figures, axis: str) -> set[str]:
    return {str(row["at"].get(axis)) for row in figures.rows}


def _label(preset: Preset, name: str) -> str:
    if name in TITLES:
        return TITLES[name]
    if preset.architecture:
        fields = params(architectures.get(preset.architecture).spec)
        if name in fields:
            return fields[name].param.label.capitalize()
    return titled(name)


def _number(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if name.endswith("accuracy"):
        return f"{100 * value:.1f} %"
    if "psnr" in name:
        return f"{value:.1f}"
    if name.endswith("over_beta"):
        return f"{value:.3f}" if value < 10 else f"{value:.0f}"
    if float(value).is_integer():
        return "all" if name == "n_directions" and value == 0 else written.count(int(value))
    return f"{value:.3g}" if math.isfinite(value) else ""
