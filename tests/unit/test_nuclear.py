"""Gated vector outputs: golden values, the Gram and the data agree, certificates can fail."""

import cvxpy as cp
import numpy as np
import pytest

import convexviz
from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.losses import loss_named
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.solution import Scope
from convexviz.solvers.nuclear_descent import NuclearDescent, _Smooth, soft_thresholded
from tests.unit.vector_golden import GOLDEN, TOY, normal, one_hot

GATED = {
    "p3.A1": 0.300297298,
    "p3.A2": 5.54930221,
    "p3.B1": 0.550368813,
    "p3.B2": 1.28963683,
    "p4.B1": 0.0828814716,
    "p4.B2": 0.0546456296,
}


def gated(name: str) -> NuclearProgram:
    golden = GOLDEN[name]
    patterns = enumerate_all(golden.X)
    return NuclearProgram(golden.X, golden.Y, patterns, golden.weight_decay, golden.readout)


@pytest.mark.parametrize("name", GATED)
def test_the_golden_values_without_cones_are_reached(name: str) -> None:
    solution = NuclearDescent(1e-8).solve(gated(name)).require_optimal()
    assert solution.certificate.primal == pytest.approx(GATED[name], rel=2e-8)
    assert solution.certificate.scope is Scope.GATED_NETWORK


# Clarabel takes a second, and cvxpy is imported.
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_the_solver_matches_cvxpy(loss: str) -> None:
    patterns = sample(TOY, 5, np.random.default_rng(0))
    Y = one_hot(0, 0, 1, 1, 2, 2)
    program = NuclearProgram(TOY, Y, patterns, 0.1, loss=loss_named(loss))
    problem = program.to_cvxpy()
    problem.solve(solver=cp.CLARABEL)
    solution = NuclearDescent(1e-7).solve(program).require_optimal()
    assert solution.certificate.primal == pytest.approx(problem.value, rel=1e-6)
    assert program.objective(program.from_cvxpy(problem)) == pytest.approx(problem.value, rel=1e-6)


def test_the_gram_and_the_data_give_the_same_gradient() -> None:
    X, Y, Z = normal(8, (200, 3), (200, 2), (4, 3, 2))
    program = NuclearProgram(X, Y, sample(X, 4, np.random.default_rng(1)), 0.3)
    smooth = _Smooth(program)
    assert smooth.gram is not None
    value, gradient = smooth.value_and_gradient(Z)
    R = Y - program.fit(Z)
    assert value == pytest.approx(0.5 * np.sum(R**2), rel=1e-10)
    np.testing.assert_allclose(gradient, -program.correlations(R), atol=1e-9)


def test_soft_thresholding_is_the_proximal_map_of_the_nuclear_norm() -> None:
    (Z,) = normal(9, (3, 4, 2))
    found = soft_thresholded(Z, 0.7)

    def value(A: np.ndarray) -> float:
        return 0.5 * np.sum((A - Z) ** 2) + 0.7 * np.linalg.svd(A, compute_uv=False).sum()

    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-1, 1.0):
        assert value(found + size * rng.standard_normal(Z.shape)) > value(found)


def test_the_network_has_the_objective_and_a_wrong_point_is_not_certified() -> None:
    program = gated("p3.B2")
    solution = NuclearDescent(1e-8).solve(program)
    network = program.to_network(solution.variables)
    assert network.objective(program.X, program.Y) == pytest.approx(
        solution.certificate.primal, rel=1e-10
    )
    U, V, owner = program.neurons(solution.variables)
    np.testing.assert_allclose(program.blocks(U, V, owner), solution.variables, atol=1e-10)
    wrong = program.certify(1.1 * solution.variables)
    assert wrong.relative_gap > 1e-3
    assert wrong.dual <= solution.certificate.primal


def test_the_path_starts_at_zero_and_digits_are_told_apart() -> None:
    result = convexviz.solve(
        "vector_output", dataset="digit_classes", n_train=60, method="gated",
        arrangements="sampled", n_gates=8, weight_decay=1.0, tolerance=1e-3,
    )  # fmt: skip
    assert result.certificate.scope is Scope.GATED_NETWORK
    assert result.scalars["test_accuracy"] > 0.7
    program = gated("p3.A1")
    first, second = NuclearDescent(1e-6).path(program, [1.01 * program.beta_max, 0.1])
    assert not first.variables.any()
    assert second.certificate.primal == pytest.approx(GATED["p3.A1"], rel=1e-6)
