"""Every format read back bit for bit, against expectations written with other code."""

import gzip
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from convexviz import datasets
from convexviz.datasets import fastmri, own_files, reconstruction
from tests.unit.data_fixtures import FIXTURES, needs_fixtures

pytestmark = needs_fixtures


@pytest.fixture(autouse=True)
def _data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEXVIZ_DATA", str(FIXTURES))


@pytest.mark.parametrize(
    ("split", "prefix", "count"), [("train", "train", 40), ("test", "t10k", 20)]
)
def test_mnist_is_the_bytes_behind_the_header(split: str, prefix: str, count: int) -> None:
    arrays = datasets.get("mnist").splits[split]
    raw = gzip.decompress((FIXTURES / f"MNIST/raw/{prefix}-images-idx3-ubyte.gz").read_bytes())
    assert struct.unpack(">IIII", raw[:16]) == (2051, count, 28, 28)
    assert arrays["images"].shape == (count, 28, 28)
    assert np.asarray(arrays["images"]).tobytes() == raw[16:]
    labels = gzip.decompress((FIXTURES / f"MNIST/raw/{prefix}-labels-idx1-ubyte.gz").read_bytes())
    assert np.asarray(arrays["labels"]).tobytes() == labels[8:]


def test_mnist_unpacked_is_the_same_data_set(tmp_path: Path) -> None:
    for packed in (FIXTURES / "MNIST" / "raw").glob("*.gz"):
        (tmp_path / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    plain, gz = own_files.at(tmp_path), datasets.get("mnist")
    for split in ("train", "test"):
        for name in ("images", "labels"):
            np.testing.assert_array_equal(plain.splits[split][name], gz.splits[split][name])


def cifar_records() -> np.ndarray:
    """The binary layout, read with nothing but NumPy: a label, then planes of R, G and B."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    files = [FIXTURES / "cifar-10-batches-bin" / name for name in names]
    return np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])


@pytest.mark.parametrize("layout", ["cifar-10-batches-py", "cifar-10-batches-bin"])
def test_both_layouts_of_cifar_are_the_same_pictures(layout: str) -> None:
    arrays = own_files.at(FIXTURES / layout).splits["train"]
    records = cifar_records()
    images = np.asarray(arrays["images"])
    assert images.shape == (100, 32, 32, 3)
    for row in (0, 19, 20, 57, 99):
        for y, x, channel in [(0, 0, 0), (3, 17, 1), (31, 31, 2), (16, 5, 2)]:
            assert images[row, y, x, channel] == records[row, 1 + 1024 * channel + 32 * y + x]
    planes = images.transpose(0, 3, 1, 2).reshape(100, 3072)
    np.testing.assert_array_equal(planes, records[:, 1:])
    np.testing.assert_array_equal(arrays["labels"], records[:, 0])
    np.testing.assert_array_equal(arrays["images"][[57, 3]], images[[57, 3]])
    np.testing.assert_array_equal(arrays["images"][-1], images[99])


def test_cifar_names_its_classes() -> None:
    words = (FIXTURES / "cifar-10-batches-bin" / "batches.meta.txt").read_text().split()
    for layout in ("cifar-10-batches-py", "cifar-10-batches-bin"):
        assert list(own_files.at(FIXTURES / layout).open().names["labels"]) == words


def test_celeba_has_its_faces_attributes_and_parts() -> None:
    opened = datasets.get("celeba").open()
    lines = (FIXTURES / "celeba" / "list_eval_partition.txt").read_text().split()
    parts = dict(zip(lines[::2], map(int, lines[1::2]), strict=True))
    table = (FIXTURES / "celeba" / "list_attr_celeba.txt").read_text().splitlines()
    assert list(opened.names["attributes"]) == table[1].split()
    rows = {line.split()[0]: [int(v) for v in line.split()[1:]] for line in table[2:]}
    for number, part in ((0, "train"), (1, "validation"), (2, "test")):
        names = [name for name, where in parts.items() if where == number]
        arrays = opened.splits[part]
        assert arrays["images"].shape == (len(names), 218, 178, 3)
        np.testing.assert_array_equal(arrays["attributes"], [rows[name] for name in names])
        with Image.open(FIXTURES / "celeba" / "img_align_celeba" / names[-1]) as picture:
            np.testing.assert_array_equal(arrays["images"][-1], np.asarray(picture))


def test_the_tables_of_the_mirrors_say_the_same(tmp_path: Path) -> None:
    home = FIXTURES / "celeba"
    (tmp_path / "img_align_celeba").symlink_to(home / "img_align_celeba")
    for name in ("list_attr_celeba", "list_bbox_celeba"):
        lines = (home / f"{name}.txt").read_text().splitlines()[1:]
        heads = lines[0].split()
        head = heads if heads[0] == "image_id" else ["image_id", *heads]
        rows = [",".join(head), *(",".join(line.split()) for line in lines[1:])]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows) + "\n")
    parts = (home / "list_eval_partition.txt").read_text().splitlines()
    rows = ["image_id,partition", *(",".join(line.split()) for line in parts)]
    (tmp_path / "list_eval_partition.csv").write_text("\n".join(rows))
    text, csv = datasets.get("celeba").open(), own_files.at(tmp_path).open()
    assert csv.names == text.names
    for part, arrays in csv.splits.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, text.splits[part][name])


@pytest.mark.parametrize("part", ["singlecoil_train", "singlecoil_val", "multicoil_train"])
def test_the_target_of_a_volume_is_what_fourier_and_coils_give(part: str) -> None:
    (one,) = fastmri.volumes(FIXTURES / "fastmri" / part)
    with h5py.File(one.path) as file:
        kspace = file["kspace"][:]
        name = "reconstruction_esc" if "single" in part else "reconstruction_rss"
        target = file[name][:]
        assert one.acquisition == file.attrs["acquisition"]
        assert one.maximum == file.attrs["max"]
    for index in range(len(one)):
        np.testing.assert_array_equal(one.kspace(index).squeeze(), kspace[index])
        np.testing.assert_array_equal(one.target_image(index), target[index])
        coils = reconstruction.inverse(one.kspace(index).astype(complex))
        image = reconstruction.rss(coils)
        h, w = target.shape[1:]
        top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
        crop = image[top : top + h, left : left + w]
        # The target is float32: 24 bits of the largest value.
        np.testing.assert_allclose(crop, target[index], rtol=0, atol=2e-6 * target[index].max())


def test_a_volume_of_the_test_part_has_a_mask_and_no_target() -> None:
    (one,) = fastmri.volumes(FIXTURES / "fastmri" / "singlecoil_test")
    assert one.target is None
    mask = one.mask()
    with h5py.File(one.path) as file:
        np.testing.assert_array_equal(mask, file["mask"][:])
        kspace = file["kspace"][0]
    assert not kspace[:, ~mask].any()
    assert fastmri.image_of(one, 0).shape == one.crop


def test_slices_of_all_volumes_are_one_lazy_array() -> None:
    splits = datasets.get("fastmri_multicoil").splits
    (one,) = fastmri.volumes(FIXTURES / "fastmri" / "multicoil_val")
    assert splits["val"]["images"].shape == (2, 192, 192)
    np.testing.assert_array_equal(splits["val"]["images"][1], one.target_image(1))
    images = datasets.get("fastmri_multicoil").load()
    assert images.train.shape == (3, 192, 192)
    assert images.train.max(axis=(1, 2)) == pytest.approx(1.0)
