"""Opens a visitor's file in a child process that can reach nothing else, and hears what is in it.

The child holds one open file and may open no other, has little memory and little time, and hands
back plain numbers or one line. What it says is checked here as if the file had said it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float

from convexviz.datasets.guard_child import bare_environment, one_line
from convexviz.errors import DataError, WorkError

MEGABYTE = 1 << 20
SECONDS = 10.0
LARGEST_UPLOAD = 64 * MEGABYTE
LARGEST_FILE = 4096 * MEGABYTE
LARGEST_ANSWER = 64 * MEGABYTE
_LARGEST_FACTS = 1 << 16
_AT_ONCE = 2

# One a process, because memory is: many visitors' files must not together take all of it.
_TURN = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child said: `facts` as plain values, and the images it was asked for."""

    facts: Mapping[str, Any]
    images: Float[np.ndarray, "N h w"] | None


@contextlib.contextmanager
def opened(source: bytes | Path) -> Iterator[IO[bytes]]:
    """A visitor's bytes or a file of this machine, as an open file that has no name.

    Raises:
        DataError: it is empty, too large, missing, or no plain file.
    """
    if isinstance(source, bytes):
        _check_size(len(source), LARGEST_UPLOAD)
        with tempfile.TemporaryFile() as file:
            file.write(source)
            file.seek(0)
            yield file
        return
    try:
        # Not to wait for a pipe that somebody calls a file.
        number = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DataError(f"must be a file that can be read: {error.strerror}") from error
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode):
        os.close(number)
        raise DataError("must be a plain file, got a folder, pipe or device")
    with open(number, "rb") as file:
        _check_size(found.st_size, LARGEST_FILE)
        yield file


def ask(request: Mapping[str, Any], source: bytes | Path) -> Answer:
    """What a child finds in `source`.

    Raises:
        DataError: the file was refused, or the child ran out of time or memory or died of it.
        WorkError: too many files are being read.
    """
    if not _TURN.acquire(timeout=SECONDS):
        raise WorkError(
            f"{_AT_ONCE} files are being read at this moment; try again in {SECONDS:g} s"
        )
    try:
        with opened(source) as file:
            return _understood(*_ask(request, file))
    finally:
        _TURN.release()


def _check_size(size: int, largest: int) -> None:
    if size == 0:
        raise DataError("is empty (0 bytes); choose another file")
    if size > largest:
        limit = f"at most {largest // MEGABYTE:,} MB"
        raise DataError(f"must be {limit}, got {size / MEGABYTE:,.0f} MB; upload fewer slices")


def _ask(request: Mapping[str, Any], file: IO[bytes]) -> tuple[bytes, int | None]:
    """The child's answer and its exit code, None where it had to be stopped."""
    # -P, -s: what lies in the current folder or the user's is not imported.
    command = [sys.executable, "-P", "-s", "-m", "convexviz.datasets.guard_worker"]
    process = subprocess.Popen(
        [*command, str(os.getpid()), json.dumps(request)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # HDF5 prints pages about a damaged file
        env=bare_environment(),
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        answer = _read(process.stdout, time.monotonic() + SECONDS)
        if answer is None:
            return b"", None
        # It closed its pipe, so it is ending; a moment more, and then it is ended.
        return answer, process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return b"", None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _read(pipe: IO[bytes], deadline: float) -> bytes | None:
    """All of `pipe`, or None where the time is over or the answer too large."""
    answer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            piece = os.read(pipe.fileno(), 1 << 20)
            if not piece:
                return bytes(answer)
            answer += piece
            if len(answer) > LARGEST_ANSWER + _LARGEST_FACTS + 8:
                return None
    return None


def _understood(answer: bytes, code: int | None) -> Answer:
    """The answer with everything in it checked.

    Raises:
        DataError: it is a refusal, or makes no sense.
    """
    if code is None:
        raise DataError(
            f"took longer than {SECONDS:g} s to read and was stopped; upload fewer slices"
        )
    if code == -signal.SIGXCPU:
        raise DataError("took too much processor time to read; save it anew, with fewer slices")
    if code != 0:
        raise DataError(
            f"is damaged: reading it ended the reader (code {code}); save it anew and upload that"
        )
    try:
        length = int.from_bytes(answer[:8], "little")
        facts = json.loads(answer[8 : 8 + length]) if length <= _LARGEST_FACTS else {}
        if "error" in facts:
            raise DataError(one_line(facts["error"], 600))
        shape = facts.pop("shape")
        return Answer(facts, None if shape is None else _images(answer[8 + length :], shape))
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("could not be understood; save it anew and upload that") from error


def _images(data: bytes, shape: list[int]) -> Float[np.ndarray, "N h w"]:
    images = np.frombuffer(data, dtype="<f8").reshape(shape).copy()
    if images.ndim != 3 or not np.isfinite(images).all():
        raise ValueError("no images")
    return images
