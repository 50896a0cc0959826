"""The vector-output hero: points, cells and neurons in one plane, solved while points move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from convexviz import architectures
from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.views import board, controls, points, vector_board, vector_plane, vector_play
from convexviz.views.heroes.base import Example, Hero

NAME = "vector_output"
KEY = f"{NAME}.hero"
PLACE = f"{NAME}.points"  # in the address
LOOK = f"{NAME}.view"  # what the plane shows, in the session
BASE = f"{NAME}.base"  # what is moved, in the session
BETA = vector_board.BETA


@dataclass(frozen=True, slots=True)
class Base:
    """A data set whose points are moved."""

    dataset: str
    classes: int
    ones: bool
    points: list[list[float]]


def show(result: Result, index: int) -> int:
    """Draw the board; points and weight decay are where the page has them."""
    at, proof = path.at(result, index), path.certificates(result)[index]
    here = replace(at, scalars={**result.scalars, **at.scalars})  # patterns are those of the path
    editable = vector_plane.is_editable(result) and _is_ours(result)
    wanted: dict[str, Any] = {BETA: float(here.spec["weight_decay"])}
    if vector_plane.has_plane(result):
        wanted[vector_plane.POINTS] = vector_plane.points_of(result)
        ones = vector_plane.has_ones(result.data["X"])  # then neurons are lines, too many to read
        first = vector_plane.REGIONS if ones else vector_plane.CELLS
        wanted[vector_plane.VIEW] = st.session_state.get(LOOK, first)
    if vector_play.steps(result):
        wanted[vector_play.STEP] = board.held(KEY).get(vector_play.STEP, vector_play.last(result))
    if editable:
        _remember(result)
        if board.is_moving(KEY):  # what is drawn may lag; the hand must not
            moving = board.held(KEY).get(vector_plane.POINTS)
            wanted[vector_plane.POINTS] = moving or wanted[vector_plane.POINTS]
    board.board(vector_board.panels(here, proof, result, editable=editable), wanted, key=KEY)
    return index


def _is_ours(result: Result) -> bool:
    """Whether the points are those of a data set, or were moved here; an upload stays as it is."""
    return result.spec["dataset"] != controls.GIVEN or PLACE in st.query_params


def _remember(result: Result) -> None:
    """The data set that points are moved in, and its own points."""
    if result.spec["dataset"] == controls.GIVEN:
        return
    X, Y = result.data["X"], result.data["Y"]
    st.session_state[BASE] = Base(
        str(result.spec["dataset"]),
        Y.shape[1],
        vector_plane.has_ones(X),
        vector_plane.points_of(result),
    )


def _base() -> Base | None:
    base: Base | None = st.session_state.get(BASE)
    return base


def listen() -> None:
    """What was moved goes into the address: the weight decay, and the points."""
    held = board.held(KEY)
    if BETA in held:
        name = controls.address_of(architectures.get(NAME), "weight_decay")
        st.query_params[name] = f"{held[BETA]:g}"
    if vector_plane.VIEW in held:
        st.session_state[LOOK] = held[vector_plane.VIEW]
    base = _base()
    if vector_plane.POINTS in held and base is not None:
        moved = held[vector_plane.POINTS]
        points.hold(PLACE, None if moved == base.points else moved)


def arrays(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The points in the address, as long as the data set is the one that they were moved in."""
    base, dataset = _base(), str(fields.get("dataset"))
    if base is not None and base.dataset != dataset:
        reset()
        return None
    if PLACE not in st.query_params:
        return None
    if base is None:  # a shared link: the data set says how many classes there are
        base = _read_base(dataset)
    found = points.held(PLACE, classes=base.classes, most=vector_plane.MOST_POINTS)
    return None if found is None else vector_plane.arrays(found, base.classes, ones=base.ones)


def _read_base(dataset: str) -> Base:
    arch = architectures.get(NAME)
    known = arch.load(arch.spec.of({**arch.stored[0], "dataset": dataset}))
    X, Y = known["X"], known["Y"]
    ones = vector_plane.has_ones(X)
    base = Base(dataset, Y.shape[1], ones, vector_plane.as_points(X, Y))
    if X.ndim == 2 and (X.shape[1] == 2 or ones):
        st.session_state[BASE] = base
    return base


def reset() -> None:
    """The board shows what the page says, whatever was moved in it."""
    board.forget(KEY)
    points.hold(PLACE, None)
    st.session_state.pop(BASE, None)


EXAMPLES = (
    Example("Three classes", "Six points: move them, add some, and read the proof.", {}),
    Example(
        "Spiral",
        "Sixty points with a ones column: neurons are lines, thousands of cells.",
        {"dataset": "spiral", "weight_decay": 0.2},
    ),
    Example(
        "Frank–Wolfe, step by step",
        "The cell that wins lights up, its neuron comes in, the gap falls.",
        {"method": "frank_wolfe"},
    ),
    Example(
        "Where the relaxation is loose",
        "Six rows in three dimensions: the copositive bound stays below the optimum.",
        {"dataset": "loose_relaxation", "weight_decay": 0.3},
    ),
    Example(
        "Whitened rows",
        "A soft-thresholded singular value decomposition is the whole training.",
        {"dataset": "whitened", "method": "closed_form"},
    ),
)

HERO = Hero(
    sentence="Training is a *choice among finitely many cells*. In the plane all are visible, so "
    "the optimum is proved while you drag.",
    show=show,
    arrays=arrays,
    examples=EXAMPLES,
    listen=listen,
    reset=reset,
)
