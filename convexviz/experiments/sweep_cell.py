"""What one worker does: a cell, or a whole path of weight decays with one Gram.

It hands back finished file images and touches no disk, so a worker may die at any moment and
leave nothing half done; whoever asked stores them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from convexviz.datasets.guard_child import one_line
from convexviz.errors import ConvexvizError
from convexviz.experiments import store
from convexviz.experiments.compact import compacted, derived_names
from convexviz.experiments.path import FollowsPath
from convexviz.experiments.result import Result
from convexviz.experiments.run import Request, collect, on_device, request, run
from convexviz.experiments.sweep_plan import Arrays


@runtime_checkable
class Reweighted(Protocol):
    """A program that can be had at another weight decay, with all that is heavy in it shared."""

    def with_weight_decay(self, weight_decay: float) -> Any: ...


@dataclass(frozen=True, slots=True)
class Order:
    """A task as it travels: the specs of its cells, and which of their results are wanted."""

    architecture: str
    specs: Sequence[Mapping[str, Any]]
    wanted: Sequence[bool]
    device: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one cell.

    Attributes:
        image: the result as a sealed file; empty where it failed.
        why: the reason, where it failed.
        summary: the numbers that tables and maps show.
    """

    place: int
    image: bytes = field(default=b"", repr=False)
    why: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcomes of a task; `split` asks for its cells one by one: no path leads through them."""

    outcomes: Sequence[Outcome]
    split: bool = False


def hold(arrays: Arrays | None) -> Arrays | None:
    """The caller's arrays, as a task: a worker that dies with them loses nothing."""
    return arrays


def compute(order: Order, arrays: Arrays | None) -> Answer:
    """Solve a task; whatever goes wrong in it is told in one line, cell by cell."""
    try:
        results = _results(order, arrays)
    except MemoryError:
        return _failed(order, "there was not enough memory; raise the limit of a worker")
    except ConvexvizError as error:
        return _failed(order, one_line(error, 600))
    except Exception as error:  # a cell must not end a sweep, whatever is wrong in it
        return _failed(order, one_line(f"{type(error).__name__}: {error}", 600))
    if results is None:
        return Answer((), split=True)
    pool = store.Pool()
    return Answer(
        [
            Outcome(place, store.image(result, pool), "", summary(result))
            for place, (result, wanted) in enumerate(zip(results, order.wanted, strict=True))
            if wanted
        ]
    )


def _failed(order: Order, why: str) -> Answer:
    return Answer([Outcome(place, why=why) for place, want in enumerate(order.wanted) if want])


def _results(order: Order, arrays: Arrays | None) -> list[Result] | None:
    fields = dict(order.specs[0])
    if arrays is not None:
        fields.pop("dataset")
    asked = request(order.architecture, arrays, fields, order.device)
    if len(order.specs) == 1:
        return [run(asked)]
    return _path(asked, [float(spec["weight_decay"]) for spec in order.specs])


def _path(asked: Request, decays: Sequence[float]) -> list[Result] | None:
    """One result a weight decay, or None where the solver follows no path."""
    started = time.perf_counter()
    program: Any = on_device(asked.arch.build(asked.spec, asked.arrays, ()), asked.device)
    solver = asked.arch.solver(asked.spec, program)
    if not isinstance(solver, FollowsPath) or not isinstance(program, Reweighted):
        return None
    # Without its inputs a result derives nothing; with them, most of its bytes can be left out.
    size = sum(array.nbytes for array in asked.arrays.values())
    lean = len(decays) > 1 and size <= store.LARGEST_DATA
    solutions = solver.path(program, decays)
    spent = [s.objectives[-1].seconds if s.objectives else 0.0 for s in solutions]
    setup = max(time.perf_counter() - started - sum(spent), 0.0)
    results = []
    for place, (decay, solution) in enumerate(zip(decays, solutions, strict=True)):
        here = replace(asked, spec=replace(asked.spec, weight_decay=decay))
        clock = {"solve_seconds": spent[place], "seconds": setup + spent[place]}
        own = [program.with_weight_decay(decay)]
        result = collect(here, own, [solution], clock, lean=lean)
        # Each starts from the optima of larger weight decays, whose seconds are part of its own.
        earlier = float(np.sum(spent[:place]))
        scalars = {**result.scalars, "earlier_seconds": earlier}
        results.append(replace(result, scalars=scalars, seconds=result.seconds + earlier))
    if not lean:
        return results
    names = derived_names(results[0])
    return [compacted(result, names) for result in results]


def summary(result: Result) -> dict[str, Any]:
    """A result's numbers, as plain values."""
    certificate = result.certificate
    return {
        "primal": float(certificate.primal),
        "dual": float(certificate.dual),
        "relative_gap": float(certificate.relative_gap),
        "scope": str(certificate.scope),
        "status": str(result.status),
        "seconds": float(result.seconds),
        **{name: float(value) for name, value in result.scalars.items()},
    }
