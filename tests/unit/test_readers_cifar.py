"""CIFAR batches come back; a pickle that is anything else is refused, and nothing of it runs."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convexviz import datasets
from convexviz.datasets import batch_pickle, own_files
from convexviz.errors import DataError

RNG = np.random.default_rng(5)


def hundred(folder: Path) -> dict[str, np.ndarray]:
    """CIFAR-100 in the python layout, pickled as Python 2 did (protocol 2, byte keys)."""
    found = {}
    folder.mkdir()
    for split, count in (("train", 6), ("test", 3)):
        data = RNG.integers(0, 256, (count, 3072), np.uint8)
        batch = {
            b"data": data,
            b"fine_labels": [int(v) for v in RNG.integers(0, 100, count)],
            b"coarse_labels": [int(v) for v in RNG.integers(0, 20, count)],
            b"filenames": [b"x.png"] * count,
        }
        (folder / split).write_bytes(pickle.dumps(batch, protocol=2))
        found[split] = batch
    names = {b"fine_label_names": [b"f%d" % i for i in range(100)]}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=2))
    return found


def test_cifar_100_has_fine_and_coarse_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = hundred(tmp_path / "cifar-100-python")
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    opened = datasets.get("cifar100").open()
    for split, batch in batches.items():
        arrays = opened.splits[split]
        planes = batch[b"data"].reshape(-1, 3, 32, 32)
        np.testing.assert_array_equal(np.asarray(arrays["images"])[..., 2], planes[:, 2])
        np.testing.assert_array_equal(arrays["labels"], batch[b"fine_labels"])
        np.testing.assert_array_equal(arrays["coarse_labels"], batch[b"coarse_labels"])
    assert opened.names["labels"][7] == "f7"


def test_cifar_100_binary_has_two_labels_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "cifar-100-binary"
    home.mkdir()
    records = RNG.integers(0, 20, (4, 3074), np.uint8)
    for split in ("train", "test"):
        records.tofile(home / f"{split}.bin")
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    arrays = datasets.get("cifar100").splits["test"]
    np.testing.assert_array_equal(arrays["coarse_labels"], records[:, 0])
    np.testing.assert_array_equal(arrays["labels"], records[:, 1])
    assert arrays["images"][3][5, 6, 1] == records[3, 2 + 1024 + 32 * 5 + 6]


class Evil:
    def __reduce__(self) -> Any:

        return os.system, ("touch /tmp/convexviz-was-here",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (pickle.dumps(Evil(), protocol=2), "asks for posix.system|asks for nt.system"),
        (pickle.dumps({b"data": Evil()}, protocol=2), "system, which no CIFAR batch does"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "asks for builtins.eval"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00ziptR.", "only latin1"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "not a CIFAR batch"),
        (b"", "not a CIFAR batch"),
        (b"hello", "not a CIFAR batch"),
        (pickle.dumps([1, 2]), "a batch is a dictionary"),
        (pickle.dumps({b"data": np.zeros(3)}, protocol=2), "must hold unsigned bytes"),
        (pickle.dumps({b"data": {1: 2}}, protocol=2), "a dict does not belong"),
        (pickle.dumps({b"data": np.array([Evil()])}, protocol=2), "which no CIFAR batch does"),
    ],
)
def test_pickles_that_are_no_batch_are_refused_and_nothing_of_them_runs(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(DataError, match=why) as refused:
        batch_pickle.read(tmp_path / "batch")
    assert "\n" not in str(refused.value)
    assert not Path("/tmp/convexviz-was-here").exists()


def test_every_prefix_and_every_flipped_byte_of_a_batch_is_read_or_refused(tmp_path: Path) -> None:
    batch = {b"data": np.zeros((1, 12), np.uint8), b"labels": [3], b"filenames": [b"a"]}
    good = pickle.dumps(batch, protocol=2)
    path = tmp_path / "batch"
    refused = 0
    for place in range(len(good)):
        for content in (
            good[:place],
            good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :],
        ):
            path.write_bytes(content)
            try:
                batch_pickle.read(path)
            except DataError:
                refused += 1
    assert refused > len(good)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({b"data": np.zeros((2, 5), np.uint8)}, r"data must be .N, 3072. bytes"),
        ({b"labels": [1]}, "labels must be 2 integers"),
        ({b"labels": [1, 10]}, r"integers in \[0, 9\]"),
        ({b"labels": [1, "a"]}, "labels must be 2 integers"),
    ],
)
def test_a_batch_with_wrong_arrays_is_refused(tmp_path: Path, change: Any, why: str) -> None:
    batch = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2], **change}
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match=why):
        own_files.at(tmp_path).open()


def test_a_torn_binary_batch_is_refused(tmp_path: Path) -> None:
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        (tmp_path / name).write_bytes(bytes(3073 + 5))
    with pytest.raises(DataError, match="records of 3,073 bytes, got 3,078"):
        own_files.at(tmp_path).open()
