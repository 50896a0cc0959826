"""A visitor's rows arrive as they were written, and what is no row of numbers is one clear line."""

import io

import numpy as np
import pytest

from convexviz.datasets import tables
from convexviz.errors import DataError


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_csv_arrives_with_its_columns(mark: str) -> None:
    text = "\n".join(
        mark.join(row) for row in (["a", "b", "a"], ["1", "2.5", "3"], ["4", "-5", "6e0"])
    )
    table = tables.read(text.encode("utf-8-sig"), "rows.csv")
    assert table.columns == ("a", "b", "a (3)")
    np.testing.assert_array_equal(table.arrays["table"], [[1, 2.5, 3], [4, -5, 6]])
    np.testing.assert_array_equal(table.column("b"), [2.5, -5])
    np.testing.assert_array_equal(table.without("b"), [[1, 3], [4, 6]])


def test_words_become_classes_in_alphabetical_order() -> None:
    table = tables.read(b"x,kind\n1,setosa\n2,iris\n3,setosa\n", "flowers.csv")
    assert table.classes == {"kind": ("iris", "setosa")}
    np.testing.assert_array_equal(table.column("kind"), [1, 0, 1])


def test_arrays_arrive_by_name_whatever_their_type_and_order() -> None:
    X = np.asfortranarray(np.arange(12, dtype=">f4").reshape(4, 3))
    table = tables.read(npz(X=X, y=np.arange(4), patches=np.zeros((4, 2, 3))), "mine.npz")
    assert not table.is_table
    assert {name: array.shape for name, array in table.arrays.items()} == {
        "X": (4, 3), "y": (4,), "patches": (4, 2, 3),
    }  # fmt: skip
    np.testing.assert_array_equal(table.arrays["X"], X)


def test_a_matrix_has_numbered_columns() -> None:
    table = tables.read(npy(np.eye(2)), "eye.npy")
    assert table.columns == ("column 1", "column 2")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"1,2\n3\n", "row 2 must have 2 cells"),
        (b"a,b\n1,nan\n", "must be finite, got 1 NaN"),
        (b"a,b\n1,inf\n", "must be finite"),
        (b"1,2\n,3\n", "must hold numbers"),
        (b"a,b\n", "must hold 1 to"),
        (b"\n\n", "rows of numbers, got none"),
        (b"caf\xe9,1\n", "must be UTF-8"),
        (b"a\0b", "begins like none of them"),
        (b"", "is empty"),
        (b"x\n" + b"\n".join(b"w%d" % i for i in range(60)), "at most 50 different words"),
        (npy(np.zeros((2, 2), dtype=complex)), "must hold real numbers"),
        (npy(np.array([[np.nan]])), "must be finite"),
        (npy(np.zeros((2, 2, 2, 2))), "1 to 3 axes"),
        (npy(np.array([["a"]])), "must hold real numbers"),
        (npz(X=np.zeros((0, 3))), "at most"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(content: bytes, rule: str) -> None:
    with pytest.raises(DataError, match=rule) as refused:
        tables.read(content, "rows.csv")
    assert str(refused.value).startswith("rows.csv")
    assert "\n" not in str(refused.value)


def test_only_few_different_integers_may_name_classes() -> None:
    assert tables.may_name_classes(np.array([0.0, 1, 1, 0]))
    assert not tables.may_name_classes(np.array([0.0, 1.5, 1, 0]))
    assert not tables.may_name_classes(np.arange(10.0))  # a number a row: no classes
    assert not tables.may_name_classes(np.zeros(9))
    np.testing.assert_array_equal(tables.one_hot(np.array([7.0, 2, 7])), [[0, 1], [1, 0], [0, 1]])


def test_a_split_keeps_rows_together_and_loses_none() -> None:
    X = np.arange(10.0)[:, None]
    parts = tables.split({"X": X, "Y": 2 * X}, 0.2, 0)
    assert [len(parts[name]) for name in ("X", "test_X", "Y", "test_Y")] == [8, 2, 8, 2]
    np.testing.assert_array_equal(parts["test_Y"], 2 * parts["test_X"])
    assert sorted([*parts["X"].ravel(), *parts["test_X"].ravel()]) == list(range(10))
