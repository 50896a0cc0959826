"""Arrays by name from an npz file: sizes are read before anything is unpacked; no pickles."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from convexviz.errors import DataError

MEMBERS = 64
BUDGET = 2**31  # bytes of all arrays together, unpacked
RATIO, RATIO_FROM = 100, 2**24  # a bomb unpacks to a thousand times its size
HEADER = 10_000
KINDS = "biufc"
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npz(path: str | Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file.

    Raises:
        DataError: it is missing, no npz, too large, a bomb, or holds anything but numbers.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            _check_sizes(path, members)
            return {_name(path, info): _read(path, archive, info) for info in members}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    # zipfile raises NotImplementedError for a compression that it does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{path}: not an npz file ({error}); write it with numpy.savez") from error
    except (OSError, ValueError, RuntimeError, SyntaxError, MemoryError) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: cannot be read ({reason})") from error


def _check_sizes(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MEMBERS:
        raise DataError(f"{path}: at most {MEMBERS} arrays, got {len(members)}")
    total = sum(info.file_size for info in members)
    if total > BUDGET:
        raise DataError(f"{path}: at most {BUDGET:,} bytes of arrays, got {total:,}")
    for info in members:
        if info.compress_type not in PACKED or info.flag_bits & 1:
            raise DataError(f"{path}: {info.filename!r} is packed in a way npz files are not")
        if info.file_size > max(RATIO_FROM, RATIO * info.compress_size):
            raise DataError(
                f"{path}: {info.filename!r} unpacks {info.compress_size:,} bytes to "
                f"{info.file_size:,}; save it with numpy.savez, which does not compress"
            )


def _name(path: Path, info: zipfile.ZipInfo) -> str:
    name = info.filename.removesuffix(".npy")
    if not info.filename.endswith(".npy") or not name.isidentifier():
        raise DataError(f"{path}: {info.filename!r} is no array with a plain name; rename it")
    return name


def _read(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise DataError(f"{path}: {info.filename!r} has npy version {version}; save it again")
        shape, fortran, dtype = readers[version](stream, max_header_size=HEADER)
        if dtype.kind not in KINDS or dtype.names or dtype.subdtype:
            raise DataError(f"{path}: {info.filename!r} must hold numbers, got dtype {dtype}")
        declared = dtype.itemsize * math.prod(shape)
        if declared != info.file_size - stream.tell():
            raise DataError(f"{path}: {info.filename!r} is cut off or not what it declares")
        flat = np.frombuffer(stream.read(declared), dtype)
    return flat.reshape(shape, order="F" if fortran else "C")
