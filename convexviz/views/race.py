"""Gradient descent beside the convex program: run on demand, in a child, kept in memory."""

from __future__ import annotations

import numpy as np
import streamlit as st

from convexviz import architectures
from convexviz.experiments import races
from convexviz.experiments.jobs_job import Job
from convexviz.experiments.result import Result
from convexviz.figures import race_picture
from convexviz.figures.race_picture import Runs
from convexviz.views import heroes, panels, work
from convexviz.views.memory import LastFew

_KEPT = 32


@st.cache_resource(show_spinner=False)
def _memory() -> LastFew[Runs]:
    return LastFew(_KEPT)


def show(result: Result, name: str, places: panels.Places) -> None:
    """The race if it was run for this result (`name` tells results apart), else the way to it."""
    arch = result.architecture
    picture = race_picture.of(arch)
    runs = Runs.of(result.arrays, "descent_") or _memory().get(name)
    left = places.figure
    if runs is not None:
        with left:
            played = heroes.of(arch).race
            if played is None or not played(result, runs, f"{arch}.hero.race"):
                _draw(result, runs)
        panels.notice(places, picture.caption(result, runs))
        return
    slot = f"{arch}.race.job"
    known = architectures.get(arch)
    if known.depth(known.spec.of(result.spec)) > 1:
        with left:
            st.markdown("Descent races one block; this network has several, trained in turn.")
        return
    with left:
        shipped = heroes.of(arch).raced
        if shipped is not None:
            shipped(result, f"{arch}.hero.raced")
        if work.job_in(slot) is None:
            st.markdown(picture.offer)
            st.button(
                "Run gradient descent", key=f"{arch}.race.run", on_click=start, args=(result, slot)
            )
        work.panel(arch, slot, 1e-6, lambda job: _memory().put(name, _read(job)))


def _draw(result: Result, runs: Runs) -> None:
    """The race as a figure."""
    picture = race_picture.of(result.architecture)
    figure = picture.draw(result, runs, panels.look())
    panels.plot(figure, f"{result.architecture}.race", picture.alt(result, runs))


def start(result: Result, slot: str) -> None:
    """Send the same problem to descent."""
    options = [dict(each) for each in races.options_of(result, race_picture.OPTIONS)]
    work.submit_again(result, slot, "descend", {"options": options})


def _read(job: Job) -> Runs:
    assert job.result_path is not None  # the job is done
    with np.load(job.result_path, allow_pickle=False) as file:
        runs = Runs.of(dict(file))
    assert runs is not None  # the task wrote them
    return runs
