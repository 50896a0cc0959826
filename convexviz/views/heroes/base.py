"""What a hero is: the picture at the top of a lab, and what it takes over from the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from convexviz.experiments.result import Result
from convexviz.figures.race_picture import Runs

Arrays = Mapping[str, Any]


def _nothing_to_set(_name: str, _value: Any) -> None:
    """There is nothing in it that a story could set."""


def _no_arrays(_fields: Mapping[str, Any]) -> Arrays | None:
    """It holds no data of its own."""
    return None


def _no_change() -> None:
    """It holds nothing."""


def _nothing_fixed() -> Mapping[str, Any]:
    """It leaves every field to the settings."""
    return {}


def _not_ahead() -> bool:
    """It draws results."""
    return False


@dataclass(frozen=True, slots=True)
class Example:
    """A named start: the parameters that differ from how the page opens, and one short sentence."""

    title: str
    says: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hero:
    """One hero. Session keys of its own components begin with `<architecture>.hero`.

    Attributes:
        sentence: what stands under the page's title, at most 25 words with one idea in italics.
        says: the sentence of the moment, where it changes.
        show: (result, index) -> index; draws it, and says which place of the path is shown.
        apply: (name, value); a story's setting that is the hero's own.
        holds: parameters that it has controls for, so that Settings has none; their values live
            in the address (`controls.held`, `controls.hold`).
        arrays: (fields of the settings) -> the data that the visitor made in it (points that were
            moved), or None.
        examples: what the page offers to begin with, the way it opens first.
        listen: puts what the visitor moved in it into the address; called before anything else.
        reset: lets go of what the visitor moved in it; Reset and the story's cards call it.
        fixes: fields that it decides now, so that Settings has none of them.
        ahead: draws it before anything is solved, where it needs no result; whether it did.
        live_seconds: what is solved in less is solved while the page is drawn.
        race: (result, runs, key) -> whether it drew the race itself, to be played.
        raced: (result, key) -> whether it drew runs that ship with the result's data.
        pictures: whether the visitor's own data may be a folder of pictures.
    """

    sentence: str
    show: Callable[[Result, int], int]
    says: Callable[[], str] | None = None
    apply: Callable[[str, Any], None] = _nothing_to_set
    holds: tuple[str, ...] = ()
    arrays: Callable[[Mapping[str, Any]], Arrays | None] = _no_arrays
    examples: tuple[Example, ...] = ()
    listen: Callable[[], None] = _no_change
    reset: Callable[[], None] = _no_change
    fixes: Callable[[], Mapping[str, Any]] = _nothing_fixed
    ahead: Callable[[], bool] = _not_ahead
    live_seconds: float = 0.1
    pictures: bool = False
    race: Callable[[Result, Runs, str], bool] | None = None
    raced: Callable[[Result, str], bool] | None = None
