"""Heroes: the picture at the top of a lab, one module an architecture that defines `HERO`.

An architecture without a module gets `plain`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from convexviz.views.heroes.base import Hero


def of(name: str) -> Hero:
    """The hero of the architecture `name`."""
    module = f"{__name__}.{name}"
    hero: Hero = import_module(module if find_spec(module) else f"{__name__}.plain").HERO
    return hero
