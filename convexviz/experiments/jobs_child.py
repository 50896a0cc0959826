"""One child process from the parent's side: start it, ask it, hear it, end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from convexviz.datasets.guard_child import environment
from convexviz.experiments.jobs_limits import Usage, usage

Message = Mapping[str, Any]

_LONGEST_LINE = 1 << 16
_GRACE_SECONDS = 0.05


class Child:
    """A worker process in its own session; it waits for one request and answers in lines.

    On Linux it ends with the *thread* that made it, so make it in one that stays.
    """

    def __init__(self, tasks: str, threads: int) -> None:
        command = [sys.executable, "-m", "convexviz.experiments.jobs_worker"]
        self._process = subprocess.Popen(
            [*command, tasks, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(threads),
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._lock = threading.Lock()  # a signal and a reaping must not cross: numbers are reused
        self._gone = threading.Event()

    def ask(self, request: Message) -> None:
        """Send the one request; a child that is dead already is found out by `hear`."""
        pipe = _pipe(self._process.stdin)
        try:
            pipe.write(json.dumps(request).encode() + b"\n")
            pipe.flush()
        except BrokenPipeError:
            return

    def hear(self, each: Callable[[Message], None], gone: Callable[[int], None]) -> None:
        """Call `each` with every message and, once the process is reaped, `gone` with its code."""
        threading.Thread(target=self._hear, args=(each, gone), daemon=True).start()

    def _hear(self, each: Callable[[Message], None], gone: Callable[[int], None]) -> None:
        pipe = _pipe(self._process.stdout)
        while line := pipe.readline(_LONGEST_LINE):
            try:
                message = json.loads(line)
            except ValueError:  # killed in the middle of a line
                continue
            each(message)
        gone(self.reap())

    def usage(self) -> Usage:
        return usage(self.pid)

    def is_alive(self) -> bool:
        """Whether a child that nobody hears yet still waits for its request."""
        with self._lock:
            return self._process.poll() is None

    def signal(self, number: int) -> None:
        with self._lock:
            if self._process.returncode is None:
                os.killpg(self.pid, number)

    def end(self) -> None:
        """Ask the process to end, insist after 50 ms, and return once it is gone."""
        self.signal(signal.SIGTERM)
        if not self._gone.wait(_GRACE_SECONDS):
            self.signal(signal.SIGKILL)
            self._gone.wait(1.0)

    def reap(self) -> int:
        """End whatever is left of the session, reap the process, and return its exit code."""
        with self._lock:
            if self._process.returncode is None:
                os.killpg(self.pid, signal.SIGKILL)
            code = self._process.wait()
            for pipe in (_pipe(self._process.stdin), _pipe(self._process.stdout)):
                _close(pipe)
        self._gone.set()
        return code


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:  # closing flushes a request that the dead child did not read
        return
