"""Results that a visitor brings: read in the guard's child first, and only then here."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from convexviz.datasets import guard
from convexviz.datasets.guard_child import one_line
from convexviz.errors import DataError, StoreError
from convexviz.experiments import store
from convexviz.experiments.result import Result


def open_result(source: bytes | Path, filename: str = "") -> Result:
    """The result in a visitor's bytes, or in a file that is not of this machine's store.

    A crafted HDF5 file can end the process that opens it, so a child with limits goes first.

    Raises:
        DataError: the file is refused, in one line.
        WorkError: too many files are being read.
    """
    name = one_line(filename or (source.name if isinstance(source, Path) else "file"), 60)
    with _lying(source) as path:
        try:
            guard.ask({"kind": "result", "path": str(path), "wanted": None}, path)
            return store.read(path)
        except (DataError, StoreError) as error:
            said = one_line(error).removeprefix(f"{path}: ")
            raise DataError(f"{name}: {said.replace(str(path), name)}") from error


@contextlib.contextmanager
def _lying(source: bytes | Path) -> Iterator[Path]:
    """A path at which the source lies, for as long as it is needed."""
    if isinstance(source, Path):
        yield source.absolute()
        return
    if len(source) > guard.LARGEST_UPLOAD:
        limit = guard.LARGEST_UPLOAD // guard.MEGABYTE
        raise DataError(f"a result must be at most {limit} MB, got {len(source):,} bytes")
    with tempfile.TemporaryDirectory(prefix="convexviz-upload-") as folder:
        path = Path(folder) / "result.h5"
        path.write_bytes(source)
        yield path
