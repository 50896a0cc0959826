"""The hero of the denoiser lab: images, filter under the pointer, certificate, one component.

Payload (`component.pack`), with n = h w pixels, row-major, and U units in state s (a unit is
one neuron or gate path with its output weight multiplied in):

    meta     h, w, k, bias, residual, split, low, high, show, error_range, probe, states, quiz
    clean, noisy, out{s}   u2 (n,)     0..65535 maps low..high; `show` = [black, white]
    bits                   u4 (n, words), named by each state's `bits`
    filters{s}             f4 (U, k k) cross-correlation order, signed
    offset{s}              f4 (U,)     what the unit adds besides its filter
    unit{s}                u2 (U,)     the bit that says it is active

A state: weight_decay, primal, dual, scope, tolerance, n_patterns, n_neurons, n_zero, foot,
psnr_noisy, psnr_denoised, test_psnr_noisy, test_psnr_denoised, bits, network_bound,
estimated_bound, estimated_m_over_beta. A quiz: pixel, question, options, answer, why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.views.component import headed, make, unpack_header

_component = make("inspector")


@dataclass(frozen=True, slots=True)
class Selection:
    """What the visitor holds: the state under the slider, the pinned pixels, the quiz."""

    state: int
    pins: tuple[tuple[int, int], ...]
    revealed: bool


def quantise(image: NDArray[Any], low: float, high: float) -> NDArray[np.uint16]:
    """The image as the payload holds it: 0..65535 maps low..high, values outside clipped."""
    unit = (np.asarray(image, dtype=np.float64) - low) / (high - low)
    return np.rint(np.clip(unit, 0.0, 1.0) * 65535).astype(np.uint16).ravel()


def inspector(
    payload: bytes,
    *,
    key: str,
    state: int = 0,
    pins: Sequence[Sequence[int]] = (),
    on_change: Callable[[], None] | None = None,
) -> Selection:
    """Show the payload; `state` and `pins` are where to go, and are obeyed when they change.

    The visitor's own moves come back in the Selection (after a drag, not during it); the page
    gives them back at its next run.
    """
    given = Place(state, tuple((int(row), int(column)) for row, column in pins))
    memory = _remember(key, unpack_header(payload)["id"], given)
    header = {"serial": memory.serial, "state": memory.ordered.state, "pins": memory.ordered.pins}
    callback = on_change or _nothing
    answer = _component(
        key=key,
        data=headed(header, payload),
        on_state_change=callback,
        on_pins_change=callback,
        on_revealed_change=callback,
        height="content",
    )
    reported = _reported(key)
    shown = memory.shown(reported)
    # The page writes what is shown into the address, so that is what it asks for next.
    st.session_state[f"{key}.memory"] = replace(memory, given=shown, reported=reported)
    return Selection(state=shown.state, pins=shown.pins, revealed=bool(answer.revealed))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the inspector stands: which state, which pins."""

    state: int
    pins: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """The last order to the browser, what the page asked for last, and what was reported by then.

    An echo of the visitor's own move must not change a byte of the message, or megabytes
    travel at each click; an order is therefore kept until a different one is needed.
    """

    payload: str
    given: Place
    serial: int
    ordered: Place
    reported: tuple[Any, Any]

    def shown(self, reported: tuple[Any, Any]) -> Place:
        """What is on screen: the visitor's later moves, else what was there before."""
        state, pins = self.given.state, self.given.pins
        if reported[0] is not None and reported[0] != self.reported[0]:
            state = int(reported[0])
        if reported[1] is not None and reported[1] != self.reported[1]:
            pins = tuple((int(row), int(column)) for row, column in reported[1])
        return Place(state, pins)


def _remember(key: str, payload: str, given: Place) -> Memory:
    """The order that holds now."""
    return next_order(st.session_state.get(f"{key}.memory"), payload, given, _reported(key))


def next_order(
    memory: Memory | None, payload: str, given: Place, reported: tuple[Any, Any]
) -> Memory:
    """A new order only if the payload is new, or the page asks for what is not on screen."""
    if memory is None:
        return Memory(payload, given, 0, given, reported)
    if memory.payload != payload:
        return Memory(payload, given, memory.serial + 1, given, reported)
    if given == memory.given:
        return memory
    if given == memory.shown(reported):
        return replace(memory, given=given)
    return Memory(payload, given, memory.serial + 1, given, reported)


def _reported(key: str) -> tuple[Any, Any]:
    """State and pins as the component last reported them."""
    answer = st.session_state.get(key) or {}
    return answer.get("state"), answer.get("pins")


def _nothing() -> None:
    """A component's state exists only where a callback is named."""
