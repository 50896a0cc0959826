"""Panels of pictures that a generator draws: two of them blended, its directions, how near they
come to real ones; and a strip of stored colour pictures, and a button.

Panels with a `source` draw from the factors of the `Factors` panel with that id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convexviz.views.board_panels import AbstractPanel, Meta, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Between(AbstractPanel):
    """A picture on the way from one tile to another, which a slider moves.

    Attributes:
        ends: the variable with the numbers of the two tiles.
        variable: the share of the way, 0 to 1.
    """

    kind: ClassVar[str] = "between"
    slot: Slot
    source: str
    ends: str
    variable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directions(AbstractPanel):
    """The mean picture, and the mean plus and minus `times` deviations along each direction.

    Those that the variable drops are pale.
    """

    kind: ClassVar[str] = "directions"
    slot: Slot
    source: str
    variable: str
    count: int
    times: float = 2.5
    across: int = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness(AbstractPanel):
    """How near generated pictures come to real ones, beside how near unseen real ones come.

    Attributes:
        held_out: distances of pictures that nothing was learned from.
        x_range: the axis, the same whatever is shown.
    """

    kind: ClassVar[str] = "likeness"
    slot: Slot
    source: str
    variable: str
    held_out: NDArray[Any]
    words: tuple[str, str]
    x_range: tuple[float, float]
    x_label: str
    height: float = 7.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip(AbstractPanel):
    """Stored pictures (uint8, grey or colour, each of its own size), with what is said of each."""

    kind: ClassVar[str] = "strip"
    slot: Slot
    pixels: NDArray[np.uint8]
    shapes: tuple[tuple[int, int, int], ...]
    labels: tuple[str, ...]
    across: int
    across_phone: int = 5
    each: str = "picture"


def strip(pictures: list[NDArray[np.uint8]], labels: tuple[str, ...], **more: Any) -> Strip:
    """A strip of (h, w, channels) pictures."""
    shapes = tuple((p.shape[0], p.shape[1], p.shape[2]) for p in pictures)
    flat = [p.ravel() for p in pictures]
    return Strip(pixels=np.concatenate(flat), shapes=shapes, labels=labels, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button(AbstractPanel):
    """A button that steps a variable through 0, ..., count - 1, and one that plays another.

    Attributes:
        sweep: the variable that the second button moves through `stops`, there and back; Space
            does the same.
    """

    kind: ClassVar[str] = "button"
    slot: Slot
    variable: str
    count: int
    words: str
    sweep: str
    stops: tuple[float, ...]
    sweep_words: str

    def sizes(self) -> Meta:
        """Stops in order."""
        return {"stops": sorted(self.stops)}
