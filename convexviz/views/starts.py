"""Few neurons against many on the page: the stored ends of descent, or the way to them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from convexviz import architectures
from convexviz.experiments.jobs_job import Job
from convexviz.experiments.result import Result
from convexviz.experiments.starts import OPTIONS, PREFIX
from convexviz.figures import starts as picture
from convexviz.figures.starts import Starts
from convexviz.views import panels, work
from convexviz.views.memory import LastFew

_KEPT = 32


@st.cache_resource(show_spinner=False)
def _memory() -> LastFew[Starts]:
    return LastFew(_KEPT)


def show(result: Result, name: str) -> None:
    """The dots where they are known for this result (`name` tells results apart)."""
    arch = architectures.get(result.architecture)
    if not arch.race_widths or arch.depth(arch.spec.of(result.spec)) > 1:
        return
    ended = Starts.of(result.arrays, PREFIX) or _memory().get(name)
    left, right = st.columns([0.64, 0.36], gap="medium")
    slot = f"{arch.name}.starts.job"
    if ended is not None:
        with left:
            figure = picture.draw(result, ended, panels.look())
            panels.plot(figure, f"{arch.name}.starts", picture.alt(result, ended))
        with right:
            st.subheader("Few neurons, or many", anchor=False)
            st.markdown(picture.caption(result, ended))
        return
    with left:
        if work.job_in(slot) is None:
            few, many = min(arch.race_widths), max(arch.race_widths)
            st.markdown(
                f"Is descent stuck? {OPTIONS['seeds']} starts with {few} neurons and as many with "
                f"{many}, {OPTIONS['steps']} steps of Adam each: about a minute on small data."
            )
            st.button(
                "Run many starts", key=f"{arch.name}.starts.run", on_click=start,
                args=(result, slot),
            )  # fmt: skip
        work.panel(arch.name, slot, 1e-6, lambda job: _memory().put(name, _read(job)))


def start(result: Result, slot: str) -> None:
    """Send the same problem to descent from many starts."""
    widths = list(architectures.get(result.architecture).race_widths)
    work.submit_again(result, slot, "starts", {"widths": widths})


def _read(job: Job) -> Starts:
    assert job.result_path is not None  # the job is done
    with np.load(job.result_path, allow_pickle=False) as file:
        ended = Starts.of(dict(file))
    assert ended is not None  # the task wrote them
    return ended
