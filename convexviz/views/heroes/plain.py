"""The hero of an architecture that has none of its own: the slider and the certificate."""

from __future__ import annotations

from typing import Any

import streamlit as st

from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.views.certificate import card, fields

SENTENCE = "Training it is a *convex program*. Solve it, and read how far from the optimum it is."


def show(result: Result, index: int) -> int:
    """Draw the slider over the path, and the certificate at its place."""
    name = result.architecture
    decays = result.arrays.get("path_weight_decay")
    if decays is not None:
        places = range(len(decays) - 1, -1, -1)
        index = st.select_slider(
            "Weight decay β",
            places,
            value=index,
            format_func=lambda place: f"{decays[place]:g}",
            key=f"{name}.slider",
        )
    tolerance = float(result.spec["tolerance"])
    n_patterns = int(result.scalars["n_patterns"])
    certificate = path.certificates(result)[index]
    card(f"{name}.card", fields(certificate, tolerance=tolerance, n_patterns=n_patterns))
    return index


def apply(name: str, value: Any) -> None:
    """There is nothing in it that a story could set."""
