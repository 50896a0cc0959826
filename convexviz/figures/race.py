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
from convexviz.figures.convergence import device, earlier, faint, series, set_up, time_axis
from convexviz.figures.picture import Theme, canvas, note
from convexviz.figures.race_axis import Axis, Series
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
    """Labels beside the lines, on paper, where the other solver's line is not."""
    c, start, width = theme.roles, math.log10(span[0]), math.log10(span[1] / span[0])
    on_paper = {"bgcolor": faint(c.paper, 0.75)}
    y = axis.place(run.convex)
    landed = int(np.argmax(y <= y[-1] + 0.1 * (axis.high - axis.low)))
    where = math.log10(float(run.seconds[landed]))
    floor = axis.low + 0.12 * (axis.high - axis.low)
    near = run.below_bound or y[-1] < floor
    side: dict[str, Any] = {"xshift": -14, "yshift": 12 if near else -12}
    if where - start < 0.5 * width:  # no room at the left: to the right of the last point
        where = math.log10(float(run.seconds[-1]))
        side = {"xanchor": "left", "xshift": 10, "yshift": 12 if y[-1] < floor else 0}
    elif not near and abs(_lowest(run, axis, start + _BESIDE * width) - y[-1]) < 0.15 * axis.high:
        side["yshift"] = -30  # on a narrow page the words of descent end there
    label(figure, (where, float(y[-1])), "convex program", c.convex, **on_paper, **side)
    if run.set_up > 0:
        where = math.log10(run.set_up)
        roomy = where - start > 0.35 * width
        side = {"xshift": -10} if roomy else {"xanchor": "left", "xshift": 10}
        words = f"set-up {numbers.seconds(run.set_up)}"
        up = 28 if y[0] < floor else -13  # clear of the axis, and of the words above
        label(figure, (where, float(y[0])), words, c.convex, yshift=up, **on_paper, **side)
    n = len(run.runs)
    words = "descent" + (f", {n} starts" if n > 1 else "")
    where = start + _BESIDE * width
    level = _lowest(run, axis, where)
    beneath = level - _at(where, run.seconds, y)
    up = -14
    if run.seconds[0] <= 10**where and 0 < beneath < 0.2 * (axis.high - axis.low):
        # The convex line is where the words would be: above the highest start's end instead.
        where, up = start + width, 14
        level = max(_at(where, t, axis.place(values)) for t, values in run.runs)
    label(figure, (where, level), words, c.descent, yshift=up, **on_paper)
    if run.descent_wins:
        t, values = min(run.runs, key=lambda r: float(r[1].min()))
        at = int(np.argmin(values))
        place = (math.log10(float(t[at])), float(axis.place(values[at : at + 1])[0]))
        row = -32 if up < 0 else -14  # the words above may end there too
        label(figure, place, "descent wins", c.descent, yshift=row, **on_paper)


def _lowest(run: Race, axis: Axis, where: float) -> float:
    """The lowest start at that moment."""
    return min(_at(where, t, axis.place(values)) for t, values in run.runs)


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
