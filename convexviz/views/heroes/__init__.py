"""Heroes: the picture at the top of a lab, one module an architecture.

A module has SENTENCE (under the title), `show(result, index) -> index` (draws it; the place on the
path under the slider) and `apply(name, value)` (a story's setting that is the hero's own). An
architecture without a module gets `plain`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def of(name: str) -> Any:
    """The hero of the architecture `name`."""
    module = f"{__name__}.{name}"
    return import_module(module if find_spec(module) else f"{__name__}.plain")
