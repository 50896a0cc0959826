"""One way to make a component (kit + its own html, css, js) and one way to send it arrays."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.components.v2.types import ComponentRenderer

FOLDER = Path(__file__).parent / "components"


def make(name: str) -> ComponentRenderer:
    """The canvas component in `components/<name>/`, in a shadow root, with the kit in front.

    Every .js file of the folder becomes part of one module, so its functions see each other.
    Call it once, at module level: a component registered anew on every run is remounted.
    """
    return st.components.v2.component(
        f"convexviz_{name}",
        html=_read(FOLDER / name, "html"),
        css=_read(FOLDER / "kit", "css") + _read(FOLDER / name, "css"),
        js=_read(FOLDER / "kit", "js") + _read(FOLDER / name, "js"),
    )


def pack(meta: Mapping[str, Any], **arrays: NDArray[Any]) -> bytes:
    """[u32 header length][JSON header][buffers], each part padded to 4 bytes.

    The header is `meta` plus `arrays` (name, offset, length, dtype) and `id`, a hash of the
    whole: the browser rebuilds nothing when the same payload comes again.

    Raises:
        ValueError: an array's dtype has no counterpart in the browser.
    """
    entries, buffers, position = [], [], 0
    for name, array in arrays.items():
        dtype = array.dtype.newbyteorder("<").str[1:]
        if dtype not in {"u1", "i1", "u2", "i4", "u4", "f4"}:
            raise ValueError(f"{name} must be u1, i1, u2, i4, u4 or f4, got {array.dtype}")
        buffer = padded(np.ascontiguousarray(array, dtype=f"<{dtype}").tobytes(), b"\0")
        entries.append({"name": name, "off": position, "len": int(array.size), "dtype": dtype})
        buffers.append(buffer)
        position += len(buffer)
    digest = hashlib.blake2b(json.dumps([meta, entries]).encode(), digest_size=8)
    for buffer in buffers:
        digest.update(buffer)
    return headed({**meta, "arrays": entries, "id": digest.hexdigest()}, b"".join(buffers))


def unpack(payload: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `pack` was given: the header (with `arrays` and `id`) and the flat arrays."""
    meta = unpack_header(payload)
    start = 4 + struct.unpack_from("<I", payload)[0]
    arrays = {
        each["name"]: np.frombuffer(payload, f"<{each['dtype']}", each["len"], start + each["off"])
        for each in meta["arrays"]
    }
    return meta, arrays


def unpack_header(payload: bytes) -> dict[str, Any]:
    """The JSON header alone."""
    (length,) = struct.unpack_from("<I", payload)
    header: dict[str, Any] = json.loads(payload[4 : 4 + length])
    return header


def headed(header: Mapping[str, Any], body: bytes) -> bytes:
    """`body` behind a JSON header that says its own length."""
    # allow_nan would write NaN, which no browser parses.
    text = padded(json.dumps(header, allow_nan=False).encode(), b" ")
    return struct.pack("<I", len(text)) + text + body


def padded(data: bytes, filler: bytes) -> bytes:
    """`data` up to a multiple of 4 bytes, where typed arrays may begin."""
    return data + filler * (-len(data) % 4)


def _read(folder: Path, suffix: str) -> str:
    """The folder's files of one kind, in order of name."""
    return "\n".join(file.read_text("utf-8") for file in sorted(folder.glob(f"*.{suffix}")))
