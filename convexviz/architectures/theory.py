"""An architecture's theory in three parts: its network, its convex program, what proves a bound.

A `theory.md` has the level-two headings Network, Program and Proof, and Markdown with LaTeX under
each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from convexviz.errors import SpecError

PARTS = ("Network", "Program", "Proof")


@dataclass(frozen=True, slots=True)
class Theory:
    """What is trained, the program that trains it, and what bounds it from below."""

    network: str
    program: str
    proof: str


def theory(text: str) -> Theory:
    """The three parts of `text`.

    Raises:
        SpecError: a part is missing, empty, out of order, or there is another.
    """
    pieces = re.split(r"^## +(.+?) *$", text, flags=re.MULTILINE)
    titles, bodies = pieces[1::2], [body.strip() for body in pieces[2::2]]
    if tuple(titles) != PARTS or not all(bodies):
        raise SpecError(f"a theory must have the parts {', '.join(PARTS)}, got {titles}")
    return Theory(*bodies)


def of(architecture: str) -> Theory | None:
    """The theory of an architecture; None where its folder has no theory.md."""
    path = files("convexviz.architectures").joinpath(architecture, "theory.md")
    return theory(path.read_text(encoding="utf-8")) if path.is_file() else None
