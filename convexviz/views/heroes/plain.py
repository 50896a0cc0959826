"""The hero of an architecture that has none of its own: the slider and the certificate."""

from __future__ import annotations

import streamlit as st

from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.views import controls, quiz
from convexviz.views.certificate import card, fields
from convexviz.views.format import decay
from convexviz.views.heroes.base import Hero

CLOCKS = ("setup_seconds", "solve_seconds", "earlier_seconds")


def show(result: Result, index: int) -> int:
    """Draw the slider over the path, the certificate at its place, and the result's numbers."""
    name = result.architecture
    decays = result.arrays.get("path_weight_decay")
    left, right = st.columns([0.745, 0.255], gap="medium")
    with left:
        if decays is not None:
            places = range(len(decays) - 1, -1, -1)
            index = st.select_slider(
                "Weight decay β",
                places,
                value=index,
                format_func=lambda place: decay(float(decays[place])),
                key=f"{name}.slider.{controls.version(name)}",
            )
        here = path.at(result, index)
        numbers = {k: v for k, v in here.scalars.items() if k not in CLOCKS}
        rows = [f"| {k.replace('_', ' ')} | {v:.6g} |" for k, v in numbers.items()]
        st.markdown("\n".join(["| what | value |", "| --- | ---: |", *rows]))
    with right:
        tolerance = float(result.spec["tolerance"])
        n_patterns = int(result.scalars["n_patterns"])
        certificate = path.certificates(result)[index]
        card(f"{name}.certificate", fields(certificate, tolerance=tolerance, n_patterns=n_patterns))
        quiz.card(result, f"{name}.quiz.{result.provenance['key']}")
    return index


HERO = Hero(
    sentence="Training it is a *convex program*. "
    "Solve it, and read how far from the optimum it is.",
    show=show,
)
