"""Heroes: the picture at the top of a lab, one module an architecture.

A module has SENTENCE (under the title), `show(result, index) -> index` (draws it; the place on the
path under the slider) and `apply(name, value)` (a story's setting that is the hero's own).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def of(name: str) -> Any:
    """The hero of the architecture `name`."""
    return import_module(f"convexviz.views.heroes.{name}")
