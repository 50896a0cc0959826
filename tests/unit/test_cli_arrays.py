"""Arrays of a caller's npz: read as they were saved; what is a trap is refused in one line."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from convexviz.datasets import npz
from convexviz.errors import DataError


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}]), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a.npy": pickled()}, "must hold numbers"),
        ({"a.npy": header("(2,)", "[('x', '<f8')]") + bytes(16)}, "must hold numbers"),
        ({"a.npy": header("(1000000000000,)") + bytes(16)}, "not what it declares"),
        ({"a.npy": header("(-2,)") + bytes(16)}, "a.npy|cannot be read"),
        ({"a.npy": header("(2,)") + bytes(12)}, "not what it declares"),
        ({"a.npy": header("(4194304,)") + bytes(2**25)}, "unpacks"),
        ({"a.npy": b"\x93NUMPY\x01\x00\xff\xff" + b" " * 70_000}, "cannot be read"),
        ({"a.npy": b"hello"}, "cannot be read"),
        ({"../a.npy": header("(0,)")}, "no array with a plain name"),
        ({"a.txt": b"hello"}, "no array with a plain name"),
        ({f"a{i}.npy": header("(0,)") for i in range(65)}, "at most 64 arrays"),
    ],
    ids=range(11),
)
def test_an_npz_that_is_a_trap_is_refused(tmp_path: Path, members: dict, reason: str) -> None:
    path = archive(tmp_path / "trap.npz", members)
    with pytest.raises(DataError, match=reason) as refusal:
        npz.read_npz(path)
    assert "\n" not in str(refusal.value)


def test_a_torn_npz_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    np.savez(path, x=np.random.default_rng(0).random(1000))
    image = path.read_bytes()
    for content in (image[:-30], image[: len(image) // 2], b"", b"text", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"r\.npz"):
            npz.read_npz(path)
    flipped = bytearray(image)
    flipped[len(image) // 2] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(DataError, match=r"r\.npz"):
        npz.read_npz(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_is_read_as_it_was_saved(tmp_path: Path, save) -> None:
    arrays = {
        "x": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "flag": np.array(True),
        "none": np.zeros((0, 3), np.float32),
        "big": np.arange(4, dtype=">i4"),
    }
    save(tmp_path / "r.npz", **arrays)
    found = npz.read_npz(tmp_path / "r.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
