"""Batch norm after the ReLU: the rank-safe program, its certificate and its solver."""

import cvxpy as cp
import numpy as np
import pytest

from convexviz.core import arrangements
from convexviz.core.normalised import NormalisedProgram
from convexviz.core.solution import Scope
from convexviz.datasets.base import Draw
from convexviz.datasets.labelled import toy
from convexviz.solvers.block_descent import BlockDescent

RNG = np.random.default_rng(16)
X, Y = RNG.standard_normal((6, 2)), RNG.standard_normal(6)
COMPLETE = arrangements.enumerate_all(X)


def made(weight_decay: float = 0.2, gated: bool = False) -> NormalisedProgram:
    return NormalisedProgram(X, Y, COMPLETE, weight_decay, gated)


@pytest.mark.parametrize("gated", [False, True])
def test_the_solver_matches_cvxpy(gated: bool) -> None:
    program = made(gated=gated)
    problem = program.to_cvxpy()
    problem.solve(solver=cp.CLARABEL)
    solution = BlockDescent(tolerance=1e-7).solve(program).require_optimal()
    assert solution.certificate.primal == pytest.approx(problem.value, rel=1e-6)
    scope = Scope.GATED_NETWORK if gated else Scope.RELU_NETWORK
    assert solution.certificate.scope is scope


def test_the_neurons_are_a_network_of_the_same_objective() -> None:
    program = made()
    solution = BlockDescent(tolerance=1e-8).solve(program)
    network = program.to_network(solution.variables)
    hidden = np.maximum(X @ network.first_layer[:-1], 0.0)
    centred = hidden - hidden.mean(axis=0)
    outputs = (centred + network.first_layer[-1] / np.sqrt(6)) @ network.second_layer[:, 0]
    lengths = np.hypot(np.linalg.norm(centred, axis=0), network.first_layer[-1])
    penalty = 0.5 * 0.2 * (np.sum(lengths**2) + np.sum(network.second_layer**2))
    value = 0.5 * np.sum((outputs - Y) ** 2) + penalty
    assert value == pytest.approx(solution.certificate.primal, rel=1e-9)


def test_no_unit_neuron_beats_the_dual_norm() -> None:
    program = made()
    r = RNG.standard_normal(6)
    w = RNG.standard_normal((2, 4000))
    hidden = np.maximum(X @ w, 0.0)
    hidden = np.vstack([hidden - hidden.mean(axis=0), RNG.standard_normal(4000)])
    unit = hidden / np.linalg.norm(hidden, axis=0)
    values = r @ (unit[:-1] + unit[-1] / np.sqrt(6))
    bound = program.largest_correlation(r)
    assert np.abs(values).max() <= bound * (1 + 1e-9)
    assert np.abs(values).max() >= 0.9 * bound  # 4,000 directions of a circle come near


def test_a_point_outside_its_cones_is_not_allowed() -> None:
    program = made()
    right = BlockDescent().solve(program).variables
    assert program.objective(-right) == np.inf
    wrong = program.certify(1.05 * right)
    assert np.isfinite(wrong.primal)
    assert wrong.relative_gap > 1e-4


def test_a_weight_that_no_row_sees_hides_no_violation() -> None:
    program = made()
    X = np.hstack([program.X, np.zeros((len(program.X), 1))])
    wider = NormalisedProgram(X, program.y, program.arrangements, program.weight_decay)
    variables = np.zeros((2, len(program.arrangements), X.shape[1] + 1))
    outside = next(
        (i, sign)
        for i in range(len(program.arrangements))
        for sign in (1.0, -1.0)
        if not np.array_equal(X[:, 0] * sign >= 0, program.arrangements.patterns[:, i])
    )
    variables[0, outside[0], 0] = outside[1]
    variables[0, outside[0], -2] = 1e12
    assert not np.isfinite(wider.objective(variables))


def test_a_path_starts_at_zero_and_each_value_is_certified() -> None:
    program = made()
    betas = [program.beta_max * share for share in (1.001, 0.5, 0.1)]
    solutions = BlockDescent(tolerance=1e-7).path(program, betas)
    assert not solutions[0].variables.any()
    for beta, solution in zip(betas, solutions, strict=True):
        assert program.with_weight_decay(beta).certify(solution.variables).relative_gap <= 1e-7


def test_neurons_that_fire_on_a_few_points_take_the_outlier() -> None:
    """What the toy shows: after the ReLU an outlier costs no more than the whole."""
    data = toy(Draw())
    rows = np.hstack([data["X"], np.ones((15, 1))])
    program = NormalisedProgram(rows, data["Y"], arrangements.enumerate_all(rows), 0.03)
    solution = BlockDescent(tolerance=1e-6).solve(program).require_optimal()
    assert solution.certificate.primal == pytest.approx(0.364149, rel=1e-5)  # grid of 360: 0.365
    assert abs(program.fit(solution.variables)[-1] - data["Y"][-1]) < 0.1
