"""What stands beside the pictures of a board: player, sentence, slider, choice, card, question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from convexviz.views.board_panels import AbstractPanel, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Player(AbstractPanel):
    """Play (Space), step (arrows) and slow motion over `count` states of the variable.

    Attributes:
        wait: milliseconds a step.
        labels: what is said of each step.
        play: what the button says.
    """

    kind: ClassVar[str] = "player"
    slot: Slot
    variable: str
    count: int
    wait: int = 120
    labels: tuple[str, ...] | None = None
    play: str = "Play"
    alt: str = "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates(AbstractPanel):
    """The certificate card; `states` are `certificate.fields`."""

    kind: ClassVar[str] = "certificate"
    slot: Slot
    states: tuple[Mapping[str, Any], ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Say(AbstractPanel):
    """A sentence that says what the picture shows now; `**so**` is bold."""

    kind: ClassVar[str] = "say"
    slot: Slot
    texts: tuple[str, ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider(AbstractPanel):
    """A slider over `values`, or from `low` to `high`; `words` may name the values."""

    kind: ClassVar[str] = "slider"
    slot: Slot
    variable: str
    label: str
    values: tuple[float, ...] | None = None
    words: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    ends: tuple[str, str] | None = None
    live: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(AbstractPanel):
    """A row of buttons, one of which holds: (value, words) each."""

    kind: ClassVar[str] = "choice"
    slot: Slot
    variable: str
    options: tuple[tuple[Any, str], ...]
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(AbstractPanel):
    """Rows with bars, a list of rows a state.

    A row: `value`, and optionally `second` (a line across the bar), `arrow` (x, y), `words`,
    `role`, `mark`, `hollow`, `shown` and `weights`, drawn as signed squares under `heads`
    (classes).
    """

    kind: ClassVar[str] = "bars"
    slot: Slot
    frames: tuple[Sequence[Mapping[str, Any]], ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None
    heads: tuple[int, ...] | None = None
    top: float | None = None
    wide: float = 2.4
    fewest: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks(AbstractPanel):
    """Values on one axis, a state each: `marks` (value, words, role, dashed, hollow) and `gaps`
    (from, to, words, role) between them.
    """

    kind: ClassVar[str] = "marks"
    slot: Slot
    frames: tuple[Mapping[str, Any], ...]
    variable: str | None = None
    at: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(AbstractPanel):
    """Predict, then reveal; panels in `hides` are covered until then. `answer` is a number.

    `then` sets variables when the answer is told, so that the pictures show it.
    """

    kind: ClassVar[str] = "quiz"
    slot: Slot
    question: str
    options: tuple[str, ...]
    answer: int
    why: str
    hides: tuple[str, ...] = field(default=())
    then: Mapping[str, Any] | None = None
