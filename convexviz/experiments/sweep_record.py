"""The folder of a sweep: what it is, and a line for each cell that ended. Results lie elsewhere.

`sweeps/<name>/sweep.json` holds the plan, `log.jsonl` what became of the cells. Results are the
store's; a cell counts as done where its file is there, whatever the log says.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from convexviz.errors import StoreError, WorkError
from convexviz.experiments.provenance import now
from convexviz.experiments.store_files import write_whole
from convexviz.experiments.sweep_plan import Plan

FOLDER = "sweeps"
_ATTEMPTS, _PAUSE = 10, 0.02
_PLAN, _LOG, _LOCK, _TROUBLE = "sweep.json", "log.jsonl", "lock", "trouble.txt"
_STARTING, _START_SECONDS = "starting", 60.0


@dataclass(frozen=True, slots=True)
class Cell:
    """What the log says of one cell: `done` or `failed`, its numbers or its reason."""

    state: str
    why: str = ""
    summary: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One sweep's folder."""

    folder: Path

    @classmethod
    def of(cls, store: Path, plan: Plan) -> Record:
        """The record of a plan in a store, made where it is not there yet.

        Raises:
            StoreError: the folder cannot be made or written.
        """
        record = cls(store / FOLDER / plan.name)
        try:
            record.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{record.folder}: cannot be made ({error.strerror})") from error
        if not (record.folder / _PLAN).exists():
            document = {**plan.document(), "created": now()}
            write_whole(record.folder / _PLAN, json.dumps(document).encode())
        return record

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.folder.name

    def document(self) -> dict[str, Any]:
        """The plan as plain values.

        Raises:
            StoreError: it is missing or no longer JSON.
        """
        try:
            found: dict[str, Any] = json.loads((self.folder / _PLAN).read_text("utf-8"))
            if not {"architecture", "axes", "cells", "keys", "refused"} <= set(found):
                raise ValueError("a part is missing")
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.folder}: no sweep ({error}); delete the folder") from error
        return found

    def cells(self) -> dict[int, Cell]:
        """The last word on each cell that ended; a line cut off by a kill is left out."""
        found: dict[int, Cell] = {}
        try:
            lines = (self.folder / _LOG).read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                entry = json.loads(line)
                if "cell" in entry:
                    said = Cell(entry["state"], entry.get("why", ""), entry.get("summary"))
                    found[int(entry["cell"])] = said
        return found

    def trouble(self) -> str:
        """Why the last run ended before all cells did; empty where it did not."""
        with contextlib.suppress(OSError):
            return (self.folder / _TROUBLE).read_text("utf-8").strip()
        return ""

    def note(self, trouble: str) -> None:
        """Keep why a run ended early; an empty text forgets it."""
        with contextlib.suppress(OSError):
            (self.folder / _TROUBLE).write_text(trouble, "utf-8")

    def failed(self) -> dict[int, str]:
        """Cells that failed, with the reason."""
        return {place: cell.why for place, cell in self.cells().items() if cell.state == "failed"}

    @contextlib.contextmanager
    def driving(self) -> Iterator[Log]:
        """Be the one process that runs this sweep, for as long as the block lasts.

        Raises:
            WorkError: another process runs it.
        """
        with (self.folder / _LOCK).open("a+") as lock, (self.folder / _LOG).open("a") as log:
            if not _locked(lock):
                lock.seek(0)
                raise WorkError(
                    f"sweep {self.name} runs already, in process {lock.read(20).strip()}; "
                    "wait for it, or cancel it"
                )
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            self.withdraw()
            log.write("\n")  # whatever a killed writer left becomes a line of its own
            yield Log(log)

    def driver(self) -> int | None:
        """The process that runs this sweep now, or was started to do so; None without one."""
        with contextlib.suppress(OSError), (self.folder / _LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _number(lock.read(20))
        with contextlib.suppress(OSError):
            if self._is_announced():
                return _number((self.folder / _STARTING).read_text("ascii", "replace"))
        return None

    def announce(self, process: int | None = None) -> None:
        """Say that a process is about to run this sweep: it imports for seconds before it can."""
        (self.folder / _STARTING).write_text("" if process is None else str(process))

    def withdraw(self) -> None:
        """Take the announcement back: its process was ended before it began."""
        (self.folder / _STARTING).unlink(missing_ok=True)

    @property
    def is_running(self) -> bool:
        """Whether a process runs it, or was started a moment ago to do so."""
        # The lock last: what was announced takes it before the announcement goes.
        return self._is_announced() or self._is_locked()

    def _is_announced(self) -> bool:
        with contextlib.suppress(OSError):
            age = time.time() - (self.folder / _STARTING).stat().st_mtime
            return age < _START_SECONDS
        return False

    def _is_locked(self) -> bool:
        with contextlib.suppress(FileNotFoundError), (self.folder / _LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Log:
    """Writes a line for each cell that ended."""

    file: IO[str]

    def write(self, **entry: Any) -> None:
        self.file.write(json.dumps(entry) + "\n")
        self.file.flush()


def _locked(lock: IO[str]) -> bool:
    """Take the lock; a page that looks who has it holds it for an instant, so not only once."""
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


def records(store: Path) -> list[Record]:
    """The sweeps of a store, the latest first."""
    home = store / FOLDER
    if not home.is_dir():
        return []
    found = [Record(folder) for folder in home.iterdir() if (folder / _PLAN).is_file()]
    return sorted(found, key=lambda record: -(record.folder / _PLAN).stat().st_mtime_ns)


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() else None
