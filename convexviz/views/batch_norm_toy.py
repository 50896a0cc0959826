"""Points on a line: moved by hand, in other units, fitted by a network with batch norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.core.solution import Certificate
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board_layers as layers
from convexviz.views import certificate
from convexviz.views.batch_norm_board import BETA
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Plane, Points
from convexviz.views.board_small import Certificates, Choice, Say, Slider

POINTS, UNITS = "points", "units"
# Units: what becomes of x, as scale and shift.
SCALES: Mapping[str, tuple[float, float]] = {
    "given": (1.0, 0.0),
    "tenths": (10.0, 0.0),
    "shifted": (1.0, 6.0),
}
TITLES = (("given", "x as given"), ("tenths", "x in tenths"), ("shifted", "x + 6"))
MOST_POINTS = 19
GRID = 321


def is_line(result: Result) -> bool:
    """Whether inputs are numbers and outputs too: a curve in the plane."""
    X, Y = result.data.get("X"), result.data.get("Y")
    if X is None or Y is None or X.ndim != 2 or X.shape[1] != 1:
        return False
    return len(X) <= MOST_POINTS and (Y.ndim == 1 or Y.shape[1] == 1)


def points_of(result: Result, units: str) -> list[list[float]]:
    """The points on screen, x in its own units."""
    scale, shift = SCALES[units]
    x, y = (result.data["X"].ravel() - shift) / scale, result.data["Y"].ravel()
    return [[round(float(a), 3), round(float(b), 3), 0] for a, b in zip(x, y, strict=True)]


def arrays(points: Sequence[Sequence[float]], units: str) -> dict[str, NDArray[np.float64]]:
    """Rows and targets of these points, x in the units chosen."""
    scale, shift = SCALES[units]
    table = np.array([point[:2] for point in points], dtype=float)
    return {"X": scale * table[:, :1] + shift, "Y": table[:, 1]}


def panels(
    result: Result, units: str, proof: Certificate, decays: Sequence[float]
) -> list[AbstractPanel]:
    """The plane, what was found, and the way to other units and weight decays."""
    scale, shift = SCALES[units]
    points = np.array(points_of(result, units))[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    x0, x1 = float(min(low[0], -2.0)) - 0.4, float(max(high[0], 2.0)) + 0.4
    y0, y1 = float(min(low[1], -1.5)) - 0.5, float(max(high[1], 2.5)) + 0.5
    x = np.linspace(x0, x1, GRID)
    f = np.asarray(result.network.predict((scale * x + shift)[:, None])).ravel()
    kept = (f > y0 - 5) & (f < y1 + 5)
    plane = Plane(
        slot=Slot(id="plane", title="Points and the network's function", note="drag a point"),
        extent=(x0, x1, y0, y1),
        points=Points(variable=POINTS, fewest=3, most=MOST_POINTS, live=120),
        layers=(
            layers.axes(),
            layers.curve(np.column_stack([x, f])[kept], "convex", width=3.5),
        ),
        key=(("disc", "data", "points to fit"), ("line", "convex", "network, certified optimum")),
        stretch=True,
        tallest=26,
    )
    position = "before" if result.spec["position"] == "before" else "after"
    n = int(result.scalars["n_neurons"])
    words = (
        f"Batch norm {position} the ReLU: objective **{proof.primal:.4g}** with **{n}** neurons. "
        "It standardises what each neuron sees, so other units of x change nothing."
        if position == "before"
        else f"Batch norm after the ReLU: objective **{proof.primal:.4g}** with **{n}** neurons. "
        "A neuron that fires on one point costs no more than one that fires on all."
    )
    fields = certificate.fields(
        proof,
        tolerance=float(result.spec["tolerance"]),
        n_patterns=int(result.scalars["n_patterns"]),
        foot=f"Solved in {numbers.seconds(result.seconds)}, CPU.",
    )
    found: list[AbstractPanel] = [
        plane,
        Say(slot=Slot(id="say"), texts=(words,)),
        Choice(
            slot=Slot(id="units", title="Units of x", area="side"), variable=UNITS, options=TITLES
        ),
        Certificates(
            slot=Slot(id="certificate", area="side"), states=({**fields, "n_neurons": n},)
        ),
    ]
    if len(decays) > 1:
        slot = Slot(id="decay", area="side")
        label = "Weight decay β"
        found.insert(2, Slider(slot=slot, variable=BETA, label=label, values=tuple(sorted(decays))))
    return found


def wanted(result: Result, units: str) -> dict[str, Any]:
    """Where the variables stand."""
    return {POINTS: points_of(result, units), UNITS: units}
