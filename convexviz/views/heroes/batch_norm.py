"""The batch-norm hero: cut the spectrum of the whitened data, or move points on a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from convexviz import architectures
from convexviz.architectures.base import params
from convexviz.experiments.result import Result
from convexviz.views import batch_norm_board as cut_board
from convexviz.views import batch_norm_cuts, batch_norm_examples, batch_norm_runs, board, controls
from convexviz.views import batch_norm_descent as learning
from convexviz.views import batch_norm_line as line
from convexviz.views import batch_norm_order as learning_order
from convexviz.views import batch_norm_toy as toy
from convexviz.views.batch_norm_cuts import cut_of, cuts, rank
from convexviz.views.batch_norm_quality import K
from convexviz.views.heroes.base import Hero

NAME = "batch_norm"
KEY = f"{NAME}.hero"
RANK = f"{NAME}.rank"  # of the data on screen: there, k means "all" and is written 0
OWN = f"{KEY}.own"  # the points of the data set, before any was moved
FIELD = "n_directions"
BETA = cut_board.BETA
RECORD = f"{NAME}.record"  # the moment of the race, in the address
LAST = f"{KEY}.last"  # its end


def show(result: Result, index: int) -> int:
    """Draw the board; k, the weight decay and the points are where the page has them."""
    decays = [float(b) for b in result.arrays.get("path_weight_decay", [])]
    weight_decay = decays[index] if decays else float(result.spec["weight_decay"])
    if line.is_line(result):
        _show_line(result, index, decays, weight_decay)
    else:
        _show_cuts(result, decays, weight_decay)
    return index


def _show_cuts(result: Result, decays: list[float], weight_decay: float) -> None:
    st.session_state[RANK] = rank(result)
    results = batch_norm_cuts.known(result)
    whole = results.get(rank(result))
    race = batch_norm_runs.race_of(whole)
    wanted: dict[str, Any] = {K: _k(result), BETA: weight_decay}
    if race is not None:
        wanted[learning.RECORD] = _record(race.last)
        st.session_state[LAST] = race.last
    solved = cuts(results, weight_decay)
    raced = solved if race is None else cuts(results, race.weight_decay)
    if not any(cut.k == rank(result) for cut in raced):
        race = None  # the optimum that it runs towards is not here
    others = frozenset(results) - {cut.k for cut in solved}
    name = f"{_name(result)}{weight_decay:g}{[(k, _name(each)) for k, each in results.items()]}"
    known = cut_board.Known(
        result=result,
        whole=whole,
        cuts=solved,
        raced=raced,
        decays=decays,
        race=race,
        baselines=batch_norm_runs.compared(whole or result),
        curve=batch_norm_cuts.curve(results),
        weight_decay=weight_decay,
        others=others,
    )
    board.board(_payload(name, known), wanted, key=KEY)
    learning_order.show(result)


def _record(last: int) -> int:
    """The moment of the race in the address; nonsense is its end."""
    text = st.query_params.get(RECORD, "")
    return min(int(text), last) if text.isdecimal() and len(text) < 6 else last


def _show_line(result: Result, index: int, decays: list[float], weight_decay: float) -> None:
    st.session_state[RANK] = None
    ours = result.spec["dataset"] != controls.GIVEN or _moved_here()
    units = line.units_held() if ours else line.Units()
    points = line.points_of(result.data, units)
    if result.spec["dataset"] != controls.GIVEN or line.points_held() is None:
        st.session_state[OWN] = points
    fits = line.fits(result, index)
    elsewhere = None
    if units.changed:
        elsewhere = line.objective_without(line.arrays(points, line.Units()), weight_decay)
    opening = line.PLACES.index(str(result.spec["position"]))
    wanted = toy.values(points, units, weight_decay, int(board.held(KEY).get(toy.PLACE, opening)))
    if board.is_moving(KEY):  # what is drawn may lag; the hand must not
        wanted = {**wanted, **board.held(KEY)}
    drawn = toy.Line(fits=fits, points=points, units=units, editable=ours, elsewhere=elsewhere)
    content = toy.panels(drawn, decays)
    board.board(content, wanted, key=KEY)


def _moved_here() -> bool:
    return any(name in st.query_params for name in line.ADDRESS.values())


def _name(result: Result) -> str:
    return f"{result.provenance['key']}{result.provenance['created']}"


@st.cache_resource(show_spinner=False, max_entries=32)
def _payload(
    name: str,  # noqa: ARG001 - the cache goes by it
    _known: cut_board.Known,
) -> bytes:
    return board.payload(cut_board.panels(_known))


def _k(result: Result) -> int:
    """The number of directions that the address asks for, else that of the result."""
    top = rank(result)
    asked = int(controls.held(architectures.get(NAME), FIELD, _opening()))
    return min(asked, top) or (top if result.spec[FIELD] == 0 else cut_of(result))


def _opening() -> int:
    arch = architectures.get(NAME)
    return int(arch.stored[0].get(FIELD, params(arch.spec)[FIELD].default))


def listen() -> None:
    """What was moved goes into the address: k and the weight decay; points into the session."""
    held, top = board.held(KEY), st.session_state.get(RANK)
    arch = architectures.get(NAME)
    if top is not None and K in held:
        k = int(held[K])
        controls.hold(arch, FIELD, 0 if k >= top else k, _opening())
    if BETA in held:
        st.query_params[controls.address_of(arch, "weight_decay")] = f"{held[BETA]:g}"
    if learning.RECORD in held:
        _hold_record(int(held[learning.RECORD]))
    if top is None and line.POINTS in held:
        line.hold(held, st.session_state.get(OWN))


def _hold_record(record: int) -> None:
    """The moment of the race, where it is not the end."""
    if record != st.session_state.get(LAST):
        st.query_params[RECORD] = str(record)
    elif RECORD in st.query_params:
        del st.query_params[RECORD]


def arrays(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The points and units that were moved, as long as the data set is that of points on a line."""
    if fields.get("dataset") != "toy":
        line.forget()
        return None
    points, units = line.points_held(), line.units_held()
    if points is None and not units.changed:
        return None
    if points is not None:
        return line.arrays(points, units)
    arch = architectures.get(NAME)
    own = arch.load(arch.spec.of({**arch.stored[0], **fields}))
    return {"X": units.seen(own["X"]), "Y": own["Y"]}


def reset() -> None:
    """The board shows what the page says, whatever was moved in it."""
    board.forget(KEY)
    learning_order.reset()
    line.forget()
    st.session_state.pop(OWN, None)


HERO = Hero(
    sentence="Batch norm *hides a whitening*: every direction of the data counts the same, however "
    "small. Cut the spectrum and see what that costs.",
    show=show,
    holds=(FIELD,),
    arrays=arrays,
    examples=batch_norm_examples.examples(),
    listen=listen,
    reset=reset,
)
