"""Reads many files as the guard's child does, a fork each: hundreds in seconds.

`python -m tests.unit.answers_of_guard FILE...` prints one JSON line a fastMRI file: the facts, or
the exit code where reading ended the process; a read that hangs is ended after ten seconds.
"""

import json
import os
import signal
import sys

from convexviz.datasets import guard_worker, uploads_fastmri

assert uploads_fastmri  # imported once, before the forks
WANTED = {"name": "kspace", "slices": [0], "crop": None, "max_side": 64}


def read(path):
    """What a forked child that can open nothing else answers about one file."""
    heard, said = os.pipe()
    if (child := os.fork()) == 0:
        signal.alarm(10)
        os.dup2(os.open(path, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        facts, images = guard_worker.answer({"kind": "fastmri", "wanted": WANTED})
        facts["largest"] = None if images is None else float(images.max())
        os.write(said, json.dumps(facts).encode())
        os._exit(0)
    os.close(said)
    with os.fdopen(heard, "rb") as pipe:
        text = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(text) if code == 0 else {"code": code}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps(read(name)) + "\n")
