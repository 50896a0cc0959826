"""A proof raises the bound of a trained network, is kept with it, and is replayed by verify."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convexviz
from convexviz.errors import SpecError
from convexviz.experiments import path, store
from convexviz.experiments.prove import prove
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
