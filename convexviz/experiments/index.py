"""A table of every stored result, in SQLite: rebuilt from the files, which stay the truth.

    index = Index([store.default_folder(), precomputed.FOLDER], database)
    index.refresh()
    index.rows(Query(text="kernel_size=7 neurons=relu", sort="gap"))

`refresh` reads the heads of files that are new or changed since, and forgets those that are gone.
The database may be deleted at any time; one that is damaged is made anew.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexviz.core.solution import Certificate, Scope
from convexviz.errors import StoreError
from convexviz.experiments.index_query import COLUMNS, Query, Row, statement
from convexviz.experiments.store_head import head

VERSION = 1
_NUMBERS = ("gap", "primal", "dual", "psnr", "accuracy", "neurons", "seconds")
_LEFT_OUT = ("trash", "sweeps")
_QUALITY = {
    "psnr": ("test_psnr_denoised", "psnr_denoised"),
    "accuracy": ("test_accuracy", "train_accuracy"),
    "neurons": ("n_neurons",),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that looks like a result and is none."""

    path: Path
    why: str


class Index:
    """The results under some folders; threads may share it, each use has its own connection."""

    def __init__(self, folders: Sequence[Path], database: Path) -> None:
        self.folders = tuple(folders)
        self.database = database

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The database; made where there is none, and anew where it is no database of ours.

        Raises:
            StoreError: it can neither be opened nor made.
        """
        try:
            self.database.parent.mkdir(parents=True, exist_ok=True)
            connection = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{self.database}: no index can be kept there ({error})") from error
        try:
            with connection:  # commits, or rolls back
                yield connection
        finally:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        for attempt in (1, 2):
            connection = sqlite3.connect(self.database, timeout=10.0)
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version == VERSION:
                    return connection
                connection.execute("DROP TABLE IF EXISTS results")
                kinds = ", ".join(f"{c} {'REAL' if c in _NUMBERS else 'TEXT'}" for c in COLUMNS)
                first = "path TEXT PRIMARY KEY, stamp INTEGER"
                connection.execute(f"CREATE TABLE results ({first}, {kinds}, why TEXT)")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.commit()
                return connection
            except sqlite3.DatabaseError:
                connection.close()
                if attempt == 2:
                    raise
                self.database.unlink(missing_ok=True)
        raise AssertionError("unreachable: the second attempt returns or raises")

    def refresh(self) -> int:
        """Bring the table up to date with the files; how many were read."""
        with self._connected() as connection:
            known = dict(connection.execute("SELECT path, stamp FROM results"))
            found = {path: stamp for folder in self.folders for path, stamp in _files(folder)}
            changed = [path for path, stamp in found.items() if known.get(path) != stamp]
            gone = [(path,) for path in known if path not in found]
            connection.executemany("DELETE FROM results WHERE path = ?", gone)
            marks = ", ".join("?" * (len(COLUMNS) + 3))
            connection.executemany(
                f"INSERT OR REPLACE INTO results VALUES ({marks})",
                ((path, found[path], *_entry(Path(path))) for path in changed),
            )
            return len(changed)

    def rows(self, query: Query) -> list[Row]:
        """The results that a query asks for, in its order."""
        text, values = statement(query)
        with self._connected() as connection:
            return [Row(*row) for row in connection.execute(text, values)]

    def at(self, paths: Sequence[str]) -> list[Row]:
        """The results at these paths, of those that there are."""
        text = f"SELECT path, {', '.join(COLUMNS)} FROM results WHERE path = ? AND why = ''"
        with self._connected() as connection:
            found = [connection.execute(text, [path]).fetchone() for path in paths]
        return [Row(*row) for row in found if row is not None]

    def count(self, query: Query) -> int:
        """How many results a query finds in all."""
        text, values = statement(query, count=True)
        with self._connected() as connection:
            (found,) = connection.execute(text, values).fetchone()
        return int(found)

    def values(self, column: str) -> list[str]:
        """What a column of texts holds, in order."""
        if column not in COLUMNS:
            raise StoreError(f"column must be one of {', '.join(COLUMNS)}, got {column!r}")
        with self._connected() as connection:
            found = connection.execute(
                f"SELECT DISTINCT {column} FROM results WHERE why = '' ORDER BY 1"
            )
            return [str(value) for (value,) in found]

    def problems(self) -> list[Problem]:
        """Files that are no result, with the reason."""
        with self._connected() as connection:
            found = connection.execute("SELECT path, why FROM results WHERE why != '' ORDER BY 1")
            return [Problem(Path(path), why) for path, why in found]


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Every result file below `folder`, with what changes when it does."""
    pending = [str(folder)]
    while pending:
        try:
            entries = os.scandir(pending.pop())
        except OSError:  # gone since, or not readable: it holds nothing for us
            continue
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _LEFT_OUT:
                        pending.append(entry.path)
                elif entry.name.endswith(".h5"):
                    with contextlib.suppress(OSError):
                        state = entry.stat()
                        yield entry.path, state.st_mtime_ns ^ state.st_size


def _entry(path: Path) -> list[Any]:
    try:
        found = head(path)
        scope = Scope(str(found.attributes["scope"]))
        certificate = Certificate(
            float(found.attributes["primal"]), float(found.attributes["dual"]), scope
        )
    except (StoreError, ValueError) as error:
        return [None] * len(COLUMNS) + [str(error).removeprefix(f"{path}: ")[:300]]
    known = {
        **{name: str(found.attributes[name]) for name in ("architecture", "key", "status")},
        **{name: str(found.attributes[name]) for name in ("device", "created", "dataset")},
        "scope": str(scope),
        "spec": json.dumps(dict(found.spec), sort_keys=True),
        "scalars": json.dumps(
            {name: value for name, value in found.scalars.items() if math.isfinite(value)}
        ),
        "gap": _finite(certificate.relative_gap),
        "primal": _finite(certificate.primal),
        "dual": _finite(certificate.dual),
        "seconds": _finite(float(found.attributes["seconds"])),
    }
    for column, names in _QUALITY.items():
        values = [found.scalars[name] for name in names if name in found.scalars]
        known[column] = next((value for value in values if math.isfinite(value)), None)
    return [*(known[column] for column in COLUMNS), ""]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
