"""The one process of a sweep that stores, counts and tells; workers only compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexviz.errors import StoreError
from convexviz.experiments import store as results_store
from convexviz.experiments.store_files import Sealed, check_seal, write_whole
from convexviz.experiments.sweep_cell import Answer, Order, Outcome, compute, summary
from convexviz.experiments.sweep_cluster import INLINE, Cluster, client
from convexviz.experiments.sweep_dispatch import Dispatch
from convexviz.experiments.sweep_plan import CellSpec, Plan, Task, alone, tasks
from convexviz.experiments.sweep_record import Log, Record


@dataclass(frozen=True, slots=True)
class Report:
    """One cell that ended, and how far the sweep is."""

    place: int
    spec: CellSpec
    why: str
    ended: int
    total: int
    summary: Mapping[str, Any]


OnCell = Callable[[Report], None]


def silent(_report: Report) -> None:
    """The default progress callback."""


@dataclass(slots=True)
class Driver:
    """The state of a running sweep: the one that stores and counts."""

    plan: Plan
    folder: Path
    log: Log
    on_cell: OnCell
    paths: dict[int, Path] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    computed: int = 0

    def look(self, record: Record, retry_failed: bool) -> None:
        """Find what is stored already, and what failed before."""
        said = record.cells()
        for place, key in enumerate(self.plan.keys):
            path = results_store.Store(self.folder).path(self.plan.architecture, key)
            if place not in self.plan.refused and _is_whole(path):
                self.paths[place] = path
                if place not in said or said[place].state != "done":
                    self._note(place, summary(results_store.read(path)))
        before = {} if retry_failed else record.failed()
        for place, why in {**self.plan.refused, **before}.items():
            if place not in self.paths:
                self.failed[place] = why
                if place not in said:
                    self.log.write(cell=place, state="failed", why=why)

    def work(self, cluster: Cluster) -> None:
        """Compute the tasks, here or there."""
        todo = tasks(self.plan, self.paths, self.failed)
        if not todo:
            return
        if cluster.scheduler == INLINE:
            for task in todo:
                self._inline(task)
            return
        with client(cluster, sum(len(task.wanted) for task in todo)) as dask:
            Dispatch(self, dask).run(todo)

    def _inline(self, task: Task) -> None:
        answer = compute(self.order(task), self.plan.arrays)
        for single in alone(task) if answer.split else ():
            self._inline(single)
        self.take(task, answer)

    def order(self, task: Task) -> Order:
        """The task as it travels."""
        return Order(
            self.plan.architecture,
            [dict(self.plan.cells[cell]) for cell in task.cells],
            [cell in task.wanted for cell in task.cells],
            self.plan.device,
        )

    def take(self, task: Task, answer: Answer) -> None:
        """Store what a task gave."""
        for outcome in answer.outcomes:
            place = task.cells[outcome.place]
            if outcome.why:
                self.fail(place, outcome.why)
            else:
                self._keep(place, outcome)

    def _keep(self, place: int, outcome: Outcome) -> None:
        home = results_store.Store(self.folder)
        path = home.path(self.plan.architecture, self.plan.keys[place])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent}: cannot be made ({error.strerror})") from error
        self.paths[place] = write_whole(path, outcome.image)
        self.computed += 1
        self._note(place, outcome.summary)
        self._tell(place, "", outcome.summary)

    def _note(self, place: int, numbers: Mapping[str, Any]) -> None:
        self.log.write(cell=place, state="done", summary=dict(numbers))

    def fail(self, place: int, why: str) -> None:
        """Note that a cell failed."""
        self.failed[place] = why
        self.log.write(cell=place, state="failed", why=why)
        self._tell(place, why, {})

    def _tell(self, place: int, why: str, numbers: Mapping[str, Any]) -> None:
        ended = len(self.paths) + len(self.failed)
        total = len(self.plan.cells)
        self.on_cell(Report(place, self.plan.cells[place], why, ended, total, numbers))


def _is_whole(path: Path) -> bool:
    try:
        return path.is_file() and check_seal(path) is Sealed.INTACT
    except OSError:
        return False
