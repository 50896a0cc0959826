"""Tasks on their way to Dask and back, a window at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from convexviz.datasets.guard_child import one_line
from convexviz.errors import WorkError
from convexviz.experiments.sweep_cell import Answer, Order, compute, hold
from convexviz.experiments.sweep_plan import Plan, Task, alone

WINDOW = 4  # tasks sent ahead for each worker
MINIMUM_WINDOW = 32
RECONNECT_SECONDS = 5.0
SENT_ANEW = 5  # times in a row, with no answer between, that lost tasks are sent again
_PAUSE_SECONDS = 0.1  # before that, doubled each time: the scheduler forgets the old connection


class Keeps(Protocol):
    """What stores the answers."""

    plan: Plan

    def order(self, task: Task) -> Order: ...
    def take(self, task: Task, answer: Answer) -> None: ...
    def fail(self, place: int, why: str) -> None: ...


@dataclass(slots=True)
class Dispatch:
    """Sends tasks to Dask a window at a time, and takes what comes back."""

    driver: Keeps
    dask: Any
    running: dict[Any, Task] = field(default_factory=dict)
    lost: int = 0  # times in a row

    def run(self, todo: Sequence[Task]) -> None:
        """All tasks; those that turn out to be no path come back as cells.

        Raises:
            WorkError: the scheduler went away.
        """
        from distributed import as_completed

        held = self._hold()
        queue: Iterator[Task] = iter(todo)
        extra: list[Task] = []
        ahead = max(MINIMUM_WINDOW, WINDOW * len(self.dask.scheduler_info()["workers"]))
        ended = as_completed(loop=self.dask.loop)
        try:
            while True:
                while len(self.running) < ahead:
                    task = extra.pop() if extra else next(queue, None)
                    if task is None:
                        break
                    future = self.dask.submit(compute, self.driver.order(task), held, pure=False)
                    self.running[future] = task
                    ended.add(future)
                if not self.running:
                    return
                future = next(ended)
                if future not in self.running:
                    continue  # cancelled with others, and sent anew
                if _cancelled(future):
                    extra += self._lost(future)
                    held = self._hold()
                    continue
                self.lost = 0
                task = self.running.pop(future)
                extra += self._took(future, task)
        finally:
            for future in self.running:
                future.cancel(reason="sweep ended", msg="the sweep ended")

    def _hold(self) -> Any:
        """The arrays as a task and not scattered: it is computed anew where its worker dies."""
        return self.dask.submit(hold, self.driver.plan.arrays, pure=False)

    def _lost(self, future: Any) -> list[Task]:
        """What must be sent anew: a client that lost its connection has all tasks cancelled.

        Raises:
            WorkError: no scheduler is there any more, or it cancels again and again.
        """
        until = time.monotonic() + RECONNECT_SECONDS
        while self.dask.status == "connecting" and time.monotonic() < until:
            time.sleep(0.05)
        self.lost += 1
        if self.dask.status != "running" or self.lost > SENT_ANEW:
            raise WorkError(
                "the Dask scheduler went away or cancelled the sweep; what is finished is stored, "
                "run it again to go on"
            )
        time.sleep(_PAUSE_SECONDS * 2 ** (self.lost - 1))
        lost = [other for other in self.running if other is future or _cancelled(other)]
        return [self.running.pop(other) for other in lost]

    def _took(self, future: Any, task: Task) -> list[Task]:
        """Take what a future holds; returns what must be sent in its place."""
        from distributed import KilledWorker

        try:
            answer: Answer = future.result()
        except KilledWorker as error:
            if len(task.cells) > 1:
                return alone(task)  # one of them may be too large; the others are not to blame
            times = getattr(error, "allowed_failures", 3) + 1
            self._fail(task, f"its worker died {times} times: likely out of memory; give it more")
        except Exception as error:  # what a broken worker raises has no common class
            self._fail(task, one_line(f"{type(error).__name__}: {error}", 600))
        else:
            self.driver.take(task, answer)
            return alone(task) if answer.split else []
        return []

    def _fail(self, task: Task, why: str) -> None:
        for place in task.cells:
            if place in task.wanted:
                self.driver.fail(place, why)


def _cancelled(future: Any) -> bool:
    return future.status in ("cancelled", "lost")
