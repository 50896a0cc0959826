"""Points on a line, three times: no batch norm, before the ReLU, after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convexviz.figures import numbers
from convexviz.views import board_layers as layers
from convexviz.views import certificate
from convexviz.views.batch_norm_board import BETA
from convexviz.views.batch_norm_line import (
    MOST_POINTS,
    PLACES,
    POINTS,
    SCALE,
    SCALES,
    SHIFT,
    SHIFTS,
    TOLERANCE,
    Fit,
    Points,
    Units,
)
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Plane
from convexviz.views.board_pictures import Points as Editable
from convexviz.views.board_small import Certificates, Choice, Say, Slider

PLACE = "place"  # whose certificate is shown
TITLES = {"none": "No batch norm", "before": "Before the ReLU", "after": "After the ReLU"}
GRID = 401
CLEAR = 0.5  # a residual that large, under batch norm before the ReLU, makes an outlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is drawn.

    Attributes:
        points: in the units in which they are drawn.
        elsewhere: the objective without batch norm on x as drawn, where units were changed.
    """

    fits: Mapping[str, Fit]
    points: Points
    units: Units
    editable: bool = True
    elsewhere: float | None = None


def panels(line: Line, decays: Sequence[float]) -> list[AbstractPanel]:
    """Three planes over the same points, what was found, and the controls."""
    found: list[AbstractPanel] = [_plane(line, place) for place in PLACES]
    found.append(_sentence(line))
    if line.editable:
        found += _units()
    if len(decays) > 1:
        slot, label = Slot(id="decay", area="side"), "Weight decay β"
        found.append(Slider(slot=slot, variable=BETA, label=label, values=tuple(sorted(decays))))
    options = tuple((i, TITLES[place]) for i, place in enumerate(PLACES))
    slot = Slot(id="place", title="Certificate of", area="side")
    found.append(Choice(slot=slot, variable=PLACE, options=options))
    states = tuple(_card(line.fits[place]) for place in PLACES)
    slot = Slot(id="certificate", area="side")
    found.append(Certificates(slot=slot, states=states, variable=PLACE))
    return found


def values(points: Points, units: Units, beta: float, place: int) -> dict[str, Any]:
    """Where the variables stand."""
    return {POINTS: points, SCALE: units.scale, SHIFT: units.shift, BETA: beta, PLACE: place}


def _extent(points: Points) -> tuple[float, float, float, float]:
    table = np.array(points)[:, :2]
    low, high = table.min(axis=0), table.max(axis=0)
    x0, x1 = min(float(low[0]), -2.0) - 0.3, max(float(high[0]), 2.0) + 0.3
    y0, y1 = min(float(low[1]), -1.5) - 0.4, max(float(high[1]), 2.2) + 0.4
    return x0, x1, y0, y1


def _plane(line: Line, place: str) -> Plane:
    fit, box = line.fits[place], _extent(line.points)
    x0, x1, y0, y1 = box
    own = np.array(line.points)[:, 0]
    x = np.unique(np.concatenate([np.linspace(x0, x1, GRID), own]))
    # A spike leaves the picture and comes back.
    f = np.clip(fit.at(x, line.units), 2 * y0 - y1, 2 * y1 - y0)
    name = "optimum" if fit.proved else "network found, gap open"
    return Plane(
        slot=Slot(
            id=f"plane-{place}",
            title=TITLES[place],
            note=f"{name} {fit.certificate.primal:.4g}",
            columns=4,
        ),
        extent=box,
        points=Editable(
            variable=POINTS, fewest=3, most=MOST_POINTS, live=120, size=5, editable=line.editable
        ),
        layers=(layers.axes(), layers.curve(np.column_stack([x, f]), "convex", width=3)),
        stretch=True,
        tallest=19,
        alt=f"{TITLES[place]}: {len(own)} points and the network's function.",
    )


def _sentence(line: Line) -> Say:
    """What the units do, and who takes the outlier."""
    units, one = line.units, {place: line.fits[place].certificate.primal for place in PLACES}
    if units.changed and line.elsewhere is not None:
        sign = "+" if units.shift >= 0 else "−"
        words = (
            f"The networks see {units.scale:g}·x {sign} {abs(units.shift):g}. Without batch norm "
            f"the objective goes from **{line.elsewhere:.4g}** to **{one['none']:.4g}**; before "
            f"the ReLU it stays **{one['before']:.4g}**, after it **{one['after']:.4g}**. "
        )
    else:
        words = (
            f"Objectives: **{one['none']:.4g}** without batch norm, **{one['before']:.4g}** before "
            f"the ReLU, **{one['after']:.4g}** after it. Rescale or shift x: only the network "
            "without batch norm notices. "
        )
    return Say(slot=Slot(id="say"), texts=(words + _outlier(line),))


def _outlier(line: Line) -> str:
    """What becomes of the point farthest up or down that only batch norm after the ReLU takes."""
    x, y = np.array(line.points)[:, :2].T
    said = {place: line.fits[place].at(x, line.units) for place in PLACES}
    missed = np.abs(y - said["before"])
    taken = (missed > CLEAR) & (np.abs(y - said["after"]) < 0.5 * missed)
    if not taken.any():
        return ""
    i = int(np.argmax(np.where(taken, np.abs(y - y.mean()), -1.0)))
    none, before, after = (f"{said[place][i]:.2f}".replace("-", "−") for place in PLACES)
    return (
        f"At the outlier, y = {y[i]:.2f}, they give {none}, {before} and **{after}**: normalised "
        "after the ReLU, a neuron that fires on one point costs no more than one that fires on "
        "all, so it takes that point with a spike."
    )


def _units() -> list[AbstractPanel]:
    return [
        Slider(
            slot=Slot(id="scale", area="side"),
            variable=SCALE,
            label="Rescale x by",
            low=SCALES[0],
            high=SCALES[1],
            log=True,
        ),
        Slider(
            slot=Slot(id="shift", area="side"),
            variable=SHIFT,
            label="Shift x by",
            values=tuple(float(v) for v in np.arange(SHIFTS[0], SHIFTS[1] + 0.1, 0.5)),
            words=tuple(
                f"{v:g}".replace("-", "−") for v in np.arange(SHIFTS[0], SHIFTS[1] + 0.1, 0.5)
            ),
        ),
    ]


def _card(fit: Fit) -> dict[str, Any]:
    decay = ", weight decay β√n" if fit.place == "none" else ""
    fields = certificate.fields(
        fit.certificate,
        tolerance=TOLERANCE,
        n_patterns=fit.n_patterns,
        foot=f"Solved in {numbers.seconds(fit.seconds)}, CPU{decay}.",
    )
    return {**fields, "n_neurons": fit.n_neurons}
