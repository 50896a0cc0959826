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
    # A type checker may have wrapped the function; numba needs the loop itself.
    bare = inspect.unwrap(function)
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}}
    try:
        return njit(cache=True, **options)(bare)
    except RuntimeError:
        return njit(**options)(bare)
