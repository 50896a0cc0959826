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
estimated_bound. A quiz: pixel, question, options, answer, why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.views.component import headed, make

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

    The visitor's own moves come back in the Selection (after a drag, not during it).
    """
    command = _command(key, state, [[int(row), int(column)] for row, column in pins])
    callback = on_change or _nothing
    answer = _component(
        key=key,
        data=headed(command, payload),
        on_state_change=callback,
        on_pins_change=callback,
        on_revealed_change=callback,
        height="content",
    )
    held = answer.pins if answer.pins is not None else command["pins"]
    return Selection(
        state=int(answer.state if answer.state is not None else command["state"]),
        pins=tuple((int(row), int(column)) for row, column in held),
        revealed=bool(answer.revealed),
    )


def _command(key: str, state: int, pins: list[list[int]]) -> dict[str, Any]:
    """The order to the component: a new one only where it differs from what it already shows.

    An echo of the visitor's own move must not change a byte, or megabytes travel at each click.
    """
    memory = f"{key}.command"
    last = st.session_state.get(memory)
    seen = st.session_state.get(key)
    reported = dict(seen) if seen else {}
    if last is None:
        last = {"serial": 0, "state": state, "pins": pins}
    shown_state = reported.get("state")
    shown_pins = reported.get("pins")
    same_state = state in (last["state"], shown_state)
    same_pins = pins in (last["pins"], shown_pins)
    if not (same_state and same_pins):
        last = {"serial": last["serial"] + 1, "state": state, "pins": pins}
    st.session_state[memory] = last
    return last


def _nothing() -> None:
    """A component's state exists only where a callback is named."""
