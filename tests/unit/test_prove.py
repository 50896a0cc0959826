"""A proof raises the bound of a trained network, is kept with it, and is replayed by verify."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convexviz
from convexviz.errors import SpecError
from convexviz.experiments import path, store
from convexviz.experiments.prove import prove, why_not
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.experiments.verify import verify

FIELDS = {
    "dataset": "tiny",
    "kernel_size": 2,
    "neurons": "relu",
    "arrangements": "adaptive",
    "noise_std": 0.4,
    "weight_decay": 0.1,
    "tolerance": 1e-3,
}


@pytest.fixture(scope="module")
def before() -> Result:
    return path.solve_path(request("denoiser", None, FIELDS), [0.3, 0.1])


@pytest.fixture(scope="module")
def after(before: Result) -> Result:
    return prove(before, max_seconds=200.0)  # it stops at the tolerance; compiling counts


def test_the_bound_rises_and_stays_below_the_exact_optimum(before: Result, after: Result) -> None:
    exact = convexviz.solve("denoiser", **{**FIELDS, "arrangements": "all", "tolerance": 1e-8})
    assert before.certificate.dual < after.certificate.dual <= exact.certificate.primal
    assert (after.arrays["path_dual"] >= before.arrays["path_dual"]).all()
    assert (after.arrays["path_dual"] <= after.arrays["path_primal"]).all()


def test_verify_replays_the_proofs(after: Result, tmp_path: Path) -> None:
    assert verify(store.write(after, tmp_path / "proved.h5")) == []


@pytest.mark.parametrize("name", ["proof_multipliers", "path0_proof_multipliers"])
def test_a_bound_without_its_proof_is_found(after: Result, tmp_path: Path, name: str) -> None:
    arrays = {**after.arrays, name: np.zeros_like(after.arrays[name])}
    file = store.write(replace(after, arrays=arrays), tmp_path / "forged.h5")
    assert any("dual" in finding.what for finding in verify(file))


def test_what_cannot_be_proved_is_refused_with_the_reason() -> None:
    gated = convexviz.solve("denoiser", dataset="tiny", kernel_size=2, n_gates=4)
    with pytest.raises(SpecError, match="adaptive"):
        prove(gated)


@pytest.mark.parametrize("fields", [{}, {"output_kernel": 3}], ids=["plain", "taps"])
def test_a_result_without_a_path_is_proved_and_replayed(tmp_path: Path, fields: dict) -> None:
    found = convexviz.solve("denoiser", **{**FIELDS, **fields, "weight_decay": 0.5})
    proved = prove(found, max_seconds=2.0)
    assert found.certificate.dual < proved.certificate.dual <= found.certificate.primal
    assert verify(store.write(proved, tmp_path / "proved.h5")) == []


def test_rows_of_patches_and_pixels_count_as_a_neuron_sees_them() -> None:
    rng = np.random.default_rng(0)
    data = {"X": rng.standard_normal((30, 3, 2)), "Y": rng.standard_normal((30, 2))}
    pooled = convexviz.solve("vector_output", data=data, arrangements="adaptive", tolerance=0.1)
    if "gates" in pooled.arrays:  # every pattern was looked at
        pooled = replace(pooled, arrays={k: v for k, v in pooled.arrays.items() if k != "gates"})
    assert "got 90" in str(why_not(pooled))
    image = rng.random((1, 9, 10))
    taps = convexviz.solve(
        "denoiser", data={"noisy": image, "clean": image}, kernel_size=2, neurons="relu",
        arrangements="adaptive", output_kernel=3, weight_decay=1e3,
    )  # fmt: skip
    assert "got 90" in str(why_not(taps))
