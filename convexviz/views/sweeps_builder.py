"""The builder of a sweep: a network, what varies, what is fixed; counted and timed before Run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import streamlit as st

from convexviz import architectures
from convexviz.architectures.base import Architecture, params
from convexviz.architectures.spec import Field
from convexviz.errors import ConvexvizError, SpecError
from convexviz.experiments import store
from convexviz.experiments.jobs_job import Job
from convexviz.experiments.sweep_axes import Design, axes_of
from convexviz.experiments.sweep_cluster import Cluster, cores
from convexviz.experiments.sweep_plan import Plan, plan, tasks
from convexviz.experiments.sweep_record import Record
from convexviz.views import format as written
from convexviz.views import work

KEY = "sweeps.new"
NONE = "nothing"
LARGEST = 2000  # cells that a page may ask for; the command line has no such limit
TITLES = {"grid": "Grid", "random": "Random", "latin": "Latin hypercube"}
STARTS = {"weight_decay": "geom:0.01:100:8", "noise_std": "lin:0.05:0.4:8", "seed": "range:0:4"}


Begin = Callable[[Plan, str, int], None]


def show(begin: Begin) -> None:
    """Draw the builder; `begin` takes plan, scheduler and workers once Run is pressed."""
    st.subheader("A new sweep", anchor=False)
    left, right = st.columns([0.745, 0.255], gap="medium")
    with left:
        made = _plan()
    with right:
        scheduler = st.text_input(
            "Dask scheduler",
            key=f"{KEY}.scheduler",
            placeholder="this machine",
            help="tcp://host:8786 of a cluster that is running; empty: workers of this machine.",
        )
        workers = st.number_input("Workers here", 1, 64, cores(), key=f"{KEY}.workers")
        if isinstance(made, str):
            st.error(written.literal(made))
        else:
            _run(made, scheduler.strip() if scheduler else "", int(workers), begin)


def _plan() -> Plan | str:
    known = architectures.registry()
    first = st.columns([0.5, 0.25, 0.25], vertical_alignment="bottom")
    with first[0]:
        name = st.selectbox(
            "Network", list(known), format_func=lambda n: known[n].title, key=f"{KEY}.network"
        )
    with first[1]:
        design = st.selectbox(
            "Design",
            list(TITLES),
            format_func=lambda n: TITLES[n],
            key=f"{KEY}.design",
        )
    cells = None
    with first[2]:
        if design != "grid":
            cells = int(st.number_input("Cells", 1, LARGEST, 32, key=f"{KEY}.cells"))
    arch = known[name]
    axes: dict[str, str] = {}
    for place, start in enumerate(("weight_decay", "seed", NONE)):
        _axis(arch, place, start, axes)
    fixed = st.text_input(
        "Fixed fields",
        value=" ".join(f"{n}={v}" for n, v in arch.smoke.items() if n not in axes),
        key=f"{KEY}.fixed.{name}",
        help="name=value, separated by spaces; the others stay at their defaults.",
    )
    try:
        fields = _fixed(arch, fixed or "")
        count = math.prod(len(axis.values) or 1 for axis in axes_of(arch, axes))
        if design == "grid" and count > LARGEST:
            raise SpecError(
                f"a page may ask for {LARGEST:,} cells, this sweep has {count:,}; "
                "use `convexviz sweep`"
            )
        made = plan(name, axes, None, fields, design=_design(design), cells=cells)
    except ConvexvizError as error:
        return str(error)
    return made


def _design(name: Any) -> Design:
    return "latin" if name == "latin" else "random" if name == "random" else "grid"


def _axis(arch: Architecture, place: int, start: str, axes: dict[str, str]) -> None:
    """One axis: which field, and its values as the command line takes them."""
    fields = params(arch.spec)
    names = [NONE, *fields]
    left, right = st.columns([0.4, 0.6], vertical_alignment="bottom")
    with left:
        field = st.selectbox(
            "Vary" if not place else "and",
            names,
            index=names.index(start) if start in names else 0,
            format_func=lambda n: fields[n].param.label if n in fields else NONE,
            key=f"{KEY}.axis{place}.{arch.name}",
        )
    if field in (NONE, None):
        return
    with right:
        values = st.text_input(
            "over",
            value=_start(fields[str(field)]),
            key=f"{KEY}.values{place}.{arch.name}.{field}",
            help="a,b,c or geom:LOW:HIGH:COUNT, lin:LOW:HIGH:COUNT, range:START:STOP; drawn "
            "designs also log:LOW:HIGH, uniform:LOW:HIGH",
        )
    axes[str(field)] = values or ""


def _start(field: Field) -> str:
    if field.kind is bool:
        return "false,true"
    if field.kind is str:
        return ",".join(choice for choice in field.param.choices if choice != "given")
    return STARTS.get(field.name, f"{field.default:g}")


def _fixed(arch: Architecture, text: str) -> dict[str, Any]:
    """The fixed fields, each in its own type."""
    known = params(arch.spec)
    found: dict[str, Any] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise SpecError(f"a fixed field must be name=value, got {word[:40]!r}")
        if name not in known:
            arch.spec.of({name: None})  # refuses it, with the nearest name
        kind = known[name].kind
        if kind is bool:
            found[name] = {"true": True, "false": False}.get(value.lower(), value)
        elif kind is str:
            found[name] = value
        else:
            try:
                found[name] = float(value) if kind is float else int(float(value))
            except (ValueError, OverflowError):
                found[name] = value  # refused by its own rule
    return found


def _run(made: Plan, scheduler: str, workers: int, begin: Begin) -> None:
    """How many cells, how long they will take, and the button that starts them."""
    todo = tasks(made, [])
    count = written.count(len(made.cells))
    st.markdown(f"**{count} cells** in {written.count(len(todo))} tasks.")
    try:
        Cluster(scheduler=scheduler or None)
    except SpecError as error:
        st.error(written.literal(str(error)))
        return
    slot, timed = f"{KEY}.job", f"{KEY}.timed"

    def take(job: Job) -> None:
        assert job.result_path is not None  # the job is done
        st.session_state[timed] = (made.name, json.loads(job.result_path.read_text()))

    measured = st.session_state.get(timed)
    if measured is not None and measured[0] == made.name:
        st.markdown(_estimate(measured[1], todo, Cluster(workers=workers).size(len(todo))))
    elif work.job_in(slot) is None:
        st.button(
            "Estimate",
            key=f"{KEY}.estimate",
            on_click=work.submit,
            args=(KEY, slot, "measure", {"plan": made.document()}),
            help="Solves one task and counts the seconds.",
        )
    work.panel(KEY, slot, 1e-6, take)
    args = (made, scheduler, workers)
    st.button("Run", key=f"{KEY}.run", type="primary", on_click=begin, args=args)


def _estimate(measured: dict[str, Any], todo: list[Any], workers: int) -> str:
    if measured["why"]:
        return f"The measured cell failed: {written.literal(measured['why'])}"
    cell = measured["seconds"] / measured["cells"]
    cells = sum(len(task.cells) for task in todo)
    whole = cell * cells / workers
    each = written.seconds(measured["seconds"])
    return (
        f"About **{written.seconds(max(whole, 1e-3))}** on {workers} "
        f"worker{'s' if workers > 1 else ''}, after some seconds of start: "
        f"{each} for a task of {measured['cells']}."
    )


def keep(made: Plan) -> Record:
    """The record of a plan in this server's store."""
    record = Record.of(store.default_folder(), made)
    record.note("")
    return record


def left(seconds: list[float], open_cells: int, workers: int) -> float | None:
    """Seconds that the open cells will take, by those that finished."""
    finite = [value for value in seconds if math.isfinite(value)]
    if not finite:
        return None
    return open_cells * sum(finite) / len(finite) / max(workers, 1)
