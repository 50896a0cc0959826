"""The row beside a lab's title: examples, settings, own data, export; and the request they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from convexviz.architectures.base import Architecture, params
from convexviz.errors import ConvexvizError
from convexviz.experiments import precomputed
from convexviz.views import controls, heroes, own
from convexviz.views.share import share


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page is asked to show: a family of weight decays, and where its arrays come from."""

    arch: Architecture
    spec: Any
    arrays: Mapping[str, Any] | None
    family: str

    @property
    def is_live(self) -> bool:
        """Whether it can be solved while the page is drawn, as what is dragged must be."""
        if self.arch.seconds is None:
            return False
        arrays = self.arrays if self.arrays is not None else self.arch.load(self.spec)
        return self.arch.seconds(self.spec, arrays) < heroes.of(self.arch.name).live_seconds

    @property
    def fields(self) -> dict[str, Any]:
        """What a child must be told; a caller's arrays name no dataset."""
        fields: dict[str, Any] = self.spec.as_dict()
        absent = {"dataset"} if self.arrays else set()
        return {k: v for k, v in fields.items() if k not in absent}


def toolbar(arch: Architecture) -> tuple[Wanted | str, DeltaGenerator]:
    """Settings, own data, Export, Share, Reset; the request they make, or why it is refused."""
    hero = heroes.of(arch.name)
    _examples(arch)
    settings = st.popover("Settings", width="content")
    with settings:
        fields = controls.read(arch, arch.stored[0])
    for name in hero.holds:
        fields[name] = controls.held(arch, name, opening(arch, name))
    with st.popover(own.title(arch), width="content"):
        mine = own.chooser(arch, int(fields.get("seed", 0)))
    fields |= hero.fixes()
    with st.popover("Export", width="content"):
        exported = st.container()
    st.button("Reset", key="reset." + arch.name, on_click=_reset, args=(arch,))
    share(f"{arch.name}.share")
    try:
        edited = hero.arrays(fields)
        if mine is not None or edited is not None:
            fields["dataset"] = controls.GIVEN
        spec: Any = arch.spec.of({**arch.stored[0], **fields})
        if not arch.has_path(spec) and "weight_decay" not in hero.holds:
            with settings:
                beta = controls.weight_decay(arch, spec.weight_decay)
            spec = replace(spec, weight_decay=beta)
        arrays = edited if mine is None else mine(spec)
    except ConvexvizError as error:
        return str(error), exported
    digest = own.digest(arrays) if arrays else ""
    family = precomputed.family(arch.name, spec.as_dict(), digest)
    return Wanted(arch, spec, arrays, family), exported


def _examples(arch: Architecture) -> None:
    """The starts that the hero offers."""
    examples = heroes.of(arch.name).examples
    if not examples:
        return
    with st.popover("Examples", width="content"):
        for i, example in enumerate(examples):
            st.button(
                example.title,
                key=f"{arch.name}.example.{i}",
                on_click=_begin,
                args=(arch, example.fields),
                width="stretch",
            )
            st.caption(example.says)


def _begin(arch: Architecture, fields: Mapping[str, Any]) -> None:
    """Every control as the page opens, but for these fields."""
    _reset(arch)
    for name, value in fields.items():
        controls.hold(arch, name, value, opening(arch, name))


def opening(arch: Architecture, name: str) -> Any:
    """The value of a parameter that the page opens with."""
    return arch.stored[0].get(name, params(arch.spec)[name].default)


def _reset(arch: Architecture) -> None:
    heroes.of(arch.name).reset()
    controls.reset(arch)
