"""Few neurons against many: where each start of descent ends, as dots beside the optimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.core.solution import Scope
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.picture import Theme, canvas, decades
from convexviz.figures.theme import label

STUCK = 0.01  # relative: a start that ends farther above the network shown than this is stuck
FLOOR = 1e-7  # relative; descent runs in float32
ROUNDING = 1e-6  # relative; a smaller lead of descent is no claim
NAMES = {  # on the line of what descent is measured against
    "the optimum": "the optimum p*",
    "the optimum on these patterns": "sampled optimum",
    "the network shown": "the network shown",
}
ROOM = 0.2  # of the axis: what a name needs beside its line
ROW = 18  # pixels from one label to the next above it
SPREAD = 0.3  # of a row: dots of one width do not cover each other


@dataclass(frozen=True, slots=True)
class Starts:
    """Last objectives: widths (w,), objectives (w, seeds)."""

    widths: NDArray[np.float64]
    objectives: NDArray[np.float64]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Starts | None:
        """Those among named arrays, or None; `prefix` begins their names."""
        widths = arrays.get(f"{prefix}width")
        objectives = arrays.get(f"{prefix}objective")
        if widths is None or objectives is None or np.shape(objectives)[:1] != np.shape(widths):
            return None
        return cls(np.asarray(widths), np.asarray(objectives))

    def above(self, value: float) -> NDArray[np.float64]:
        """How far each start ends above an objective, relative to it."""
        return np.asarray((self.objectives - value) / (abs(value) or 1.0))


def is_proved(result: Result) -> bool:
    """Whether what is shown is the optimum, and not only a good network."""
    return result.certificate.relative_gap <= float(result.spec["tolerance"])


def rival_of(result: Result) -> str:
    """What descent is measured against: an optimum, of all networks or of these patterns alone."""
    if not is_proved(result):
        return "the network shown"
    every = result.certificate.scope is Scope.RELU_NETWORK
    return "the optimum" if every else "the optimum on these patterns"


def draw(result: Result, starts: Starts, theme: Theme) -> go.Figure:
    """A row of dots a width, on a log axis of the distance to the lower bound."""
    figure = canvas(theme, 90 + 80 * len(starts.widths))
    proof = result.certificate  # both are measured as the certificate's own gap is
    gaps = np.clip((starts.objectives - proof.dual) / (abs(proof.primal) or 1.0), FLOOR, None)
    finite = gaps[np.isfinite(gaps)]
    top = float(finite.max(initial=STUCK)) * 2
    low = max(FLOOR, float(finite.min(initial=STUCK)) / 5)
    for row, (width, ends) in enumerate(zip(starts.widths, gaps, strict=True)):
        at = np.argsort(np.argsort(ends)) % 5
        rows = row + SPREAD * (at / 4 - 0.5)
        figure.add_scatter(
            x=np.minimum(ends, top), y=rows, mode="markers",
            marker={"color": theme.roles.descent, "size": 9 * theme.scale, "opacity": 0.75},
            customdata=starts.objectives[row],
            hovertemplate=f"{width:.0f} neurons<br>objective %{{customdata:.6g}}<extra></extra>",
        )  # fmt: skip
    last = len(starts.widths) - 0.45
    gap = max(proof.relative_gap, low)
    stuck = gap + STUCK
    name = NAMES[rival_of(result)]
    room = np.log10(stuck / gap) / np.log10(top / low) > ROOM
    beside = "left" if room else "right"
    lines = (
        (stuck, "1\u00a0% above", theme.roles.ink2, "left"),
        (gap, name, theme.roles.convex, beside),
    )
    for x, words, colour, anchor in lines:
        figure.add_shape(
            type="line", x0=x, x1=x, y0=-0.5, y1=last,
            line={"color": colour, "width": (3 if x == gap else 1) * theme.scale},
        )  # fmt: skip
        above = ROW * theme.scale if theme.narrow and x == stuck else 0.0  # no room side by side
        label(
            figure, (np.log10(x), last), words, colour, xanchor=anchor, xshift=0, yshift=above,
            yanchor="bottom",
        )  # fmt: skip
    figure.update_layout(margin={"t": (28 + ROW * theme.narrow) * theme.scale})
    rows_are = [f"{width:.0f} neurons" for width in starts.widths]
    figure.update_yaxes(
        tickvals=list(range(len(rows_are))), ticktext=rows_are, range=[-0.5, last], ticks="",
        showline=False,
    )  # fmt: skip
    ticks = decades(np.log10(low), np.log10(top), 1)
    if finite.min(initial=STUCK) <= FLOOR:  # what ends lower, or below the bound, is drawn there
        first, *others = ticks["ticktext"]
        ticks["ticktext"] = [f"≤{first}", *others]
    dot = max(0.1, 0.03 * np.log10(top / low))  # decades: the first stands clear of the names
    return figure.update_xaxes(
        type="log", range=[np.log10(low) - dot, np.log10(top)],
        title="end of each start: relative gap to the bound", **ticks,
    )  # fmt: skip


def counts(result: Result, starts: Starts) -> list[int]:
    """How many starts of each width are stuck."""
    far = starts.above(float(result.scalars["network_objective"])) > STUCK
    return [int(count) for count in far.sum(axis=1)]


def _share(value: float) -> str:
    """Per cent above an optimum, written small or large."""
    if not np.isfinite(value):
        return "no finite value"
    percent = 100 * value
    return f"{numbers.gap(percent)}\u00a0%" if percent < 10 else f"{numbers.count(percent)}\u00a0%"


def caption(result: Result, starts: Starts) -> str:
    """How many are stuck at each width, and where descent ends below what is shown."""
    own = float(result.scalars["network_objective"])
    above, seeds = starts.above(own), starts.objectives.shape[1]
    rival = rival_of(result)
    said = []
    for width, ends, stuck in zip(starts.widths, above, counts(result, starts), strict=True):
        worst = float(ends.max())
        told = f"**{stuck} of {seeds}**" if stuck else f"**none of {seeds}**"
        close = f", the worst {_share(worst)}" if worst > ROUNDING else ""
        ending = "ends" if stuck in (0, 1) else "end"
        said.append(
            f"With {width:.0f} neurons {told} {ending} more than 1\u00a0% above {rival}{close}."
        )
    ahead = int((above < -ROUNDING).sum())
    if ahead:
        told = f"Descent ends below {rival} in {ahead} of {above.size} starts"
        free = is_proved(result) and result.certificate.scope is Scope.SAMPLED_PROGRAM
        said.append(f"{told}: it may use other patterns." if free else f"{told}.")
    m = int(result.scalars["n_neurons"])
    said.append(f"The {'optimum' if is_proved(result) else 'network'} itself has {m}.")
    return " ".join(said)


def alt(result: Result, starts: Starts) -> str:
    """The dots in words."""
    stuck = counts(result, starts)
    parts = [
        f"{width:.0f} neurons: {count} of {starts.objectives.shape[1]} starts are stuck"
        for width, count in zip(starts.widths, stuck, strict=True)
    ]
    return "Where gradient descent ends, a dot a start. " + "; ".join(parts) + "."
