"""Few neurons and many, from many random starts: where gradient descent ends.

Arrays of it: `starts_width` (w,), `starts_objective` (w, seeds), `starts_seconds` (w, seeds).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.experiments.descent import descend

OPTIONS: Mapping[str, Any] = {"steps": 600, "seeds": 20, "optimizer": "adam"}
PREFIX = "starts_"

OnStart = Callable[[int, int, int, float], None]  # width, start, step, objective


def _silent(_width: int, _start: int, _step: int, _objective: float) -> None:
    """The default progress callback."""


def ends(
    architecture: str,
    widths: Sequence[int],
    *,
    data: Mapping[str, Any] | None = None,
    on_start: OnStart = _silent,
    options: Mapping[str, Any] = OPTIONS,
    **fields: Any,
) -> dict[str, NDArray[np.float64]]:
    """The last objective of every start at every width, on the objective that `solve` certifies.

    A start that diverged ends at infinity.

    Raises:
        SpecError, DataError: as `descend`.
    """
    found = []
    for width in widths:

        def report(start: int, step: int, objective: float, _s: float, width: int = width) -> None:
            on_start(width, start, step, objective)

        found.append(
            descend(architecture, data=data, width=width, on_record=report, **{**options, **fields})
        )
    last = np.array([run.objectives[:, -1] for run in found])
    return {
        "width": np.array(widths, dtype=np.float64),
        "objective": np.where(np.isfinite(last), last, np.inf),
        "seconds": np.array([run.seconds[:, -1] for run in found]),
    }
