"""Faces, pictures and arrays of one's own; what is malformed is named with its line."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convexviz import datasets
from convexviz.datasets import celeba, own_files
from convexviz.errors import DataError

RNG = np.random.default_rng(5)


class Evil:
    def __reduce__(self) -> Any:

        return os.system, ("touch /tmp/convexviz-was-here",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x\na b\n1.jpg 1 1\n", "line 1 must be the number of rows"),
        ("2\na b\n1.jpg 1 -1\n", "says 2 rows and has 1"),
        ("1\na b\n1.jpg 1\n", "line 3 must be a file name and 2 integers, got '1.jpg 1'"),
        ("1\na b\n1.jpg 1 q\n", "line 3 must be a file name and 2 integers"),
        ("", "line 1 must be"),
    ],
)
def test_malformed_tables_name_the_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "list_attr_celeba.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=why):
        celeba.table(path, headed=True)


def faces(folder: Path) -> Path:
    home = folder / "img_align_celeba"
    home.mkdir(parents=True)
    for name in ("1.jpg", "2.jpg"):
        Image.new("RGB", (4, 6), "red").save(home / name)
    return folder


def test_faces_without_tables_all_train_and_a_table_that_forgets_one_says_so(
    tmp_path: Path,
) -> None:
    found = own_files.at(faces(tmp_path)).splits
    assert {part: arrays["images"].shape for part, arrays in found.items()} == {
        "train": (2, 6, 4, 3)
    }
    (tmp_path / "list_eval_partition.txt").write_text("1.jpg 0\n")
    with pytest.raises(DataError, match=r"does not name 2.jpg"):
        own_files.at(tmp_path).open()
    (tmp_path / "list_eval_partition.txt").write_text("1.jpg 0\n2.jpg 7\n")
    with pytest.raises(DataError, match=r"2.jpg must be in part 0, 1 or 2, got 7"):
        own_files.at(tmp_path).open()


def test_a_folder_of_folders_has_classes(tmp_path: Path) -> None:
    colours = {"train/cat/a.png": 10, "train/dog/b.png": 20, "test/dog/c.png": 30}
    for name, grey in colours.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 2), grey).save(tmp_path / name)
    opened = own_files.at(tmp_path).open()
    assert opened.names["labels"] == ("cat", "dog")
    np.testing.assert_array_equal(opened.splits["train"]["labels"], [0, 1])
    np.testing.assert_array_equal(opened.splits["test"]["labels"], [1])
    assert np.asarray(opened.splits["train"]["images"])[1].max() == 20
    images = own_files.at(tmp_path).load()
    assert images.train.shape == (2, 2, 3)
    assert images.test == pytest.approx(30 / 255)


def test_pictures_of_two_sizes_or_no_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no pictures"):
        own_files.folder(tmp_path).open()
    Image.new("L", (3, 2)).save(tmp_path / "a.png")
    Image.new("L", (4, 2)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b.png: must be 2 x 3 like a.png, got 2 x 4"):
        np.asarray(own_files.folder(tmp_path).splits["train"]["images"])
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(DataError, match=r"b.png: "):
        np.asarray(own_files.folder(tmp_path).splits["train"]["images"])


def test_npz_and_npy_come_back_and_pickles_in_them_do_not(tmp_path: Path) -> None:
    X, Y = RNG.standard_normal((4, 3)), RNG.standard_normal((2, 3))
    np.savez(tmp_path / "a.npz", X=X, test_X=Y)
    splits = own_files.at(tmp_path / "a.npz").splits
    np.testing.assert_array_equal(splits["train"]["X"], X)
    np.testing.assert_array_equal(splits["test"]["X"], Y)
    np.save(tmp_path / "b.npy", X)
    np.testing.assert_array_equal(own_files.at(tmp_path / "b.npy").splits["train"]["images"], X)
    np.save(tmp_path / "c.npy", np.array([Evil()]), allow_pickle=True)
    with pytest.raises(DataError, match=r"c.npy: cannot be read"):
        own_files.at(tmp_path / "c.npy").open()


def test_an_unknown_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        own_files.at(tmp_path / "nothing")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"must be .npz, .npy or a folder"):
        own_files.at(tmp_path / "a.txt")


def test_checksums_tell_copies_apart(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x.npy", np.full(3, value))
    a, b, c = (own_files.at(tmp_path / name / "x.npy").checksum() for name in "abc")
    assert a == b != c
    assert a.startswith("sha256:")
    assert datasets.get("tiny").checksum() == datasets.get("tiny").checksum()
