"""Packages that are called to list what they hold: `convexviz.architectures()`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Registry(ModuleType):
    """A package with a `registry()`, callable so that one name serves both."""

    def __call__(self) -> Any:
        return dict(self.registry())


def callable_as_registry(name: str) -> None:
    """Let `name()` return a copy of `name.registry()`."""
    sys.modules[name].__class__ = _Registry
