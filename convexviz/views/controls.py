"""Widgets read off a Spec, each with its place in the address: `?denoiser.kernel_size=5`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from convexviz import datasets
from convexviz.architectures.base import Architecture, params
from convexviz.architectures.spec import Field
from convexviz.datasets.places import is_here

CHOICE_TITLES = {
    "mri": "MRI slice",
    "camera": "Cameraman",
    "digits": "Digits, 8x8",
    "shapes": "Shapes",
    "tiny": "Tiny, 4x4",
    "given": "Your images",
    "relu": "ReLU",
    "gated": "Gated",
    "all": "All",
    "sampled": "Sampled",
    "adaptive": "Adaptive",
    "circular": "Circular",
    "zero": "Zero",
    "none": "No",
    "standard": "Standardise",
}
# What a browser session may ask for; the Python API and the command line have no such limit.
LIMITS = {"kernel_size": 15, "n_gates": 200, "noise_std": 1.0, "blocks": 4}


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
            for field in _shown(arch)
        }
        st.session_state[slot] = _Starts(values)
    starts: _Starts = st.session_state[slot]
    return starts


def _shown(arch: Architecture) -> list[Field]:
    """The parameters that have a control: not the slider's, nor those with only one value."""
    elsewhere = ("weight_decay", "tolerance", "output_kernel")
    return [field for field in params(arch.spec).values() if field.name not in elsewhere]


def apply(arch: Architecture, changes: Mapping[str, Any]) -> None:
    """Set controls to what a story speaks of; the others keep their values."""
    starts: _Starts | None = st.session_state.get(f"{arch.name}.starts")
    if starts is None:
        return
    for field in _shown(arch):
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
    start = from_address(field, st.query_params.get(address_of(arch, field.name)), opening)
    # What the widget starts from must stay while it is the same widget.
    start = st.session_state.setdefault(f"{_key(arch, field.name)}.start", start)
    low, high = field.param.low, field.param.high
    value = st.number_input(
        "Weight decay β", low, high, start, step=1.0, format="%g", key=_key(arch, field.name)
    )
    if value != opening:
        st.query_params[address_of(arch, field.name)] = f"{value:g}"
    return float(value)


def _remember(arch: Architecture, field: Field, value: Any, opening: Any) -> None:
    """The address names what differs from how the page opens."""
    name = address_of(arch, field.name)
    if value != opening:
        st.query_params[name] = str(value).lower() if field.kind is bool else str(value)
    elif name in st.query_params:
        del st.query_params[name]


def _drawn(field: Field, key: str, starts: _Starts) -> Any:
    label = field.param.label[0].upper() + field.param.label[1:]
    start, words = starts.values[field.name], field.param.help or None
    if field.kind is bool:
        return st.toggle(label, start, key=key, help=words)
    if field.kind is str:
        chosen = st.segmented_control(
            label,
            _choices(field, start),
            default=start,
            required=True,
            format_func=_title,
            key=key,
            help=words,
        )
        return chosen or start
    step: Any = 1 if field.kind is int else 0.01
    low, high = field.kind(field.param.low), field.kind(_high(field))
    return st.number_input(label, low, high, start, step=step, key=key, help=words)


def _choices(field: Field, start: Any) -> list[str]:
    """The choices that can be had: data sets that are not on this machine are left out."""
    known = datasets.registry() if field.name == "dataset" else {}
    return [
        choice
        for choice in field.param.choices
        if choice != "given" and (choice == start or choice not in known or is_here(known[choice]))
    ]


def _title(choice: str) -> str:
    known = datasets.registry().get(choice)
    return CHOICE_TITLES.get(choice) or (known.title if known else choice)


def _high(field: Field) -> float:
    return min(field.param.high, LIMITS.get(field.name, field.param.high))


def from_address(field: Field, text: str | None, opening: Any) -> Any:
    """The value that the address asks for, or the opening one where it makes no sense."""
    if text is None:
        return opening
    if field.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), opening)
    if field.kind is str:
        return text if text in field.param.choices and text != "given" else opening
    try:
        value = float(text)
        if not field.param.low <= value <= _high(field) or value != field.kind(value):
            return opening
    except (ValueError, OverflowError):
        return opening
    return field.kind(value)


def reset(arch: Architecture) -> None:
    """Every control back to how the page opens, and the address with it."""
    # The hero remembers what it last told the browser: forgetting that would not move it back.
    inspector = f"{arch.name}.inspector"
    kept = (owner_key(arch.name), inspector, f"{inspector}.memory", f"{arch.name}.version")
    for name in list(st.session_state):
        if str(name).startswith(f"{arch.name}.") and name not in kept:
            del st.session_state[name]
    for name in list(st.query_params):
        if name.startswith(f"{arch.name}."):
            del st.query_params[name]
    renew(arch.name)


def owner_key(name: str) -> str:
    """Where the session keeps the token that its jobs belong to."""
    return f"{name}.owner"
