"""A stored bound is one that the stored arrays give again, also where a solve is stopped early."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convexviz
from convexviz.architectures.proofs import BOUNDING
from convexviz.core.neurons import NeuronProgram
from convexviz.core.solution import Progress
from convexviz.errors import Cancelled
from convexviz.experiments import path, store
from convexviz.experiments.run import request
from convexviz.experiments.verify import recomputed, verify
from convexviz.solvers import adaptive
from convexviz.solvers.adaptive_run import Run, Scaled
from convexviz.solvers.base import Monitor

ADAPTIVE = {
    "dataset": "tiny",
    "kernel_size": 2,
    "neurons": "relu",
    "arrangements": "adaptive",
    "noise_std": 0.4,
    "weight_decay": 0.1,
    "tolerance": 1e-3,
}


def _program() -> NeuronProgram:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    y = np.maximum(X @ [1.0, -1.0, 0.5], 0.0)
    return NeuronProgram(X, y, 0.3 * float(np.linalg.norm(X.T @ y)))


def test_a_better_network_with_a_worse_bound_keeps_the_one_that_gave_it() -> None:
    program = _program()
    run = Run(program, Scaled.of(program), Monitor(1e-9), np.inf)
    good = adaptive.Adaptive(tolerance=1e-3).solve(program)
    run.best, run.primal = good.variables, good.certificate.primal
    run.certify()
    shrunk = np.hstack([0.2 * good.variables[:, :-1], good.variables[:, -1:]])
    run.best = shrunk  # whatever it is: its own residual bounds less
    found = run.finish()
    assert program.certify(shrunk).dual < found.certificate.dual
    assert found.witness is not None
    assert program.certify(found.witness).dual == pytest.approx(found.certificate.dual, rel=1e-12)


@pytest.fixture(scope="module")
def witnessed() -> convexviz.experiments.result.Result:
    """A path on which, at every place, an earlier network gives the better bound."""
    finish = Run.finish

    def worse_at_the_end(run: Run):
        run.certify()
        run.best = np.hstack([0.5 * run.best[:, :-1], run.best[:, -1:]])
        run.primal = run.program.objective(run.best)
        return finish(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "finish", worse_at_the_end)
        return path.solve_path(request("denoiser", None, ADAPTIVE), [0.3, 0.1])


def test_verify_finds_the_bound_again(
    witnessed: convexviz.experiments.result.Result, tmp_path: Path
) -> None:
    assert BOUNDING in witnessed.arrays
    assert f"path0_{BOUNDING}" in witnessed.arrays
    assert verify(store.write(witnessed, tmp_path / "witnessed.h5")) == []
    elsewhere = path.at(witnessed, 0)
    assert not [f for f in recomputed(elsewhere) if f.what in ("primal", "dual")]


@pytest.mark.parametrize("name", [BOUNDING, f"path0_{BOUNDING}"])
def test_a_bound_without_the_point_that_gave_it_is_found(
    witnessed: convexviz.experiments.result.Result, tmp_path: Path, name: str
) -> None:
    arrays = {key: array for key, array in witnessed.arrays.items() if key != name}
    file = store.write(replace(witnessed, arrays=arrays), tmp_path / "forged.h5")
    assert any("dual" in finding.what for finding in verify(file))


@pytest.mark.parametrize("stop_at", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "fields",
    [
        {"neurons": "relu", "arrangements": "sampled", "n_gates": 12},
        {"neurons": "gated", "arrangements": "sampled", "n_gates": 12},
        {"neurons": "relu", "arrangements": "adaptive"},
    ],
)
def test_a_cancelled_solve_stores_what_verifies(
    fields: dict[str, object], stop_at: int, tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        if progress.iteration >= stop_at:
            raise Cancelled

    asked = {**ADAPTIVE, **fields, "tolerance": 1e-9}
    result = convexviz.solve("denoiser", on_iteration=stop, **asked)
    assert verify(store.write(result, tmp_path / "cancelled.h5")) == []


@pytest.mark.parametrize("stop_at", [1, 2, 4])
@pytest.mark.parametrize("neurons", ["relu", "gated"])
def test_a_cancelled_loss_stores_what_verifies(neurons: str, stop_at: int, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.iteration >= stop_at:
            raise Cancelled

    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 3))
    data = {"X": X, "Y": np.where(X[:, 0] + X[:, 1] > 0, 1.0, -1.0)}
    fields = {"neurons": neurons, "arrangements": "sampled", "n_gates": 10, "loss": "logistic"}
    result = convexviz.solve(
        "batch_norm", data=data, on_iteration=stop, weight_decay=0.1, tolerance=1e-9, **fields
    )
    assert verify(store.write(result, tmp_path / "cancelled.h5")) == []
