"""Where the words of a panel of curves go: where neither a curve, a line nor other words are.

Places are those that the panel knows (`curve.js`): a curve's words at a share of its points, above
or below it; a line's at either end or in its middle, above or below. What finds no clear place is
left out; the panel's note and the text below say it all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convexviz.core.types import Array
from convexviz.views.board_pictures import Series

WIDTH, HEIGHT = 320.0, 170.0  # of the plot in pixels, about, on a desk as on a phone
LETTER, LINE = 6.6, 14.0
ABOVE, BELOW = -8.0, 17.0  # the baseline of a curve's words, and
LINE_ABOVE, LINE_BELOW = -5.0, 13.0  # of a line's
CROWDED = 6.0  # steps of a curve (a few pixels each) under the words
PAD = 0.06  # of the range of values, above and below it
SHARES = (0.98, 0.8, 0.6, 0.45, 0.3, 0.15)

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Frame:
    """The ranges of the axes."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_log: bool = False
    y_log: bool = False

    def to(self, x: Any, y: Any) -> tuple[Array, Array]:
        """Pixels from the left and from the top."""
        across = _share(x, self.x, self.x_log)
        return WIDTH * across, HEIGHT * (1.0 - _share(y, self.y, self.y_log))


def _share(values: Any, ends: tuple[float, float], log: bool) -> Array:
    low, high = ends
    found = np.asarray(values, dtype=float)
    if log:
        found, low, high = np.log(np.maximum(found, 1e-300)), np.log(low), np.log(high)
    return np.asarray((found - low) / ((high - low) or 1.0))


def placed(
    series: Sequence[Series], references: Sequence[Mapping[str, Any]], frame: Frame
) -> tuple[list[Series], list[Mapping[str, Any]]]:
    """The curves and lines with their words where there is room, curves first.

    A line that `shares` the words of the one before it has them where that one has no room.
    """
    ink = [_along(frame, each) for each in series if len(each.x)]
    for line in references:
        x = np.linspace(0.0, WIDTH, 80)
        ink.append((x, np.full(80, float(frame.to(frame.x[0], line["y"])[1]))))
    taken: list[Box] = []
    curves = list(series)
    for j, each in enumerate(series):
        if not each.words or not len(each.x):
            continue
        at, up = each.at, each.up
        asked = [(at, up), *((share, side) for share in SHARES for side in (True, False))]
        boxes = [_beside(frame, each, share, side) for share, side in asked]
        best = _best(boxes, ink, taken)
        if best is None:
            curves[j] = replace(each, said=each.said or each.words, words="")
        else:
            at, up = asked[best]
            curves[j] = replace(each, at=at, up=up)
            taken.append(boxes[best])
    lines: list[Mapping[str, Any]] = []
    homeless = ""
    for reference in references:
        line = dict(reference)
        if line.pop("shares", False):
            line["words"] = line["words"] or homeless
        asked_of = [(at, above) for at in (1.0, 0.0, 0.5) for above in (True, False)]
        boxes = [_on_line(frame, line, at, above) for at, above in asked_of]
        best = _best(boxes, ink, taken) if line["words"] else None
        if best is None:
            homeless = str(line["words"])
            lines.append({**line, "words": ""})
        else:
            at, above = asked_of[best]
            homeless = ""
            lines.append({**line, "at": at, "above": above})
            taken.append(boxes[best])
    return curves, lines


def span(series: Sequence[Series], references: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The range of values with a little around it: an axis that no share of a whole is on."""
    drawn = [part for each in series for part in (each.y, each.low, each.high) if part is not None]
    found = [np.ravel(np.asarray(part, dtype=float)) for part in drawn]
    values = np.concatenate([*found, np.array([float(line["y"]) for line in references])])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    pad = PAD * (high - low) or 0.1
    return low - pad, high + pad


def _along(frame: Frame, series: Series) -> tuple[Array, Array]:
    """A curve's pixels, a few apart."""
    x, y = frame.to(series.x, series.y)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) < 2:
        return x, y
    lengths = np.hypot(np.diff(x), np.diff(y))
    way = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0.0, way[-1], max(2, int(way[-1] / 4.0)))
    return np.interp(at, way, x), np.interp(at, way, y)


def _beside(frame: Frame, series: Series, share: float, up: bool) -> Box:
    y = np.asarray(series.y, dtype=float)
    i = max(0, min(len(y) - 1, round(share * (len(y) - 1))))
    finite = y[np.isfinite(y)]
    value = y[i] if np.isfinite(y[i]) else (finite[-1] if len(finite) else 0.0)  # as it is drawn
    x0, y0 = (float(v) for v in frame.to(series.x[i], value))
    wide, base = LETTER * len(series.words), y0 + (ABOVE if up else BELOW)
    left = min(WIDTH, x0) if share < 0.3 else min(WIDTH, x0) - wide
    return left, base - LINE + 3.0, left + wide, base + 3.0


def _on_line(frame: Frame, line: Mapping[str, Any], at: float, above: bool) -> Box:
    base = float(frame.to(frame.x[0], line["y"])[1]) + (LINE_ABOVE if above else LINE_BELOW)
    wide = LETTER * len(str(line["words"]))
    left = at * (WIDTH - wide)
    return left, base - LINE + 4.0, left + wide, base + 2.0


def _best(
    boxes: Sequence[Box], ink: Sequence[tuple[Array, Array]], taken: Sequence[Box]
) -> int | None:
    """The first of the boxes with the least under it, or None where all are crowded."""
    costs = [_cost(box, ink, taken) for box in boxes]
    best = int(np.argmin(costs))
    return best if costs[best] <= CROWDED else None


def _cost(box: Box, ink: Sequence[tuple[Array, Array]], taken: Sequence[Box]) -> float:
    left, top, right, bottom = box
    if not np.isfinite(box).all():
        return float("inf")
    if left < -1.0 or right > WIDTH + 1.0 or top < -10.0 or bottom > HEIGHT:
        return float("inf")
    if any(_overlap(box, other) for other in taken):
        return float("inf")
    under = ((x > left) & (x < right) & (y > top) & (y < bottom) for x, y in ink)
    return float(sum(np.sum(inside) for inside in under))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
