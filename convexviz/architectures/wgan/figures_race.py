"""The race of a game: what descent-ascent pays, how far it cheats, and what it has proved."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.convergence import device, set_up, time_axis
from convexviz.figures.picture import Theme, canvas, decades, note
from convexviz.figures.race_picture import RacePicture, Runs
from convexviz.figures.theme import label

NAMES = ("regulariser", "violation", "lower_bound")
GOAL = 0.01  # relative gap that counts as certified
FLOOR = 1e-4  # of beta: smaller violations are drawn here

Array = NDArray[np.float64]


def draw(result: Result, runs: Runs, theme: Theme) -> go.Figure:
    """Above, R_g of each start and its own lower bound; below, how far F exceeds beta."""
    figure = canvas(theme, 400)
    if not set(NAMES) <= set(runs.records):
        return note(figure, theme, "This race kept no bounds.")
    c, unit = theme.roles, abs(result.certificate.primal) or 1.0
    beta = float(result.spec["weight_decay"])
    first, last = _span(result, runs)
    seconds = np.maximum(runs.seconds, first)
    for i in range(len(seconds)):
        thin = {"color": c.descent, "width": 1.5 * theme.scale}
        hover = f"descent, start {i + 1}<br>%{{x:.3g}} s, "
        paid = runs.records["regulariser"][i] / unit
        figure.add_scatter(
            x=seconds[i], y=paid, line=thin, hovertemplate=hover + "pays %{y:.3f} p<extra></extra>"
        )
        proved = running_best(runs.records["lower_bound"][i]) / unit
        dashed = {"color": c.bound, "width": 1.5 * theme.scale, "dash": "dash"}
        words = hover + "proved %{y:.3f} p<extra></extra>"
        figure.add_scatter(x=seconds[i], y=proved, line=dashed, hovertemplate=words)
        over = np.maximum(runs.records["violation"][i] / beta, FLOOR)
        words = hover + "F exceeds β by %{y:.2g} β<extra></extra>"
        figure.add_scatter(x=seconds[i], y=over, line=thin, yaxis="y2", hovertemplate=words)
    _closed_form(figure, result, first, theme)
    _axes(figure, runs, unit, beta, theme)
    time_axis(figure, first, last, f"seconds, {device(result)}")
    return figure


def running_best(values: Array) -> Array:
    """The largest bound so far; a bound that was proved once stays proved."""
    return np.maximum.accumulate(np.nan_to_num(values, nan=0.0))


def _span(result: Result, runs: Runs) -> tuple[float, float]:
    own = max(set_up(result) + float(result.scalars.get("solve_seconds", 0.0)), 1e-4)
    later = runs.seconds[runs.seconds > 0]
    first = min(float(later.min(initial=np.inf)), own)
    return first, max(float(later.max(initial=own)), own * 1.5)


def _closed_form(figure: go.Figure, result: Result, first: float, theme: Theme) -> None:
    colour = theme.roles.convex
    at = max(set_up(result) + float(result.scalars.get("solve_seconds", 0.0)), first)
    marker = {"color": colour, "size": 12 * theme.scale}
    figure.add_scatter(
        x=[at], y=[1.0], mode="markers", marker=marker,
        hovertemplate=f"convex program<br>{numbers.seconds(at)}<extra></extra>",
    )  # fmt: skip
    line = {"color": colour, "width": 1 * theme.scale}
    figure.add_shape(type="line", x0=0, x1=1, xref="paper", y0=1, y1=1, line=line, layer="below")
    where = (math.log10(at), 1.0)
    label(figure, where, "convex program", colour, xanchor="left", xshift=10, yshift=14)


def _axes(figure: go.Figure, runs: Runs, unit: float, beta: float, theme: Theme) -> None:
    c = theme.roles
    paid = runs.records["regulariser"] / unit
    top = min(1.15 * max(float(np.nanmax(paid, initial=1.2)), 1.2), 3.0)
    figure.update_yaxes(title="R over its optimum", range=[0, top], domain=[0.46, 1.0], nticks=5)
    over = np.maximum(runs.records["violation"] / beta, FLOOR)
    low, high = math.log10(FLOOR) - 0.1, math.log10(max(float(np.nanmax(over)), 1.0)) + 0.4
    figure.update_layout(
        yaxis2={
            "title": "(F − β) / β (log)",
            "type": "log",
            "range": [low, high],
            "domain": [0.0, 0.36],
            "anchor": "x",
            **decades(low, high, 2),
        }
    )
    right = {"xref": "paper", "yref": "paper", "xshift": -4}
    label(figure, (1, 1), "descent–ascent pays", c.descent, yshift=-8, **right)
    label(figure, (1, 1), "its discriminator proves", c.bound, yshift=-26, **right)


def certified_at(runs: Runs) -> float:
    """Seconds until one start's own repaired value and bound are within one percent, or infinity.

    The repaired value is a generator that is allowed; the bound is its own discriminator's.
    """
    best = np.inf
    for value, bound, seconds in zip(
        runs.objectives, runs.records["lower_bound"], runs.seconds, strict=True
    ):
        upper = np.minimum.accumulate(np.where(np.isfinite(value), value, np.inf))
        with np.errstate(invalid="ignore"):
            met = upper - running_best(bound) <= GOAL * upper
        met &= np.isfinite(upper)
        if met.any():
            best = min(best, float(seconds[int(np.argmax(met))]))
    return best


def alt(result: Result, runs: Runs) -> str:  # noqa: ARG001 - as every picture's
    """The race in words."""
    return (
        f"{len(runs.seconds)} starts of gradient descent-ascent against seconds: what they pay, "
        f"the bounds they prove and their violations, beside the convex program's optimum."
    )


def caption(result: Result, runs: Runs) -> str:
    """Whether descent got there, by its own proof."""
    if not set(NAMES) <= set(runs.records):
        return "This race kept no bounds."
    own = set_up(result) + float(result.scalars.get("solve_seconds", 0.0))
    beta = float(result.spec["weight_decay"])
    last = runs.records["violation"][:, -1] / beta
    if not np.isfinite(last).any():
        return f"Every start diverged. The convex program took {numbers.seconds(own)}."
    reached = certified_at(runs)
    worst = numbers.gap(max(float(np.nanmax(last)), 1e-16))
    end = f"At the end its F exceeds β by up to {worst} β." if np.nanmax(last) > 0 else ""
    if math.isinf(reached):
        return (
            f"No start proved itself within 1 %: not reached. {end} The convex program took "
            f"{numbers.seconds(own)}."
        )
    return (
        f"The best start proves itself within 1 % after {numbers.seconds(reached)}; the convex "
        f"program took {numbers.seconds(own)}. {end}"
    )


RACE = RacePicture(
    draw=draw,
    alt=alt,
    caption=caption,
    options={"width": 8, "steps": 3000, "seeds": 2, "optimizer": "adam", "scheme": "alternating"},
    offer="Descent–ascent has not been run at this weight decay: the generator descends, the "
    "discriminator ascends, in turn, with Adam. Two starts, at most a minute.",
)
