"""Where the words of a race stand: clear of each other, and of the lines where there is room."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convexviz.figures.picture import Theme

WIDTHS = {True: (230.0, 274.0), False: (370.0, 720.0)}  # pixels of the plot: on a phone, elsewhere
HEIGHT, LETTER, LINE = 250.0, 7.2, 16.0  # pixels: of the plot, and of bold type of 13
STEP = 3.0  # pixels from one sample of a line to the next
PREFERRED, CROSSED, COVERED, OUTSIDE = 0.15, 0.1, 50.0, 20.0  # costs


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a word: a point of the plot (log10 seconds, height) and pixels from it."""

    x: float
    y: float
    right: float
    up: float

    @property
    def anchor(self) -> str:
        """Which end of the word is there: words to the left of a point end at it."""
        return "left" if self.right > 0 else "right"


@dataclass(slots=True)
class Page:
    """What is drawn already, as every width of the screen has it.

    Attributes:
        span: first and last log10 seconds of the axis.
        reach: lowest and highest height.
        lines: (seconds, height) of each line.
    """

    span: tuple[float, float]
    reach: tuple[float, float]
    lines: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
    theme: Theme
    _taken: list[list[tuple[float, float, float, float]]] = field(init=False)
    _inked: list[NDArray[np.float64]] = field(init=False)

    def __post_init__(self) -> None:
        self._taken = [[] for _ in self._widths]
        self._inked = [self._samples(width) for width in self._widths]

    @property
    def _widths(self) -> tuple[float, ...]:
        return WIDTHS[self.theme.narrow]

    def take(self, words: str, spots: Iterable[Spot]) -> Spot:
        """The first of the best spots, which from now on is taken."""
        known = list(spots)
        costs = [PREFERRED * i + self._cost(words, spot) for i, spot in enumerate(known)]
        best = known[int(np.argmin(costs))]
        for taken, width in zip(self._taken, self._widths, strict=True):
            taken.append(self._box(words, best, width))
        return best

    def _cost(self, words: str, spot: Spot) -> float:
        cost, high = 0.0, HEIGHT * self.theme.scale
        for width, taken, inked in zip(self._widths, self._taken, self._inked, strict=True):
            left, low, right, top = box = self._box(words, spot, width)
            cost += COVERED * sum(_common(box, other) > 0 for other in taken)
            cost += OUTSIDE * sum((left < 0, right > width + 12, low < 0, top > high + 8))
            x, y = inked
            cost += CROSSED * float(np.sum((x > left) & (x < right) & (y > low) & (y < top)))
        return cost

    def _box(self, words: str, spot: Spot, width: float) -> tuple[float, float, float, float]:
        """Left, bottom, right and top in pixels."""
        x, y = self._at(np.array([spot.x]), np.array([spot.y]), width)
        wide, half = LETTER * len(words) * self.theme.scale, LINE * self.theme.scale / 2
        left = float(x[0]) + spot.right - (wide if spot.anchor == "right" else 0.0)
        middle = float(y[0]) + spot.up
        return left, middle - half, left + wide, middle + half

    def _at(
        self, x: NDArray[np.float64], y: NDArray[np.float64], width: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        (first, last), (low, high) = self.span, self.reach
        across, up = width / (last - first), HEIGHT * self.theme.scale / (high - low)
        return (x - first) * across, (y - low) * up

    def _samples(self, width: float) -> NDArray[np.float64]:
        """Points of all lines, (2, points), no farther apart than a step."""
        found = [np.empty((2, 0))]
        for seconds, heights in self.lines:
            points = np.stack(self._at(np.log10(seconds), heights, width), axis=1)
            for a, b in pairwise(points):
                count = max(1, math.ceil(float(np.hypot(*(b - a))) / STEP))
                found.append(a[:, None] + (b - a)[:, None] * np.arange(count) / count)
            found.append(points[-1:].T)
        return np.concatenate(found, axis=1)


def around(x: float, y: float, scale: float, first: Spot) -> list[Spot]:
    """Spots about a point: the one asked for, then near it, then farther."""
    sides = [
        Spot(x, y, right, up * scale)
        for up in (12, -12, 30, -30, 48, -48, 66, 84)
        for right in (-14.0, 10.0)
    ]
    return [first, *sides]


def _common(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Square pixels that two boxes share."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)
