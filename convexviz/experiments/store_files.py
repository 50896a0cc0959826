"""Files that appear whole or not at all, and a seal that tells whether one has changed since.

A file is written under a temporary name beside its own, flushed to the disk, and renamed: a
reader sees the old file or the new one. The seal is a last line with the SHA-256 of everything
before it. HDF5 ignores what follows its own end, so any HDF5 reader opens a sealed file; a file
that was damaged is refused before the HDF5 library, which can crash or hang on one, looks at it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from enum import StrEnum
from pathlib import Path

from convexviz.errors import StoreError

SEAL = b"\nconvexviz sha256 "
SEAL_BYTES = len(SEAL) + 64 + 1
TEMPORARY = ".partial"
YOUNG_SECONDS = 60.0
ATTEMPTS = 3


class Sealed(StrEnum):
    """What the last line of a file says about the rest."""

    INTACT = "intact"
    CHANGED = "changed"
    ABSENT = "absent"  # another program rewrote the file, or it lost its end


def as_path(path: object) -> Path:
    """The path that a name of a file means.

    Raises:
        StoreError: it is no name of a file.
    """
    try:
        found = Path(path)  # type: ignore[arg-type]  # that is the question
        if "\0" not in str(found):
            return found
    except TypeError:
        pass
    shown = f"{' '.join(repr(path).split()):.60} ({type(path).__name__})"
    raise StoreError(f"path must name a file, as 'result.h5' does, got {shown}")


def seal(image: bytes) -> bytes:
    """The last line of a file that holds `image`."""
    return SEAL + hashlib.sha256(image).hexdigest().encode() + b"\n"


def write_whole(path: Path, *parts: bytes) -> Path:
    """Put the parts under `path`, one after another: either all of them, or nothing.

    Raises:
        StoreError: the folder is missing or cannot be written, or the disk is full.
    """
    for attempt in range(ATTEMPTS):
        try:
            _replace(path, parts)
            return path
        except FileNotFoundError as error:
            # A sweeper in another process namespace may take the temporary in the instant
            # between its creation and its lock.
            if not path.parent.is_dir() or attempt == ATTEMPTS - 1:
                raise StoreError(f"{path}: no folder {path.parent}; create it") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"{path}: cannot be written ({reason}); save elsewhere") from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _replace(path: Path, parts: tuple[bytes, ...]) -> None:
    partial = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY}"
    try:
        with partial.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # held until closed: says that its writer lives
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


def sweep_temporaries(folder: Path) -> list[Path]:
    """Delete what killed writers left under `folder`; returns what was deleted.

    A temporary goes where nobody holds its lock and its writer's process is gone (or, as process
    numbers come back, where it is older than a minute).
    """
    swept = []
    for partial in sorted(Path(folder).rglob(f".*{TEMPORARY}")):
        try:
            with partial.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                age = time.time() - os.fstat(file.fileno()).st_mtime
                if age <= YOUNG_SECONDS and _lives(partial):
                    continue
                partial.unlink()
            swept.append(partial)
        except OSError:
            continue  # locked by its live writer, or already gone
    return swept


def _lives(partial: Path) -> bool:
    number = partial.name.split(".")[-3]
    if not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def check_seal(path: Path) -> Sealed:
    """Whether the file under `path` is, byte for byte, what was written."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < SEAL_BYTES:
            return Sealed.ABSENT
        file.seek(size - SEAL_BYTES)
        line = file.read(SEAL_BYTES)
        if not line.startswith(SEAL):
            return Sealed.ABSENT
        file.seek(0)
        found, left = hashlib.sha256(), size - SEAL_BYTES
        while left and (block := file.read(min(left, 2**20))):
            found.update(block)
            left -= len(block)
    return Sealed.INTACT if line[len(SEAL) : -1] == found.hexdigest().encode() else Sealed.CHANGED
