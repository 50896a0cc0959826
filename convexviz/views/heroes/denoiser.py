"""The denoiser's hero: the inspector, over the whole path of weight decays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from convexviz.experiments.result import Result
from convexviz.views.denoiser_payload import PLACES, notable, payload
from convexviz.views.heroes import plain
from convexviz.views.heroes.base import Hero
from convexviz.views.inspector import inspector

PINS = "denoiser.pins"
WANTED = "denoiser.wanted_probe"
_PIN = re.compile(r"(\d{1,4}),(\d{1,4})")


def show(result: Result, index: int) -> int:
    """Draw the inspector; pins live in the address.

    It shows what a pixel's own patch does; with an output kernel, neighbours have a say.
    """
    if int(result.spec["output_kernel"]) > 1:
        return plain.show(result, index)
    place = st.session_state.pop(WANTED, None)
    if place is not None:
        row, column = notable(result)[place]
        st.query_params[PINS] = f"{row},{column}"
    chosen = inspector(
        _payload(_name(result), result), key="denoiser.hero", state=index, pins=pins()
    )
    if chosen.pins:
        st.query_params[PINS] = ";".join(f"{row},{column}" for row, column in chosen.pins)
    elif PINS in st.query_params:
        del st.query_params[PINS]
    return chosen.state


def pins() -> Sequence[tuple[int, int]]:
    """At most two pinned pixels, from the address; nonsense is ignored."""
    found = [_PIN.fullmatch(pin) for pin in st.query_params.get(PINS, "").split(";")[:2]]
    return [(int(match[1]), int(match[2])) for match in found if match]


def apply(name: str, value: Any) -> None:
    """`probe=edge`, `probe=flat` and `probe=row:column` pin a pixel."""
    match = re.fullmatch(r"(\d+):(\d+)", str(value))
    if name == "probe" and match:
        st.query_params[PINS] = f"{match[1]},{match[2]}"
    elif name == "probe" and value in PLACES:
        st.session_state[WANTED] = value


def _name(result: Result) -> str:
    return f"{result.provenance['key']}{result.provenance['created']}"


@st.cache_resource(show_spinner=False, max_entries=8)
def _payload(key: str, _result: Result) -> bytes:  # noqa: ARG001 - the cache goes by it
    return payload(_result)


HERO = Hero(
    sentence="A two-layer network is a *sum of linear filters*: each pixel opens its own few. "
    "Point at the picture to see which.",
    show=show,
    apply=apply,
)
