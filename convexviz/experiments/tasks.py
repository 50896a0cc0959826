"""What a child process may be asked to do: each task ends by writing one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convexviz.core.solution import Progress

if TYPE_CHECKING:
    from convexviz.experiments.jobs_worker import Report

Arrays = Mapping[str, NDArray[Any]]


def prepare() -> None:
    """Solve the smallest problem of each kind, so that imports and compiled code are ready."""
    import convexviz.experiments.store  # noqa: F401 - imported before it is needed
    from convexviz import architectures
    from convexviz.experiments import path
    from convexviz.experiments.run import request

    for arch in architectures.registry().values():
        path.solve_path(request(arch.name, None, arch.smoke))


def solve_path(arguments: Mapping[str, Any], arrays: Arrays, out: Path, report: Report) -> None:
    """Solve `architecture` with `fields` and its path of weight decays; write the result.

    With `pick` the path's middle replaces the weight decay of `fields`. `start` is the file of a
    solve of the same that was stopped, from which this one goes on. The file `able` beside `out`
    says that what this one has when it is stopped can be gone on with.
    """
    from convexviz.experiments import path, store
    from convexviz.experiments.jobs_job import ABLE
    from convexviz.experiments.run import request

    name, fields = arguments["architecture"], arguments["fields"]
    asked = request(name, dict(arrays) or None, fields)
    pick, file = bool(arguments.get("pick", False)), arguments.get("start")
    start = None if file is None else store.read(Path(file))
    able = out.with_name(ABLE)
    solved = path.solve_path(asked, report=report, pick=pick, start=start, on_able=able.touch)
    store.write(solved, out)


def measure(arguments: Mapping[str, Any], arrays: Arrays, out: Path, report: Report) -> None:
    """Solve one task of a sweep, the middle one; write how long it took, as JSON."""
    import json
    import time

    from convexviz.experiments.sweep_cell import Order, compute
    from convexviz.experiments.sweep_plan import Plan
    from convexviz.experiments.sweep_plan import tasks as tasks_of

    del arrays, report
    plan = Plan.of(arguments["plan"])
    todo = tasks_of(plan, [])
    task = todo[len(todo) // 2]
    order = Order(
        plan.architecture,
        [dict(plan.cells[cell]) for cell in task.cells],
        [True] * len(task.cells),
        plan.device,
    )
    started = time.perf_counter()
    answer = compute(order, None)
    seconds = time.perf_counter() - started
    why = next((outcome.why for outcome in answer.outcomes if outcome.why), "")
    if answer.split:  # no path: it tells nothing yet, so one cell of it does
        single = Order(order.architecture, order.specs[:1], [True], order.device)
        started = time.perf_counter()
        compute(single, None)
        seconds = (time.perf_counter() - started) * len(task.cells)
    found = {"seconds": seconds, "cells": len(task.cells), "tasks": len(todo), "why": why}
    out.write_text(json.dumps(found))


def prove(arguments: Mapping[str, Any], arrays: Arrays, out: Path, report: Report) -> None:
    """Raise the bound of the stored result `file` at `index` for `seconds`; write it anew."""
    from convexviz.experiments import prove as proofs
    from convexviz.experiments import store

    del arrays  # the file has them
    result = store.read(arguments["file"])
    seconds, index = float(arguments["seconds"]), int(arguments["index"])
    store.write(proofs.prove(result, max_seconds=seconds, index=index, report=report), out)


def descend(arguments: Mapping[str, Any], arrays: Arrays, out: Path, report: Report) -> None:
    """Train the network itself with each of `options`; write all that was recorded."""
    from convexviz.experiments import races

    found, best = races.run(
        arguments["architecture"],
        arguments["options"],
        data=dict(arrays) or None,
        on_record=recorder(report),
        **arguments["fields"],
    )
    with out.open("wb") as file:  # a path would get .npz appended
        np.savez(
            file,
            allow_pickle=False,
            best_objective=np.array(best.best_objective),
            **found,
        )


def starts(arguments: Mapping[str, Any], arrays: Arrays, out: Path, report: Report) -> None:
    """Train networks of several `widths` from many starts; write where each start ended."""
    from convexviz.experiments import starts as many

    def on_start(width: int, start: int, step: int, objective: float) -> None:
        report(Progress(step, objective, 0.0, 0.0), stage=f"{width} neurons, start {start + 1}")

    ended = many.ends(
        arguments["architecture"],
        arguments["widths"],
        data=dict(arrays) or None,
        on_start=on_start,
        **arguments["fields"],
    )
    with out.open("wb") as file:
        np.savez(file, allow_pickle=False, **ended)


def recorder(report: Report) -> Callable[[int, int, float, float], None]:
    """Descent's progress in the words of a solve; it has no bound, so dual is 0."""

    def on_record(start: int, step: int, objective: float, seconds: float) -> None:
        report(Progress(step, objective, 0.0, seconds), stage=f"start {start + 1}")

    return on_record
