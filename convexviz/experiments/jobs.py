"""Slow solves in child processes: a fair queue, progress, Cancel, limits, and nothing left over.

    queue = Queue()                        # one a server
    job = queue.submit("convexviz.experiments.tasks:solve_path", arguments, arrays, owner=tab)
    job.touch(); job.state, job.place, job.estimate, job.progress[-1], job.error    # each poll
    result = store.read(job.result_path); job.discard()

A worker that has imported everything stands by while somebody uses the queue, since importing
takes longer than most solves.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.errors import WorkError
from convexviz.experiments.jobs_child import Child
from convexviz.experiments.jobs_folder import Folder
from convexviz.experiments.jobs_job import Job, Request, Update
from convexviz.experiments.jobs_limits import JOBS, Limits, running_limit

__all__ = ["Job", "Limits", "Queue", "Update"]

TASKS = "convexviz.experiments.tasks"

_LOOK_SECONDS = 0.02  # a process fills about 40 MB in that time
_STANDBY_SECONDS = 60.0
_LONGEST_ARGUMENTS = 1 << 15  # fits a pipe, so that sending never waits for the child
_KEEP_SECONDS = 300.0  # a result that nobody fetched: browsers slow hidden tabs to a look a minute


class Queue:
    """Runs at most `limit` jobs at once and holds `bound` more, in order of arrival.

    The next to start is the first of those whose owner has the fewest running, so that one
    visitor's presses do not keep another waiting. A job that nobody touched for `heartbeat`
    seconds is cancelled: its tab is closed. `tasks` is the one module whose functions may run.
    """

    def __init__(
        self,
        *,
        limit: int | None = None,
        bound: int = 16,
        heartbeat: float = 10.0,
        limits: Limits | None = None,
        tasks: str = TASKS,
    ) -> None:
        self.limit = running_limit() if limit is None else limit
        self.bound = bound
        self.heartbeat = heartbeat
        self.limits = Limits.from_environment() if limits is None else limits
        self.tasks = tasks
        self._threads = max(1, (os.cpu_count() or 1) // self.limit)
        self._folder = Folder()
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._over: list[Job] = []
        self._durations: deque[float] = deque(maxlen=8)
        self._standby: Child | None = None
        self._wanted = -math.inf
        self._closed = False
        self._changed = threading.Condition()
        # Children end with the thread that made them, so one that stays makes them all.
        self._thread = threading.Thread(target=self._dispatch, name="jobs", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __enter__(self) -> Queue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def submit(
        self,
        task: str,
        arguments: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        *,
        owner: str = "",
    ) -> Job:
        """A job for `task` ("module:function"), queued.

        Raises:
            WorkError: the queue is full, the task is not one of `tasks`, or `arguments` are no
                JSON.
        """
        if task.partition(":")[0] != self.tasks:
            raise WorkError(f"task must be a public function of {self.tasks}, got {task[:80]!r}")
        try:
            size = len(json.dumps(arguments))
        except (TypeError, ValueError) as error:
            raise WorkError(f"arguments must be plain JSON values: {error}") from error
        if size > _LONGEST_ARGUMENTS:
            raise WorkError(
                f"arguments must be at most {_LONGEST_ARGUMENTS:,} characters of JSON, got "
                f"{size:,}; pass arrays as arrays"
            )
        self._require_room()
        folder = self._folder.new()
        if arrays is not None:
            np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
        request = Request(
            task=task, arguments=arguments, folder=folder, has_arrays=arrays is not None
        )
        job = Job(request, owner, self._wake)
        with self._changed:
            try:
                self._require_room()
            except WorkError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._waiting.append(job)
            self._wanted = time.monotonic()
            self._number()
            self._changed.notify_all()
        return job

    def warm(self) -> None:
        """Have a worker import everything now (a page does this as it opens)."""
        with self._changed:
            self._wanted = time.monotonic()
            self._changed.notify_all()

    def touch(self, owner: str) -> None:
        """Say that this owner is still there, for all its jobs."""
        for job in self._jobs(owner):
            job.touch()

    def release(self, owner: str) -> None:
        """Stop all jobs of this owner and remove what they left."""
        for job in self._jobs(owner):
            job.discard()
        self._wake()

    def close(self) -> None:
        """Stop everything; on return no process and no file is left."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._folder.close()
        atexit.unregister(self.close)

    def _require_room(self) -> None:
        if self._closed:
            raise WorkError("the queue is closed: the server is stopping; try again in a minute")
        free = self.limit - len(self._running)
        if len(self._waiting) >= self.bound + max(0, free):
            wait = self._wait_of(len(self._waiting) + 1)
            when = "soon" if wait is None else f"in about {math.ceil(wait)} s"
            raise WorkError(
                f"the queue is full: {len(self._running)} solves run, {len(self._waiting)} wait "
                f"and at most {self.bound} may; try again {when}, or raise {JOBS} on the server"
            )

    def _jobs(self, owner: str) -> list[Job]:
        with self._changed:
            jobs = [*self._waiting, *self._running, *self._over]
        return [job for job in jobs if job.owner == owner]

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _dispatch(self) -> None:
        self._serve()
        for job in [*self._waiting, *self._running, *self._over]:
            job.discard()
        if self._standby is not None:
            self._standby.reap()

    def _serve(self) -> None:
        with self._changed:
            while not self._closed:
                self._forget()
                self._number()
                while self._waiting and len(self._running) < self.limit:
                    self._start(self._waiting.pop(0))
                    self._number()
                self._stand_by()
                problems = self._problems()
                self._changed.release()  # ending a process waits for it: never with the lock
                try:
                    for job, kill, why in problems:
                        job.kill(why) if kill else job.cancel(why)
                finally:
                    self._changed.acquire()
                if not self._closed:
                    self._changed.wait(self._pause())

    def _start(self, job: Job) -> None:
        child, self._standby = self._standby, None
        if child is not None and not child.is_alive():
            child.reap()
            child = None
        try:
            job.start(child or Child(self.tasks, self._threads), self.limits)
        except OSError as error:
            job.fail(f"no process could be started for the solve ({error.strerror}); try again")
        else:
            self._running.append(job)

    def _forget(self) -> None:
        """Drop jobs that are over from the lists, and results that nobody came for."""
        ended = [job for job in self._running if not job.holds_process]
        self._durations.extend(job.seconds for job in ended if job.state == "done")
        self._over += [job for job in [*self._waiting, *ended] if job.is_over]
        self._running = [job for job in self._running if job.holds_process]
        self._waiting = [job for job in self._waiting if not job.is_over]
        stale = time.monotonic() - _KEEP_SECONDS
        for job in self._over:
            if job.touched < stale or job.state != "done":
                job.discard()
        self._over = [job for job in self._over if job.request.folder.exists()]

    def _number(self) -> None:
        """Put the waiting jobs in the order in which they will start, with place and estimate."""
        taken = Counter(job.owner for job in self._running)
        turns = []
        for arrival, job in enumerate(self._waiting):
            turns.append((taken[job.owner], arrival, job))
            taken[job.owner] += 1
        self._waiting = [job for *_, job in sorted(turns, key=lambda turn: turn[:2])]
        for place, job in enumerate(self._waiting, start=1):
            job.place, job.estimate = place, self._wait_of(place)

    def _wait_of(self, place: int) -> float | None:
        """Seconds until the job at `place` starts: rounds of solves as long as the last ones."""
        if not self._durations:
            return None
        mean = sum(self._durations) / len(self._durations)
        left = sorted(max(0.0, mean - job.seconds) for job in self._running)
        if place <= len(left):
            return left[place - 1]
        rounds, nth = divmod(place - 1, self.limit)
        return (left[nth] if nth < len(left) else 0.0) + rounds * mean

    def _stand_by(self) -> None:
        """Start the standby worker while somebody is about, within the limit; end it later."""
        wanted = time.monotonic() - self._wanted < _STANDBY_SECONDS
        if self._standby is None and wanted and len(self._running) < self.limit:
            self._standby = Child(self.tasks, self._threads)
        elif self._standby is not None and not wanted:
            self._standby.reap()
            self._standby = None

    def _problems(self) -> list[tuple[Job, bool, str]]:
        """Jobs to end: killed for a limit (True), or cancelled because their tab is closed."""
        unseen = f"nobody looked at it for {self.heartbeat:g} s: the page was closed"
        last = time.monotonic() - self.heartbeat
        found = []
        for job in [*self._waiting, *self._running]:
            if job.touched < last and not job.is_over:
                found.append((job, False, unseen))
            elif job in self._running and (why := job.usage_problem(self.limits)):
                found.append((job, True, why))
        return found

    def _pause(self) -> float | None:
        if self._waiting or self._running:
            return _LOOK_SECONDS
        waits = []
        if self._standby is not None:
            waits.append(self._wanted + _STANDBY_SECONDS - time.monotonic())
        waits += [job.touched + _KEEP_SECONDS - time.monotonic() for job in self._over]
        return max(_LOOK_SECONDS, min(waits)) if waits else None
