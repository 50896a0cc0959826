"""Gradient descent beside the cut spectrum: how far it is from the optimum, and how it tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.figures import numbers
from convexviz.views.batch_norm_cuts import Cut
from convexviz.views.batch_norm_runs import Race
from convexviz.views.board_labels import Frame, placed, span
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Series
from convexviz.views.board_small import Player, Say

RECORD = "record"
SHARES = (0.0, 1.05)
NEAR = 0.06  # shares as near as that have one label


def panels(race: Race, cuts: Sequence[Cut], plain: Mapping[str, Any]) -> list[AbstractPanel]:
    """Two curves with one cursor, what they say, and the player that moves it.

    The last of `cuts` keeps every direction, all about at the weight decay of the race; `plain` are
    the baselines.
    """
    whole = cuts[-1]
    player = Player(
        slot=Slot(id="player", area="below"),
        variable=RECORD,
        count=len(race.steps),
        labels=tuple(f"step {int(k)}" for k in race.steps),
        play="Play Adam",
        alt="moment of the training",
    )
    return [
        _falls(race),
        *_turns(race, whole, cuts, plain),
        player,
        _sentence(race, whole, _cut_too(race, whole, cuts) + compared(plain)),
    ]


def _shared(race: Race) -> dict[str, Any]:
    return {
        "cursor": RECORD,
        "cursor_at": tuple(float(step) + 1.0 for step in race.steps),  # a log axis has no zero
        "drag": True,
        "x_log": True,
        "x_label": f"steps of Adam, full batch, β = {race.weight_decay:g} (log)",
    }


def _falls(race: Race) -> Curves:
    references: tuple[Mapping[str, Any], ...] = ()
    title = "Adam falls towards the proved optimum"
    if race.bound is not None:
        title = "Adam's objective"
        if race.bound > 0:
            words = "no network lies below: proved bound"
            references = ({"y": race.bound, "words": words, "role": "bound"},)
    return Curves(
        slot=Slot(id="falls", title=title, area="below", columns=6),
        series=_starts(race, race.height),
        references=references,
        y_log=True,
        alt="Relative distance of Adam to the certified optimum against steps"
        if race.bound is None
        else "Objective of Adam against steps, with a proved lower bound",
        **_shared(race),
    )


def _turns(
    race: Race, whole: Cut, cuts: Sequence[Cut], plain: Mapping[str, Any]
) -> list[AbstractPanel]:
    """How the unseen rows fare while the optimum comes near."""
    if race.tested is None:
        return []
    references: list[Mapping[str, Any]] = []
    if np.isfinite(whole.test):
        words = "the optimum itself" if race.bound is None else "every direction, gap open"
        references.append({"y": whole.test, "words": words, "role": "convex"})
    best = _best_cut(race, whole, cuts)
    if best is not None:
        words = f"cut at k = {best.k}"
        references.append({"y": best.test, "words": words, "role": "convex"})
    apart = abs(references[0]["y"] - references[-1]["y"]) if len(references) == 2 else np.inf
    if race.classes and apart < NEAR:
        words = " and ".join(str(line["words"]) for line in reversed(references))
        near = {**references[1], "words": "", "shares": True}
        references = [{**references[0], "words": words}, near]
    series = list(_starts(race, race.tested))
    if "baseline_plain_step" in plain:
        x = np.asarray(plain["baseline_plain_step"], dtype=float) + 1.0
        y = np.asarray(plain["baseline_plain_test_accuracy"], dtype=float)
        series.append(
            Series(
                x=x,
                y=y,
                role="data",
                width=1.5,
                dashed=True,
                words="no batch norm",
                quiet=True,
                at=0.6,
            )
        )
    ends = float(race.steps[0]) + 1.0, float(race.steps[-1]) + 1.0
    y_range = SHARES if race.classes else span(series, references)
    series, references = placed(series, references, Frame(ends, y_range, x_log=True))
    return [
        Curves(
            slot=Slot(
                id="turns",
                title="Adam, right on unseen rows"
                if race.classes
                else "Adam, error of unseen rows",
                area="below",
                columns=6,
            ),
            series=tuple(series),
            references=tuple(references),
            y_range=y_range,
            y_unit="%" if race.classes else "",
            alt="Share of right answers on unseen rows against steps of Adam"
            if race.classes
            else "Squared error of unseen rows against steps of Adam",
            **_shared(race),
        )
    ]


def _best_cut(race: Race, whole: Cut, cuts: Sequence[Cut]) -> Cut | None:
    """The cut that is tested best, where that is better than every direction is."""
    sign = 1 if race.classes else -1
    tested = [cut for cut in cuts if cut.k != whole.k and np.isfinite(cut.test)]
    best = max(tested, key=lambda cut: sign * cut.test, default=None)
    return best if best is not None and sign * best.test > sign * whole.test else None


def _cut_too(race: Race, whole: Cut, cuts: Sequence[Cut]) -> str:
    """How the best cut fares, in words."""
    best = None if race.tested is None else _best_cut(race, whole, cuts)
    if best is None:
        return ""
    return f" Cut at k = {best.k}{best.elsewhere(race.weight_decay)}: {_tested(race, best.test)}."


def _starts(race: Race, y: NDArray[np.float64]) -> tuple[Series, ...]:
    """Thin, one line a run; the first is the one that the cursor reads."""
    x = race.steps + 1.0
    return tuple(
        Series(x=x, y=row, role="descent", width=2.5 if i == 0 else 1, quiet=i > 0)
        for i, row in enumerate(y)
    )


def compared(plain: Mapping[str, Any]) -> str:
    """How the methods without batch norm test, in words."""
    values = {
        "nearest neighbour": plain.get("baseline_nearest"),
        "logistic regression": plain.get("baseline_logistic"),
        "the same network": plain.get("baseline_plain_test_accuracy"),
    }
    found = [
        f"{name} {numbers.share(float(np.ravel(value)[-1]))}"
        for name, value in values.items()
        if value is not None
    ]
    return f" Without batch norm: {', '.join(found)}." if found else ""


def _sentence(race: Race, whole: Cut, end: str) -> Say:
    """What the runs say at every record, and how they end."""
    texts = []
    for k, step in enumerate(race.steps):
        words = f"Step **{int(step)}**: "
        if race.bound is None:
            words += _above(race.height[0, k])
        else:
            words += f"objective **{race.height[0, k]:.4g}**"
        if race.tested is not None:
            words += (
                f"; on unseen rows **{_tested(race, race.tested[0, k])}**. Its best moment was "
                f"step {int(race.steps[race.best])}, with "
                f"{_tested(race, race.tested[0, race.best])}"
            )
            if race.bound is None and np.isfinite(whole.test):
                words += f"; the optimum that it nears has {_tested(race, whole.test)}"
        words += "."
        if race.draws:
            words += f" Thin lines: {len(race.height) - 1} other draws of the rows."
        elif len(race.height) > 1:
            words += f" Thin lines: {len(race.height) - 1} other starts."
        texts.append(words + end)
    return Say(slot=Slot(id="race-say", area="below"), texts=tuple(texts), variable=RECORD)


def _tested(race: Race, value: float) -> str:
    """35 % right, or a squared error of 0.29."""
    return f"{numbers.share(value)} right" if race.classes else f"a squared error of {value:.3g}"


def _above(gap: float) -> str:
    """Where an objective stands: 12 is 13 times the optimum, 0.3 is 30 % above it."""
    if gap >= 1:
        return f"**{numbers.count(1 + gap)}** times the proved optimum"
    return f"**{100 * gap:.2g}\u00a0%** above the proved optimum"
