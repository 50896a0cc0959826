"""The axis of a race: distances to a bound, above and below it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexviz.figures.picture import decades

Series = NDArray[np.float64]
FLOOR = 1e-12  # relative; below it nothing is drawn


@dataclass(frozen=True, slots=True)
class Axis:
    """Distance to the bound on a log axis, mirrored below it where anything lies there.

    `floor` is the smallest size told apart; a distance r is drawn at log10(r / floor), and below
    the bound at minus that, so that one axis holds both signs and zero is the bound itself.
    """

    floor: float
    low: float
    high: float

    @classmethod
    def over(cls, values: Series, *, mirrored: bool) -> Axis:
        """The axis that holds these distances."""
        sizes = np.abs(values)[np.abs(values) > FLOOR]
        floor = 10.0 ** math.floor(math.log10(sizes.min()) - 0.01) if len(sizes) else FLOOR
        if mirrored:  # it needs both sides: no more than six decades of each
            floor = max(
                floor, float(np.abs(values[values < -FLOOR]).max()) * 1e-2, sizes.max() * 1e-6
            )
            floor = 10.0 ** math.floor(math.log10(floor))
        top = math.log10(max(float(values.max()), floor) / floor) + 0.3
        bottom = math.log10(max(-float(values.min()), floor) / floor) + 1.0
        return cls(floor, -bottom if mirrored else 0.0, max(top, 1.0))

    def place(self, values: Series) -> Series:
        return np.maximum(self._raw(values), self.low)

    def _raw(self, values: Series) -> Series:
        return np.sign(values) * np.log10(np.maximum(np.abs(values) / self.floor, 1.0))

    def ticks(self) -> dict[str, list[float] | list[str]]:
        above = decades(math.log10(self.floor) + 0.5, math.log10(self.floor) + self.high)
        values = [float(v) for v in above["tickvals"]]
        words = [str(w) for w in above["ticktext"]]
        under = [(v, w) for v, w in zip(values, words, strict=True) if self._fits(-v)]
        shown = [*values, *(-v for v, _ in under)]
        text = [*words, *(f"−{w}" for _, w in under)]
        where = [float(v) for v in self.place(np.array(shown))]
        return {"tickvals": [*where, 0.0] if self.low < 0 else where, "ticktext": [*text, "0"]}

    def _fits(self, value: float) -> bool:
        return float(self._raw(np.array([value]))[0]) >= self.low
