"""Stories: an idea told in a few cards, each of which sets the figure to what it speaks of.

A `story.md` is Markdown. A level-two heading starts a card; a line `set: name=value, name=value`
under it holds the card's settings; the rest is its text, formulas in LaTeX between dollars.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from convexviz.errors import SpecError

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Card:
    """One step of a story.

    Attributes:
        title: a few words.
        body: Markdown with LaTeX.
        settings: what the page is set to; names of spec fields, or of the page's own state.
    """

    title: str
    body: str
    settings: Mapping[str, Value]


def story(text: str) -> list[Card]:
    """The cards of `text`, in order.

    Raises:
        SpecError: a setting is not `name=value`, is given twice, or a card has no text.
    """
    parts = re.split(r"^## +(.+?) *$", text, flags=re.MULTILINE)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return [_card(title, content) for title, content in pairs]


def of(architecture: str) -> list[Card]:
    """The story of an architecture; none where its folder has no story.md."""
    path = files("convexviz.architectures").joinpath(architecture, "story.md")
    return story(path.read_text(encoding="utf-8")) if path.is_file() else []


def _card(title: str, content: str) -> Card:
    settings: dict[str, Value] = {}
    body: list[str] = []
    for line in content.strip().splitlines():
        if not body and line.startswith("set:"):
            _add(settings, title, line.removeprefix("set:"))
        else:
            body.append(line)
    words = "\n".join(body).strip()
    if not words:
        raise SpecError(f"card {title!r} of a story must have text, got none")
    return Card(title, words, MappingProxyType(settings))


def _add(settings: dict[str, Value], title: str, line: str) -> None:
    for pair in line.split(","):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and name.isidentifier() and value):
            raise SpecError(f"a setting of card {title!r} must be name=value, got {pair.strip()!r}")
        if name in settings:
            raise SpecError(f"card {title!r} sets {name} twice; keep one")
        settings[name] = _value(value)


def _value(text: str) -> Value:
    """True, 3, 0.5 or the word itself."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
