"""A slow solve as a page shows it: queued, running with progress and Cancel, or told why not."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from convexviz.errors import ConvexvizError
from convexviz.experiments.jobs import Queue
from convexviz.experiments.jobs_job import Job
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views.controls import owner_key
from convexviz.views.format import literal

POLL_SECONDS = 0.4


@st.cache_resource(show_spinner=False)
def queue() -> Queue:
    """The one queue of this server."""
    return Queue()


def owner(name: str) -> str:
    """This tab's token: its jobs end when it stops asking after them."""
    return str(st.session_state.setdefault(owner_key(name), uuid.uuid4().hex))


def submit(
    name: str, slot: str, task: str, arguments: Mapping[str, Any], arrays: Any = None
) -> None:
    """Start a job in `slot` of the session; a refusal is kept there to be shown."""
    cancel(name, slot)
    try:
        job = queue().submit(
            f"convexviz.experiments.tasks:{task}", arguments, arrays, owner=owner(name)
        )
        st.session_state[slot] = job
    except ConvexvizError as error:
        st.session_state[f"{slot}.refused"] = str(error)


def submit_again(result: Result, slot: str, task: str, more: Mapping[str, Any]) -> None:
    """Start a job on the problem of a result that is known; `more`: its arguments besides."""
    given = result.provenance["dataset"] == "given"
    fields = {k: v for k, v in result.spec.items() if not (given and k == "dataset")}
    arguments = {"architecture": result.architecture, "fields": fields, **more}
    submit(result.architecture, slot, task, arguments, dict(result.data) if given else None)


def job_in(slot: str) -> Job | None:
    """The job that a slot of the session holds."""
    job: Job | None = st.session_state.get(slot)
    return job


def cancel(name: str, slot: str) -> None:
    """Stop what runs in a slot and forget it."""
    st.session_state.pop(f"{slot}.refused", None)
    job = st.session_state.pop(slot, None)
    if job is not None:
        job.discard()
    queue().touch(owner(name))


def panel(  # noqa: PLR0913 - each says one thing of the page
    name: str,
    slot: str,
    goal: float,
    take: Callable[[Job], None],
    meanwhile: str = "",
    *,
    doing: str = "",
    watch: Callable[[Job], None] | None = None,
    keeps: bool = False,
) -> None:
    """Where the job in `slot` stands; `take` receives a finished one, once.

    `meanwhile` says what the page shows until then, `doing` what is done where it is not a path
    that is solved; `watch` draws what the job has found so far, again and again. With `keeps` one
    that can be gone on with can be stopped where it is, and `take` receives what it has.
    """
    refused = st.session_state.get(f"{slot}.refused")
    if refused:
        st.error(literal(refused))
    job = job_in(slot)
    if job is None:
        return
    if job.is_over:
        _finish(slot, job, take)
        return
    _poll(name, slot, goal, meanwhile, doing, watch, keeps)


def _finish(slot: str, job: Job, take: Callable[[Job], None]) -> None:
    st.session_state.pop(slot, None)
    try:
        if job.state == "done":
            take(job)
        elif job.state == "failed":
            st.session_state[f"{slot}.refused"] = job.error
    finally:
        job.discard()
    st.rerun()


@st.fragment(run_every=POLL_SECONDS)
def _poll(  # noqa: PLR0913 - as `panel`
    name: str,
    slot: str,
    goal: float,
    meanwhile: str,
    doing: str,
    watch: Callable[[Job], None] | None,
    keeps: bool,
) -> None:
    job = job_in(slot)
    if job is None or job.is_over:  # cancelled a moment ago, or done: the whole page changes
        st.rerun()
    queue().touch(owner(name))
    with (
        st.container(border=True, key=f"{slot}.panel"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        value, words = progress(job, goal, doing)
        st.progress(value, text=f"{words}. {meanwhile}" if meanwhile else words)
        if keeps and job.progress and job.can_go_on:
            st.button("Stop and keep", key=f"{slot}.stop", on_click=job.stop)
        st.button("Cancel", key=f"{slot}.cancel", on_click=cancel, args=(name, slot))
    if watch is not None:
        watch(job)


def progress(job: Job, goal: float, doing: str = "") -> tuple[float, str]:
    """How far in [0, 1], and the sentence beside it."""
    if job.state == "queued":
        wait = "" if job.estimate is None else f", about {numbers.seconds(job.estimate)}"
        return 0.0, f"Waiting, place {job.place} in the queue{wait}"
    if not job.progress:
        return 0.0, f"Setting up, {numbers.seconds(job.seconds)}"
    last = job.progress[-1]
    if last.stage:  # descent: it has no bound to approach
        return 0.5, f"{last.stage}, step {last.iteration}, objective {last.primal:.4g}"
    gap = max(last.primal - last.dual, 0.0) / max(abs(last.primal), 1e-300)
    solved = sum(1 for update in job.progress if update.iteration == 0)
    done = math.log10(max(gap, goal)) / math.log10(goal) if gap < 1 else 0.0
    doing = doing or f"Solving weight decay {solved}"
    words = f"{doing}: gap {numbers.gap(gap)}, goal {numbers.gap(goal)}"
    return min(max(done, 0.0), 1.0), words
