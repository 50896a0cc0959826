"""A visitor's own rows of numbers: read in a limited child, given to the inputs they are for."""

from __future__ import annotations

from typing import Any

import streamlit as st

from convexviz.architectures.base import Architecture, Input
from convexviz.datasets import tables
from convexviz.errors import ConvexvizError
from convexviz.views.format import literal

LARGEST_MB = 64
HELD_OUT = 0.2
ENOUGH = 20  # rows: fewer are all trained on
NONE = "none"


def chooser(arch: Architecture, slot: str, version: int, seed: int) -> dict[str, Any] | None:
    """The uploader and its choices; the architecture's inputs, or None.

    A new version lets go of the file.
    """
    file = st.file_uploader(
        "CSV, npy or npz",
        type=["csv", "npy", "npz"],
        key=f"{slot}.file.{version}",
        max_upload_size=LARGEST_MB,
        help="It stays on this server, in memory, and is never stored. " + _wanted(arch),
    )
    if file is None:
        st.caption(_wanted(arch))
        return None
    try:
        table = _read(file.file_id, file.name, file)
        arrays = _from_table(arch, slot, table) if table.is_table else _by_name(arch, slot, table)
        return _held_out(arch, slot, arrays, seed)
    except ConvexvizError as error:
        st.error(literal(str(error)))
        return None


def _wanted(arch: Architecture) -> str:
    """The inputs in words."""
    words = [f"`{field.name}` ({field.meaning})" for field in arch.inputs if field.required]
    return f"Needed: {' and '.join(words)}."


@st.cache_resource(show_spinner="Looking into the file…", max_entries=4)
def _read(
    file_id: str,  # noqa: ARG001 - the cache goes by it
    name: str,
    _file: Any,
) -> tables.Table:
    return tables.read(_file.getvalue(), name)


def _required(arch: Architecture) -> list[Input]:
    return [field for field in arch.inputs if field.required]


def _from_table(arch: Architecture, slot: str, table: tables.Table) -> dict[str, Any]:
    """Inputs out of one table: all columns, or one of them as the target of the others."""
    needed = _required(arch)
    whole = table.arrays[tables.TABLE]
    st.caption(f"{literal(table.filename)}: {whole.shape[0]:,} rows of {whole.shape[1]:,} columns.")
    if len(needed) == 1:
        return {needed[0].name: whole}
    names = list(table.columns)
    target = st.selectbox("Target column", names, len(names) - 1, key=f"{slot}.target")
    values = table.column(target)
    y = values[:, None]
    if tables.may_name_classes(values):
        words = target in table.classes
        if words or st.toggle("The target names classes", value=True, key=f"{slot}.classes"):
            y = tables.one_hot(values)
    return {needed[0].name: table.without(target), needed[1].name: y}


def _by_name(arch: Architecture, slot: str, table: tables.Table) -> dict[str, Any]:
    """Inputs out of named arrays; whose names fit is taken, the rest is asked."""
    shapes = {name: " × ".join(map(str, a.shape)) for name, a in table.arrays.items()}
    st.caption(literal(", ".join(f"{name} {shape}" for name, shape in shapes.items())))
    chosen = {}
    for field in arch.inputs:
        names = list(shapes) if field.required else [NONE, *shapes]
        at = names.index(field.name) if field.name in shapes else 0
        name = st.selectbox(
            f"{field.name}: {field.meaning}", names, at, key=f"{slot}.array.{field.name}"
        )
        if name != NONE:
            chosen[field.name] = table.arrays[name]
    for field in _required(arch)[1:]:
        values = chosen[field.name]
        if values.ndim == 1 and tables.may_name_classes(values):
            label = f"{field.name} names classes"
            if st.toggle(label, value=True, key=f"{slot}.classes.{field.name}"):
                chosen[field.name] = tables.one_hot(values)
    return chosen


def _held_out(arch: Architecture, slot: str, arrays: dict[str, Any], seed: int) -> dict[str, Any]:
    """A fifth of the rows held out, where the architecture tests and the file has no test rows."""
    test = {f"test_{field.name}" for field in _required(arch)}
    n = min(len(array) for array in arrays.values())
    known = {field.name for field in arch.inputs}
    if not test <= known or test & set(arrays) or n < ENOUGH:
        return arrays
    if {len(array) for array in arrays.values()} != {n}:
        return arrays  # the architecture says what is wrong
    wanted = st.toggle("Hold out a fifth of the rows", value=True, key=f"{slot}.split")
    return tables.split(arrays, HELD_OUT, seed) if wanted else arrays
