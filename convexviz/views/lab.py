"""The page of an architecture: settings, hero, story, figures. `show(name)` is all a page calls."""

from __future__ import annotations

from enum import Enum, auto
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from convexviz import architectures, datasets
from convexviz.architectures.base import Architecture
from convexviz.architectures.story import Card
from convexviz.datasets import places
from convexviz.errors import ConvexvizError
from convexviz.experiments import path, precomputed
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.views import (
    controls,
    exports,
    frame,
    heroes,
    library,
    panels,
    proving,
    race,
    ready,
    starts,
    stored,
    unfinished,
    work,
)
from convexviz.views.format import literal
from convexviz.views.toolbar import Wanted, opening, toolbar


def show(name: str) -> None:
    """Draw the lab of the architecture `name`."""
    arch = architectures.get(name)
    hero = heroes.of(name)
    work.queue().warm()
    hero.listen()
    tools = frame.heading(arch.title, hero.says() if hero.says else hero.sentence)
    with tools:
        wanted, exported = toolbar(arch)
    said = st.container()  # always there: what comes after it keeps its place on the page
    result, found = None, None
    ahead = isinstance(wanted, Wanted) and hero.ahead()
    if isinstance(wanted, Wanted):
        found = stored.asked(wanted) or _known(wanted) or _live(wanted, compiled=not ahead)
        if isinstance(found, str):
            wanted = found
        elif not isinstance(found, _Soon):
            result = found
            _solving(wanted, result)
    if not (ahead or ready.is_ready(arch)) and isinstance(wanted, Wanted) and _is_live(wanted):
        with said:
            ready.notice(arch, awaited=found is _Soon.SOON)
    if isinstance(wanted, str):
        st.error(literal(wanted))
    shown = result or _last(arch)
    if shown is None:
        st.info("There is no stored result to open with: solve one, or change the settings.")
        return
    if ahead and result is None:  # figures of other data have no place under it
        _story(arch)
        return
    if isinstance(wanted, Wanted) and result is not None:
        st.session_state[f"{arch.name}.last"] = wanted.family
    here = _hero(arch, shown, asked=result is not None, ahead=ahead)
    with exported:
        exports.menu(here, f"{arch.name}.export")


def _known(wanted: Wanted) -> Result | None:
    """What is stored of these settings. One that ships without a path, for its images are others',
    is of one weight decay: another is solved, where the images are here.
    """
    found = library.find(wanted.arch.name, wanted.family)
    asked = st.query_params.get(f"{wanted.arch.name}.weight_decay")
    if found is None or asked is None or "path_weight_decay" in found.arrays:
        return found
    dataset = datasets.registry().get(str(found.spec["dataset"]))
    if dataset is None or dataset.guide is None or not wanted.arch.has_path(wanted.spec):
        return found
    if asked == f"{found.spec['weight_decay']:g}" or not places.is_here(dataset):
        st.query_params[f"{wanted.arch.name}.weight_decay"] = f"{found.spec['weight_decay']:g}"
        return found
    return None


def _is_live(wanted: Wanted) -> bool:
    """Whether these settings are solved while the page is drawn; not where they are refused."""
    try:
        return wanted.is_live
    except ConvexvizError:
        return False


class _Soon(Enum):
    """It is solved at once, when its loops are compiled."""

    SOON = auto()


def _live(wanted: Wanted, *, compiled: bool) -> Result | str | _Soon | None:
    """The result of something that solves at once, why it is refused, or None: it takes longer.

    What needs `compiled` loops waits for them; a closed form has none.
    """
    try:
        if not wanted.is_live:
            return None
        if compiled and not ready.is_ready(wanted.arch):
            return _Soon.SOON
        arrays = None if wanted.arrays is None else dict(wanted.arrays)
        solved = path.solve_path(request(wanted.arch.name, arrays, wanted.fields))
    except ConvexvizError as error:
        return str(error)
    size = sum(array.nbytes for array in (*solved.arrays.values(), *solved.data.values()))
    place = library.live() if size < library.LARGE else library.private()
    place.put(wanted.family, solved)
    return solved


def _solving(wanted: Wanted, result: Result | None) -> None:
    """The way from settings to a result: the Solve button, or the running solve; and from one that
    was stopped to its end."""
    name, slot = wanted.arch.name, f"{wanted.arch.name}.job"
    asked = f"{name}.asked"
    if result is not None and not unfinished.is_stopped(result):
        if st.session_state.get(asked) not in (None, wanted.family):
            work.cancel(name, slot)  # the settings moved on to something that is known
        return
    running = work.job_in(slot)
    if running is not None and st.session_state.get(asked) != wanted.family:
        work.cancel(name, slot)
        running = None
    first_visit = f"{name}.visited" not in st.session_state
    st.session_state[f"{name}.visited"] = True  # now: one that fails at once is not tried again
    if running is None and result is not None:
        unfinished.ways_on(wanted, result, _submit, slot)
    elif running is None and first_visit:
        _submit(wanted, slot)  # a shared link is solved at once
    elif running is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Solve", key=f"{name}.solve", type="primary", on_click=_submit, args=(wanted, slot)
            )
            st.markdown("These settings are not solved yet; the picture is of the last ones.")

    meanwhile = "The picture is still of the settings before." if _last(wanted.arch) else ""
    if result is not None:
        meanwhile = "The picture is of where it was stopped."
    take, keeps = partial(unfinished.take, wanted), unfinished.may_keep(wanted)
    work.panel(name, slot, wanted.spec.tolerance, take, meanwhile, keeps=keeps)


def _submit(wanted: Wanted, slot: str, start: str | None = None) -> None:
    st.session_state[f"{wanted.arch.name}.asked"] = wanted.family
    st.session_state.pop(f"{wanted.arch.name}.{unfinished.FURTHER}", None)
    st.query_params.pop(f"{wanted.arch.name}.result", None)  # from now on it is of the settings
    chosen = f"{wanted.arch.name}.weight_decay" in st.query_params
    arguments = {
        "architecture": wanted.arch.name,
        "fields": wanted.fields,
        "pick": not chosen,
        "start": start,
    }
    work.submit(wanted.arch.name, slot, "solve_path", arguments, wanted.arrays)


def _last(arch: Architecture) -> Result | None:
    """The result shown last in this session, else the one the page opens with."""
    known = st.session_state.get(f"{arch.name}.last")
    for family in (
        known,
        precomputed.family(arch.name, arch.spec.of(arch.stored[0]).as_dict()),
    ):
        if family is not None:
            found = library.find(arch.name, family)
            if found is not None:
                return found
    return None


def _hero(arch: Architecture, result: Result, *, asked: bool, ahead: bool) -> Result:
    """The hero, unless it went ahead, the story and the figures; the result under the slider.

    One that was not asked for, or was stopped short of the weight decay that was, stands there
    until that is solved and leaves the address as it is.
    """
    st.session_state[f"{arch.name}.visited"] = True
    name = f"{arch.name}.weight_decay"
    value = st.query_params.get(name)
    opened = index = _index(result, value)
    if not ahead:
        index = heroes.of(arch.name).show(result, index)
    digest = result.provenance["data_sha256"]
    given = result.provenance["dataset"] == "given"
    family = precomputed.family(arch.name, result.spec, digest if given else "")
    label = f"{family}-{result.provenance['created']}-{index}"
    here = _at(label, index, result)
    asked = asked and not unfinished.is_awaited(result, value)
    on_path = "path_weight_decay" in result.arrays and (asked or index != opened)
    if on_path and (index != opening_index(result) or name in st.query_params):
        st.query_params[name] = f"{here.spec['weight_decay']:g}"
    proving.show(result, family, index)
    st.space("medium")
    raced = panels.show(
        here, label, lambda places: race.show(here, label, places), lambda card: _apply(arch, card)
    )
    if raced:
        starts.show(here, label)
    return here


def _story(arch: Architecture) -> None:
    """The story alone, where no figure is drawn."""
    st.space("medium")
    panels.tell(arch.name, lambda card: _apply(arch, card))


@st.cache_resource(show_spinner=False, max_entries=32)
def _at(
    label: str,  # noqa: ARG001 - the cache goes by it
    index: int,
    _result: Result,
) -> Result:
    return path.at(_result, index)


def opening_index(result: Result) -> int:
    """The path's place of the weight decay that was asked for."""
    decays = result.arrays.get("path_weight_decay")
    if decays is None:
        return 0
    return int(np.argmin(np.abs(np.log(decays / result.spec["weight_decay"]))))


def _index(result: Result, asked: str | None) -> int:
    """The place on the path nearest to the weight decay in the address; nonsense is ignored."""
    decays = result.arrays.get("path_weight_decay")
    value = unfinished.number(asked)
    if decays is None or value is None:
        return opening_index(result)
    # A difference of logarithms: a quotient overflows for the smallest numbers there are.
    return int(np.argmin(np.abs(np.log(decays) - np.log(value))))


def _apply(arch: Architecture, card: Card) -> None:
    """Set the page to what a card of the story speaks of."""
    fields, hero = arch.spec.of(arch.stored[0]).as_dict(), heroes.of(arch.name)
    changes: dict[str, Any] = {}
    hero.reset()
    for name, value in card.settings.items():
        if name == "panel" and value != "hero":
            st.session_state[f"{arch.name}.panel"] = value
        elif name == "weight_decay":
            st.query_params[f"{arch.name}.weight_decay"] = str(value)
        elif name == "panel":
            continue
        elif name in hero.holds:
            controls.hold(arch, name, value, opening(arch, name))
        elif name in fields:
            changes[name] = value
        else:
            hero.apply(name, value)
    controls.apply(arch, changes)
