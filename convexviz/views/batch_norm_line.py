"""Points on a line in units of the visitor's, fitted without batch norm, before and after the ReLU.

All three optima are computed and certified anew for every move. Points stay in the units in which
they are drawn; the networks see `scale * x + shift`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.core.solution import Certificate
from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.experiments.run import solve
from convexviz.views import points

NAME = "batch_norm"
POINTS, SCALE, SHIFT = "points", "scale", "shift"
ADDRESS = {name: f"{NAME}.{name}" for name in (POINTS, SCALE, SHIFT)}
SCALES, SHIFTS = (0.1, 10.0), (-6.0, 6.0)
PLACES = ("none", "before", "after")
MOST_POINTS = 19
TOLERANCE = 1e-5

Array = NDArray[np.float64]
Points = list[list[float]]


@dataclass(frozen=True, slots=True)
class Units:
    """What a network sees in the place of x: `scale * x + shift`."""

    scale: float = 1.0
    shift: float = 0.0

    def seen(self, x: Array) -> Array:
        return self.scale * x + self.shift

    def drawn(self, x: Array) -> Array:
        return (x - self.shift) / self.scale

    @property
    def changed(self) -> bool:
        return self != Units()


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One network: its proof, and its function of x as it is drawn."""

    place: str
    certificate: Certificate
    n_neurons: int
    n_patterns: int
    seconds: float
    network: Any
    ones: bool

    @property
    def proved(self) -> bool:
        """Whether it may be called the optimum."""
        return self.certificate.relative_gap <= TOLERANCE

    def at(self, x: Array, units: Units) -> Array:
        rows = units.seen(x)[:, None]
        if self.ones:
            rows = np.hstack([rows, np.ones_like(rows)])
        return np.asarray(self.network.predict(rows), dtype=float).ravel()


def is_line(result: Result) -> bool:
    """Whether inputs are numbers and outputs too: a curve in the plane."""
    X, Y = result.data.get("X"), result.data.get("Y")
    if X is None or Y is None or X.ndim != 2 or X.shape[1] != 1:
        return False
    return len(X) <= MOST_POINTS and (Y.ndim == 1 or Y.shape[1] == 1)


def points_of(data: Mapping[str, Any], units: Units) -> Points:
    """The rows as points on screen."""
    x, y = units.drawn(data["X"].ravel()), data["Y"].ravel()
    return [[round(float(a), 3), round(float(b), 3), 0] for a, b in zip(x, y, strict=True)]


def arrays(at: Sequence[Sequence[float]], units: Units) -> dict[str, Array]:
    """Rows and targets of points on screen, in the units that networks see."""
    table = np.array([point[:2] for point in at], dtype=float)
    return {"X": units.seen(table[:, :1]), "Y": table[:, 1]}


def units_held() -> Units:
    """The units in the address; nonsense is ignored."""
    return Units(_number(SCALE, 1.0, *SCALES), _number(SHIFT, 0.0, *SHIFTS))


def _number(name: str, opening: float, low: float, high: float) -> float:
    try:
        value = float(st.query_params.get(ADDRESS[name], opening))
    except ValueError:
        return opening
    return min(max(value, low), high) if np.isfinite(value) else opening


def points_held() -> Points | None:
    """The points in the address, or None."""
    return points.held(ADDRESS[POINTS], classes=1, most=MOST_POINTS)


def hold(moved: Mapping[str, Any], own: Sequence[Sequence[float]] | None) -> None:
    """Keep what was moved in the address, where it differs from the data set's `own` points."""
    if POINTS in moved:
        points.hold(ADDRESS[POINTS], None if moved[POINTS] == own else moved[POINTS])
    for name, opening in ((SCALE, 1.0), (SHIFT, 0.0)):
        if name in moved and moved[name] != opening:
            st.query_params[ADDRESS[name]] = f"{moved[name]:g}"
        elif name in moved and ADDRESS[name] in st.query_params:
            del st.query_params[ADDRESS[name]]


def forget() -> None:
    """Take everything out of the address."""
    for name in ADDRESS.values():
        if name in st.query_params:
            del st.query_params[name]


def fits(result: Result, index: int) -> Mapping[str, Fit]:
    """The three networks on the rows of a result, at one weight decay of its path."""
    X = np.asarray(result.data["X"], dtype=float)
    Y = np.asarray(result.data["Y"], dtype=float).ravel()
    here = path.at(result, index)
    beta = float(here.spec["weight_decay"])
    known = str(result.spec["position"])
    rows = X.tobytes() + Y.tobytes()
    found = {p: _fit(p, rows, beta, X, Y) for p in PLACES if p != "before" or p != known}
    if known == "before":
        found["before"] = Fit(
            place="before",
            certificate=path.certificates(result)[index],
            n_neurons=int(here.scalars["n_neurons"]),
            n_patterns=int(result.scalars["n_patterns"]),
            seconds=float(result.seconds),
            network=here.network,
            ones=False,
        )
    return found


def objective_without(data: Mapping[str, Any], beta: float) -> float:
    """The optimum without batch norm on other units of the same points."""
    X, Y = np.asarray(data["X"], dtype=float), np.asarray(data["Y"], dtype=float).ravel()
    return _fit("none", X.tobytes() + Y.tobytes(), beta, X, Y).certificate.primal


@st.cache_resource(show_spinner=False, max_entries=96)
def _fit(
    place: str,
    rows: bytes,  # noqa: ARG001 - the cache goes by it
    beta: float,
    _X: Array,
    _Y: Array,
) -> Fit:
    """`none` has weight decay beta sqrt(n), which on standardised x is the penalty of `before`."""
    ones = np.hstack([_X, np.ones_like(_X)])
    if place == "none":
        found = solve(
            "vector_output",
            data={"X": ones, "Y": _Y[:, None]},
            method="exact",
            weight_decay=beta * float(np.sqrt(len(_X))),
            tolerance=TOLERANCE,
        )
    else:
        found = solve(
            NAME,
            data={"X": _X if place == "before" else ones, "Y": _Y},
            arrangements="all",
            position=place,
            weight_decay=beta,
            tolerance=TOLERANCE,
        )
    return Fit(
        place=place,
        certificate=found.certificate,
        n_neurons=int(found.scalars["n_neurons"]),
        n_patterns=int(found.scalars["n_patterns"]),
        seconds=float(found.seconds),
        network=found.network,
        ones=place != "before",
    )
