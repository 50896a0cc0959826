"""Deleting results so that it can be undone: they move aside, and come back where they were."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convexviz.errors import StoreError
from convexviz.experiments.store_files import write_whole

FOLDER = "trash"
KEPT_SECONDS = 7 * 86_400.0
_LIST = "files.json"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted at once: `undo` takes it."""

    folder: Path
    count: int


def delete(store: Path, paths: Sequence[Path]) -> Deletion:
    """Move results of `store` aside.

    Raises:
        StoreError: one does not lie in the store (what ships with convexviz stays), or cannot be
            moved; those before it are moved back.
    """
    home = store.resolve()
    for path in paths:
        if home not in path.resolve().parents:
            raise StoreError(f"{path.name}: ships with convexviz and cannot be deleted")
    folder = home / FOLDER / f"{time.time_ns()}-{secrets.token_hex(3)}"
    moved: list[tuple[str, str]] = []
    try:
        folder.mkdir(parents=True)
        places = [str(path.resolve().relative_to(home)) for path in paths]
        # The list first: whatever a kill leaves can be undone.
        write_whole(folder / _LIST, json.dumps(places).encode())
        for number, (path, place) in enumerate(zip(paths, places, strict=True)):
            path.rename(folder / f"{number}.h5")
            moved.append((f"{number}.h5", place))
    except OSError as error:
        for name, place in moved:
            (folder / name).rename(home / place)
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"nothing was deleted: {error.strerror or error}") from error
    return Deletion(folder, len(moved))


def undo(store: Path, deletion: Deletion) -> int:
    """Put back what was deleted; how many came back. A result computed anew since then stays.

    Raises:
        StoreError: it is no longer there.
    """
    home = store.resolve()
    try:
        places = json.loads((deletion.folder / _LIST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError("what was deleted is no longer there; compute it again") from error
    back = 0
    for number, place in enumerate(places):
        source, target = deletion.folder / f"{number}.h5", home / place
        if source.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            back += 1
    shutil.rmtree(deletion.folder, ignore_errors=True)
    return back


def sweep(store: Path, older_than: float = KEPT_SECONDS) -> int:
    """Remove for good what was deleted longer ago; how many deletions."""
    folders = [path for path in (store / FOLDER).glob("*-*") if path.is_dir()]
    old = [
        folder
        for folder in folders
        if folder.name.partition("-")[0].isdecimal()
        and time.time() - int(folder.name.partition("-")[0]) / 1e9 > older_than
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)
