"""Tightening the bound of a trained ReLU network, in a child, for as long as one likes."""

from __future__ import annotations

import streamlit as st

from convexviz.core.solution import Certificate
from convexviz.experiments import path, prove, store
from convexviz.experiments.jobs_job import Job
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import library, work
from convexviz.views.certificate import card, fields

SECONDS = 60
CHANGED = (
    "This search is not kept: what is stored of these settings changed while it ran; "
    "search again from what is there now"
)


def show(result: Result, family: str, index: int) -> None:
    """The way to a better bound at one place of a path, where one may be had."""
    name, slot = result.architecture, f"{result.architecture}.prove.job"
    certificate = path.certificates(result)[index]
    tolerance = float(result.spec["tolerance"])
    if prove.why_not(result) or certificate.relative_gap <= tolerance:
        return
    files = library.files(name, family)
    if not files:  # a visitor's own image is kept in memory only
        return

    def take(job: Job) -> None:
        assert job.result_path is not None  # the job is done
        now, begun = library.find(name, family), job.request.arguments["mark"]
        if now is None or library.mark(now) != begun:  # its path is older than what is there
            st.session_state[f"{slot}.refused"] = CHANGED
        else:
            library.keep(store.read(job.result_path), family)

    def watch(job: Job) -> None:
        """The card with the verified bound so far; no bound before it is lost."""
        proved = max((update.dual for update in job.progress), default=0.0)
        dual = min(max(proved, certificate.dual), certificate.primal)
        here = Certificate(certificate.primal, dual, certificate.scope)
        foot = f"This search has proved {proved:.4g} in {numbers.seconds(job.seconds)}."
        if proved <= certificate.dual:
            foot += f" The bound before, {certificate.dual:.4g}, holds until it is passed."
        patterns = int(result.scalars["n_patterns"])
        with st.container(key=f"{slot}.watched", width=360):
            card(f"{slot}.card", fields(here, tolerance=tolerance, n_patterns=patterns, foot=foot))

    if work.job_in(slot) is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            arguments = {
                "file": str(files[0]),
                "seconds": SECONDS,
                "index": index,
                "mark": library.mark(result),
            }
            st.button(
                "Tighten the bound",
                key=f"{name}.prove",
                on_click=work.submit,
                args=(name, slot, "prove", arguments),
            )
            st.markdown(
                f"Branch and bound over all neurons, for up to {SECONDS} s. "
                "What it finds is checked by a second program and kept."
            )
    work.panel(name, slot, tolerance, take, doing="This search", watch=watch)
