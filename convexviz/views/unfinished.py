"""What a page does about a solve that was stopped before it was done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from convexviz.core.solution import Status
from convexviz.experiments import resume, store
from convexviz.experiments.jobs_job import Job
from convexviz.experiments.result import Result
from convexviz.views import library
from convexviz.views.toolbar import Wanted

FURTHER = "further"  # the family of which what was stored came further than what was stopped
_ROUNDED = 1e-5  # of a weight decay in an address, which has six digits


def is_stopped(result: Result | None) -> bool:
    """Whether it is a result of which there is more to come."""
    return result is not None and result.status == Status.CANCELLED


def may_keep(wanted: Wanted) -> bool:
    """Whether what a solve has when it is stopped has a place: a visitor's own rows are in no file,
    and what is whole stays, however little it covers.
    """
    known = library.find(wanted.arch.name, wanted.family)
    return wanted.arrays is None and (known is None or is_stopped(known))


def take(wanted: Wanted, job: Job) -> None:
    """Store what a solve has come to, unless what is stored has come further."""
    assert job.result_path is not None  # the job is done
    solved = store.read(job.result_path)
    if wanted.arrays is not None:
        library.private().put(wanted.family, solved)
    elif not library.keep(solved, wanted.family):
        st.session_state[f"{wanted.arch.name}.{FURTHER}"] = wanted.family


def ways_on(wanted: Wanted, result: Result, submit: Callable[..., None], slot: str) -> None:
    """Go on, where this very result is in a file and its solver starts anywhere; or solve anew."""
    name, words = wanted.arch.name, "This solve was stopped before it was done."
    file = None
    if resume.could_go_on(result):
        found, mark = library.found(name, wanted.family), library.mark(result)
        file = next((file for file, known in found if library.mark(known) == mark), None)
    with st.container(horizontal=True, vertical_alignment="center"):
        if file is not None:
            going = (wanted, slot, str(file))
            st.button("Go on", key=f"{name}.go_on", on_click=submit, args=going)
            words = words[:-1] + ": it can go on from where it is."
        st.button("Solve anew", key=f"{name}.anew", on_click=submit, args=(wanted, slot))
        if st.session_state.get(f"{name}.{FURTHER}") == wanted.family:
            words = f"What was stored of these settings had come further, so it stays. {words}"
        st.markdown(words)


def is_awaited(result: Result, asked: str | None) -> bool:
    """Whether the weight decay in the address is one that a stopped solve did not come to."""
    value, decays = number(asked), result.arrays.get("path_weight_decay")
    if not is_stopped(result) or decays is None or value is None:
        return False
    return bool(np.min(np.abs(np.log(decays) - np.log(value))) > _ROUNDED)


def number(asked: str | None) -> float | None:
    """The positive number in an address, or None."""
    try:
        value = float(asked or "nan")
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None
