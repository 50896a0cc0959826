"""Gradient descent beside the cut spectrum: how far it is, how it tests, what it learns first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.batch_norm import analysis
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.race_picture import Runs
from convexviz.views import board_layers as layers
from convexviz.views.batch_norm_cuts import Cut
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Plane, Series
from convexviz.views.board_small import Player

RECORD = "record"
FLOOR = 1e-9


def last(result: Result) -> int:
    """The number of the last record of descent; 0 where there is none."""
    runs = Runs.of(result.arrays, "descent_")
    return 0 if runs is None else int(np.shape(runs.objectives)[1]) - 1


def panels(result: Result, cuts: Sequence[Cut]) -> list[AbstractPanel]:
    """Two curves with one cursor, the player that moves it, and the order of learning."""
    runs = Runs.of(result.arrays, "descent_")
    if runs is None or runs.objectives.shape[1] < 2 or "step" not in runs.records:
        return []
    # Descent trains on every direction; against a cut, or an open gap, there is no optimum to name.
    proved = result.certificate.relative_gap <= float(result.spec["tolerance"])
    if (
        result.spec["n_directions"]
        or not proved
        or (runs.objectives < result.certificate.dual).any()
    ):
        return []
    here = next(cut for cut in cuts if cut.k == analysis.kept_directions(result))
    if not math.isclose(here.weight_decay, float(result.spec["weight_decay"]), rel_tol=1e-6):
        return []  # it was run at another weight decay
    steps = runs.records["step"] + 1.0  # a log axis has no zero
    labels = tuple(
        f"step {int(k)}, {numbers.seconds(float(s))}"
        for k, s in zip(runs.records["step"][0], runs.seconds[0], strict=True)
    )
    player = Player(
        slot=Slot(id="player", area="below"),
        variable=RECORD,
        count=len(labels),
        labels=labels,
        play="Play descent",
        alt="moment of the training",
    )
    return [
        _falls(result, runs, steps),
        *_turns(runs, steps, here),
        player,
        *_order(runs),
    ]


def _shared(steps: NDArray[np.float64]) -> dict[str, Any]:
    at = tuple(float(step) for step in steps[0])
    return {
        "cursor": RECORD,
        "cursor_at": at,
        "drag": True,
        "x_log": True,
        "x_label": "steps of gradient descent (log)",
    }


def _falls(result: Result, runs: Runs, steps: NDArray[np.float64]) -> Curves:
    proof = result.certificate
    gaps = np.maximum((runs.objectives - proof.dual) / (abs(proof.primal) or 1.0), FLOOR)
    return Curves(
        slot=Slot(id="falls", title="Descent: gap to the optimum", area="below", columns=6),
        series=_starts(steps, gaps),
        y_log=True,
        alt="Relative distance of gradient descent to the certified optimum against steps",
        **_shared(steps),
    )


def _turns(runs: Runs, steps: NDArray[np.float64], here: Cut) -> list[AbstractPanel]:
    """Right answers on unseen rows rise, and then fall as the optimum comes near."""
    tested = runs.records.get("test_accuracy")
    if tested is None or not np.isfinite(here.test):
        return []
    best = float(np.nanmax(tested[0]))
    references: tuple[Mapping[str, Any], ...] = (
        {"y": here.test, "words": "the optimum itself", "role": "convex", "above": False},
        {"y": best, "words": f"best moment {numbers.share(best)}", "role": "ink2"},
    )
    return [
        Curves(
            slot=Slot(id="turns", title="Descent: right on unseen rows", area="below", columns=6),
            series=_starts(steps, tested),
            references=references,
            y_range=(0.0, 1.05),
            y_unit="%",
            alt="Share of right answers on unseen rows against steps of gradient descent",
            **_shared(steps),
        )
    ]


def _starts(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Series, ...]:
    """Thin, one line a start; the first is the one that the cursor reads."""
    return tuple(
        Series(
            x=x[i],
            y=y[i],
            role="descent",
            width=1.5,
            quiet=i > 0,
        )
        for i in range(len(y))
    )


def _order(runs: Runs) -> list[AbstractPanel]:
    """Share of the target learned in each direction, largest on top, against steps."""
    learned = runs.records.get("learned")
    if learned is None or learned.ndim != 3 or learned.shape[2] < 2:
        return []
    share = np.clip(learned[0].T, 0.0, 1.0)
    d, n = share.shape
    cursor = [[layers.segments([[k, 0.0, k, d]], "hand", alpha=1.0, width=2.5)] for k in range(n)]
    return [
        Plane(
            slot=Slot(
                id="order",
                area="below",
                title="Descent learns large directions first",
                note="rows: directions, largest on top; strong: its share of the target is learned",
            ),
            extent=(-0.5, n - 0.5, 0.0, float(d)),
            layers=(
                layers.heat(share, scale="sequential", range=1.0, crisp=True, alpha=1.0),
                layers.frames(RECORD, cursor),
            ),
            stretch=True,
            tallest=10,
            alt="Share of the target learned in each direction of the data, against steps",
        )
    ]
