"""Arrays from outside: one clear line for what is wrong, a float64 copy for what is right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.errors import DataError

# Squares of values, also when divided by a deviation 1e-16 of them, stay far from overflow.
SMALLEST, LARGEST = 1e-60, 1e60


def names(data: Any, required: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Refuse missing and unknown arrays.

    Raises:
        DataError: naming the array, and those there are.
    """
    if not isinstance(data, Mapping):
        raise DataError(f"data must be a mapping from names to arrays, got {type(data).__name__}")
    known = [*required, *optional]
    for name in data:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"unknown array {name!r}; {hint}there are: {', '.join(known)}")
    for name in required:
        if name not in data:
            raise DataError(f"data needs {name!r}; give {' and '.join(map(repr, required))}")


def real(name: str, value: Any, shape: str) -> NDArray[np.float64]:
    """`value` as a C-contiguous, read-only float64 copy with as many axes as `shape` names.

    Raises:
        DataError: not numbers, complex, NaN or infinite, masked, empty, of another number of axes,
            or of a magnitude whose squares overflow or vanish.
    """
    axes = shape.split()
    label = f"({', '.join(axes)})"
    try:
        raw = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # RuntimeError: a tensor with gradients
        reason = " ".join(str(error).split())
        raise DataError(f"{name} must be a {label} array of real numbers: {reason}") from None
    if np.ma.is_masked(value):
        raise DataError(f"{name} must have no masked values; fill them, {name}.filled(0)")
    if raw.dtype.kind == "c":
        raise DataError(f"{name} must be real, got {raw.dtype}; take its magnitude, np.abs({name})")
    if raw.dtype.kind not in "buif":
        raise DataError(f"{name} must hold real numbers, got dtype {raw.dtype}")
    if raw.ndim != len(axes):
        way_out = f"; add an axis, {name}[None]" if raw.ndim == len(axes) - 1 else ""
        raise DataError(f"{name} must have shape {label}, got {raw.shape}{way_out}")
    if raw.size == 0:
        raise DataError(f"{name} must not be empty, got shape {raw.shape}")
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite: refused below
        array = np.array(raw, dtype=np.float64, order="C")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(
            f"{name} must be finite, got {bad} NaN or infinite values of {array.size}; "
            "remove or replace them"
        )
    largest = float(np.abs(array).max())
    if largest and not SMALLEST <= largest <= LARGEST:
        raise DataError(
            f"{name} must have a largest magnitude in [{SMALLEST:g}, {LARGEST:g}] or be zero, "
            f"got {largest:.1e}, whose squares leave float64; rescale it"
        )
    array.flags.writeable = False
    return array


def same_shape(first: str, a: NDArray[Any], second: str, b: NDArray[Any]) -> None:
    """Refuse two arrays that should agree.

    Raises:
        DataError: with both shapes.
    """
    if a.shape != b.shape:
        raise DataError(f"{first} and {second} must have the same shape, got {a.shape}, {b.shape}")
