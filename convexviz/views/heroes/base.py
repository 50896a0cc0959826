"""What a hero is: the picture at the top of a lab, and what it takes over from the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from convexviz.experiments.result import Result

Arrays = Mapping[str, Any]


def _nothing_to_set(_name: str, _value: Any) -> None:
    """There is nothing in it that a story could set."""


def _no_arrays(_fields: Mapping[str, Any]) -> Arrays | None:
    """It holds no data of its own."""
    return None


def _no_change() -> None:
    """It holds nothing that Reset would have to let go of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hero:
    """One hero. Session keys of its own components begin with `<architecture>.hero`.

    Attributes:
        sentence: what stands under the page's title, at most 25 words with one idea in italics.
        show: (result, index) -> index; draws it, and says which place of the path is shown.
        apply: (name, value); a story's setting that is the hero's own.
        holds: parameters that it has controls for, so that Settings has none; their values live
            in the address (`controls.held`, `controls.hold`).
        arrays: (fields of the settings) -> the data that the visitor made in it (points that were
            moved), or None.
        reset: lets go of what it remembers.
    """

    sentence: str
    show: Callable[[Result, int], int]
    apply: Callable[[str, Any], None] = _nothing_to_set
    holds: tuple[str, ...] = ()
    arrays: Callable[[Mapping[str, Any]], Arrays | None] = _no_arrays
    reset: Callable[[], None] = _no_change
