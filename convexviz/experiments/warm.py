"""Compiled code made ready before it is wanted: `python -m convexviz.experiments.warm NAME PARENT`.

The loops of a live solve take some twenty seconds to compile on a machine that never ran them. A
process of its own does that, so that the server goes on answering; it leaves the machine code on
disk, from where the server has it in a third of a second.
"""

from __future__ import annotations

import subprocess
import sys
from os import getpid

from convexviz.datasets.guard_child import die_with, environment, go_first

LONGEST = 600.0  # seconds: what is not compiled by then never will be


def solve_smallest(name: str) -> None:
    """Solve the smallest problem of an architecture in this process."""
    from convexviz import architectures
    from convexviz.experiments import path
    from convexviz.experiments.run import request

    path.solve_path(request(name, None, architectures.get(name).smoke))


def compile_apart(name: str) -> None:
    """Compile in a process of its own, which ends with this thread; failing is not fatal."""
    command = [sys.executable, "-m", "convexviz.experiments.warm", name, str(getpid())]
    try:
        subprocess.run(
            command,
            env=environment(1),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LONGEST,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # whoever solves first compiles


if __name__ == "__main__":
    die_with(int(sys.argv[2]))
    go_first()
    solve_smallest(sys.argv[1])
