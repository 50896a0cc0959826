"""The child in which one solve runs: imports, waits for one request, reports in JSON lines.

Started as `python -m convexviz.experiments.jobs_worker TASKS PARENT`. The request is one JSON
line on standard input: `task` ("module:function"), `arguments`, `arrays` (an npz or null), `out`
(where the result goes), and the limits `cpu_seconds`, `memory`, `file_bytes`. The task is called
as `function(arguments, arrays, out, report)`. A module of tasks may have a function `prepare`,
called before there is a request, for what takes time. Answers: `ready`, `progress`, `done`,
`error`.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from convexviz.datasets.guard_child import die_with, go_first, limit, limit_cpu
from convexviz.errors import Cancelled, ConvexvizError, WorkError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convexviz.core.solution import Progress

_EVERY_SECONDS = 0.02
_TASKS = re.compile(r"(convexviz|tests)(\.[a-z_][a-z0-9_]*)+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Report:
    """Sends the progress of a solve to the parent, at most fifty lines a second.

    It takes what `on_iteration` takes; `stage` says in words what is being done. Once the file
    `stop` is there it raises Cancelled, which a solver answers with what it has.
    """

    def __init__(self, out: int, stop: Path | None = None) -> None:
        self._out = out
        self._stop = stop
        self._sent = -1.0
        self._stage: str | None = None
        self._held: dict[str, Any] | None = None

    def __call__(self, progress: Progress, stage: str = "") -> None:
        self._held = {
            "kind": "progress",
            "iteration": progress.iteration,
            "primal": float(progress.primal),
            "dual": float(progress.dual),
            "seconds": float(progress.seconds),
            "stage": stage,
        }
        if stage != self._stage or time.monotonic() - self._sent >= _EVERY_SECONDS:
            self._stage = stage
            self.flush()
        if self._stop is not None and self._stop.exists():
            raise Cancelled

    def flush(self) -> None:
        """Send what is held back; the last point of a trace always arrives."""
        if self._held is not None:
            say(self._out, self._held)
            self._held, self._sent = None, time.monotonic()


Task: TypeAlias = "Callable[[Mapping[str, Any], Mapping[str, NDArray[Any]], Path, Report], None]"


def say(out: int, message: Mapping[str, Any]) -> None:
    """Write one message whole; `out` is the pipe to the parent."""
    line = json.dumps(message).encode() + b"\n"
    while line:
        line = line[os.write(out, line) :]


def find(task: str, tasks: str) -> Task:
    """The function that `task` names, which must be a public one of the module `tasks`.

    Raises:
        WorkError: it is not.
    """
    module_name, _, name = task.partition(":")
    if module_name != tasks or not _TASKS.fullmatch(tasks) or not _NAME.fullmatch(name):
        raise WorkError(f"task must be a public function of {tasks}, got {task[:80]!r}")
    function = vars(importlib.import_module(tasks)).get(name)
    # Names that the module merely imported are not tasks.
    if not callable(function) or getattr(function, "__module__", "") != tasks:
        raise WorkError(f"task must be a public function of {tasks}, got {task[:80]!r}")
    return function


def prepare(tasks: str) -> None:
    """Import the tasks, and call their `prepare` where they have one, while nobody waits."""
    if _TASKS.fullmatch(tasks):
        vars(importlib.import_module(tasks)).get("prepare", _nothing)()


def _nothing() -> None:
    """Tasks that need no preparation."""


def read_request() -> dict[str, Any]:
    """One JSON line; the process ends where the parent closes the pipe instead."""
    text = b""
    while not text.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            os._exit(0)
        text += piece
    return json.loads(text)


def watch_parent() -> None:
    """End this process with the parent where the kernel does not (not on Linux)."""
    while os.read(0, 1 << 10):
        pass
    os._exit(1)


def obey(request: Mapping[str, Any]) -> None:
    """Set the limits of this request, before its task can use anything."""
    limit_cpu(request["cpu_seconds"])
    limit(resource.RLIMIT_DATA, request["memory"])
    limit(resource.RLIMIT_FSIZE, request["file_bytes"])


def run(request: Mapping[str, Any], tasks: str, out: int) -> None:
    """Run one request and say how it ended; the last line is always `done` or `error`."""
    import numpy as np

    report = Report(out, Path(request["out"]).with_name("stop"))
    try:
        function = find(request["task"], tasks)
        arrays: dict[str, NDArray[Any]] = {}
        if request["arrays"] is not None:
            with np.load(request["arrays"], allow_pickle=False) as stored:
                arrays = dict(stored)
        function(request["arguments"], arrays, Path(request["out"]), report)
        report.flush()
        say(out, {"kind": "done", "path": request["out"]})
    except ConvexvizError as error:
        report.flush()
        say(out, {"kind": "error", "message": str(error), "class": type(error).__name__})
    except MemoryError:
        say(out, {"kind": "error", "message": "", "class": "MemoryError"})
    except Exception as error:  # a bug: its place goes to the server's log, one line to the page
        traceback.print_exc()
        first = (str(error).splitlines() or ["no message"])[0][:300]
        message = f"the solve failed with {type(error).__name__}: {first}"
        say(out, {"kind": "error", "message": message, "class": type(error).__name__})


def main() -> None:
    """Import the tasks, say so, and run the one request."""
    tasks, parent = sys.argv[1:]
    die_with(int(parent))
    go_first()
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not look like an answer
    prepare(tasks)
    say(out, {"kind": "ready"})
    request = read_request()
    obey(request)
    threading.Thread(target=watch_parent, daemon=True).start()
    run(request, tasks, out)
    sys.stderr.flush()
    os._exit(0)  # thread pools of torch and numba take up to a second to close


if __name__ == "__main__":
    main()
