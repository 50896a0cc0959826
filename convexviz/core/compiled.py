"""Machine code for the loops that NumPy cannot express, compiled once and kept on disk."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.caching import IndexDataCacheFile


class OneFileASignature(IndexDataCacheFile):  # type: ignore[misc]
    """Machine code on disk under the name of its own signature, written before it is indexed.

    Numba numbers the files: two processes that compile two signatures of a function at once may
    then find each other's code under their own, and run it.
    """

    def save(self, key: Any, data: Any) -> None:
        """Write the code, then that it is there."""
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        name = self._index_name.removesuffix(".nbi") + f".{digest}.nbc"
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})


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
        made: Callable[..., Any] = njit(cache=True, **options)(bare)
    except RuntimeError:
        return njit(**options)(bare)
    file = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if type(file) is IndexDataCacheFile:
        file.__class__ = OneFileASignature
    return made
