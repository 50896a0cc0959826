"""What a page needs of a race: how descent is run, and how it is drawn beside the convex program.

An architecture whose descent is judged by something else than its objective (a game has none)
defines `RACE` in its `figures.py`; the others share `race.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.experiments.result import Result
from convexviz.figures import race
from convexviz.figures.picture import Theme

OPTIONS: Mapping[str, Any] = {"width": 64, "steps": 150, "seeds": 3, "optimizer": "adam"}
OFFER = (
    "Gradient descent has not been run at this weight decay. It trains the same network on the "
    "same objective: three starts of Adam, at most a minute."
)


@dataclass(frozen=True, slots=True)
class Runs:
    """What a race shows of a Descent: (seeds, records) each.

    Attributes:
        records: what else descent measured of itself, by name.
    """

    objectives: NDArray[np.float64]
    seconds: NDArray[np.float64]
    records: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Runs | None:
        """The runs among named arrays, or None; `prefix` begins their names."""
        found = {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
        if not {"objectives", "seconds"} <= set(found):
            return None
        shape = np.shape(found["objectives"])
        more = {name: a for name, a in found.items() if np.shape(a)[:2] == shape}
        objectives, seconds = more.pop("objectives"), more.pop("seconds")
        return cls(objectives, seconds, more)


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePicture:
    """One way to race.

    Attributes:
        draw: result, runs, theme -> figure.
        alt: what a screen reader says instead of it.
        caption: what to notice, every number from the runs.
        offer: what the page says before it was run.
    """

    draw: Callable[[Result, Runs, Theme], go.Figure] = race.race
    alt: Callable[[Result, Runs], str] = race.alt
    caption: Callable[[Result, Runs], str] = race.caption
    offer: str = OFFER


def of(architecture: str) -> RacePicture:
    """The race of an architecture: its own, else the one by objective."""
    module = import_module(f"convexviz.architectures.{architecture}.figures")
    found: RacePicture = vars(module).get("RACE", SHARED)
    return found


SHARED = RacePicture()
