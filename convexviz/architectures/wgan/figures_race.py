"""The race of a game: what descent-ascent pays, how far it cheats, and what it has proved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.architectures.wgan.descend import races
from convexviz.architectures.wgan.spec import Spec
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.convergence import device, set_up, time_axis
from convexviz.figures.picture import Theme, canvas, decades, note
from convexviz.figures.race_picture import RacePicture, Runs
from convexviz.figures.theme import label

NAMES = ("regulariser", "violation", "lower_bound")
GOAL = 0.01  # relative gap that counts as certified
WORDS = {"alternating": "alternating Adam", "extragradient": "extragradient"}
WIDTHS = (1.2, 2.6)
FLOOR = 1e-4  # of beta: smaller violations are drawn here

Array = NDArray[np.float64]


def kinds(result: Result, runs: Runs) -> list[tuple[str, slice]]:
    """Each kind of descent, and its rows."""
    arch_spec = Spec.of(result.spec)
    assert isinstance(arch_spec, Spec)
    found, at = [], 0
    for options in races(arch_spec, result.data):
        rows = slice(at, at + int(options["seeds"]))
        found.append((WORDS[str(options["scheme"])], rows))
        at = rows.stop
    if at != len(runs.seconds):  # run in another way
        return [("descent–ascent", slice(0, len(runs.seconds)))]
    return found


def draw(result: Result, runs: Runs, theme: Theme) -> go.Figure:
    """Above, R_g of each start and its own lower bound; below, how far F exceeds beta."""
    figure = canvas(theme, 420)
    if not set(NAMES) <= set(runs.records):
        return note(figure, theme, "This race kept no bounds.")
    unit = abs(result.certificate.primal) or 1.0
    beta = float(result.spec["weight_decay"])
    first, last = _span(result, runs)
    names = kinds(result, runs)
    for place, (name, rows) in enumerate(names):
        for i in range(rows.start, rows.stop):
            line = _Line(name, WIDTHS[place % 2] * theme.scale, unit, beta, first)
            _start(figure, runs, i, line, theme)
    _closed_form(figure, result, first, theme)
    _axes(figure, runs, unit, beta)
    _words(figure, [name for name, _ in names], theme)
    time_axis(figure, first, last, f"seconds, {device(result)}")
    return figure


@dataclass(frozen=True, slots=True)
class _Line:
    """How one start is drawn: whose it is, and the units of both axes."""

    name: str
    width: float
    unit: float
    beta: float
    first: float


def _start(figure: go.Figure, runs: Runs, i: int, line: _Line, theme: Theme) -> None:
    c, name, unit, beta = theme.roles, line.name, line.unit, line.beta
    seconds = np.maximum(runs.seconds[i], line.first)
    solid = {"color": c.descent, "width": line.width}
    hover = f"{name}, start {i + 1}<br>%{{x:.3g}} s, "
    paid = runs.records["regulariser"][i] / unit
    figure.add_scatter(
        x=seconds, y=paid, line=solid, hovertemplate=hover + "pays %{y:.3f} p<extra></extra>"
    )
    proved = running_best(runs.records["lower_bound"][i]) / unit
    dashed = {"color": c.bound, "width": line.width, "dash": "dash"}
    words = hover + "proved %{y:.3f} p<extra></extra>"
    figure.add_scatter(x=seconds, y=proved, line=dashed, hovertemplate=words)
    over = np.maximum(runs.records["violation"][i] / beta, FLOOR)
    words = hover + "F exceeds β by %{y:.2g} β<extra></extra>"
    figure.add_scatter(x=seconds, y=over, line=solid, yaxis="y2", hovertemplate=words)


def _words(figure: go.Figure, names: list[str], theme: Theme) -> None:
    """What the lines are, above the figure: within it they would lie over one another."""
    c = theme.roles
    thick = [" (thin)", " (thick)"] if len(names) > 1 else [""]
    above = [(name + how, c.descent) for name, how in zip(names, thick, strict=False)] + [
        ("convex program", c.convex),
        ("proved by each critic", c.bound),
    ]
    for place, (words, colour) in enumerate(above):
        side = {"xanchor": "left", "xshift": 0} if place % 2 == 0 else {"xshift": 0}
        at = (place % 2, 1.0)
        yshift = (34 - 20 * (place // 2)) * theme.scale
        label(figure, at, words, colour, xref="paper", yref="paper", yshift=yshift, **side)
    figure.update_layout(margin={"t": round(52 * theme.scale)})


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


def _axes(figure: go.Figure, runs: Runs, unit: float, beta: float) -> None:
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


def certified_at(runs: Runs, rows: slice = slice(None)) -> float:
    """Seconds until one start's own repaired value and bound are within one percent, or infinity.

    The repaired value is a generator that is allowed; the bound is its own discriminator's.
    """
    best = np.inf
    for value, bound, seconds in zip(
        runs.objectives[rows], runs.records["lower_bound"][rows], runs.seconds[rows], strict=True
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
    """Whether each kind of descent got there, by its own proof."""
    if not set(NAMES) <= set(runs.records):
        return "This race kept no bounds."
    said = [_said(result, runs, name, rows) for name, rows in kinds(result, runs)]
    own = set_up(result) + float(result.scalars.get("solve_seconds", 0.0))
    betas = len(result.arrays.get("path_weight_decay", ()))
    all_of = f" for all {betas} weight decays" if betas > 1 else ""
    return " ".join([*said, f"The convex program took {numbers.seconds(own)}{all_of}."])


def _said(result: Result, runs: Runs, name: str, rows: slice) -> str:
    head = name[:1].upper() + name[1:]
    last = runs.records["violation"][rows, -1] / float(result.spec["weight_decay"])
    if not np.isfinite(last).any():
        return f"{head}: every start diverged."
    reached = certified_at(runs, rows)
    if math.isinf(reached):
        worst = numbers.gap(max(float(np.nanmax(last)), 1e-16))
        by = f"up to {worst}" if len(last) > 1 else worst
        end = f", F exceeds β by {by} β at the end" if np.nanmax(last) > 0 else ""
        return f"{head}: 1 % not reached{end}."
    return f"{head}: proves itself within 1 % after {numbers.seconds(reached)}."


RACE = RacePicture(
    draw=draw,
    alt=alt,
    caption=caption,
    offer="Descent–ascent has not been run at this weight decay: alternating Adam, and then "
    "extragradient steps. Two starts of each on points of the plane, one on images.",
)
