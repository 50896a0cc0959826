"""Readers of data that is not shipped: written files come back, malformed ones say why."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

import convexviz
from convexviz import datasets
from convexviz.datasets import idx
from convexviz.datasets.base import Draw, Lazy
from convexviz.errors import DataError

RNG = np.random.default_rng(5)


def idx_bytes(array: np.ndarray) -> bytes:
    head = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
    return head + array.tobytes()


def test_rows_of_a_lazy_array_are_those_of_the_array() -> None:
    array = RNG.integers(0, 255, (7, 3))
    asked: list[list[int]] = []

    def read(rows: np.ndarray) -> np.ndarray:
        asked.append(rows.tolist())
        return array[rows]

    lazy = Lazy(array.shape, array.dtype, read)
    for rows in (2, -1, slice(1, 6, 2), [4, 0, 4]):
        np.testing.assert_array_equal(lazy[rows], array[rows])
    assert asked == [[2], [6], [1, 3, 5], [4, 0, 4]]
    np.testing.assert_array_equal(np.asarray(lazy), array)
    with pytest.raises(IndexError):
        lazy[7]


@pytest.mark.parametrize("name", [n for n, d in datasets.registry().items() if not d.is_shipped])
def test_missing_data_say_where_to_get_them_and_where_to_put_them(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CONVEXVIZ_DATA", raising=False)
    dataset = datasets.get(name)
    assert dataset.guide is not None
    for folder, put in ((None, "CONVEXVIZ_DATA"), (tmp_path, str(tmp_path))):
        if folder is not None:
            monkeypatch.setenv("CONVEXVIZ_DATA", str(folder))
        with pytest.raises(DataError) as refused:
            dataset.load()
        said = str(refused.value)
        assert "\n" not in said
        for words in (name, dataset.guide.page, dataset.licence, dataset.guide.place, put):
            assert words in said


def test_a_solve_on_missing_data_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.delenv("CONVEXVIZ_DATA", raising=False)
    with pytest.raises(DataError, match="mnist is not on this machine; get the four idx files"):
        convexviz.solve("denoiser", dataset="mnist")


def test_idx_files_come_back(tmp_path: Path) -> None:
    array = RNG.integers(0, 256, (5, 4, 3), np.uint8)
    (tmp_path / "a").write_bytes(idx_bytes(array))
    np.testing.assert_array_equal(idx.read(tmp_path / "a"), array)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "begins with nothing"),
        (b"\x00\x00\x0d\x03" + bytes(12), "begins with 00 00 0d 03"),
        (struct.pack(">II", 0x801, 5) + b"abc", "must hold 5 bytes for shape .5,., got 3"),
        (struct.pack(">II", 0x801, 2) + b"abc", "must hold 2 bytes for shape .2,., got 3"),
        (struct.pack(">IIII", 0x803, 2**31, 2**31, 2), "must hold 1 to"),
        (struct.pack(">II", 0x801, 0), "must hold 1 to"),
        (b"\x00\x00\x08\x03\x00", "cut short"),
    ],
)
def test_malformed_idx_files_are_refused_in_one_line(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match=why) as refused:
        np.asarray(idx.read(tmp_path / "a"))
    assert "\n" not in str(refused.value)


def test_a_gzipped_idx_file_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:

    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(struct.pack(">II", 0x801, 4) + bytes(1 << 20)))
    with pytest.raises(DataError, match="must hold 4 bytes"):
        np.asarray(idx.read(path))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"must hold 4 bytes|cut short"):
        np.asarray(idx.read(path))


def test_rows_of_an_idx_set_are_drawn_by_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "MNIST/raw"
    folder.mkdir(parents=True)
    images = np.arange(60 * 4, dtype=np.uint8).reshape(60, 2, 2)
    labels = (np.arange(60) % 10).astype(np.uint8)
    for prefix in ("train", "t10k"):
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    draw = datasets.get("mnist").draw
    assert draw is not None
    found, again, other = draw(Draw(0, 20)), draw(Draw(0, 20)), draw(Draw(1, 20))
    assert (found["X"].shape, found["test_X"].shape) == ((20, 4), (60, 4))
    np.testing.assert_array_equal(found["X"], again["X"])
    assert not np.array_equal(found["X"], other["X"])
    rows = (found["X"][:, 0] * 255).round().astype(int) // 4  # a row's first pixel tells its place
    np.testing.assert_array_equal(found["Y"].argmax(axis=1), rows % 10)
    wrong = draw(Draw(0, 20, 1.0))
    assert (wrong["Y"] != found["Y"]).any()
    np.testing.assert_array_equal(wrong["test_Y"], found["test_Y"])
