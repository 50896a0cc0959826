"""The Results page: find, look into, compare, take home, delete and bring back what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from convexviz import architectures, figures
from convexviz.core.solution import Scope
from convexviz.errors import ConvexvizError
from convexviz.experiments import bundle, store, trash
from convexviz.experiments.index_query import SORTS, Query, Row
from convexviz.experiments.result import Result
from convexviz.views import exports, frame, library, panels, results_compare, results_table, stored
from convexviz.views import format as written
from convexviz.views.certificate import card, fields
from convexviz.views.home import COVERS
from convexviz.views.share import share

SENTENCE = (
    "Everything that was computed here or ships with convexviz, each with *its own certificate*."
)
ALL = "All"
_STATE = "results"
_MARKED, _DELETED, _SAID = f"{_STATE}.marked", f"{_STATE}.deleted", f"{_STATE}.said"
_FORMATS = {"h5": "Verifiable results (.zip)", "zarr": "Zarr (.zip)", "netcdf": "NetCDF (.zip)"}


def show() -> None:
    """Draw the page."""
    tools = frame.heading("Results", SENTENCE)
    with tools:
        with st.popover("Import", width="content"):
            _import()
        share(f"{_STATE}.share")
    try:
        results_table.refreshed(str(store.default_folder()))
        query = _query()
        shown = results_table.look(query, int(st.session_state.get(f"{_STATE}.page", 0)))
    except ConvexvizError as error:
        st.error(written.literal(str(error)))
        return
    _undo()
    marked = _marked()
    _actions(marked)
    results_table.draw(shown, query, [row.path for row in marked], _heard)
    _problems()
    st.space("medium")
    if len(marked) == 1:
        _preview(marked[0])
    elif 2 <= len(marked) <= results_compare.MOST:
        _comparison(marked)
    elif marked:
        st.markdown(f"{len(marked)} are marked; two to four can be compared.")


def _query() -> Query:
    """The filters, which live in the address, and the order, which the table's heads set."""
    index = results_table.index()
    words, kind, scope = st.columns([0.5, 0.25, 0.25], vertical_alignment="bottom")
    with words:
        text = st.text_input(
            "Find",
            key=f"{_STATE}.find",
            bind="query-params",
            max_chars=200,
            placeholder="tiny   kernel_size=7   weight_decay<0.1   n_neurons>=20",
        )
    names = [ALL, *index.values("architecture")]
    with kind:
        known = architectures.registry()
        architecture = st.selectbox(
            "Network",
            names,
            format_func=lambda name: known[name].title if name in known else name,
            key=f"{_STATE}.network",
        )
    scopes = [ALL, *index.values("scope")]
    with scope:
        covers = st.selectbox(
            "Bound covers",
            scopes,
            format_func=lambda name: COVERS[Scope(name)] if name != ALL else ALL,
            key=f"{_STATE}.scope",
        )
    sort = st.session_state.get(f"{_STATE}.sort", "created")
    return Query(
        text=text or "",
        architecture="" if architecture in (ALL, None) else str(architecture),
        scope="" if covers in (ALL, None) else str(covers),
        sort=sort if sort in SORTS else "created",
        descending=bool(st.session_state.get(f"{_STATE}.descending", True)),
    )


def _heard(what: str, value: Any) -> None:
    """What the table reports: another order or page, a mark, or a row that is opened alone."""
    state = st.session_state
    if what == "sort":
        same = state.get(f"{_STATE}.sort", "created") == value
        state[f"{_STATE}.descending"] = (
            not state.get(f"{_STATE}.descending", True)
            if same
            else (value in ("created", "psnr", "accuracy"))
        )
        state[f"{_STATE}.sort"] = str(value)
        state[f"{_STATE}.page"] = 0
    elif what == "page":
        state[f"{_STATE}.page"] = int(value)
    elif what == "only":
        state[_MARKED] = [str(value)]
    elif what == "pick":
        marked = [path for path in state.get(_MARKED, []) if path != value["id"]]
        state[_MARKED] = [*marked, str(value["id"])] if value["marked"] else marked


def _marked() -> list[Row]:
    """The rows that are marked and still there, in the order of marking."""
    paths = st.session_state.get(_MARKED, [])
    found = {row.path: row for row in results_table.index().at(paths)}
    return [found[path] for path in paths if path in found]


def _actions(marked: Sequence[Row]) -> None:
    """What can be done with the marked ones."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"{_STATE}.actions"):
        if not marked:
            st.markdown("Press a row to look into it; mark two to four to compare them.")
            return
        st.markdown(f"**{len(marked)} marked**", width="content")
        if len(marked) == 1:
            _open(marked[0])
        with st.popover("Export", width="content"):
            _export(marked)
        st.button("Delete", key=f"{_STATE}.delete", on_click=_delete, args=(marked,))
        st.button("Clear marks", key=f"{_STATE}.clear", on_click=_clear)


def _open(row: Row) -> None:
    given = row.dataset == "given"
    if row.architecture not in architectures.registry():
        return
    if st.button(
        "Open in its lab",
        key=f"{_STATE}.open",
        type="primary",
        disabled=given,
        help="Its data were brought by somebody: the lab cannot load them." if given else None,
    ):
        query = stored.address(row.architecture, row.spec, row.key)
        st.switch_page(f"pages/{row.architecture}.py", query_params=query)


def _export(marked: Sequence[Row]) -> None:
    paths = [Path(row.path) for row in marked]
    if len(paths) == 1:
        result = _read(marked[0])
        if result is not None:
            exports.menu(result, f"{_STATE}.export")
    for kind, words in _FORMATS.items():
        st.download_button(
            words,
            data=partial(bundle.bundle, paths, kind),
            file_name=f"convexviz-results.{bundle.FORMATS[kind]}",
            key=f"{_STATE}.bundle.{kind}",
            on_click="ignore",
            width="stretch",
        )


def _import() -> None:
    files = st.file_uploader(
        "Results (.h5) or zips of them",
        type=["h5", "zip"],
        accept_multiple_files=True,
        key=f"{_STATE}.files",
        max_upload_size=bundle.LARGEST_FILE >> 20,
        help="Each is verified before it is stored: every number must follow from its weights.",
    )
    taken = st.session_state.setdefault(f"{_STATE}.taken", {})
    for file in files or ():
        if file.file_id not in taken:
            with st.spinner(f"Verifying {written.literal(file.name)}…"):
                home = store.Store(store.default_folder())
                taken[file.file_id] = bundle.take_in(file.getvalue(), file.name, home)
            refreshed_now()
        for arrival in taken[file.file_id]:
            if arrival.path is None:
                st.error(written.literal(f"{arrival.name}: {arrival.why}"))
            else:
                st.markdown(f"{written.literal(arrival.name)}: verified and stored.")


def refreshed_now() -> None:
    """Read the folder again at once."""
    results_table.refreshed.clear()
    results_table.refreshed(str(store.default_folder()))


def _delete(marked: Sequence[Row]) -> None:
    try:
        paths = [Path(row.path) for row in marked]
        st.session_state[_DELETED] = trash.delete(store.default_folder(), paths)
        _clear()
    except ConvexvizError as error:
        st.session_state[_SAID] = str(error)
    refreshed_now()


def _bring_back() -> None:
    try:
        trash.undo(store.default_folder(), st.session_state.pop(_DELETED))
    except ConvexvizError as error:
        st.session_state[_SAID] = str(error)
    refreshed_now()


def _clear() -> None:
    st.session_state[_MARKED] = []


def _undo() -> None:
    """What was just deleted, and the way back; a refusal is shown once."""
    if said := st.session_state.pop(_SAID, ""):
        st.error(written.literal(said))
    deletion = st.session_state.get(_DELETED)
    if deletion is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"{_STATE}.undo.row"):
        number = "One result was" if deletion.count == 1 else f"{deletion.count} results were"
        st.markdown(f"{number} deleted; they are kept for a week.", width="content")
        st.button("Undo", key=f"{_STATE}.undo", on_click=_bring_back)


def _problems() -> None:
    found = results_table.index().problems()
    if not found:
        return
    number = "One file" if len(found) == 1 else f"{len(found)} files"
    with st.expander(f"{number} could not be read"):
        for problem in found[:20]:
            st.markdown(written.literal(f"{problem.path.name}: {problem.why}"))


def _read(row: Row) -> Result | None:
    try:
        return library.opened(row.path, Path(row.path).stat().st_mtime_ns)
    except (ConvexvizError, OSError) as error:
        st.error(written.literal(str(error)))
        return None


def _preview(row: Row) -> None:
    """Its first picture and its certificate."""
    result = _read(row)
    if result is None:
        return
    pictures = figures.for_architecture(result.architecture)
    left, right = st.columns([0.745, 0.255], gap="medium")
    with left:
        st.subheader(results_table.title(row), anchor=False)
        names = list(pictures)
        name = st.segmented_control(
            "Figure", names, default=names[0], required=True, key=f"{_STATE}.figure.{row.key}",
            label_visibility="collapsed",
        )  # fmt: skip
        picture = pictures[name or names[0]]
        drawn = picture(result, panels.look())
        panels.plot(drawn, f"{_STATE}.picture", picture.alt(result))
    with right:
        values = fields(
            result.certificate,
            tolerance=float(result.spec.get("tolerance", 1e-6)),
            n_patterns=int(result.scalars.get("n_patterns", 0)),
            foot=f"Solved in {written.seconds(result.seconds)} on {result.provenance['device']}",
        )
        card(f"{_STATE}.certificate", values)
        st.caption(
            written.literal(
                f"Data: {result.provenance['dataset_source']} "
                f"({result.provenance['dataset_licence']})"
            )
        )


def _comparison(marked: Sequence[Row]) -> None:
    found = [(row, _read(row)) for row in marked]
    results = [result for _, result in found if result is not None]
    titles = [results_table.title(row) for row, result in found if result is not None]
    if len(results) >= 2:
        st.subheader("Side by side", anchor=False)
        titles = [f"{'ABCD'[place]}: {title}" for place, title in enumerate(titles)]
        results_compare.show(results, titles)
