"""A visitor's own folder of pictures: read one by one with progress, resumed where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.datasets import albums
from convexviz.datasets.portraits import Portraits
from convexviz.errors import ConvexvizError
from convexviz.views.format import literal

LARGEST_MB = 16
TOLD = 5  # of the files that were skipped, as many are named

Read = NDArray[np.uint8] | str
T = TypeVar("T")


def held(name: str) -> Portraits | None:
    """The pictures that the lab `name` shows, or None."""
    found: Portraits | None = st.session_state.get(_key(name))
    return found


def forget(name: str) -> None:
    """Let go of the pictures and of all that was made of them; the files stay with the visitor."""
    _drop(name)
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
        _drop(name)
        return
    align = st.toggle(
        "Align them by shifting", value=True, key=f"{name}.own.align",
        help="Each is moved to where it is most like the mean of all.",
    )  # fmt: skip
    pictures, refused = _read_all(name, files[: albums.MOST])
    _tell(len(files), pictures, refused)
    try:
        found = _album(name, tuple(file.file_id for file in files), align, pictures)
    except ConvexvizError as error:
        _drop(name, ("", ".album", ".made"))
        st.error(literal(str(error)))
        return
    before = held(name)
    st.session_state[_key(name)] = found
    if before is None or before.digest != found.digest:
        st.rerun()  # what stands above speaks of other data


def kept(name: str, pictures: Portraits, make: Callable[[], T]) -> T:
    """What `make` makes of these pictures: made once, kept in the session as long as they are."""
    return _once(f"{_key(name)}.made", pictures.digest, make)


def _once(key: str, of: object, make: Callable[[], T]) -> T:
    found: tuple[object, T] | None = st.session_state.get(key)
    if found is None or found[0] != of:
        found = st.session_state[key] = (of, make())
    return found[1]


def _key(name: str) -> str:
    return f"{name}.hero.pictures"


def _drop(name: str, parts: tuple[str, ...] = ("", ".read", ".album", ".made")) -> None:
    for part in parts:
        st.session_state.pop(f"{_key(name)}{part}", None)


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
            picture = albums.thumbnail(file.getvalue(), file.name)
            known[file.file_id] = np.round(255 * picture).astype(np.uint8)
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
    pictures = [np.asarray(one / 255.0) for one in found if not isinstance(one, str)]
    return pictures, [one for one in found if isinstance(one, str)]


def _tell(count: int, pictures: list[NDArray[np.float64]], refused: list[str]) -> None:
    words = f"{len(pictures)} pictures read."
    if count > albums.MOST:
        words += f" The first {albums.MOST} of {count} are taken."
    st.caption(words)
    if refused:
        st.warning(f"{len(refused)} skipped:\n\n" + "\n\n".join(map(literal, refused[:TOLD])))


def _album(
    name: str, files: tuple[str, ...], align: bool, pictures: list[NDArray[np.float64]]
) -> Portraits:
    def learn() -> Portraits:
        with st.spinner("Learning the directions…"):
            return albums.album(pictures, align=align)

    return _once(f"{_key(name)}.album", (files, align), learn)
