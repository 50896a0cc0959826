"""Arrays from outside arrive as float64 copies, or are refused in one line."""

from typing import Any

import numpy as np
import pytest

from convexviz.architectures import inputs
from convexviz.errors import DataError

GRID = np.arange(24.0).reshape(2, 3, 4) / 8  # exact in float16
WAYS: dict[str, Any] = {
    "list": GRID.tolist(),
    "tuple of arrays": tuple(GRID),
    "float32": GRID.astype(np.float32),
    "float16": GRID.astype(np.float16),
    "long double": GRID.astype(np.longdouble),
    "big-endian": GRID.astype(">f8"),
    "Fortran order": np.asfortranarray(GRID),
    "view": np.repeat(GRID, 2, axis=2)[:, :, ::2],
    "reversed view": GRID[:, ::-1].copy()[:, ::-1],
    "read-only": np.broadcast_to(GRID, GRID.shape),
    "masked array without masks": np.ma.masked_array(GRID),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_say_the_same_arrives_as_the_same(way: str) -> None:
    array = inputs.real("noisy", WAYS[way], "N h w")
    np.testing.assert_array_equal(array, GRID, strict=True)
    assert type(array) is np.ndarray
    assert array.flags.c_contiguous
    assert not array.flags.writeable


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.uint64])
def test_integers_and_booleans_are_numbers(dtype: type) -> None:
    whole = (4 * GRID).astype(dtype)
    array = inputs.real("noisy", whole, "N h w")
    np.testing.assert_array_equal(array, whole.astype(np.float64), strict=True)


def test_the_caller_s_array_is_neither_shared_nor_changed() -> None:
    mine = GRID.copy()
    array = inputs.real("noisy", mine, "N h w")
    assert not np.shares_memory(array, mine)
    assert mine.flags.writeable
    np.testing.assert_array_equal(mine, GRID)


class Stubborn:
    """What a tensor that tracks gradients does."""

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("requires grad.\nUse detach()")


BAD: dict[str, tuple[Any, str]] = {
    "NaN": (np.where(GRID > 2, np.nan, GRID), "must be finite, got 7 NaN or infinite values of 24"),
    "infinity": (GRID - np.inf, "must be finite, got 24"),
    "complex": (GRID + 0j, r"must be real, got complex128; take its magnitude, np.abs\(noisy\)"),
    "objects": (GRID.astype(object), "must hold real numbers, got dtype object"),
    "text": ("0.5", "must hold real numbers, got dtype <U3"),
    "texts": (GRID.astype(str), "must hold real numbers, got dtype <U"),
    "dates": (GRID.astype("datetime64[s]"), "must hold real numbers, got dtype datetime64"),
    "nothing": (None, "must hold real numbers, got dtype object"),
    "a mapping": ({"a": 1}, "must hold real numbers, got dtype object"),
    "ragged": ([[[1, 2], [3]]], "must be a .N, h, w. array of real numbers"),
    "a tensor with gradients": (Stubborn(), "real numbers: requires grad. Use detach"),
    "records": (np.zeros((1, 2, 2), [("a", float)]), "must hold real numbers"),
    "empty": (np.zeros((0, 4, 4)), r"must not be empty, got shape \(0, 4, 4\)"),
    "empty list": ([], "must have shape"),
    "one number": (3.0, r"must have shape \(N, h, w\), got \(\)"),
    "one image": (GRID[0], r"got \(3, 4\); add an axis, noisy\[None\]"),
    "too deep": (GRID[None], r"must have shape \(N, h, w\), got \(1, 2, 3, 4\)"),
    "masked": (np.ma.masked_greater(GRID, 1), "must have no masked values"),
    "overflowing long double": (GRID.astype(np.longdouble) * np.longdouble("1e4000"), "finite"),
    "squares that overflow": (1e160 * GRID, r"largest magnitude in \[1e-60, 1e\+60\]"),
    "squares that vanish": (1e-160 * GRID, "whose squares leave float64; rescale it"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_real_array_is_refused_by_name_in_one_line(name: str) -> None:
    value, said = BAD[name]
    with pytest.raises(DataError, match=said) as refused:
        inputs.real("noisy", value, "N h w")
    assert str(refused.value).startswith("noisy must ")
    assert "\n" not in str(refused.value)


def test_zero_is_a_magnitude_and_so_are_the_limits() -> None:
    for value in (0.0, 1e60, 1e-60):
        assert inputs.real("X", [[value, 0.0]], "n d").max() == value


def test_names_are_checked_before_any_array() -> None:
    with pytest.raises(DataError, match="data needs 'clean'; give 'noisy' and 'clean'"):
        inputs.names({"noisy": 1}, ["noisy", "clean"])
    with pytest.raises(DataError, match="unknown array 'noisey'; did you mean 'noisy'"):
        inputs.names({"noisey": 1}, ["noisy", "clean"], ["test_noisy"])
    with pytest.raises(DataError, match="unknown array 3; there are: noisy, clean"):
        inputs.names({3: 1}, ["noisy", "clean"])
    for data in ([1, 2], GRID, "noisy", 3):
        with pytest.raises(DataError, match="data must be a mapping from names to arrays, got"):
            inputs.names(data, ["noisy"])
    inputs.names({"noisy": 1, "test_noisy": 1}, ["noisy"], ["test_noisy"])


def test_two_shapes_that_differ_are_both_named() -> None:
    with pytest.raises(DataError, match=r"a and b must have the same shape, got \(2,\), \(3,\)"):
        inputs.same_shape("a", np.zeros(2), "b", np.zeros(3))
