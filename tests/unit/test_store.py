import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.errors import StoreError
from convexviz.experiments import store, store_files
from convexviz.experiments.result import Result
from convexviz.experiments.store import Store


@pytest.fixture(scope="module")
def result() -> Result:
    return convexviz.solve("denoiser", **architectures.get("denoiser").smoke)


@pytest.fixture
def path(result: Result, tmp_path: Path) -> Path:
    return result.save(tmp_path / "result.h5")


def unsealed(path: Path) -> Path:
    """The bare HDF5 file, so that a test reaches the checks behind the seal."""
    path.write_bytes(path.read_bytes()[: -store_files.SEAL_BYTES])
    return path


def assert_same(found: Result, expected: Result) -> None:
    for field in ("architecture", "spec", "certificate", "status", "seconds", "scalars", "trace"):
        assert getattr(found, field) == getattr(expected, field)
    assert found.provenance == expected.provenance
    for group in ("arrays", "data"):
        stored, given = getattr(found, group), getattr(expected, group)
        assert stored.keys() == given.keys()
        for name in given:
            assert stored[name].dtype == given[name].dtype
            assert np.array_equal(stored[name], given[name])


def test_what_is_read_is_what_was_written(result: Result, path: Path) -> None:
    found = convexviz.load(path)
    assert_same(found, result)
    noisy = result.data["noisy"]
    assert np.array_equal(found.network.predict(noisy), result.network.predict(noisy))
    with pytest.raises(ValueError, match="read-only"):
        found.arrays["denoised"][:] = 0


def test_the_oracle_of_equality_sees_one_changed_value(result: Result, path: Path) -> None:
    denoised = result.arrays["denoised"].copy()
    denoised.flat[0] += 1e-15
    changed = dataclasses.replace(result, arrays={**result.arrays, "denoised": denoised})
    with pytest.raises(AssertionError):
        assert_same(convexviz.load(path), changed)


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.5), np.array(7), np.zeros((0, 3)), np.zeros(0, bool), np.ones((2, 3), bool),
        np.arange(5, dtype=np.uint8), np.array([np.nan, np.inf]), np.ones((2, 2), np.float32),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.array([1 + 2j]),
        np.zeros((2100, 1000)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)  # fmt: skip
def test_every_numeric_array_survives(result: Result, tmp_path: Path, array: np.ndarray) -> None:
    """The last is uniform enough to look like a decompression bomb."""
    extended = dataclasses.replace(result, arrays={**result.arrays, "more": array})
    found = store.read(store.write(extended, tmp_path / "r.h5")).arrays["more"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert np.array_equal(found, array, equal_nan=array.dtype.kind in "fc")


def test_the_file_is_laid_out_as_designed(result: Result, path: Path) -> None:
    with h5py.File(path) as file:
        assert file.attrs["format"] == "convexviz-result"
        assert file.attrs["schema"] == 1
        assert json.loads(file.attrs["spec"]) == result.spec
        assert json.loads(file.attrs["versions"])["numpy"] == np.__version__
        for name in ("key", "device", "created", "dataset", "dataset_source", "dataset_licence",
                     "data_sha256"):  # fmt: skip
            assert file.attrs[name] == result.provenance[name]
        assert file.attrs["primal"] == result.certificate.primal
        assert file.attrs["dual"] == result.certificate.dual
        assert file.attrs["scope"] == result.certificate.scope
        assert (file.attrs["status"], file.attrs["seconds"]) == (result.status, result.seconds)
        assert set(file) == {"data", "arrays", "scalars", "trace"}
        assert set(file["trace"]) >= {"objective", "bound", "seconds"}
        assert set(file["data"]) == set(result.data)
        for group in ("data", "arrays"):
            for dataset in file[group].values():
                if dataset.size:
                    assert dataset.chunks
                    assert dataset.shuffle
                    assert (dataset.compression, dataset.fletcher32) == ("gzip", True)


def test_large_inputs_are_named_and_not_stored(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LARGEST_DATA", 16)
    found = store.read(store.write(result, tmp_path / "r.h5"))
    assert found.data == {}
    assert found.provenance["data_sha256"] == result.provenance["data_sha256"]


def test_no_flipped_bit_gives_another_number(result: Result, path: Path) -> None:
    image, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    last_line = range(8 * (len(image) - store_files.SEAL_BYTES), 8 * len(image), 31)
    for bit in [*rng.integers(0, 8 * len(image), 250), *last_line]:
        damaged = bytearray(image)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        try:
            found = store.read(path)
        except StoreError:
            refused += 1
        else:
            assert_same(found, result)
    assert refused >= 250


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.99])
def test_a_torn_file_is_refused_by_name(path: Path, share: float) -> None:
    image = path.read_bytes()
    path.write_bytes(image[: int(share * len(image))])
    with pytest.raises(StoreError, match=path.name):
        store.read(path)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"bad": np.array([object()])}, "dtype object"),
        ({"bad": np.array(["text"])}, "dtype <U4"),
        ({"../up": np.zeros(2)}, "a name must be"),
        ({"": np.zeros(2)}, "a name must be"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    result: Result, tmp_path: Path, arrays: dict, reason: str
) -> None:
    bad = dataclasses.replace(result, arrays={**result.arrays, **arrays})
    with pytest.raises(StoreError, match=reason):
        store.write(bad, tmp_path / "r.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(result: Result, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "r.h5"):
        with pytest.raises(StoreError, match="folder"):
            store.write(result, path)


def test_a_failed_write_leaves_the_old_file_and_no_temporary(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match="No space left"):
        store_files.write_whole(path, b"new")
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


def test_kill_9_never_leaves_half_a_file(tmp_path: Path) -> None:
    """Ten processes, each killed at some point of an endless series of writes; about a second."""
    code = (
        "import sys; from pathlib import Path\n"
        "from convexviz.experiments.store_files import seal, write_whole\n"
        "path, i = Path(sys.argv[1]), 0\n"
        "while True:\n"
        "    i += 1; image = bytes([i % 251]) * 300_000\n"
        "    write_whole(path, image, seal(image)); print(i, flush=True)\n"
    )
    path = tmp_path / "r.h5"
    for turn in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(1 + turn % 3):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert store_files.check_seal(path) is store_files.Sealed.INTACT
    store_files.sweep_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def temporary(folder: Path, process: int) -> Path:
    path = folder / f".r.h5.{process}.00ff00ff.partial"
    path.write_bytes(b"half")
    return path


def test_the_temporaries_of_dead_writers_are_swept_and_no_others(tmp_path: Path) -> None:
    import fcntl

    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead = temporary(tmp_path, child.pid)
    deep = tmp_path / "denoiser"
    deep.mkdir()
    other = temporary(deep, child.pid)
    mine = temporary(tmp_path, os.getpid())
    result = tmp_path / "r.h5"
    result.write_bytes(b"kept")
    assert set(store.sweep_temporaries(tmp_path)) == {dead, other}
    assert {mine, result, deep} == set(tmp_path.iterdir())

    os.utime(mine, (0, 0))  # an old one under a number that came back is nobody's
    locked = temporary(deep, child.pid)
    with locked.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # a live writer's, whatever its number says here
        assert store.sweep_temporaries(tmp_path) == [mine]
    assert locked.exists()


def test_the_store_finds_results_by_key(result: Result, tmp_path: Path) -> None:
    kept = Store(tmp_path / "new")
    key = result.provenance["key"]
    assert kept.load("denoiser", key) is None
    assert list(kept.results("denoiser")) == []
    path = kept.save(result)
    assert path == kept.path("denoiser", key)
    found = kept.load("denoiser", key)
    assert found is not None
    assert_same(found, result)
    assert list(kept.results("denoiser")) == [path]


def test_the_default_folder_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEXVIZ_STORE", str(tmp_path))
    assert store.default_folder() == tmp_path
    monkeypatch.delenv("CONVEXVIZ_STORE")
    assert "convexviz" in store.default_folder().parts
