"""The child that reads one visitor's file: imports first, then gives up all rights, then reads.

Started as `python -m convexviz.datasets.guard_worker PARENT REQUEST` with the open file as its
standard input. It answers with the length of a JSON object, the object, and raw float64 images.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convexviz.datasets.guard_child import die_with, go_first, limit, limit_cpu
from convexviz.errors import ConvexvizError

_MEMORY = 448 << 20  # on top of what the imports took, so that the whole stays below 512 MB
_CPU_SECONDS = 9.0
_READERS = {
    "picture": "convexviz.datasets.uploads_pictures",
    "colour": "convexviz.datasets.uploads_colour",
    "npy": "convexviz.datasets.uploads_numpy",
    "npz": "convexviz.datasets.uploads_numpy",
    "fastmri": "convexviz.datasets.uploads_fastmri",
    "csv": "convexviz.datasets.uploads_rows",
    "rows-npy": "convexviz.datasets.uploads_rows",
    "rows-npz": "convexviz.datasets.uploads_rows",
    "result": "convexviz.experiments.store",
}
_ROWS = ("csv", "rows-npy", "rows-npz")
_NO_MORE_FILES = 3  # beside standard input, output and error: nothing can be opened, no socket made
_FILES_OF_A_RESULT = 16


def give_up_rights(files: int) -> None:
    """Leave this process no way to open files or sockets, write files, start processes or grow."""
    pages = Path("/proc/self/statm")
    reserved = (
        int(pages.read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0
    )
    limit_cpu(_CPU_SECONDS)
    limit(resource.RLIMIT_FSIZE, 0)
    if sys.platform == "linux":  # macOS counts shared libraries, several GB of them
        limit(resource.RLIMIT_AS, reserved + _MEMORY)
    limit(resource.RLIMIT_NOFILE, files)


def read(request: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """What the request asks of the file: facts, and images or None.

    Raises:
        DataError: the file is refused, with the rule and the value.
    """
    from convexviz.datasets.uploads_images import Wanted, prepared

    kind = request["kind"]
    reader = importlib.import_module(_READERS[kind])
    if kind == "result":
        give_up_rights(_FILES_OF_A_RESULT)
        reader.read(Path(request["path"]))
        return {}, None
    give_up_rights(_NO_MORE_FILES)
    limit(resource.RLIMIT_NPROC, 0)
    with open(0, "rb", closefd=False) as file:
        if kind in _ROWS:
            rows = reader.read(file, kind)
            return rows.facts(), rows.flat()
        if kind == "colour":
            return {}, reader.read(file, int(request["side"]))
        if request["wanted"] is None:
            return reader.describe(file, kind).plain(), None
        wanted = Wanted.of(request["wanted"])
        return {}, prepared(reader.load(file, kind, wanted), wanted)


def answer(request: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """As `read`, with every failure as one line."""
    try:
        facts, images = read(request)
        return {**facts, "shape": None if images is None else images.shape}, images
    except ConvexvizError as error:
        return {"error": str(error)}, None
    except MemoryError:
        return {"error": f"needs more than {_MEMORY >> 20} MB to read; upload fewer slices"}, None
    except Exception as error:  # what the libraries raise at damaged files has no common class
        said = (str(error).splitlines() or [""])[0][:160]
        message = f"is damaged or cut short ({type(error).__name__}: {said}); save it anew"
        return {"error": message}, None


def main() -> None:
    """Answer the one request on standard output."""
    die_with(int(sys.argv[1]))
    go_first()
    out = os.dup(1)
    os.dup2(2, 1)
    facts, images = answer(json.loads(sys.argv[2]))
    text = json.dumps(facts).encode()
    with open(out, "wb", closefd=False) as pipe:
        pipe.write(len(text).to_bytes(8, "little") + text)
        if images is not None:
            pipe.write(images.astype("<f8").tobytes())
    os._exit(0)  # closing a damaged file may crash, and there is nothing left to close


if __name__ == "__main__":
    main()
