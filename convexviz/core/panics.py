"""One guard against solvers that are written in Rust: they may panic instead of raising."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def unless_panic(call: Callable[[], T]) -> T | None:
    """What `call` returns; None where Rust panics in it, which no `except Exception` sees."""
    try:
        return call()
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, which no class here names
            raise
        return None
