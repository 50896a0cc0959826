"""The race of a game, played: descent-ascent moves while the closed form stands at its goal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.wgan.figures_race import NAMES, kinds, running_best
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.convergence import set_up
from convexviz.figures.race_picture import Runs
from convexviz.views import board
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Series
from convexviz.views.board_small import Player

STEP = "moment"
FRAMES = 120
TRAIL = 14  # records that stay visible behind the moving point
TOP, SLACK = 2.2, 1e-3  # of R over its optimum; of F over beta at the least that is drawn
WIDTHS = (1.5, 3.5)

Array = NDArray[np.float64]


def show(result: Result, runs: Runs, key: str) -> bool:
    """Draw the played race; False where there is nothing to play."""
    if not set(NAMES) <= set(runs.records) or result.certificate.primal <= 0:
        return False
    times = moments(runs)
    moment = board.held(key).get(STEP, len(times) - 1)
    board.board(panels(result, runs, times), {STEP: moment}, key=key)
    return True


def moments(runs: Runs) -> Array:
    """The times of the frames: wall-clock, from nought to the slowest start's end."""
    return np.linspace(0.0, float(np.nanmax(runs.seconds)), FRAMES)


def panels(result: Result, runs: Runs, times: Array) -> list[AbstractPanel]:
    """Player, the way of each start from what it pays to what its critic wins, and both in time."""
    own = set_up(result) + float(result.scalars.get("solve_seconds", 0.0))
    words = tuple(
        f"{numbers.seconds(float(t))} of {numbers.seconds(float(times[-1]))}" for t in times
    )
    first = [(name, rows.start) for name, rows in kinds(result, runs)]
    key = [("line", "descent", f"{name}{_how(i, len(first))}") for i, (name, _) in enumerate(first)]
    key.append(("disc", "convex", f"convex program, {numbers.seconds(own)}"))
    key.append(("dash", "bound", "F = β, all that is allowed"))
    return [
        Player(
            slot=Slot(id="player"), variable=STEP, count=len(times), wait=60, labels=words,
            play="Play the race", alt="moment of the race",
        ),
        _phase(result, runs, times, first, tuple(key)),
        _in_time(result, runs, times, first),
        _violation(result, runs, times, first),
    ]  # fmt: skip


def _how(place: int, count: int) -> str:
    return ("", ", thick")[place % 2] if count > 1 else ""


def _paid(result: Result, runs: Runs, row: int) -> Array:
    found: Array = runs.records["regulariser"][row] / result.certificate.primal
    return found


def _won(result: Result, runs: Runs, row: int) -> Array:
    """F over beta: what the best critic wins, of what it is allowed."""
    found: Array = 1.0 + runs.records["violation"][row] / float(result.spec["weight_decay"])
    return np.maximum(found, SLACK)


def _phase(
    result: Result,
    runs: Runs,
    times: Array,
    first: list[tuple[str, int]],
    key: tuple[tuple[str, str, str], ...],
) -> Curves:
    """Each start as a point with a trail: what it pays across, what its best critic wins upward."""
    series = []
    for place, (_, row) in enumerate(first):
        paid, won = _paid(result, runs, row), _won(result, runs, row)
        at = np.searchsorted(runs.seconds[row], times, side="right") - 1
        back = np.maximum(at[:, None] - np.arange(TRAIL)[None, ::-1], 0)
        x, y = np.minimum(paid[back], TOP), won[back]
        series.append(Series(x=x, y=y, role="descent", width=WIDTHS[place % 2]))
        series.append(Series(x=x[:, -1:], y=y[:, -1:], role="descent", width=0, dots=True))
    goal = np.ones((len(times), 1))
    series.append(Series(x=goal, y=goal, role="convex", width=0, dots=True))
    highest = max(float(np.nanmax(_won(result, runs, row))) for _, row in first)
    lowest = min(float(np.nanmin(_won(result, runs, row))) for _, row in first)
    return Curves(
        slot=Slot(id="phase", title="Around the solution, or into it", columns=5, rows=2),
        series=tuple(series),
        references=({"y": 1.0, "words": "", "role": "bound"},),
        x_range=(0.0, TOP),
        y_range=(max(min(lowest, 0.6), 0.05), max(highest, 4.0)),
        y_log=True,
        x_label="R_g over its optimum",
        height=19,
        variable=STEP,
        at=tuple(float(i) for i in range(len(times))),
        key=key,
        alt="What descent-ascent pays against what its best critic wins: around the closed form",
    )


def _in_time(result: Result, runs: Runs, times: Array, first: list[tuple[str, int]]) -> Curves:
    """R_g of each start, and what its own critic has proved."""
    series = []
    for place, (name, row) in enumerate(first):
        bound = running_best(runs.records["lower_bound"][row]) / result.certificate.primal
        seconds, width = runs.seconds[row], WIDTHS[place % 2]
        series.append(
            Series(x=seconds, y=bound, role="bound", width=width, dashed=True, quiet=True)
        )
        paid = np.minimum(_paid(result, runs, row), TOP)
        series.append(Series(x=seconds, y=paid, role="descent", width=width, said=name))
    return Curves(
        slot=Slot(id="paid", title="R_g; dashed: proved", columns=7),
        series=tuple(series),
        references=({"y": 1.0, "words": "", "role": "convex"},),
        cursor=STEP,
        cursor_at=tuple(times.tolist()),
        drag=True,
        x_range=(0.0, float(times[-1])),
        y_range=(0.0, TOP),
        x_label="seconds, one core",
        height=10,
        alt="R_g over its optimum against seconds",
    )


def _violation(result: Result, runs: Runs, times: Array, first: list[tuple[str, int]]) -> Curves:
    """F over beta in time."""
    series = tuple(
        Series(
            x=runs.seconds[row], y=_won(result, runs, row), role="descent",
            width=WIDTHS[place % 2], said=name,
        )
        for place, (name, row) in enumerate(first)
    )  # fmt: skip
    highest = max(float(np.nanmax(each.y)) for each in series)
    return Curves(
        slot=Slot(id="won", title="F over β, 1 is allowed", columns=7),
        series=series,
        references=({"y": 1.0, "words": "", "role": "bound"},),
        cursor=STEP,
        cursor_at=tuple(times.tolist()),
        x_range=(0.0, float(times[-1])),
        y_range=(0.3, max(highest * 1.3, 4.0)),
        y_log=True,
        x_label="seconds, one core",
        height=10,
        alt="F over beta against seconds",
    )
