"""A queue for the tests of jobs, and waiting for what becomes of them."""

import contextlib
import os
import threading
import time
from pathlib import Path

from convexviz.experiments.jobs import Limits, Queue

TASKS = "tests.unit.tasks_for_jobs"
PATIENCE = 20.0  # a child starts in 0.3 s; this is for a machine with much else to do


def until(true, patience=PATIENCE):
    """Wait for a condition; its failure is the test's."""
    end = time.monotonic() + patience
    tick = threading.Event()
    while not true():
        assert time.monotonic() < end, "it did not happen"
        tick.wait(0.005)


def is_alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


@contextlib.contextmanager
def a_queue(**settings):
    with Queue(**{"limit": 1, "tasks": TASKS, "limits": Limits(), **settings}) as queue:
        yield queue
    assert not queue._folder.path.exists()


def submit(queue, name, arguments=None, **options):
    return queue.submit(f"{TASKS}:{name}", arguments or {}, **options)


def ended(job):
    until(lambda: job.is_over and not job.holds_process)
    return job


def running(job):
    until(lambda: job.progress)
    assert job.state == "running"
    return job
