"""The pickled batches of CIFAR: a dict of texts, integers and one array of bytes, and no code.

A pickle can call whatever it names. This reader knows the names that a CIFAR batch needs and
puts inert stand-ins in their place, so that not even NumPy's own loading code runs; any other
name is refused. It is the interpreted unpickler: the compiled one lets a short file reserve
gigabytes for its memo.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.errors import DataError

LARGEST_FILE = 512 << 20


class _Dtype:
    """Stands for numpy.dtype: remembers its code, and takes any state."""

    def __init__(self, code: Any = "", *_rest: Any) -> None:
        self.code = _text(code)

    def __setstate__(self, _state: Any) -> None:
        """Byte order and fields do not matter for bytes."""


class _Array:
    """Stands for numpy.ndarray: keeps the state that its values can be read from."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def values(self) -> NDArray[np.uint8]:
        """The array.

        Raises:
            ValueError: it does not hold bytes, or not as many as its shape says.
        """
        _version, shape, dtype, fortran, raw = self.state
        if not isinstance(dtype, _Dtype) or dtype.code.lstrip("|<>=") != "u1":
            raise ValueError("the array must hold unsigned bytes")
        if not isinstance(raw, bytes) or len(raw) != math.prod(shape):
            raise ValueError(f"the array must hold {math.prod(shape):,} bytes")
        flat = np.frombuffer(raw, np.uint8)
        return flat.reshape(shape, order="F" if fortran else "C")


def _array(*_arguments: Any) -> _Array:
    return _Array()


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """How Python 3 pickles bytes under an old protocol."""
    if not isinstance(text, str) or _text(encoding) not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("only latin1 bytes are known")
    return text.encode("latin1")


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _encoded,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "_reconstruct"): _array,
}


class _Unpickler(pickle._Unpickler):
    """Knows the five names above."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which no CIFAR batch does"
            ) from None


def read(path: Path) -> dict[str, Any]:
    """The batch as plain values and arrays, its keys as texts.

    Raises:
        DataError: it is missing, too large, cut short, or anything but such a batch.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise DataError(f"{path}: must have at most {LARGEST_FILE >> 20} MB, got {size >> 20}")
        with path.open("rb") as file:
            found = _Unpickler(file, encoding="bytes").load()
        if not isinstance(found, dict):
            raise ValueError(f"a batch is a dictionary, this is a {type(found).__name__}")
        return {_text(key): _plain(value) for key, value in found.items()}
    except DataError:
        raise
    except Exception as error:  # an unpickler raises whatever a malformed file makes it stumble on
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(f"{path}: not a CIFAR batch ({said}); download it again") from error


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.values()
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, list):
        return [_text(item) if isinstance(item, bytes) else item for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"a {type(value).__name__} does not belong into a batch")
