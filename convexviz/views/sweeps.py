"""The Sweeps page: a map of cells as they finish, and the builder of the next sweep."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from convexviz import architectures
from convexviz.core.solution import Certificate, Scope
from convexviz.errors import ConvexvizError
from convexviz.experiments import store, sweep_run
from convexviz.experiments.sweep_cluster import cores
from convexviz.experiments.sweep_plan import Plan
from convexviz.experiments.sweep_record import Cell, Record, records
from convexviz.views import format as written
from convexviz.views import frame, stored, sweeps_builder, sweeps_map, work
from convexviz.views.certificate import card, fields
from convexviz.views.share import share

SENTENCE = "Hundreds of programs at once, and *each cell* keeps its own certificate."
SHIPPED = Path(__file__).parents[2] / "assets" / "sweeps"
POLL_SECONDS = 0.7
_STATE = "sweeps"
_CHOSEN, _PICKED, _SAID = f"{_STATE}.chosen", f"{_STATE}.picked", f"{_STATE}.said"


def show() -> None:
    """Draw the page."""
    work.queue().warm()
    tools = frame.heading("Sweeps", SENTENCE)
    with tools:
        share(f"{_STATE}.share")
    if said := st.session_state.pop(_SAID, ""):
        st.error(written.literal(said))
    record = _chosen()
    if record is not None:
        running = record.is_running
        _progress(record, POLL_SECONDS if running else None)
    st.space("medium")
    sweeps_builder.show(_new)


def _new(made: Plan, scheduler: str, workers: int) -> None:
    """Keep a plan and start it."""
    try:
        _begin(sweeps_builder.keep(made), scheduler, workers)
    except ConvexvizError as error:
        st.session_state[_SAID] = str(error)


def known() -> list[Record]:
    """The sweeps of this store, the latest first, then those that ship."""
    shipped = [Record(folder) for folder in sorted(SHIPPED.glob("*")) if folder.is_dir()]
    return [*records(store.default_folder()), *shipped]


def _chosen() -> Record | None:
    """The sweep that is shown: chosen, in the address, or the latest."""
    found = known()
    names = [record.name for record in found]
    if not names:
        st.info("No sweep has run here yet: build one below.")
        return None
    asked = st.session_state.get(_CHOSEN) or st.query_params.get("sweep")
    name = asked if asked in names else names[0]
    if len(names) > 1:
        place = st.selectbox(
            "Sweep",
            range(len(names)),
            index=names.index(name),
            format_func=lambda i: _title(found[i]),
            key=f"{_STATE}.which.{len(names)}.{name}",
        )
        name = names[place or 0]
    if st.session_state.get(_CHOSEN) != name:
        st.session_state[_CHOSEN] = name
        st.session_state.pop(_PICKED, None)
    st.query_params["sweep"] = name
    return found[names.index(name)]


def _title(record: Record) -> str:
    try:
        document = record.document()
    except ConvexvizError:
        return record.name
    arch = architectures.registry().get(document["architecture"])
    axes = " × ".join(axis.replace("_", " ") for axis in document["axes"])
    title = arch.title if arch else document["architecture"]
    return f"{title}: {axes}, {len(document['cells'])} cells, {document.get('created', '')[:10]}"


@st.cache_resource(show_spinner=False, max_entries=8)
def _cells(folder: str, size: int) -> Mapping[int, Cell]:  # noqa: ARG001 - the cache goes by it
    return Record(Path(folder)).cells()


@st.fragment(run_every=None)
def _still(record: Record) -> None:
    if record.is_running or _SAID in st.session_state:
        st.rerun()  # what was pressed here concerns the whole page
    _draw(record, running=False)


@st.fragment(run_every=POLL_SECONDS)
def _live(record: Record) -> None:
    if not record.is_running:
        st.rerun()  # the whole page changes, and polling stops
    _draw(record, running=True)


def _progress(record: Record, every: float | None) -> None:
    (_still if every is None else _live)(record)


def _draw(record: Record, *, running: bool) -> None:
    try:
        document = record.document()
        architectures.get(document["architecture"])
        log = record.folder / "log.jsonl"
        cells = _cells(str(record.folder), log.stat().st_size if log.exists() else 0)
    except ConvexvizError as error:
        st.error(written.literal(str(error)))
        return
    left, right = st.columns([0.745, 0.255], gap="medium")
    with right:
        names = sweeps_map.measures(cells)
        measure = st.selectbox(
            "Measure", names, format_func=sweeps_map.titled, key=f"{_STATE}.measure"
        )
        measure = measure if measure in names else names[0]
    picked = st.session_state.get(_PICKED)
    picked = picked if picked is not None and picked < len(document["cells"]) else None
    with left:
        data = sweeps_map.payload(document, cells, measure, picked)
        sweeps_map.draw(data, f"{_STATE}.map", _pick)
    with right:
        _state(record, document, cells, running=running)
        if picked is not None:
            _cell(record, document, cells.get(picked), picked)


def _pick(cell: int) -> None:
    st.session_state[_PICKED] = cell


def _state(
    record: Record, document: Mapping[str, Any], cells: Mapping[int, Cell], *, running: bool
) -> None:
    """How far it is, and what can be done about it."""
    total, failed = len(document["cells"]), record.failed() | _refused(document)
    done = sum(cell.state == "done" for cell in cells.values())
    shipped = record.folder.parent == SHIPPED
    still = total - done - len(failed)
    words = f"{written.count(done)} of {written.count(total)} cells done"
    if failed:
        words += f", {len(failed)} failed"
    if running:
        seconds = [float((c.summary or {}).get("solve_seconds", "nan")) for c in cells.values()]
        rest = sweeps_builder.left(seconds, still, cores())
        words += f", about {written.seconds(max(rest, 0.1))} of solving left" if rest else ""
        st.progress(min((done + len(failed)) / max(total, 1), 1.0), text=words)
        st.button("Cancel", key=f"{_STATE}.cancel", on_click=_cancel, args=(record,))
        return
    st.markdown(f"{words}.")
    if trouble := record.trouble():
        st.error(written.literal(trouble))
    if still and not shipped:
        st.button("Resume", key=f"{_STATE}.resume", on_click=_begin, args=(record, "", 0))
    if failed:
        with st.expander("What failed"):
            for place, why in list(failed.items())[:20]:
                spec = document["cells"][place]
                at = ", ".join(f"{axis} {spec[axis]}" for axis in document["axes"])
                st.markdown(written.literal(f"{at}: {why}"))
            if len(failed) > len(_refused(document)) and not shipped:
                st.button(
                    "Try them again",
                    key=f"{_STATE}.retry",
                    on_click=_begin,
                    args=(record, "", 0),
                    kwargs={"retry": True},
                )


def _refused(document: Mapping[str, Any]) -> dict[int, str]:
    return {int(place): why for place, why in document["refused"].items()}


def _begin(record: Record, scheduler: str, workers: int, *, retry: bool = False) -> None:
    """Start a sweep in a process of its own; one at a time on this server."""
    busy = next((other for other in known() if other.is_running), None)
    if busy is not None:
        st.session_state[_SAID] = "A sweep is running already; cancel it or wait for its end."
        return
    folder = store.default_folder()
    sweep_run.start(folder, record.name, scheduler=scheduler, workers=workers, retry=retry)
    st.session_state[_CHOSEN] = record.name
    st.session_state.pop(_PICKED, None)


def _cancel(record: Record) -> None:
    """End its process; what is stored stays."""
    driver = record.driver()
    if driver is not None:
        with contextlib.suppress(OSError):  # it may end in this moment
            os.kill(driver, signal.SIGTERM)
        record.withdraw()


def _cell(record: Record, document: Mapping[str, Any], cell: Cell | None, place: int) -> None:
    """The certificate of one cell, and the way to its lab."""
    spec = document["cells"][place]
    if cell is None or cell.state != "done" or not cell.summary:
        return
    summary = cell.summary
    certificate = Certificate(
        float(summary["primal"]), float(summary["dual"]), Scope(str(summary["scope"]))
    )
    card(
        f"{_STATE}.certificate",
        fields(
            certificate,
            tolerance=float(spec.get("tolerance", 1e-6)),
            n_patterns=int(summary.get("n_patterns", 0)),
        ),
    )
    if not document.get("given") and st.button(
        "Open in its lab", key=f"{_STATE}.open.{record.name}"
    ):
        name = document["architecture"]
        query = stored.address(name, spec, document["keys"][place])
        st.switch_page(f"pages/{name}.py", query_params=query)
