"""A board: panels that share variables, drawn in the browser from one payload.

    panels = [Spectrum(slot=Slot(id="spectrum"), values=..., variable="k"), Tiles(...), ...]
    values = board(panels, {"k": 15}, key="batch_norm.hero")  # where the visitor moved them

A panel that moves a variable redraws, within a frame, every panel that watches it; Python hears of
it when the hand lets go (a `live` panel also tells while it is dragged, each time the page has
answered). `board_pictures` and `board_small` have the panels, `board_layers` what a plane draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from convexviz.views.board_panels import AbstractPanel, packed
from convexviz.views.component import headed, make, pack

Values = Mapping[str, Any]

_board = make("board")


@dataclass(frozen=True, slots=True)
class Order:
    """What the browser was last told to show.

    What it reports carries the serial of the order it was made under, so that a report that
    crosses a new order on its way counts for nothing.
    """

    serial: int
    values: Values

    def shown(self, reported: Values) -> Values:
        """The values on screen: the visitor's moves since this order, else the order itself."""
        if reported.get("serial") != self.serial:
            return self.values
        return {name: reported.get(name, value) for name, value in self.values.items()}


def next_order(order: Order | None, wanted: Values, reported: Values) -> Order:
    """The order that holds now: a new one only where the page asks for what is not on screen.

    An echo of the visitor's own move must not change it, or a hand that is still moving would be
    pulled back to where it was.
    """
    if order is None:
        return Order(0, dict(wanted))
    if set(wanted) == set(order.values) and dict(order.shown(reported)) == dict(wanted):
        return order
    return Order(order.serial + 1, dict(wanted))


def payload(panels: Sequence[AbstractPanel]) -> bytes:
    """Everything but the values of the variables, ready to send."""
    metas: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for panel in panels:
        meta, own = packed(panel)
        metas.append(meta)
        arrays |= own
    names = [meta["id"] for meta in metas]
    assert len(set(names)) == len(names), f"panels must have different ids, got {names}"
    return pack({"panels": metas}, **arrays)


def board(content: bytes | Sequence[AbstractPanel], values: Values, *, key: str) -> Values:
    """Show the panels, or a payload made of them; `values` is where the variables should stand.

    Returns where they do stand. An order is obeyed when it changes; the page gives back at its next
    run what the visitor made of it.
    """
    order = next_order(_order(key), values, _reported(key))
    st.session_state[f"{key}.order"] = order
    body = content if isinstance(content, bytes) else payload(content)
    shown = order.shown(_reported(key))
    # What is shown, not what was ordered: a board that is built anew starts from it.
    header = {"serial": order.serial, "values": dict(shown)}
    _board(key=key, data=headed(header, body), on_values_change=_nothing, height="content")
    return shown


def held(key: str) -> Values:
    """What the visitor has moved so far; to be read before the board is drawn."""
    order, reported = _order(key), _reported(key)
    if order is None or reported.get("serial") != order.serial:
        return {}
    return {name: value for name, value in reported.items() if name in order.values}


def is_moving(key: str) -> bool:
    """Whether the last thing heard came from a hand that had not let go."""
    return bool(_reported(key).get("moving"))


def forget(key: str) -> None:
    """Let go of what the visitor moved: the next order is obeyed whatever it says."""
    order = _order(key)
    if order is not None:
        st.session_state[f"{key}.order"] = replace(order, serial=order.serial + 1, values={})


def _order(key: str) -> Order | None:
    order: Order | None = st.session_state.get(f"{key}.order")
    return order


def _reported(key: str) -> dict[str, Any]:
    """Values as the component last reported them, with the serial of the order they follow."""
    answer = st.session_state.get(key) or {}
    return dict(answer.get("values") or {})


def _nothing() -> None:
    """A component's state exists only where a callback is named."""
