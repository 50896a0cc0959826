"""What descent-ascent proved on the faces in a minute a setting, beside the closed form."""

from __future__ import annotations

import numpy as np

from convexviz.experiments import faces_race
from convexviz.figures import numbers
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Series
from convexviz.views.board_small import Say

FAR = 1.6  # of the optimum: what is proved beyond is not drawn


def race_panels() -> list[AbstractPanel]:
    """What descent-ascent proved on these faces, a line a setting."""
    found, spent = faces_race.stored()
    series = []
    for one in found:
        seconds, proved = one.records["seconds"], one.proved
        for values, role, dashed in zip(proved, ("bound", "descent"), (True, False), strict=True):
            y = np.where(values <= FAR, values, np.nan)
            series.append(Series(x=seconds, y=y, role=role, width=2, dashed=dashed, quiet=True))
    best = min((one.interval for one in found), key=lambda ends: ends[1] - ends[0])
    last = float(max(one.records["seconds"][-1] for one in found))
    names = [one.name for one in found]
    certified = [one.name for one in found if one.is_certified]
    words = f"reached by {', '.join(certified)}" if certified else "not reached"
    won = min(one.last[1] for one in found if np.isfinite(one.last[1]))
    return [
        Curves(
            slot=Slot(id="race", title="Descent–ascent: bounds on the optimum, over it", columns=6),
            series=tuple(series),
            references=({"y": 1.0, "words": "closed form", "role": "convex"},),
            x_range=(0.0, last),
            y_range=(0.0, FAR),
            x_label="CPU seconds, by the pace of a step; dashed: proved",
            height=12,
            alt="What descent-ascent proves of the optimum on faces, against seconds",
        ),
        Say(
            slot=Slot(id="race-say", columns=6),
            texts=(
                f"With {faces_race.KEPT} directions kept, one percent: **{words}** in {last:.0f} s "
                f"a setting ({'; '.join(names)}). The best proves the optimum between "
                f"**{best[0]:.2f}** and **{best[1]:.2f}** of what it is; in the end F/β is "
                f"{won:.1f} at the least, where 1 is allowed. The closed form took "
                f"{numbers.seconds(spent)}.",
            ),
        ),
    ]
