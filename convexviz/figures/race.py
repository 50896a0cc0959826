"""The race: gradient descent on the network against the convex program, in wall-clock time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.core.solution import Scope
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.convergence import (
    device,
    earlier,
    faint,
    series,
    set_up,
    time_axis,
    time_span,
)
from convexviz.figures.picture import Theme, canvas, note
from convexviz.figures.race_axis import Axis, Series
from convexviz.figures.race_words import Page, Spot, around
from convexviz.figures.theme import label

ROUNDING = 1e-6  # relative; descent runs in float32, so a smaller lead is no claim
_BESIDE = 0.75  # of the width: where the words of descent end


class Trajectories(Protocol):
    """What the race needs of a Descent: one row a seed, one column a record."""

    @property
    def objectives(self) -> NDArray[Any]: ...

    @property
    def seconds(self) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Race:
    """Both solvers measured against the best dual, relative to the convex primal.

    Attributes:
        seconds: of the convex solver's records, set-up included.
        convex: its distance to the bound at these records.
        runs: (seconds, distance) of each start of descent; negative below the bound.
        set_up: seconds before the convex solver's first record.
    """

    seconds: Series
    convex: Series
    runs: tuple[tuple[Series, Series], ...]
    set_up: float

    @property
    def best(self) -> float:
        return min(float(y.min()) for _, y in self.runs)

    @property
    def worst(self) -> float:
        return max(float(y.min()) for _, y in self.runs)

    @property
    def descent_wins(self) -> bool:
        """Some start ends lower than the convex point itself, beyond rounding."""
        return self.best < float(self.convex[-1]) - ROUNDING

    @property
    def below_bound(self) -> bool:
        return self.best < -ROUNDING

    @property
    def overtaken(self) -> float | None:
        """The moment from which the convex program is below every start for good, or None."""
        times = np.unique(np.concatenate([self.seconds, *(t for t, _ in self.runs)]))
        descent = np.min([_so_far(t, y, times) for t, y in self.runs], axis=0)
        ahead = _so_far(self.seconds, self.convex, times) < descent
        if not ahead[-1]:
            return None
        behind = np.flatnonzero(~ahead)
        return float(times[behind[-1] + 1] if len(behind) else times[0])


def _so_far(seconds: Series, values: Series, times: Series) -> Series:
    """The best value known at each of `times`; infinite before the first record."""
    best = np.concatenate([[np.inf], np.minimum.accumulate(values)])
    return best[np.searchsorted(seconds, times, side="right")]


def measure(result: Result, descent: Trajectories) -> Race:
    """The race in numbers; records that are not finite (diverged starts) are dropped."""
    dual = result.certificate.dual
    unit = abs(result.certificate.primal) or 1.0
    if result.trace:
        solving, primal, _ = series(result)
        seconds = solving + set_up(result)
    else:
        seconds, primal = np.array([result.seconds]), np.array([result.certificate.primal])
    runs = []
    for t, y in zip(np.atleast_2d(descent.seconds), np.atleast_2d(descent.objectives), strict=True):
        good = np.isfinite(y) & np.isfinite(t)
        if good.any():
            runs.append((np.maximum(t[good].astype(float), 1e-4), (y[good] - dual) / unit))
    return Race(seconds, (primal - dual) / unit, tuple(runs), set_up(result))


def race(result: Result, descent: Trajectories, theme: Theme | None = None) -> go.Figure:
    """Relative gap to the best dual against seconds, log-log; several starts thin, convex thick."""
    theme = theme or Theme()
    figure = canvas(theme, 320)
    run = measure(result, descent)
    if not run.runs:
        return note(figure, theme, "Every start of gradient descent diverged.")
    every = np.concatenate([run.convex, *(y for _, y in run.runs)])
    axis, c = Axis.over(every, mirrored=run.below_bound), theme.roles
    first = min([*(float(t[t > 1e-4][:1].min(initial=1e9)) for t, _ in run.runs), run.seconds[0]])
    last = max([*(float(t[-1]) for t, _ in run.runs), float(run.seconds[-1])])
    _draw_bound(figure, run, axis, theme)
    for i, (t, y) in enumerate(run.runs):
        figure.add_scatter(
            x=t,
            y=axis.place(y),
            customdata=y,
            line={"color": c.descent, "width": 1.5 * theme.scale},
            hovertemplate=f"descent, start {i + 1}<br>%{{x:.3g}} s, %{{customdata:.1e}}"
            " above the bound<extra></extra>",
        )
    _draw_convex(figure, run, axis, theme, first)
    _draw_words(figure, run, axis, theme, (first, last))
    time_axis(figure, first, last, f"seconds with set-up, {device(result)}")
    title = "relative gap" if not run.below_bound else "distance to the bound"
    figure.update_yaxes(title=title, range=[axis.low, axis.high], **axis.ticks())
    return figure


def _draw_bound(figure: go.Figure, run: Race, axis: Axis, theme: Theme) -> None:
    if not run.below_bound:
        return
    c = theme.roles
    figure.add_hrect(y0=axis.low, y1=0, fillcolor=faint(c.bound), line_width=0, layer="below")
    line = {"color": c.bound, "dash": "dash", "width": 1.5 * theme.scale}
    figure.add_hline(y=0, line=line)
    label(figure, (0, 0), "the bound", c.bound, xanchor="left", xshift=6, yshift=-11, xref="paper")


def _draw_convex(figure: go.Figure, run: Race, axis: Axis, theme: Theme, first: float) -> None:
    colour, y = theme.roles.convex, axis.place(run.convex)
    figure.add_scatter(
        x=run.seconds,
        y=y,
        customdata=run.convex,
        mode="lines+markers" if len(y) <= 40 else "lines",
        line={"color": colour, "width": 3.5 * theme.scale},
        marker={"color": colour, "size": 6 * theme.scale},
        hovertemplate="convex program<br>%{x:.3g} s, gap %{customdata:.1e}<extra></extra>",
    )
    if run.set_up > first:
        figure.add_scatter(
            x=[first, run.set_up],
            y=[y[0], y[0]],
            mode="lines+markers",
            line={"color": colour, "width": 1.5 * theme.scale, "dash": "dot"},
            marker={
                "symbol": "circle-open",
                "size": [0, 9 * theme.scale],
                "line": {"width": 2 * theme.scale},
                "color": colour,
            },
            hovertemplate=f"set-up: {numbers.seconds(run.set_up)}<extra></extra>",
        )


def _draw_words(
    figure: go.Figure, run: Race, axis: Axis, theme: Theme, span: tuple[float, float]
) -> None:
    """Labels beside the lines, on paper, where neither a line nor other words are."""
    c, start, width = theme.roles, math.log10(span[0]), math.log10(span[1] / span[0])
    page, y = _page(run, axis, theme, span), axis.place(run.convex)

    def write(words: str, colour: str, spots: list[Spot]) -> None:
        spot = page.take(words, spots)
        place = {"xanchor": spot.anchor, "xshift": spot.right, "yshift": spot.up}
        paper = faint(c.paper, 0.75)
        label(figure, (spot.x, spot.y), words, colour, bgcolor=paper, **place)

    if run.below_bound:
        page.take("the bound", [Spot(page.span[0], 0.0, 6, -11)])  # drawn with its line
    floor = axis.low + 0.12 * (axis.high - axis.low)
    landed = int(np.argmax(y <= y[-1] + 0.1 * (axis.high - axis.low)))
    where = math.log10(float(run.seconds[landed]))
    near = run.below_bound or y[-1] < floor
    end, right, up = where, -14.0, 12.0 if near else -12.0
    if where - start < 0.5 * width:  # no room at the left: to the right of the last point
        end, right, up = math.log10(float(run.seconds[-1])), 10.0, 12.0 if y[-1] < floor else 0.0
    first = Spot(end, float(y[-1]), right, up)
    write("convex program", c.convex, around(where, float(y[-1]), theme.scale, first))
    if run.set_up > 0:
        where = math.log10(run.set_up)
        roomy = where - start > 0.35 * width
        up = 28.0 if y[0] < floor else -13.0  # clear of the axis, and of the words above
        first = Spot(where, float(y[0]), -10.0 if roomy else 10.0, up)
        words = f"set-up {numbers.seconds(run.set_up)}"
        write(words, c.convex, around(where, float(y[0]), theme.scale, first))
    n = len(run.runs)
    words = "descent" + (f", {n} starts" if n > 1 else "")
    write(words, c.descent, _along(run, axis, theme.scale, (start, width)))
    if run.descent_wins:
        t, values = min(run.runs, key=lambda r: float(r[1].min()))
        at = int(np.argmin(values))
        x, low = math.log10(float(t[at])), float(axis.place(values[at : at + 1])[0])
        spots = around(x, low, theme.scale, Spot(x, low, -8, -14 * theme.scale))
        write("descent wins", c.descent, spots)


def _page(run: Race, axis: Axis, theme: Theme, span: tuple[float, float]) -> Page:
    """The lines that words must leave free."""
    y = axis.place(run.convex)
    lines = [(t, axis.place(values)) for t, values in run.runs]
    lines += [(run.seconds, y)] * 2  # what is thick is hidden last
    if run.set_up > span[0]:
        lines.append((np.array([span[0], run.set_up]), y[[0, 0]]))
    return Page(time_span(*span), (axis.low, axis.high), lines, theme)


def _along(run: Race, axis: Axis, scale: float, across: tuple[float, float]) -> list[Spot]:
    """Spots for the words of descent: under its lowest start, or above its highest."""
    start, width = across
    spots: list[Spot] = []
    beyond: list[Spot] = []
    for share in (_BESIDE, 0.6, 0.9, 0.45, 1.0):
        where = start + share * width
        levels = [_at(where, t, axis.place(values)) for t, values in run.runs]
        for level, way in ((min(levels), -1), (max(levels), 1)):
            spots += [Spot(where, level, -8, way * up * scale) for up in (14, 30)]
            beyond.append(Spot(where, max(levels), 10, 14 * scale))  # where they have come down
    return spots + beyond


def _at(where: float, seconds: Series, values: Series) -> float:
    return float(np.interp(where, np.log10(seconds), values))


WHY = {
    Scope.SAMPLED_PROGRAM: "The bound covers the sampled patterns only; descent may use others.",
    Scope.GATED_NETWORK: "The bound covers these fixed gates only; this network has others.",
    Scope.RELU_NETWORK: "Nothing may lie below this bound: please report this result.",
    Scope.GAN_GAME: "Nothing may lie below this bound: please report this result.",
}


def caption(result: Result, descent: Trajectories) -> str:
    """What to notice: who is ahead, until when, and what only one of them knows."""
    run = measure(result, descent)
    if not run.runs:
        return "Every start of gradient descent diverged."
    if run.descent_wins:
        lead = numbers.gap(float(run.convex[-1]) - run.best)
        return f"Gradient descent wins: it ends {lead} (relative) below the convex value. " + (
            WHY[result.certificate.scope]
            if run.below_bound
            else f"The convex solve stopped at a gap of {numbers.gap(float(run.convex[-1]))}."
        )
    low, high = numbers.gap(max(run.best, 1e-16)), numbers.gap(run.worst)
    spread = f"at a relative gap of {low}"
    if len(run.runs) > 1:
        spread = f"at a relative gap between {low} and {high}, depending on its start"
        if low == high:
            spread = f"at a relative gap of {low} from every start"
    turn = run.overtaken
    ahead = turn is not None and turn > min(float(t[0]) for t, _ in run.runs)
    until = f"Descent leads for {numbers.seconds(turn)}. " if turn and ahead else ""
    counted = "; its set-up counts the larger weight decays before" if earlier(result) else ""
    return f"{until}It ends {spread}. Only the convex program yields a bound{counted}."


def alt(result: Result, descent: Trajectories) -> str:
    """The race for a screen reader."""
    run = measure(result, descent)
    return (
        f"Relative gap against seconds, log-log: the convex program and {len(run.runs)} starts of "
        f"gradient descent. {caption(result, descent)}"
    )
