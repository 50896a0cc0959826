"""A visitor's own folder of pictures: read one by one with progress, resumed where it stopped."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.datasets import albums
from convexviz.datasets.portraits import Portraits
from convexviz.errors import ConvexvizError
from convexviz.views.format import literal
from convexviz.views.memory import LastFew

LARGEST_MB = 16
_KEPT = 2000  # decoded pictures, 19 kB each
TOLD = 5  # of the files that were skipped, as many are named

Read = NDArray[np.float64] | str


def held(name: str) -> Portraits | None:
    """The pictures that the lab `name` shows, or None."""
    found: Portraits | None = st.session_state.get(_key(name))
    return found


def forget(name: str) -> None:
    """Let go of the pictures; the files stay with the visitor."""
    st.session_state.pop(_key(name), None)
    st.session_state[f"{name}.hero.pictures.version"] = _version(name) + 1


def chooser(name: str) -> None:
    """The uploader of a folder; what it gives is in `held` from then on."""
    files = st.file_uploader(
        "A folder of pictures (PNG, JPEG)",
        type=["png", "jpg", "jpeg"],
        accept_multiple_files="directory",
        key=f"{name}.own.pictures.{_version(name)}",
        max_upload_size=LARGEST_MB,
        help=f"Faces or anything else seen alike, {albums.FEWEST} to {albums.MOST} of them. Their "
        f"centre squares are made {albums.SIDE} pixels wide. They stay on this server, in memory, "
        "and are never stored.",
    )
    if not files:
        st.session_state.pop(_key(name), None)
        return
    align = st.toggle(
        "Align them by shifting", value=True, key=f"{name}.own.align",
        help="Each is moved to where it is most like the mean of all.",
    )  # fmt: skip
    pictures, refused = _read_all(name, files[: albums.MOST])
    _tell(len(files), pictures, refused)
    try:
        found = _album(tuple(file.file_id for file in files), align, pictures)
    except ConvexvizError as error:
        st.session_state.pop(_key(name), None)
        st.error(literal(str(error)))
        return
    before = held(name)
    st.session_state[_key(name)] = found
    if before is None or before.digest != found.digest:
        st.rerun()  # what stands above speaks of other data


def _key(name: str) -> str:
    return f"{name}.hero.pictures"


def _version(name: str) -> int:
    return int(st.session_state.get(f"{name}.hero.pictures.version", 0))


def _read_all(name: str, files: list[Any]) -> tuple[list[NDArray[np.float64]], list[str]]:
    """All pictures, and one line for each that was refused. What was read before is kept: a run
    that is stopped in the middle goes on where it was.
    """
    known: dict[str, Read] = st.session_state.setdefault(f"{_key(name)}.read", {})
    todo = [file for file in files if file.file_id not in known]
    bar = st.progress(0.0, text="Reading") if todo else None
    for i, file in enumerate(todo):
        try:
            known[file.file_id] = _thumbnail(file.getvalue(), file.name)
        except ConvexvizError as error:
            known[file.file_id] = str(error)
        if bar is not None:
            bar.progress((i + 1) / len(todo), text=f"Reading picture {i + 1} of {len(todo)}")
    if bar is not None:
        bar.empty()
    here = {file.file_id for file in files}
    for gone in set(known) - here:
        del known[gone]
    found = [known[file.file_id] for file in files]
    pictures = [one for one in found if not isinstance(one, str)]
    return pictures, [one for one in found if isinstance(one, str)]


def _thumbnail(data: bytes, name: str) -> NDArray[np.float64]:
    """One picture, decoded once: who reloads the page and chooses the folder again need not wait.

    Raises:
        ConvexvizError: it is refused, in one line that begins with its name.
    """
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    known = _memory()
    if (found := known.get(digest)) is None:
        found = np.round(255 * albums.thumbnail(data, name)).astype(np.uint8)
        known.put(digest, found)
    return np.asarray(found / 255.0)


@st.cache_resource(show_spinner=False)
def _memory() -> LastFew[NDArray[np.uint8]]:
    return LastFew(_KEPT)


def _tell(count: int, pictures: list[NDArray[np.float64]], refused: list[str]) -> None:
    words = f"{len(pictures)} pictures read."
    if count > albums.MOST:
        words += f" The first {albums.MOST} of {count} are taken."
    st.caption(words)
    if refused:
        st.warning(f"{len(refused)} skipped:\n\n" + "\n\n".join(map(literal, refused[:TOLD])))


@st.cache_resource(show_spinner="Learning the directions…", max_entries=4)
def _album(
    files: tuple[str, ...],  # noqa: ARG001 - the cache goes by them
    align: bool,
    _pictures: list[NDArray[np.float64]],
) -> Portraits:
    return albums.album(_pictures, align=align)
