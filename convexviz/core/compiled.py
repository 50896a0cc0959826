"""Machine code for the loops that NumPy cannot express, compiled once and kept on disk."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled at its first call, releasing the GIL; use it on undecorated loops.

    The machine code is cached beside the source or in the user's cache directory; where
    neither can be written (a read-only install) it is compiled anew in each process.
    """
    return _compile(function, {"contract"})


def compiled_sums(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled`, and sums may be taken in another order: for long inner products.

    Infinities and NaN keep their meaning.
    """
    return _compile(function, {"contract", "reassoc", "nsz"})


def _compile(function: Callable[..., Any], fast: set[str]) -> Callable[..., Any]:
    # A type checker may have wrapped the function; numba needs the loop itself.
    bare = inspect.unwrap(function)
    options: dict[str, Any] = {"nogil": True, "fastmath": fast}
    try:
        return njit(cache=True, **options)(bare)
    except RuntimeError:
        return njit(**options)(bare)
