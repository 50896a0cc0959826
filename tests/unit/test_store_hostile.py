"""Files that were changed, forged or crafted are refused in one line, and never believed."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.errors import StoreError
from convexviz.experiments import store, store_files, store_hdf5
from convexviz.experiments.result import Result
from convexviz.experiments.verify import verify


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


ATTRIBUTES = (
    "spec",
    "primal",
    "dual",
    "seconds",
    "status",
    "scope",
    "created",
    "key",
    "provenance",
)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_a_changed_attribute_is_refused_without_the_seal(path: Path, attribute: str) -> None:
    with h5py.File(unsealed(path), "r+") as file:
        old = file.attrs[attribute]
        changed = old + " " if isinstance(old, str) else np.nextafter(old, np.inf)
        file.attrs[attribute] = changed
    with pytest.raises(StoreError, match="digest"):
        store.read(path)


@pytest.mark.parametrize("name", ["arrays/denoised", "data/noisy", "scalars/n_neurons",
                                  "trace/bound", "arrays/gate_of_neuron"])  # fmt: skip
def test_a_changed_array_is_refused_and_named_without_the_seal(path: Path, name: str) -> None:
    with h5py.File(unsealed(path), "r+") as file:
        values = file[name][()]
        file[name][...] = values + 1
    with pytest.raises(StoreError, match=name):
        store.read(path)


def replace(file: h5py.File, name: str, **options: object) -> None:
    plain = {} if "data" in options else {"shape": file[name].shape, "dtype": file[name].dtype}
    del file[name]
    file.create_dataset(name, **{**plain, **options})


def bomb(file: h5py.File) -> None:
    """64 MB of zeros that are listed, in a few kB."""
    listing = json.loads(file.attrs["contents"])
    listing["arrays"]["denoised"][1] = [8, 1024, 1024]
    file.attrs["contents"] = json.dumps(listing)
    zeros = np.zeros((8, 1024, 1024))
    replace(file, "arrays/denoised", data=zeros, compression="gzip", chunks=(1, 1024, 1024))


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((1, 4, 4), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (1, 4, 4))
    del file["arrays/denoised"]
    file.create_virtual_dataset("arrays/denoised", layout)


def listed(file: h5py.File, edit: object) -> None:
    listing = json.loads(file.attrs["contents"])
    edit(listing)
    file.attrs["contents"] = json.dumps(listing)


def move(file: h5py.File, name: str, link: object) -> None:
    del file[name]
    file[name] = link


HOSTILE = {
    "soft link": lambda f: move(f, "arrays/denoised", h5py.SoftLink("/data/noisy")),
    "soft cycle": lambda f: move(f, "arrays/denoised", h5py.SoftLink("/arrays/denoised")),
    "soft group": lambda f: move(f, "trace", h5py.SoftLink("/data")),
    "external link": lambda f: move(f, "arrays/denoised", h5py.ExternalLink("/etc/hostname", "x")),
    "external storage": lambda f: replace(
        f, "arrays/denoised", external=[("/etc/hostname", 0, 128)], chunks=None
    ),
    "virtual dataset": virtual,
    "objects": lambda f: replace(f, "arrays/denoised", dtype=h5py.string_dtype()),
    "group for an array": lambda f: (f.__delitem__("arrays/denoised"),
                                     f.create_group("arrays/denoised")),
    "array for a group": lambda f: (f.__delitem__("trace"), f.create_dataset("trace", data=1.0)),
    "unknown filter": lambda f: replace(f, "arrays/denoised", compression="lzf", chunks=True),
    "bomb": bomb,
    "another shape": lambda f: replace(f, "arrays/denoised", shape=(1, 4, 5)),
    "attribute array": lambda f: f.attrs.__setitem__("format", np.array(["a", "b"], "S1")),
    "number for text": lambda f: f.attrs.__setitem__("spec", 3.0),
    "text for number": lambda f: f.attrs.__setitem__("primal", "3.0"),
    "no attribute": lambda f: f.attrs.__delitem__("dual"),
    "no digest": lambda f: f.attrs.__delitem__("digest"),
    "no list": lambda f: f.attrs.__setitem__("contents", "[" * 100_000),
    "huge list": lambda f: listed(
        f, lambda c: c["arrays"].__setitem__("x", ["<f8", [2**40], ""])
    ),
    "pickled": lambda f: listed(f, lambda c: c["arrays"].__setitem__("x", ["|O", [1], ""])),
    "path as a name": lambda f: listed(
        f, lambda c: c["arrays"].__setitem__("../data/noisy", ["<f8", [1, 4, 4], ""])
    ),
    "negative length": lambda f: listed(
        f, lambda c: c["arrays"].__setitem__("x", ["<f8", [-1], ""])
    ),
    "another format": lambda f: f.attrs.__setitem__("format", "somebody else's"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_crafted_file_is_refused_in_one_line(path: Path, kind: str) -> None:
    with h5py.File(unsealed(path), "r+") as file:
        HOSTILE[kind](file)
    with pytest.raises(StoreError, match="not a convexviz result") as refusal:
        store.read(path)
    assert "\n" not in str(refusal.value)
    assert path.name in str(refusal.value)


def forged(result: Result, path: Path, **attributes: object) -> Path:
    """A file whose digest and seal are right and whose attributes are not."""
    content = store._content(result)
    content = dataclasses.replace(content, attributes={**content.attributes, **attributes})
    image = store_hdf5.encode(content)
    return store_files.write_whole(path, image, store_files.seal(image))


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"schema": 999}, "schema 999, this convexviz reads"),
        ({"architecture": "nonesuch"}, "no architecture 'nonesuch'"),
        ({"spec": '{"weight_decay": -1}'}, "weight_decay must be"),
        ({"spec": '{"weight_decay": NaN}'}, "weight_decay must be"),
        ({"spec": "[1]"}, "spec must be a JSON object"),
        ({"spec": "[" * 100_000}, "spec is nested too deeply"),
        ({"scope": "EVERYTHING"}, "EVERYTHING"),
        ({"status": "perfect"}, "perfect"),
    ],
)
def test_a_result_that_makes_no_sense_is_refused(
    result: Result, tmp_path: Path, attributes: dict, reason: str
) -> None:
    with pytest.raises(StoreError, match=reason):
        store.read(forged(result, tmp_path / "r.h5", **attributes))


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" * 100])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.h5").write_bytes(content)
    with pytest.raises(StoreError, match=r"r\.h5"):
        store.read(tmp_path / "r.h5")


@pytest.mark.parametrize(
    "path",
    [3, None, b"r.h5", 1.5, ["r.h5"], "r\0.h5", np.eye(2)],
    ids=lambda path: type(path).__name__,
)
def test_what_names_no_file_is_refused_in_one_line(result: Result, path: Any) -> None:
    for use in (convexviz.load, result.save, verify):
        with pytest.raises(StoreError, match="path must name a file") as refused:
            use(path)
        assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.h5", tmp_path / "none" / "r.h5"):
        with pytest.raises(StoreError, match=path.name):
            store.read(path)
