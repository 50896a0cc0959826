"""First-order steps on a device: exact solvers' optima, whatever the precision of the steps."""

from __future__ import annotations

import numpy as np
import pytest

from convexviz.core.arrangements import sample
from convexviz.core.gated import GatedProgram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import LOSSES
from convexviz.core.masked import adjoint, predict
from convexviz.core.masked_device import DeviceFeatures
from convexviz.core.neurons import NeuronProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Progress, Status
from convexviz.errors import Cancelled, IncompatibleSolver, SpecError
from convexviz.solvers.choose import choose
from convexviz.solvers.first_order import FirstOrder

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
KINDS = (GatedProgram, ReluProgram)


def program(kind: type, loss: str = "squared", share: float = 0.05) -> object:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((150, 4))
    y = np.where(X[:, 0] * X[:, 1] + 0.3 * rng.standard_normal(150) >= 0, 1.0, -1.0)
    made = kind(X, y, sample(X, 60, rng), 0.0)
    made = made if loss == "squared" else LossProgram(made, LOSSES[loss])
    return made.with_weight_decay(share * made.beta_max)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("entries", [2**27, 64])
def test_products_on_a_device_are_those_of_the_cpu(
    device: str, precision: str, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr("convexviz.core.masked_device.ENTRIES", entries)
    monkeypatch.setattr("convexviz.core.masked_device.CPU_ENTRIES", entries)
    rng = np.random.default_rng(0)
    X, r = rng.standard_normal((40, 3)), rng.standard_normal(40)
    patterns, W = sample(X, 7, rng).patterns, rng.standard_normal((7, 3))
    W[2] = 0.0
    W = W[: patterns.shape[1]]
    features = DeviceFeatures.of(X, patterns, device, precision)
    close = 1e-12 if precision == "float64" else 1e-4
    out = features.predict(torch.as_tensor(W).to(features.X)).cpu().numpy()
    np.testing.assert_allclose(out, predict(X, patterns, W), rtol=close, atol=close)
    back = features.adjoint(torch.as_tensor(r).to(features.X)).cpu().numpy()
    np.testing.assert_allclose(back, adjoint(X, patterns, r), rtol=close, atol=close)
    dense = (patterns[:, :, None] * X[:, None, :]).reshape(40, -1)
    true = np.linalg.norm(dense, 2) ** 2
    assert true <= features.largest_square() <= 1.06 * true


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_optima_are_the_exact_solvers(kind: type, loss: str, precision: str, device: str) -> None:
    made = program(kind, loss)
    exact = choose(made, 1e-8, 0).solve(made).require_optimal()
    solver = FirstOrder(tolerance=1e-6, device=device, precision=precision)
    found = solver.solve(made).require_optimal()
    assert found.certificate.primal == pytest.approx(exact.certificate.primal, rel=1e-6)
    assert found.certificate.dual <= exact.certificate.primal
    assert found.variables.dtype == np.float64
    assert made.certify(found.variables).primal == found.certificate.primal


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_steps_alone_come_near_and_say_how_near(kind: type, device: str) -> None:
    made = program(kind, share=0.3)
    exact = choose(made, 1e-8, 0).solve(made).certificate
    solver = FirstOrder(tolerance=1e-9, max_iterations=400, device=device, finish=False)
    found = solver.solve(made)
    assert exact.dual <= found.certificate.primal <= exact.primal * (1 + 1e-3)
    assert found.certificate.dual <= exact.primal
    assert (found.status is Status.OPTIMAL) == (found.certificate.relative_gap <= 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_sizes_and_zeros_are_solved_or_said_to_be_unsolved(kind: type) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 3)), rng.standard_normal(12)
    for a, b in ((1e-150, 1.0), (1e150, 1e-100), (1.0, 1e120), (0.0, 1.0), (1.0, 0.0)):
        made = kind(a * X, b * y, sample(X, 6, np.random.default_rng(1)), 0.0)
        made = made.with_weight_decay(0.1 * made.beta_max)
        found = FirstOrder(tolerance=1e-5, max_iterations=200).solve(made)
        assert np.isfinite(found.variables).all()
        assert 0.0 <= found.certificate.dual <= found.certificate.primal
        if a and made.weight_decay > 0:
            assert found.status is Status.OPTIMAL


def test_a_cancelled_solve_says_so() -> None:
    def cancel(_: Progress) -> None:
        raise Cancelled

    made = program(GatedProgram)
    assert FirstOrder().solve(made, on_iteration=cancel).status is Status.CANCELLED


def test_patterns_whose_gram_does_not_fit_go_to_first_order_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = program(GatedProgram)
    assert not isinstance(choose(made, 1e-4, 0), FirstOrder)
    monkeypatch.setattr("convexviz.core.gated.GRAM_COLUMNS", 30)
    monkeypatch.setattr("convexviz.solvers.gated_wide._LARGEST_N", 10)
    assert isinstance(choose(made, 1e-4, 0), FirstOrder)


def test_solvers_move_to_a_device_or_refuse_it() -> None:
    relu = choose(program(ReluProgram), 1e-3, 0).on("cuda")
    assert relu == FirstOrder(tolerance=1e-3, device="cuda")
    assert choose(program(ReluProgram, "logistic"), 1e-3, 0).on("cuda") == relu
    assert choose(program(GatedProgram), 1e-3, 0).on("cpu").tolerance == 1e-3
    X = np.eye(3)
    adaptive = choose(NeuronProgram(X, X[0], 0.1), 1e-3, 0)
    assert adaptive.on("cpu") is adaptive
    with pytest.raises(SpecError, match="device='cuda' solves programs on given patterns"):
        adaptive.on("cuda")


def test_what_it_cannot_take_is_refused() -> None:
    with pytest.raises(IncompatibleSolver, match="smooth loss, got hinge"):
        FirstOrder().solve(program(GatedProgram, "hinge"))
    with pytest.raises(IncompatibleSolver, match="given patterns"):
        FirstOrder().solve(NeuronProgram(np.eye(2), np.ones(2), 0.1))
    with pytest.raises(SpecError, match="tolerance"):
        FirstOrder(tolerance=0.0)
