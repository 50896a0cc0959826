"""Fetching a data set, only when asked: resumed where it stopped, kept if its checksum fits."""

from __future__ import annotations

import hashlib
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from convexviz.datasets import places
from convexviz.datasets.base import Dataset, Remote
from convexviz.errors import DataError

PARTIAL = ".partial"
BLOCK = 1 << 18
SECONDS = 60.0  # without a byte: the connection is given up
_ARCHIVES = (".tar.gz", ".tgz", ".tar")

OnBytes = Callable[[str, int, int | None], None]  # file, bytes so far, bytes in all if known


def _silent(_name: str, _so_far: int, _total: int | None) -> None:
    """The default progress callback."""


def fetch(dataset: Dataset, to: Path | None = None, on_bytes: OnBytes = _silent) -> Path:
    """Every file of `dataset` under `to` (else CONVEXVIZ_DATA); returns the folder it lies in.

    A file that is there and right is not fetched again; half a file is completed.

    Raises:
        DataError: it cannot be fetched from anywhere, there is no folder for it, the connection
            ended, or what came is not the right file.
    """
    guide = dataset.guide
    if guide is None:
        raise DataError(f"{dataset.name} comes with convexviz: there is nothing to fetch")
    if not guide.can_be_fetched:
        raise DataError(f"{dataset.name} cannot be fetched for you: {places.how_to_get(dataset)}")
    base = to if to is not None else places.root()
    if base is None:
        raise DataError(f"name a folder with --to FOLDER, or in {places.VARIABLE}")
    home = base / guide.place
    for remote in guide.files:
        archive = remote.name.endswith(_ARCHIVES)
        file = _file(remote, base if archive else home, on_bytes)
        if archive:
            _unpack(file, base)
    return home


def _file(remote: Remote, folder: Path, on_bytes: OnBytes) -> Path:
    path = folder / remote.name
    if path.is_file() and _md5(path) == remote.md5:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror}); name another") from error
    try:
        partial = folder / f"{remote.name}{PARTIAL}"
        _complete(remote, partial, on_bytes)
    except urllib.error.HTTPError as error:
        raise DataError(f"{remote.url}: the server says {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        said = " ".join(str(getattr(error, "reason", error)).split())[:160]
        raise DataError(
            f"{remote.url}: ended early ({said}); run it again, it goes on where it stopped"
        ) from error
    found = _md5(partial)
    if found != remote.md5:
        partial.unlink()
        raise DataError(
            f"{remote.url}: must have md5 {remote.md5}, got {found}; it was deleted, try again"
        )
    partial.replace(path)
    return path


def _complete(remote: Remote, partial: Path, on_bytes: OnBytes) -> None:
    """Append to `partial` what is missing; a server that cannot resume starts it anew."""
    if not remote.url.startswith(("https://", "http://")):
        raise ValueError("only https and http addresses are fetched")
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(remote.url, headers={"User-Agent": "convexviz"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        reply = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # all of it is there already
                return
        raise
    with reply, partial.open("ab" if reply.status == 206 else "wb") as file:
        have = have if reply.status == 206 else 0
        length = reply.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        while block := reply.read(BLOCK):
            file.write(block)
            have += len(block)
            on_bytes(remote.name, have, total)
    if total is not None and have != total:
        raise OSError(f"{have:,} of {total:,} bytes came")


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")  # no links out, no devices, no absolute names
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(
            f"{archive}: cannot be unpacked ({error}); delete it and fetch it"
        ) from None
