"""Hostile files: one line that says why not, within seconds, and nothing else happens."""

import json
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from convexviz.datasets import guard
from convexviz.datasets.guard_child import environment
from convexviz.datasets.uploads import describe, load
from convexviz.errors import DataError, WorkError
from tests.unit.files_of_visitors import HOSTILE, PICTURE, an_npz, hdf5, png, single_coil


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line_within_seconds(name):
    build, said = HOSTILE[name]
    data = build()
    before = time.perf_counter()
    with pytest.raises(DataError, match=said) as refusal:
        load(describe(data, f"{name}\n<script>.bin"))
    assert time.perf_counter() - before < guard.SECONDS
    message = str(refusal.value)
    assert "\n" not in message
    assert message.startswith(f"{name} <script>.bin")
    assert len(message) < 400


def test_refusing_takes_no_memory_of_the_server():
    data = an_npz(data=bytes(280_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        with pytest.raises(DataError):
            describe(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_file_over_the_limit_is_refused_before_any_child_starts(monkeypatch):
    monkeypatch.setattr(guard, "_ask", None)
    with pytest.raises(DataError, match="must be at most 64 MB, got 64 MB"):
        describe(bytes(guard.LARGEST_UPLOAD + 1), "big.npy")


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("os.abort()", "is damaged: reading it ended the reader"),
        ("time.sleep(60)", "took longer than 0.5 s to read"),
        ("[0 for _ in iter(int, 1)]", "took longer than 0.5 s"),
        ("os.write(1, b'x' * 3000)", "could not be understood"),
        ("os.write(1, (9).to_bytes(8, 'little') + b'[1,2,3,4]')", "could not be understood"),
        (
            "os.write(1, (14).to_bytes(8, 'little') + b'{\"shape\":[1e9]}')",
            "could not be understood",
        ),
        ("[os.write(1, bytes(1 << 20)) for _ in range(99)]", "took longer"),
    ],
)
def test_a_child_that_misbehaves_is_one_line(monkeypatch, attack, said):
    real = subprocess.Popen

    def start(_command, **options):
        return real([sys.executable, "-c", f"import os, time\n{attack}"], **options)

    monkeypatch.setattr(guard.subprocess, "Popen", start)
    monkeypatch.setattr(guard, "SECONDS", 0.5)
    with pytest.raises(DataError, match=said):
        describe(png(PICTURE))


def test_the_child_learns_no_secret_of_the_server(monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    seen = {}

    def start(_command, **options):
        seen.update(options["env"])
        raise OSError(11, "enough")

    monkeypatch.setattr(guard.subprocess, "Popen", start)
    with pytest.raises(WorkError, match=r"could not be read now \(enough\); try again"):
        describe(png(PICTURE))
    assert "PYTHONPATH" in seen
    assert "hunter2" not in seen.values()


RIGHTS = """
import json, os, socket, subprocess, sys
from convexviz.datasets import guard_worker
guard_worker.give_up_rights(3)
def refused(act):
    try:
        act()
    except (OSError, MemoryError):
        return True
    return False
said = [refused(lambda: open("/etc/passwd")), refused(socket.socket),
        refused(lambda: os.open("/tmp/x", os.O_CREAT | os.O_WRONLY)),
        refused(lambda: bytearray(1 << 30)), refused(lambda: subprocess.Popen(["true"]))]
os.write(1, json.dumps(said).encode())
"""


def test_the_child_can_open_no_file_and_no_socket_and_take_no_memory():
    run = subprocess.run(
        [sys.executable, "-c", RIGHTS], env=environment(1), capture_output=True, check=True
    )
    assert json.loads(run.stdout) == [True] * 5


# Two hundred forked readers in one process: two seconds on an idle machine.
def test_changed_bytes_give_a_picture_or_one_line(tmp_path):
    data = hdf5(single_coil)
    rng = np.random.default_rng(1)
    paths = []
    for index in range(200):
        changed = bytearray(data)
        # Every other file is changed where its structure lies, which is mostly at its start.
        for place in rng.integers(0, 4096 if index % 2 else len(data), 1 + index % 8):
            changed[place] = rng.integers(256)
        paths.append(tmp_path / f"{index}.h5")
        paths[-1].write_bytes(changed)
    command = [sys.executable, "-m", "tests.unit.answers_of_guard", *map(str, paths)]
    run = subprocess.run(command, env=environment(1), capture_output=True, check=True, text=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    refused = [answer["error"] for answer in answers if "error" in answer]
    read = [answer["largest"] for answer in answers if answer.get("largest") is not None]
    died = [answer["code"] for answer in answers if "code" in answer]
    assert len(refused) + len(read) + len(died) == 200
    assert min(len(refused), len(read)) > 20
    assert all(0 < largest <= 1 for largest in read)
    assert not any("\n" in line for line in refused)
    assert -signal.SIGALRM not in died  # it hung for ten seconds
