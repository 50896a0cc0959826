"""The vector-output hero: points, cells and neurons in one plane, solved while points move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from convexviz import architectures
from convexviz.errors import ConvexvizError
from convexviz.experiments.result import Result
from convexviz.views import (
    board,
    controls,
    points,
    ready,
    vector_board,
    vector_plane,
    vector_play,
)
from convexviz.views.heroes.base import Example, Hero
from convexviz.views.vector_shown import Shown

NAME = "vector_output"
KEY = f"{NAME}.hero"
PLACE = f"{NAME}.points"  # in the address
LOOK = f"{NAME}.view"  # what the plane shows, in the session
BASE = f"{NAME}.base"  # what is moved, in the session
HEARD = f"{NAME}.heard"  # what the page knows of what was moved
BETA = vector_board.BETA
LIVE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Base:
    """A data set whose points are moved."""

    dataset: str
    classes: int
    ones: bool
    points: list[list[float]]


def show(result: Result, index: int) -> int:
    """Draw the board; points and weight decay are where the page has them."""
    if vector_plane.is_editable(result) and _is_ours(result):
        _remember(result)
    st.session_state[HEARD] = _moved()
    _drawn(result, index)
    return index


@st.fragment
def _drawn(whole: Result, index: int) -> None:
    """The board alone runs again while a hand moves; the page follows when it lets go."""
    held, moving = board.held(KEY), board.is_moving(KEY)
    if not moving and _moved() != st.session_state.get(HEARD):
        st.rerun()
    editable = vector_plane.is_editable(whole) and _is_ours(whole)
    if vector_plane.VIEW in held:
        st.session_state[LOOK] = held[vector_plane.VIEW]
    now = Shown.of(whole, index)
    if moving:
        now = _meanwhile(now, held, editable=editable) or now
    wanted: dict[str, Any] = {BETA: float(now.here.spec["weight_decay"])}
    if vector_plane.has_plane(now.here):
        # What is drawn may lag, or wait to be solved; the hand's own points must not.
        kept = held.get(vector_plane.POINTS) if moving else _in_address() if editable else None
        wanted[vector_plane.POINTS] = kept or vector_plane.points_of(now.here)
        ones = vector_plane.has_ones(whole.data["X"])  # then neurons are lines, too many to read
        first = vector_plane.REGIONS if ones else vector_plane.CELLS
        wanted[vector_plane.VIEW] = st.session_state.get(LOOK, first)
    if vector_play.steps(now.here):
        wanted[vector_play.STEP] = held.get(vector_play.STEP, vector_play.last(now.here))
    board.board(vector_board.panels(now, editable=editable), wanted, key=KEY)


def _in_address() -> points.Points | None:
    """The points that the address has, in the data set that they were moved in."""
    base = _base()
    if base is None:
        return None
    return points.held(PLACE, classes=base.classes, most=vector_plane.MOST_POINTS)


def _moved() -> dict[str, Any]:
    """What the page must follow of what was moved: an address, a path, figures."""
    held = board.held(KEY)
    return {name: held[name] for name in (BETA, vector_plane.POINTS) if name in held}


def _meanwhile(now: Shown, held: Mapping[str, Any], *, editable: bool) -> Shown | None:
    """What is solved where a hand is now, if that takes no longer than a frame or two."""
    moved, base = held.get(vector_plane.POINTS), _base()
    if BETA in held and (moved is None or moved == vector_plane.points_of(now.here)):
        return now.at(float(held[BETA]))
    if not (editable and base and moved and ready.is_ready(architectures.get(NAME))):
        return None
    arrays = vector_plane.arrays(moved, base.classes, ones=base.ones)
    try:
        return now.solved_for(arrays, LIVE_SECONDS)
    except ConvexvizError:
        return None  # the page will say so when the hand lets go


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


FREE = {"arrangements": "adaptive", "weight_decay": 1.0}

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
        {"dataset": "loose_relaxation", "weight_decay": 0.3, "method": "copositive"},
    ),
    Example(
        "Whitened rows",
        "A soft-thresholded singular value decomposition is the whole training.",
        {"dataset": "whitened", "method": "closed_form"},
    ),
    Example(
        "Fifty digits, ten classes",
        "Neurons as pictures, and which digits are taken for which: proved for sampled patterns.",
        {
            "dataset": "digit_classes",
            "n_train": 50,
            "arrangements": "sampled",
            "n_gates": 20,
            "weight_decay": 4.0,
        },
    ),
    Example(
        "Fifty digits, patterns found",
        "The same digits with neurons of any pattern: better, and all but unproved.",
        {**FREE, "dataset": "digit_classes", "n_train": 50},
    ),
    Example(
        "Patches of digits",
        "A convolution with sum pooling: its filters, and where in a digit they fire.",
        {
            "dataset": "digit_patches",
            "n_train": 100,
            "arrangements": "sampled",
            "n_gates": 400,
            "weight_decay": 2.0,
        },
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
