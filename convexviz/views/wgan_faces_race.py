"""What descent-ascent reached on the faces in a minute a setting, beside the closed form."""

from __future__ import annotations

import numpy as np

from convexviz.core.types import Array
from convexviz.experiments import faces_race
from convexviz.experiments.faces_race import Reached
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Series
from convexviz.views.board_small import Say

FAR = 1.6  # of the optimum: what is proved beyond is not drawn
MOST = 1e3  # of beta: F beyond is not drawn


def show(result: Result, key: str) -> bool:
    """Draw the runs that ship with a result's game; False where none do."""
    if any(result.spec[name] != value for name, value in faces_race.players().items()):
        return False
    board.board(race_panels(), {}, key=key)
    return True


def race_panels() -> list[AbstractPanel]:
    """What each setting proved, what its critic still won, and both in words."""
    found, spent = faces_race.stored()
    last = float(max(one.records["seconds"][-1] for one in found))
    came = sum(_least(one) <= 1 + faces_race.GOAL for one in found)
    end = f"{came or 'none'} {'comes' if came < 2 else 'come'} to 1"
    return [
        Curves(
            slot=Slot(id="race", title="What is proved of the optimum", columns=6),
            series=tuple(line for one in found for line in _proved(one)),
            references=({"y": 1.0, "words": "closed form", "role": "convex"},),
            x_range=(0.0, last),
            y_range=(0.0, FAR),
            x_label="CPU seconds; above: it is at most this; dashed: at least",
            height=13,
            alt="What descent-ascent proves of the optimum on faces, against seconds",
        ),
        Curves(
            slot=Slot(id="won", title="F over β, 1 is allowed", columns=6),
            series=tuple(_won(one) for one in found),
            references=({"y": 1.0, "words": "allowed", "role": "bound"},),
            x_range=(0.0, last),
            y_range=(0.5, MOST),
            y_log=True,
            x_label="CPU seconds; a line a setting",
            height=13,
            alt=f"F over beta of each setting against seconds: {end}",
        ),
        Say(slot=Slot(id="race-say"), texts=(_said(found, spent, last),)),
    ]


def _proved(one: Reached) -> list[Series]:
    """Best bound and best repaired value so far, over the optimum."""
    roles = (("bound", True), ("descent", False))
    return [
        Series(
            x=one.records["seconds"], y=np.where(values <= FAR, values, np.nan), role=role,
            width=2, dashed=dashed, quiet=True,
        )
        for values, (role, dashed) in zip(one.proved, roles, strict=True)
    ]  # fmt: skip


def _over(one: Reached) -> Array:
    """What the best critic wins, of what it is allowed; not finite once it diverged."""
    return np.asarray(1.0 + one.records["violation"] / one.beta)


def _least(one: Reached) -> float:
    won = _over(one)
    return float(np.min(won[np.isfinite(won)], initial=np.inf))


def _won(one: Reached) -> Series:
    won = _over(one)
    y = np.where(won <= MOST, won, np.nan)
    return Series(x=one.records["seconds"], y=y, role="descent", width=2, quiet=True)


def _said(found: tuple[Reached, ...], spent: float, last: float) -> str:
    """Every setting's end, in a table."""
    certified = [one.name for one in found if one.is_certified]
    words = f"reached by {', '.join(certified)}" if certified else "not reached"
    least = min((one.last[1] for one in found if np.isfinite(one.last[1])), default=np.nan)
    at_least = f", {least:.1f} at the least" if np.isfinite(least) else ""
    settings = f"{len(found)} settings" if len(found) > 1 else "One setting"
    best = min((one.interval for one in found), key=lambda ends: ends[1] - ends[0])
    ends = "; ".join(f"{one.name} {_end(one)}" for one in found)
    return (
        f"{settings} of descent–ascent with {faces_race.KEPT} directions to keep, "
        f"{last:.0f} CPU seconds each. A proof to one percent: **{words}**; the narrowest is "
        f"**{best[0]:.2f}** to **{best[1]:.2f}** of the optimum. The closed form took "
        f"{numbers.seconds(spent)}. F over β in the end{at_least}: {ends}."
    )


def _end(one: Reached) -> str:
    won = one.last[1]
    return f"{won:.1f}" if np.isfinite(won) else "diverged"
