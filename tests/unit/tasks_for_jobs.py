"""Tasks that the tests of the queue run: one that works, and one for every way to go wrong.

A request is (arguments, arrays, out, report), as for every task.
"""

import itertools
import os
import signal
import sys
import threading

import numpy as np

from convexviz.core.solution import Progress
from convexviz.errors import Cancelled, SpecError

PREPARED = []


def prepare():
    PREPARED.append(os.getpid())


def add(arguments, arrays, out, report):
    for iteration in range(3):
        report(Progress(iteration, 2.0 - iteration / 2, 1.0, 0.1 * iteration), f"step {iteration}")
    assert [os.getpid()] == PREPARED
    sys.stdout.write("a library's chatter\n")
    np.save(out.open("wb"), arrays["x"] + arguments["amount"])


def until_stopped(_arguments, _arrays, out, report):
    reports = 0
    try:
        for reports in itertools.count():
            report(Progress(reports, 1.0, 0.0, 0.0))
    except Cancelled:
        np.save(out.open("wb"), np.array(reports))


def wait(*request):
    request[-1](Progress(0, 1.0, 0.0, 0.0), "waiting")
    threading.Event().wait()


def wait_stubbornly(*request):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait(*request)


def compute_forever(*request):
    request[-1](Progress(0, 1.0, 0.0, 0.0), "computing")
    for _ in itertools.count():
        pass


def fill_memory(*_request):
    kept = []
    while True:
        kept.append(np.ones(1 << 20))


def ask_for_memory(*_request):
    np.ones(1 << 40)


def have_a_child(*request):
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", "input()"])
    request[-1](Progress(pid, 1.0, 0.0, 0.0), "has a child")
    threading.Event().wait()


def refuse(*_request):
    raise SpecError("weight_decay must be in [0, 1], got 2")


def crash(*_request):
    os.kill(os.getpid(), signal.SIGSEGV)


def stumble(*_request):
    raise KeyError("first line\nsecond line")


def forget(*_request):
    """Ends without a result."""


def _private(*_request):
    """No task."""
