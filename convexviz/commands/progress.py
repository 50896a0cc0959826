"""A bar on standard error for whatever takes longer than a second."""

from __future__ import annotations

import math
import shutil
import sys
import threading
import time
from types import TracebackType

from convexviz.core.solution import Certificate, Progress, Scope

PATIENCE = 1.0  # seconds before anything is shown
REDRAW, RELINE = 0.1, 10.0  # seconds between two states, on a terminal and in a log
CELLS = 24


class Bar:
    """Elapsed seconds and, once there is one, the gap on its way to the tolerance.

    Drawn by a thread of its own, because set-up and compiled loops report nothing.
    """

    def __init__(self, title: str, tolerance: float | None = None) -> None:
        self.title = title
        self.tolerance = tolerance
        self.gap: float | None = None
        self.first_gap: float | None = None
        self.started = time.perf_counter()
        self.drawn = False
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._draw, daemon=True)

    def __enter__(self) -> Bar:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.over.set()
        self.thread.join()
        if self.drawn and sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def report(self, progress: Progress) -> None:
        """What a solver calls at every record."""
        gap = Certificate(progress.primal, progress.dual, Scope.GATED_NETWORK).relative_gap
        if math.isfinite(gap):
            self.gap = max(gap, 1e-16)
            self.first_gap = self.first_gap or self.gap

    def line(self) -> str:
        """The state in words, with a bar where there is a distance to measure."""
        seconds = time.perf_counter() - self.started
        if self.gap is None:
            return f"{self.title} {seconds:.0f} s"
        share = self._share(self.gap)
        bar = "" if share is None else f"[{('#' * round(share * CELLS)).ljust(CELLS, '.')}] "
        return f"{self.title} {bar}relative gap {self.gap:.1e}, {seconds:.0f} s"

    def _share(self, gap: float) -> float | None:
        if not self.tolerance or not self.first_gap:
            return None
        total = math.log(self.first_gap / self.tolerance)
        return min(1.0, max(0.0, math.log(self.first_gap / gap) / total)) if total > 0 else 1.0

    def _draw(self) -> None:
        terminal = sys.stderr.isatty()
        pause = PATIENCE
        while not self.over.wait(pause):
            self.drawn = True
            if terminal:
                width = shutil.get_terminal_size().columns - 1
                sys.stderr.write("\r\033[K" + self.line()[:width])
            else:
                sys.stderr.write(self.line() + "\n")
            sys.stderr.flush()
            pause = REDRAW if terminal else RELINE
