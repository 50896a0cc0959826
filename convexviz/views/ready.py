"""Whether what a page solves while it is drawn is compiled yet, and what it says until then."""

from __future__ import annotations

import threading
import time

import streamlit as st

from convexviz.architectures.base import Architecture
from convexviz.errors import ConvexvizError
from convexviz.experiments import warm

LOOK_SECONDS = 0.5
PATIENCE = 6.0  # seconds: on a machine that has run it before, loading takes no longer


class Warming:
    """One thread an architecture; what it made ready stays so for all visitors of the server."""

    def __init__(self) -> None:
        self._ready: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> threading.Event:
        """Set once a solve needs no compiling; the first ask starts the work."""
        with self._lock:
            if name not in self._ready:
                self._ready[name] = threading.Event()
                threading.Thread(target=self._warm, args=(name,), daemon=True).start()
            return self._ready[name]

    def _warm(self, name: str) -> None:
        try:
            warm.compile_apart(name)
            warm.solve_smallest(name)
        except ConvexvizError:  # a visitor will be told when it happens to them
            return
        finally:
            self._ready[name].set()


@st.cache_resource(show_spinner=False)
def warming() -> Warming:
    """The one of this server."""
    return Warming()


def is_ready(arch: Architecture) -> bool:
    """Whether a live solve starts at once; asking gets it ready."""
    return arch.seconds is None or warming().of(arch.name).is_set()


@st.fragment(run_every=LOOK_SECONDS)
def notice(arch: Architecture, *, awaited: bool) -> None:
    """A sentence until it is ready, at once where a solve is awaited; then all is drawn again."""
    if is_ready(arch):
        st.rerun()
    since = st.session_state.setdefault(f"{arch.name}.warming", time.monotonic())
    if awaited or time.monotonic() - since > PATIENCE:
        st.caption(
            "The solver is being made ready; on a machine that never ran it, it is compiled first: "
            "some twenty seconds. What you move is kept, and solved then."
        )
