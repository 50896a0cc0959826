"""One solve as the page sees it: where it stands, how far it is, where its result lies."""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from convexviz.experiments.jobs_child import Child, Message
from convexviz.experiments.jobs_limits import Limits

State = Literal["queued", "running", "done", "failed", "cancelled"]

# Room for code, thread stacks and buffers that are reserved and never touched; the resident
# memory is what counts, and this only stops one allocation far beyond it at once.
_RESERVED = 2 << 30
_LARGEST_FILE = 1 << 30
STOP = "stop"  # a file in a job's folder: whoever asks it to stop has put it there
ABLE = "able"  # and this one the task, where what it has when it is stopped can be gone on with


@dataclass(frozen=True, slots=True)
class Update:
    """One point of the trace of a running solve; `stage` says in words what is being done."""

    iteration: int
    primal: float
    dual: float
    seconds: float
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to compute: a task, its arguments, and the arrays' file in the job's own folder."""

    task: str
    arguments: Mapping[str, Any]
    folder: Path
    has_arrays: bool

    @property
    def out(self) -> Path:
        return self.folder / "result.h5"

    def message(self, limits: Limits) -> Message:
        return {
            "task": self.task,
            "arguments": self.arguments,
            "arrays": str(self.folder / "arrays.npz") if self.has_arrays else None,
            "out": str(self.out),
            "cpu_seconds": limits.cpu_seconds,
            "memory": limits.memory + _RESERVED,
            "file_bytes": _LARGEST_FILE,
        }


class Job:
    """A solve in the queue, running, or over.

    Attributes:
        state: queued, running, done, failed or cancelled.
        place: 1 for the next to start; 0 once started.
        estimate: seconds until it starts, as far as earlier solves tell; None where none has.
        progress: what the solve has reported so far.
        error: one line where `state` is failed; why, where it was cancelled.
        result_path: the result's file once `state` is done, until `discard`.
    """

    def __init__(self, request: Request, owner: str, changed: Callable[[], None]) -> None:
        self.owner = owner
        self.request = request
        self.state: State = "queued"
        self.place = 0
        self.estimate: float | None = None
        self.progress: list[Update] = []
        self.error = ""
        self.result_path: Path | None = None
        self.touched = time.monotonic()
        self._created = time.monotonic()
        self._started: float | None = None
        self._ended: float | None = None
        self._child: Child | None = None
        self._killed_for = ""
        self._answer: Message = {}
        self._lock = threading.RLock()
        self._changed = changed

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the solve; of the wait while it is queued."""
        start = self._created if self._started is None else self._started
        return (time.monotonic() if self._ended is None else self._ended) - start

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def holds_process(self) -> bool:
        """Whether a process still runs for this job, which may outlast its state by a moment."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        child = self._child
        return None if child is None else child.pid

    def touch(self) -> None:
        """Say that somebody still looks at this job (the page's polling fragment does)."""
        self.touched = time.monotonic()

    def cancel(self, why: str = "cancelled") -> None:
        """Stop it; on return its process is gone."""
        child = self._settle("cancelled", why)
        if child is not None:
            child.end()
        self._changed()

    def stop(self) -> None:
        """Ask it to end at its next report and to write what it has; see `jobs_worker.Report`."""
        with contextlib.suppress(OSError):  # it ends in this moment, and its folder with it
            if not self.is_over:
                (self.request.folder / STOP).touch()

    @property
    def can_go_on(self) -> bool:
        """Whether what it has when it is stopped can be gone on with."""
        return (self.request.folder / ABLE).exists()

    def kill(self, why: str) -> None:
        """Stop it at once as failed, for the reason given."""
        with self._lock:
            self._killed_for = self._killed_for or why
            if self._child is not None:
                self._child.signal(signal.SIGKILL)

    def discard(self) -> None:
        """Stop it if it runs, and remove its folder with the result."""
        self.cancel()
        self.result_path = None
        shutil.rmtree(self.request.folder, ignore_errors=True)

    def start(self, child: Child, limits: Limits) -> None:
        """Hand the request to `child`; for the queue. One cancelled meanwhile ends with it."""
        with self._lock:
            if self.is_over:
                child.signal(signal.SIGKILL)
            else:
                self.state, self.place, self.estimate = "running", 0, None
            self._started = time.monotonic()
            self._child = child
        child.ask(self.request.message(limits))
        child.hear(self._hear, lambda code: self._gone(code, limits))

    def fail(self, why: str) -> None:
        """End it before it started; for the queue."""
        self._settle("failed", why)
        self._changed()

    def usage_problem(self, limits: Limits) -> str | None:
        """The limit that its process exceeds at this moment; for the queue."""
        child = self._child
        return None if child is None else limits.exceeded(self.seconds, child.usage())

    def _hear(self, message: Message) -> None:
        if message["kind"] == "progress":
            names = ("iteration", "primal", "dual", "seconds", "stage")
            self.progress.append(Update(*(message[name] for name in names)))
        else:
            self._answer = message

    def _settle(self, state: State, error: str) -> Child | None:
        with self._lock:
            if self.is_over:
                return None
            self.state, self.error, self._ended = state, error, time.monotonic()
            self.place, self.estimate = 0, None
            return self._child

    def _gone(self, code: int, limits: Limits) -> None:
        done = self._answer.get("kind") == "done" and self.request.out.exists()
        if done and not self._killed_for:
            with self._lock:
                self.result_path = None if self.is_over else self.request.out
                self._settle("done", "")
        else:
            self._settle("failed", self._killed_for or _why(self._answer, code, limits))
        with self._lock:
            self._child = None
        if self.state != "done":
            shutil.rmtree(self.request.folder, ignore_errors=True)
        self._changed()


def _why(answer: Message, code: int, limits: Limits) -> str:
    if answer.get("class") == "MemoryError":
        return limits.about_memory("asked for more memory than there is")
    if answer.get("kind") == "error":
        return " ".join(str(answer["message"]).split())[:1000]
    if answer.get("kind") == "done":
        return "the solve ended without writing its result; solve again"
    if code == -signal.SIGXCPU:
        return limits.about_cpu()
    if code == -signal.SIGXFSZ:
        return f"the solve wrote more than {_LARGEST_FILE >> 20:,} MB; choose a smaller image"
    if code < 0:
        return f"the solve's process was killed ({signal.Signals(-code).name}); solve again"
    return f"the solve's process ended without an answer (exit code {code}); solve again"
