"""The closed forms: one number a class, and a bound that covers every ReLU network."""

import warnings

import cvxpy as cp
import numpy as np
import pytest

from convexviz.core.losses import loss_named
from convexviz.core.neurons import NeuronProgram
from convexviz.core.orthonormal import OrthonormalProgram, class_outputs, dual_norm
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.orthonormal import ClosedForm

RNG = np.random.default_rng(3)
N = 9
U = np.linalg.qr(RNG.standard_normal((N, N)))[0]
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
CASES = {
    "squared, one output": ("squared", RNG.standard_normal((N, 1))),
    "squared, one-hot": ("squared", np.eye(3)[LABELS]),
    "squared, both signs": ("squared", np.eye(3)[LABELS] * RNG.standard_normal((N, 1))),
    "logistic": ("logistic", np.where(LABELS == 0, 1.0, -1.0)[:, None]),
    "hinge": ("hinge", np.where(LABELS == 0, 1.0, -1.0)[:, None]),
    "cross_entropy": ("cross_entropy", np.eye(3)[LABELS]),
    "cross_entropy, an absent class": ("cross_entropy", np.eye(4)[LABELS]),
}


def program(case: str, weight_decay: float) -> OrthonormalProgram:
    name, Y = CASES[case]
    loss = loss_named(name)
    outputs = class_outputs(Y, loss)
    assert outputs is not None
    return OrthonormalProgram(U, Y, outputs, loss, weight_decay)


@pytest.mark.parametrize("weight_decay", [0.05, 0.6, 1.3])
@pytest.mark.parametrize("case", CASES)
def test_the_formula_is_certified_for_every_network(case: str, weight_decay: float) -> None:
    made = program(case, weight_decay)
    solution = ClosedForm(tolerance=1e-9).solve(made).require_optimal()
    network = made.to_network(solution.variables)
    features = np.maximum(U @ network.first_layer, 0.0)
    value = made.loss.value(features @ network.second_layer, made.Y) + network.penalty()
    assert value == pytest.approx(solution.certificate.primal, rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_the_formula_is_what_cvxpy_finds(case: str) -> None:
    made = program(case, 0.4)
    problem = made.to_cvxpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # degenerate at the zeros of H: "may be inaccurate"
        problem.solve(solver=cp.CLARABEL)
    found = ClosedForm().solve(made).certificate.primal
    assert found == pytest.approx(problem.value, rel=1e-6)
    assert made.objective(made.from_cvxpy(problem)) == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_from_beta_max_on_there_is_no_neuron(case: str) -> None:
    made = program(case, 1.0)
    zero = ClosedForm().solve(made.with_weight_decay(made.beta_max * (1 + 1e-9)))
    assert not zero.variables.any()
    below = ClosedForm().solve(made.with_weight_decay(made.beta_max * 0.99))
    assert below.variables.any()


def test_the_dual_norm_is_never_below_a_neuron() -> None:
    for c in (1, 3):
        R = RNG.standard_normal((N, c))
        H = np.abs(RNG.standard_normal((2000, N))) * (RNG.random((2000, N)) < 0.5) + 1e-9
        H /= np.linalg.norm(H, axis=1, keepdims=True)
        assert np.linalg.norm(H @ R, axis=1).max() <= dual_norm(R) * (1 + 1e-12)
    r = RNG.standard_normal((N, 1))
    best = np.maximum(r, 0.0) / np.linalg.norm(np.maximum(r, 0.0))
    assert dual_norm(r) >= float((best.T @ r)[0, 0]) * (1 - 1e-12)


def test_a_wrong_answer_is_not_certified() -> None:
    made = program("squared, one-hot", 0.3)
    right = ClosedForm().solve(made)
    wrong = made.certify(1.01 * right.variables)
    assert wrong.relative_gap > 1e-5
    assert wrong.dual <= right.certificate.primal


def test_there_is_no_closed_form_for_rows_of_several_classes() -> None:
    assert class_outputs(np.ones((N, 2)), loss_named("squared")) is None
    assert class_outputs(np.ones((N, 2)), loss_named("logistic")) is None
    with pytest.raises(IncompatibleSolver, match="needs an OrthonormalProgram"):
        ClosedForm().solve(NeuronProgram(U, U[0], 0.1))
