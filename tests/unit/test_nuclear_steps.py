"""Steps on blocks of several outputs: the exact solver's optima, on any device and in any size."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from convexviz.core import blocks_device
from convexviz.core.arrangements import sample
from convexviz.core.blocks_device import DeviceBlocks, shrunk
from convexviz.core.losses import loss_named
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.readout import Pooled, Rows
from convexviz.core.solution import Progress, Status
from convexviz.errors import Cancelled, IncompatibleSolver, SpecError
from convexviz.solvers.nuclear_descent import NuclearDescent, soft_thresholded
from convexviz.solvers.nuclear_steps import NuclearSteps
from convexviz.solvers.nuclear_sweeps import NuclearSweeps

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def program(loss: str = "squared", patches: int = 1, outputs: int = 3) -> NuclearProgram:
    rng = np.random.default_rng(2)
    X = np.linalg.qr(rng.standard_normal((60 * patches, 4)))[0]
    labels = rng.integers(0, outputs, 60)
    Y = np.eye(outputs)[labels]
    Y = 2 * Y - 1 if loss == "logistic" else Y
    readout = Pooled(patches) if patches > 1 else Rows()
    made = NuclearProgram(X, Y, sample(X, 25, rng), 1.0, readout, loss_named(loss))
    return made.with_weight_decay(0.2 * made.beta_max)


@pytest.mark.parametrize("device", DEVICES)
def test_products_are_those_of_the_program_however_the_rows_are_cut(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(blocks_device, "CPU_ENTRIES", 150)
    monkeypatch.setattr(blocks_device, "ENTRIES", 150)
    made, rng = program(), np.random.default_rng(0)
    blocks = DeviceBlocks.of(made.X, made.arrangements.patterns, device, "float64")
    Z, R = rng.standard_normal(made.shape), rng.standard_normal(made.Y.shape)
    fit = blocks.predict(torch.as_tensor(Z, device=device)).cpu().numpy()
    np.testing.assert_allclose(fit, made.fit(Z), atol=1e-12)
    back = blocks.adjoint(torch.as_tensor(R, device=device)).cpu().numpy()
    np.testing.assert_allclose(back, made.correlations(R), atol=1e-12)
    assert np.vdot(fit, R) == pytest.approx(np.vdot(Z, back), rel=1e-12)


@pytest.mark.parametrize("shape", [(6, 5, 3), (6, 3, 5), (2, 4, 1)])
def test_singular_values_are_lowered(shape: tuple[int, int, int]) -> None:
    import torch

    Z = np.random.default_rng(1).standard_normal(shape)
    found = shrunk(torch.as_tensor(Z), 0.7).numpy()
    np.testing.assert_allclose(found, soft_thresholded(Z, 0.7), atol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("loss", "patches"),
    [("squared", 1), ("squared", 3), ("logistic", 1), ("cross_entropy", 1)],
)
def test_the_optimum_is_the_exact_solvers(loss: str, patches: int, device: str) -> None:
    made = program(loss, patches)
    exact = NuclearDescent(1e-8).solve(made).require_optimal()
    found = NuclearSteps(tolerance=1e-5, device=device).solve(made).require_optimal()
    assert found.certificate.primal == pytest.approx(exact.certificate.primal, rel=2e-5)
    assert found.certificate.dual <= exact.certificate.primal * (1 + 1e-9)
    assert found.certificate == made.certify(found.variables) or (
        found.certificate.dual >= made.certify(found.variables).dual
    )


@pytest.mark.parametrize(
    ("loss", "patches", "outputs"),
    [
        ("squared", 1, 3),
        ("squared", 1, 6),  # more outputs than features
        ("squared", 3, 3),
        ("logistic", 1, 3),
        ("cross_entropy", 1, 3),
    ],
)
def test_sweeps_over_blocks_find_the_same_optimum(loss: str, patches: int, outputs: int) -> None:
    made = program(loss, patches, outputs)
    exact = NuclearDescent(1e-8).solve(made).require_optimal()
    found = NuclearSweeps(tolerance=1e-5).solve(made).require_optimal()
    assert found.certificate.primal == pytest.approx(exact.certificate.primal, rel=2e-5)
    assert found.certificate.dual <= exact.certificate.primal * (1 + 1e-9)
    assert found.certificate.primal == pytest.approx(made.objective(found.variables), rel=1e-12)


def test_a_path_of_sweeps_has_the_optimum_of_each_weight_decay() -> None:
    made = program()
    betas = [made.weight_decay, 4 * made.weight_decay]
    found = NuclearSweeps(tolerance=1e-6).path(made, betas)
    for beta, solution in zip(betas, found, strict=True):
        best = NuclearDescent(1e-8).solve(made.with_weight_decay(beta)).certificate.primal
        assert solution.certificate.primal == pytest.approx(best, rel=1e-6)
        assert solution.status is Status.OPTIMAL

    def stop(_: Progress) -> None:
        raise Cancelled

    cancelled = NuclearSweeps().path(made, betas, on_iteration=stop)
    for beta, solution in zip(betas, cancelled, strict=True):  # the larger one was first
        assert solution.status is Status.CANCELLED
        here = made.with_weight_decay(beta).certify(solution.variables)
        assert solution.certificate.primal == pytest.approx(here.primal, rel=1e-12)
    assert len(NuclearSweeps().path(made, betas[::-1], on_iteration=stop)) == 1


def test_sweeps_hear_a_cancel_while_they_set_up_and_say_nothing_twice() -> None:
    rng = np.random.default_rng(3)
    X = np.linalg.qr(rng.standard_normal((60, 4)))[0]
    made = NuclearProgram(X, rng.standard_normal((60, 2)), sample(X, 60, rng), 1.0)
    assert len(made.arrangements) > 40
    made = made.with_weight_decay(0.3 * made.beta_max)
    heard: list[Progress] = []

    def stop(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) == 2:
            raise Cancelled

    part = NuclearSweeps(tolerance=1e-9).solve(made, on_iteration=stop)
    assert part.status is Status.CANCELLED
    assert not part.variables.any()  # no block was stepped on
    whole = NuclearSweeps(tolerance=1e-3).solve(made)
    told = [(p.primal, p.dual) for p in whole.objectives]
    assert len(set(told)) >= len(told) - 1
    assert [p.iteration for p in whole.objectives] == list(range(len(told)))


@pytest.mark.parametrize("solver", [NuclearSteps, NuclearSweeps])
def test_a_cancelled_run_is_gone_on_with(solver: Any) -> None:
    made = program()
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) > 4:
            raise Cancelled

    part = solver(tolerance=1e-6).solve(made, on_iteration=stop)
    assert part.status is Status.CANCELLED
    assert part.certificate.gap > 0
    rest = solver(tolerance=1e-5).solve_from(made, part.variables)
    assert rest.status is Status.OPTIMAL
    assert rest.objectives[0].primal <= part.certificate.primal * (1 + 1e-12)


@pytest.mark.parametrize("solver", [NuclearSteps, NuclearSweeps])
def test_zero_is_known_and_kinks_are_refused(solver: Any) -> None:
    made = program()
    none = solver().solve(made.with_weight_decay(1.01 * made.beta_max))
    assert none.status is Status.OPTIMAL
    assert not none.variables.any()
    hinge = replace(program("logistic"), loss=loss_named("hinge"))
    with pytest.raises(IncompatibleSolver, match="smooth loss"):
        solver().solve(hinge)
    with pytest.raises(SpecError, match="tolerance must be > 0"):
        solver(tolerance=0.0)
