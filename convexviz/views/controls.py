"""Widgets read off a Spec, each with its place in the address: `?denoiser.kernel_size=5`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from convexviz import datasets
from convexviz.architectures.base import Architecture, params
from convexviz.architectures.spec import Field
from convexviz.datasets.places import is_here
from convexviz.views import heroes

GIVEN = "given"  # the choice of a data set that the visitor brings: no button of its own
MANY = 6  # choices: more are a list and not a row of buttons


def address_of(arch: Architecture, name: str) -> str:
    """A parameter's name in the address."""
    return f"{arch.name}.{name}"


@dataclass(slots=True)
class _Starts:
    """What the widgets start from."""

    values: dict[str, Any]


def version(name: str) -> int:
    """Part of the widgets' keys: a new version makes new widgets.

    A widget in a closed popover forgets values that are only set through the session, and a browser
    that has not heard of such a value yet sends the old one with whatever else it reports.
    """
    return int(st.session_state.get(f"{name}.version", 0))


def renew(name: str) -> None:
    """New widgets from here on, started from what the page says."""
    st.session_state[f"{name}.version"] = version(name) + 1


def _starts(arch: Architecture, opening: Mapping[str, Any]) -> _Starts:
    """The starts of this session; the first time they are read off the address."""
    slot = f"{arch.name}.starts"
    if slot not in st.session_state:
        values = {
            field.name: from_address(
                field,
                st.query_params.get(address_of(arch, field.name)),
                opening.get(field.name, field.default),
            )
            for field in _own(arch)
        }
        st.session_state[slot] = _Starts(values)
    starts: _Starts = st.session_state[slot]
    return starts


def _own(arch: Architecture) -> list[Field]:
    """The parameters that have a control here: not the slider's, nor those of the hero."""
    elsewhere = ("weight_decay", *heroes.of(arch.name).holds)
    fields = params(arch.spec).values()
    return [field for field in fields if field.param.on_page and field.name not in elsewhere]


def _shown(arch: Architecture) -> list[Field]:
    """Those that the hero does not decide at the moment."""
    fixed = heroes.of(arch.name).fixes()
    return [field for field in _own(arch) if field.name not in fixed]


def apply(arch: Architecture, changes: Mapping[str, Any]) -> None:
    """Set controls to what a story speaks of; the others keep their values."""
    starts: _Starts | None = st.session_state.get(f"{arch.name}.starts")
    if starts is None:
        return
    for field in _own(arch):
        current = st.session_state.get(_key(arch, field.name), starts.values[field.name])
        starts.values[field.name] = changes.get(field.name, current)
    renew(arch.name)


def _key(arch: Architecture, name: str) -> str:
    return f"{arch.name}.{name}.{version(arch.name)}"


def read(arch: Architecture, opening: Mapping[str, Any]) -> dict[str, Any]:
    """Draw every control and return the fields they hold; `opening` replaces the defaults."""
    starts, values = _starts(arch, opening), {}
    switches = [field for field in _shown(arch) if field.kind is bool]
    for field in _shown(arch):
        if field not in switches:
            values[field.name] = _drawn(field, _key(arch, field.name), starts)
    with st.container(horizontal=True):
        for field in switches:
            values[field.name] = _drawn(field, _key(arch, field.name), starts)
    for field in _shown(arch):
        _remember(arch, field, values[field.name], opening.get(field.name, field.default))
    return values


def weight_decay(arch: Architecture, opening: float) -> float:
    """The weight decay of a network that has no path, and so no slider."""
    field = params(arch.spec)["weight_decay"]
    start = held(arch, field.name, opening)
    # What the widget starts from must stay while it is the same widget.
    start = st.session_state.setdefault(f"{_key(arch, field.name)}.start", start)
    low, high = field.param.low, field.param.high
    value = st.number_input(
        _label(field), low, high, start, step=_step(start), format="%g", key=_key(arch, field.name)
    )
    hold(arch, field.name, value, opening)
    return float(value)


def held(arch: Architecture, name: str, opening: Any) -> Any:
    """A parameter as the address has it: where a hero's own controls keep theirs."""
    field = params(arch.spec)[name]
    return from_address(field, st.query_params.get(address_of(arch, name)), opening)


def hold(arch: Architecture, name: str, value: Any, opening: Any) -> None:
    """Keep a parameter in the address, where it differs from how the page opens."""
    _remember(arch, params(arch.spec)[name], value, opening)


def _remember(arch: Architecture, field: Field, value: Any, opening: Any) -> None:
    """The address names what differs from how the page opens."""
    name = address_of(arch, field.name)
    if value != opening:
        words = f"{value:.12g}" if field.kind is float else str(value)
        st.query_params[name] = words.lower() if field.kind is bool else words
    elif name in st.query_params:
        del st.query_params[name]


def _drawn(field: Field, key: str, starts: _Starts) -> Any:
    label, start, words = _label(field), starts.values[field.name], field.param.help or None
    if field.kind is bool:
        return st.toggle(label, start, key=key, help=words)
    if field.kind is str:
        return _chosen(field, key, start, label, words)
    step: Any = field.param.step if field.kind is int else _step(start)
    low, high = field.kind(field.param.low), field.kind(field.highest)
    shape = "%g" if field.kind is float else None
    return st.number_input(label, low, high, start, step=step, format=shape, key=key, help=words)


def _chosen(field: Field, key: str, start: str, label: str, words: str | None) -> str:
    """A row of buttons, or a list where there are many."""
    choices = _choices(field, start)
    if len(choices) > MANY:
        at = choices.index(start)
        return st.selectbox(
            label, choices, at, format_func=partial(_title, field), key=key, help=words
        )
    chosen = st.segmented_control(
        label,
        choices,
        default=start,
        required=True,
        format_func=partial(_title, field),
        key=key,
        help=words,
    )
    return chosen or start


def _choices(field: Field, start: str) -> list[str]:
    """The choices that can be had: data sets that are not on this machine are left out."""
    known = datasets.registry() if field.name == "dataset" else {}
    return [
        choice
        for choice in field.param.choices
        if choice != GIVEN and (choice == start or choice not in known or is_here(known[choice]))
    ]


def _title(field: Field, choice: str) -> str:
    """The title that the parameter or, for a data set without one, its registry gives it."""
    places = dict(zip(field.param.choices, field.param.titles, strict=False))
    known = datasets.registry().get(choice) if field.name == "dataset" else None
    return known.title if known and not places.get(choice) else field.title_of(choice)


def _label(field: Field) -> str:
    return field.param.label[:1].upper() + field.param.label[1:]


def _step(start: float) -> float:
    """A tenth of the value's decade: 0.01 for 0.3, 1 for 25."""
    return float(10.0 ** (np.floor(np.log10(abs(start))) - 1)) if start else 0.01


def from_address(field: Field, text: str | None, opening: Any) -> Any:
    """The value that the address asks for, or the opening one where it makes no sense."""
    if text is None:
        return opening
    if field.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), opening)
    if field.kind is str:
        return text if text in field.param.choices and text != GIVEN else opening
    try:
        value = float(text)
        if not field.param.low <= value <= field.highest or value != field.kind(value):
            return opening
    except (ValueError, OverflowError):
        return opening
    return field.kind(value)


def reset(arch: Architecture) -> None:
    """Every control back to how the page opens, and the address with it."""
    # The hero remembers what it last told the browser: forgetting that would not move it back.
    kept = (owner_key(arch.name), f"{arch.name}.version")
    hero = f"{arch.name}.hero"
    for name in map(str, list(st.session_state)):
        if name.startswith(f"{arch.name}.") and name not in kept and not name.startswith(hero):
            del st.session_state[name]
    for name in list(st.query_params):
        if name.startswith(f"{arch.name}."):
            del st.query_params[name]
    renew(arch.name)


def owner_key(name: str) -> str:
    """Where the session keeps the token that its jobs belong to."""
    return f"{name}.owner"
