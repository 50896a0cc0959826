import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.core.solution import Certificate, Scope
from convexviz.experiments import path, store, store_files, store_hdf5
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.experiments.verify import _Afresh, _compared, verify

DEEP = {"bias": True, "blocks": 2, "residual": True, "normalise": "standard"}


def solved(**fields: Any) -> Result:
    return convexviz.solve("denoiser", **{**architectures.get("denoiser").smoke, **fields})


@pytest.fixture(scope="module")
def result() -> Result:
    return solved()


@pytest.fixture(scope="module")
def deep() -> Result:
    return solved(**DEEP)


@pytest.fixture(scope="module")
def relu() -> Result:
    return solved(neurons="relu", n_gates=6)


@pytest.fixture(scope="module")
def path_result() -> Result:
    return path.solve_path(request("denoiser", None, dict(architectures.get("denoiser").smoke)))


def found(result: Result, folder: Path) -> str:
    """What verify says of a file that is sealed and consistent: only recomputing can object."""
    return "\n".join(map(str, verify(store.write(result, folder / "r.h5"))))


@pytest.mark.parametrize(
    "fields",
    [{}, DEEP, {"neurons": "relu", "noise_std": 0.0}, {"weight_decay": 1e6},
     {"padding": "zero", "arrangements": "all", "neurons": "relu", "noise_std": 0.0}],
    ids=str,
)  # fmt: skip
def test_a_true_result_has_no_findings(tmp_path: Path, fields: dict) -> None:
    assert found(solved(**fields), tmp_path) == ""


def test_given_data_verifies_too(result: Result, tmp_path: Path) -> None:
    data = {"noisy": result.data["noisy"] + 0.1, "clean": result.data["clean"]}
    given = convexviz.solve("denoiser", data=data, kernel_size=2, n_gates=5)
    assert found(given, tmp_path) == ""
    assert given.provenance["key"] != solved(kernel_size=2, n_gates=5).provenance["key"]


def test_every_changed_array_is_found(deep: Result, tmp_path: Path) -> None:
    """Each array of the result, one entry off by a millionth, in a file forged with care."""
    for name, array in deep.arrays.items():
        if not array.size:
            continue
        changed = array.copy()
        step = 1 if array.dtype.kind in "iu" else 1e-6 * max(1.0, float(np.abs(array).max()))
        changed.flat[0] = changed.flat[0] - 1 if changed.flat[0] == array.max() else (
            changed.flat[0] + step
        )  # fmt: skip
        forged = dataclasses.replace(deep, arrays={**deep.arrays, name: changed})
        assert found(forged, tmp_path) != "", name


@pytest.mark.parametrize("name", ["denoised", "filters", "pattern_map", "test_denoised"])
def test_a_changed_picture_is_found_by_name(result: Result, tmp_path: Path, name: str) -> None:
    array = result.arrays[name].copy()
    array.flat[3] = array.flat[3] + 1 if array.dtype.kind == "i" else array.flat[3] + 1e-6
    forged = dataclasses.replace(result, arrays={**result.arrays, name: array})
    assert f"arrays/{name}: 1 of {array.size} entries differ" in found(forged, tmp_path)


@pytest.mark.parametrize("name", ["network_objective", "n_neurons", "n_patterns", "psnr_noisy",
                                  "psnr_denoised", "ssim_denoised",
                                  "test_psnr_denoised"])  # fmt: skip
def test_a_changed_scalar_is_found_by_name(result: Result, tmp_path: Path, name: str) -> None:
    scalars = {**result.scalars, name: result.scalars[name] * (1 + 1e-7)}
    findings = found(dataclasses.replace(result, scalars=scalars), tmp_path)
    assert findings.startswith(f"scalars/{name}: stored ")


@pytest.mark.parametrize("name", ["network_bound", "estimated_bound", "estimated_m_over_beta"])
def test_a_changed_bound_on_relu_networks_is_found(relu: Result, tmp_path: Path, name: str) -> None:
    scalars = {**relu.scalars, name: relu.scalars[name] * (1 + 1e-7)}
    findings = found(dataclasses.replace(relu, scalars=scalars), tmp_path)
    assert findings.startswith(f"scalars/{name}: stored ")


@pytest.mark.parametrize("name", ["path_primal", "path_dual", "path_variables"])
def test_a_changed_path_is_found(path_result: Result, tmp_path: Path, name: str) -> None:
    array = path_result.arrays[name].copy()
    place = np.unravel_index(np.argmax(np.abs(array)), array.shape)
    array[place] *= 1 + 1e-6
    forged = dataclasses.replace(path_result, arrays={**path_result.arrays, name: array})
    assert "arrays/path_" in found(forged, tmp_path)


@pytest.mark.parametrize("name", ["path_primal", "path_dual"])
def test_a_changed_place_is_found_though_others_are_larger(
    path_result: Result, tmp_path: Path, name: str
) -> None:
    array = path_result.arrays[name].copy()
    assert array[-1] < 0.3 * array[0]
    array[-1] *= 1 - 3e-9
    forged = dataclasses.replace(path_result, arrays={**path_result.arrays, name: array})
    assert found(forged, tmp_path).startswith(f"arrays/{name}: 1 of ")


@pytest.mark.parametrize("apart", [2e-10, 2e-9])
def test_a_bound_next_to_nothing_is_compared_on_the_scale_of_its_value(
    result: Result, apart: float
) -> None:
    own, bound = result.certificate.primal, {"copositive_bound": 1e-13 * result.certificate.primal}
    primal, dual = np.array([1e3, own]), np.array([1e3, bound["copositive_bound"]])
    stored = dataclasses.replace(
        result, scalars=bound, arrays={"path_primal": primal, "path_dual": dual}
    )
    more = {"path_primal": primal, "path_dual": dual + np.array([0.0, apart * own])}
    afresh = _Afresh(
        result.certificate, {name: low + apart * own for name, low in bound.items()}, more
    )
    findings = [each.what for each in _compared(stored, afresh, None)]
    assert findings == ([] if apart < 1e-9 else ["scalars/copositive_bound", "arrays/path_dual"])


def test_a_place_whose_variables_are_no_point_is_found(result: Result) -> None:
    places = {"path_primal": np.array([2.0, 1.0]), "path_dual": np.array([2.0, 0.9])}
    stored = dataclasses.replace(result, arrays=places)
    none = {"path_primal": np.array([2.0, np.inf]), "path_dual": np.array([2.0, 0.0])}
    findings = _compared(stored, _Afresh(result.certificate, {}, none), None)
    assert [each.what for each in findings] == ["arrays/path_primal", "arrays/path_dual"]


@pytest.mark.parametrize("by", [0.006, -100.0], ids=["between gates", "below none"])
def test_the_number_of_a_gate_is_whole(tmp_path: Path, by: float) -> None:
    fields = {"kernel_size": 2, "n_gates": 6, "output_kernel": 3, "weight_decay": 0.3}
    rng = np.random.default_rng(3)
    data = {name: rng.standard_normal((1, 4, 4)) for name in ("noisy", "clean")}
    whole = path.solve_path(request("denoiser", data, fields), betas=[0.3])
    changed = whole.arrays["path_variables"].copy()
    place = np.unravel_index(np.argmax(changed[..., 0]), changed.shape[:-1])
    changed[(*place, 0)] += by
    forged = dataclasses.replace(whole, arrays={**whole.arrays, "path_variables": changed})
    assert found(whole, tmp_path) == ""
    assert "variables must number gates from 0 on" in found(forged, tmp_path)


def test_a_bound_that_nothing_proves_is_found(result: Result, tmp_path: Path) -> None:
    primal = result.certificate.primal
    forged = dataclasses.replace(result, scalars={**result.scalars, "copositive_bound": primal})
    assert found(forged, tmp_path) == "scalars/copositive_bound: nothing in the file proves it"


@pytest.mark.parametrize("name", ["denoiser", "vector_output", "batch_norm"])
def test_what_is_exported_at_another_weight_decay_verifies(name: str, tmp_path: Path) -> None:
    fields = architectures.get(name).smoke
    whole = path.solve_path(request(name, None, fields), betas=[fields["weight_decay"] * 2.0])
    moved = path.solve_path(request(name, None, fields))
    place = 0 if moved.arrays["path_weight_decay"][0] != moved.spec["weight_decay"] else 1
    for one in (whole, path.at(moved, place)):
        one.save(tmp_path / "moved.h5")
        assert verify(tmp_path / "moved.h5") == []


def test_a_missing_scalar_is_found(result: Result, tmp_path: Path) -> None:
    scalars = {k: v for k, v in result.scalars.items() if k != "psnr_denoised"}
    forged = dataclasses.replace(result, scalars=scalars)
    assert found(forged, tmp_path) == "scalars/psnr_denoised: missing"


@pytest.mark.parametrize(("primal", "dual"), [(1 + 1e-7, 1), (1, 1 - 1e-7), (0.5, 0.5)])
def test_a_changed_certificate_is_found(
    result: Result, tmp_path: Path, primal: float, dual: float
) -> None:
    true = result.certificate
    certificate = Certificate(true.primal * primal, true.dual * dual, true.scope)
    findings = found(dataclasses.replace(result, certificate=certificate), tmp_path)
    assert ("primal: stored" in findings) == (primal != 1)
    assert ("dual: stored" in findings) == (dual != 1)


def test_a_wider_claim_is_found(result: Result, tmp_path: Path) -> None:
    true = result.certificate
    certificate = Certificate(true.primal, true.dual, Scope.RELU_NETWORK)
    forged = dataclasses.replace(result, certificate=certificate)
    assert "scope: stored RELU_NETWORK, recomputed GATED_NETWORK" in found(forged, tmp_path)


def test_a_bound_above_its_value_is_found(result: Result, tmp_path: Path) -> None:
    true = result.certificate
    certificate = Certificate(true.primal, true.primal * (1 + 1e-6), true.scope)
    assert "is above primal" in found(
        dataclasses.replace(result, certificate=certificate), tmp_path
    )
    last = result.trace[-1]
    crossed = dataclasses.replace(last, dual=last.primal * 1.01)
    forged = dataclasses.replace(result, trace=(*result.trace[:-1], crossed))
    assert f"trace, iteration {last.iteration}: bound" in found(forged, tmp_path)


def test_a_gap_that_is_not_optimal_is_found(tmp_path: Path) -> None:
    loose = solved(tolerance=0.1)
    claim = dataclasses.replace(loose, status="optimal", spec={**loose.spec, "tolerance": 1e-10})
    assert "status: optimal, with relative gap" in found(claim, tmp_path)


def test_a_key_of_another_spec_is_found(result: Result, tmp_path: Path) -> None:
    forged = dataclasses.replace(result, spec={**result.spec, "seed": 5})
    assert found(forged, tmp_path).startswith(f"key: stored {result.provenance['key']}, the spec")


def test_changed_inputs_are_found(result: Result, tmp_path: Path) -> None:
    noisy = result.data["noisy"].copy()
    noisy.flat[0] += 1e-9
    forged = dataclasses.replace(result, data={**result.data, "noisy": noisy})
    assert found(forged, tmp_path).startswith("data_sha256: stored")


def test_inputs_too_large_to_store_come_from_the_data_set(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LARGEST_DATA", 16)
    assert found(result, tmp_path) == ""
    other = {**result.provenance, "data_sha256": "0" * 64}
    forged = dataclasses.replace(result, provenance=other)
    assert "no longer the same" in found(forged, tmp_path)


def test_weights_that_do_not_fit_are_a_finding_and_not_a_crash(
    result: Result, tmp_path: Path
) -> None:
    arrays = {**result.arrays, "first_layer": result.arrays["first_layer"][:-1]}
    forged = dataclasses.replace(result, arrays=arrays)
    assert found(forged, tmp_path).startswith("arrays: ")


@pytest.mark.parametrize("name", ["arrays/first_layer", "arrays/group_norms", "data/clean"])
def test_an_edited_file_says_which_array_was_edited(
    result: Result, tmp_path: Path, name: str
) -> None:
    path = result.save(tmp_path / "r.h5")
    with h5py.File(path, "r+") as file:
        file[name][...] = 2 * file[name][()]
    findings = [str(finding) for finding in verify(path)]
    assert f"{name}: not the array that was stored" in findings
    assert findings[0].startswith("file: its seal is")


def test_an_edited_attribute_is_found(result: Result, tmp_path: Path) -> None:
    path = result.save(tmp_path / "r.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["primal"] = file.attrs["dual"] / 2
    findings = "\n".join(map(str, verify(path)))
    assert "root attributes: digest differs" in findings
    assert "primal: stored" in findings
    assert "is above primal" in findings


def test_a_damaged_chunk_is_a_finding(result: Result, tmp_path: Path) -> None:
    path = result.save(tmp_path / "r.h5")
    with h5py.File(path) as file:
        chunk = file["arrays/denoised"].id.get_chunk_info(0)
    image = bytearray(path.read_bytes())
    image[chunk.byte_offset + chunk.size // 2] ^= 16
    path.write_bytes(image)
    findings = "\n".join(map(str, verify(path)))
    assert "arrays/denoised: its stored checksum fails" in findings


def test_a_sealed_file_that_is_past_reading_is_a_finding(result: Result, tmp_path: Path) -> None:
    path = result.save(tmp_path / "r.h5")
    image = path.read_bytes()
    path.write_bytes(b"\0" * 100 + image[100:])
    assert [finding.what for finding in verify(path)] == ["file"]


def test_the_forger_of_these_tests_is_careful(result: Result, tmp_path: Path) -> None:
    """Else a broken seal, and not the recomputation, would be what is found above."""
    path = store.write(result, tmp_path / "r.h5")
    assert store_files.check_seal(path) is store_files.Sealed.INTACT
    assert store_hdf5.decode(path).damage == ()
