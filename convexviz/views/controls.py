"""Widgets read off a Spec, each with its place in the address: `?denoiser.kernel_size=5`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from convexviz.architectures.base import Architecture, params
from convexviz.architectures.spec import Field

ELSEWHERE = ("weight_decay", "tolerance")  # the slider; and what a visitor need not choose
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


def key_of(arch: Architecture, name: str) -> str:
    """The widget's key, which is also its name in the address."""
    return f"{arch.name}.{name}"


def read(arch: Architecture, opening: Mapping[str, Any]) -> dict[str, Any]:
    """Draw every control and return the fields they hold; `opening` replaces the defaults."""
    values: dict[str, Any] = {}
    fields = [field for field in params(arch.spec).values() if field.name not in ELSEWHERE]
    for field in fields:
        if field.kind is not bool and not hidden(field):
            values[field.name] = _widget(arch, field, opening.get(field.name, field.default))
    with st.container(horizontal=True):
        for field in fields:
            if field.kind is bool:
                values[field.name] = _widget(arch, field, opening.get(field.name, field.default))
    return values


def hidden(field: Field) -> bool:
    """A parameter with only one value that this version takes."""
    return field.name == "output_kernel"


def _widget(arch: Architecture, field: Field, default: Any) -> Any:
    key = key_of(arch, field.name)
    label = field.param.label[0].upper() + field.param.label[1:]
    if field.kind is bool:
        return st.toggle(label, value=default, key=key, bind="query-params")
    if field.kind is str:
        options = [choice for choice in field.param.choices if choice != "given"]
        chosen = st.segmented_control(
            label,
            options,
            default=default,
            required=True,
            format_func=lambda choice: CHOICE_TITLES.get(choice, choice),
            key=key,
            bind="query-params",
        )
        return chosen or default
    high = min(field.param.high, LIMITS.get(field.name, field.param.high))
    step: Any = 1 if field.kind is int else 0.01
    return st.number_input(
        label,
        min_value=field.kind(field.param.low),
        max_value=field.kind(high),
        value=default,
        step=step,
        key=key,
        bind="query-params",
    )


def reset(arch: Architecture) -> None:
    """Every control back to how the page opens, and the address with it."""
    for name in list(st.session_state):
        if str(name).startswith(f"{arch.name}.") and name != owner_key(arch.name):
            del st.session_state[name]
    for name in list(st.query_params):
        if name.startswith(f"{arch.name}."):
            del st.query_params[name]


def owner_key(name: str) -> str:
    """Where the session keeps the token that its jobs belong to."""
    return f"{name}.owner"
