"""A result to take home: built only when its button is pressed."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from convexviz import architectures
from convexviz.experiments import export, store
from convexviz.experiments.export_pictures import IMAGES
from convexviz.experiments.result import Result

WORDS = {
    "npz": "NumPy arrays (.npz)",
    "torch": "PyTorch module with weights (.zip)",
    "png": "Pictures (.png)",
    "html": "Page (.html)",
}


def menu(result: Result, key: str) -> None:
    """One button a format, and the lines that compute the result again."""
    name = f"convexviz-{result.architecture}"
    st.download_button(
        "Result, verifiable (.h5)",
        data=partial(_bytes, result, _store),
        file_name=f"{name}.h5",
        key=f"{key}.h5",
        on_click="ignore",
        width="stretch",
    )
    arch = architectures.get(result.architecture)
    absent = set() if arch.torch_module else {"torch"}
    absent |= set() if any(field.shape == IMAGES for field in arch.inputs) else {"png"}
    for kind, words in WORDS.items():
        if kind in absent:
            continue
        suffix = "zip" if kind == "torch" else kind
        st.download_button(
            words,
            data=partial(_bytes, result, partial(_export, kind)),
            file_name=f"{name}.{suffix}",
            key=f"{key}.{kind}",
            on_click="ignore",
            width="stretch",
        )
    st.caption("The same result in Python:")
    st.code(export.reproduce(result), language="python", wrap_lines=True)


def _bytes(result: Result, write: Callable[[Result, Path], list[Path]]) -> bytes:
    """What `write` makes of the result; several files become one zip."""
    with tempfile.TemporaryDirectory() as folder:
        files = write(result, Path(folder))
        if len(files) == 1:
            return files[0].read_bytes()
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return whole.getvalue()


def _store(result: Result, folder: Path) -> list[Path]:
    return [store.write(result, folder / "result.h5")]


def _export(kind: str, result: Result, folder: Path) -> list[Path]:
    suffix = export.FORMATS[kind][0]
    return export.export(result, kind, folder / f"{result.architecture}{suffix}")
