"""Batch norm after the ReLU: the rank-safe program, its certificate and its solver."""

import cvxpy as cp
import numpy as np
import pytest

from convexviz.core import arrangements
from convexviz.core.normalised import NormalisedProgram
from convexviz.core.normalised_cones import NormalisedCones
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


def sampled_correlation(X: np.ndarray, r: np.ndarray, count: int = 20000) -> float:
    """The largest of `r` against the unit outputs of random neurons, at all scales of weights."""
    rng = np.random.default_rng(5)
    w = rng.standard_normal((X.shape[1], count)) * 10.0 ** rng.uniform(-9, 9, (X.shape[1], count))
    hidden = np.maximum(X @ w, 0.0)
    centred = hidden - hidden.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    on = lengths > 1e-6 * np.linalg.norm(hidden, axis=0)
    best = float(np.abs(r @ centred[:, on] / lengths[on]).max())
    return float(np.hypot(best, r.sum() / np.sqrt(len(X))))


@pytest.mark.parametrize("delta", [1e-3, 1e-5, 1e-7, 1e-8])
def test_long_steps_that_no_feature_sees_cost_nothing(delta: float) -> None:
    """Nearly equal rows of which one is on: the neuron exists, its weights are huge."""
    X = np.array([[1.0, 0.0], [1.0, delta], [-1.0, 0.5]])
    only = np.array([True, False, False])
    gate = np.array([1.0, -2.0 / delta])
    assert np.array_equal(X @ gate > 0, only)
    unit = np.array([2.0, -1.0, -1.0]) / np.sqrt(6.0)
    single = arrangements.Arrangements(gate[:, None], only[:, None], False)
    program = NormalisedProgram(X, unit, single, 0.1)
    assert program.beta_max == pytest.approx(1.0, rel=1e-9)
    assert program.beta_max >= 1.0
    norm = NormalisedCones(X, single, False)
    two = np.outer(unit, [0.6, 0.8])
    assert norm.prove(two).value == pytest.approx(1.0, rel=1e-9)


def test_features_of_far_scales_keep_their_bound_true() -> None:
    rng = np.random.default_rng(1)
    for scale in (1e-6, 1e-4, 1e4, 1e6):
        X = rng.standard_normal((5, 3)) * np.array([1.0, scale, 1.0])
        program = NormalisedProgram(X, np.ones(5), arrangements.enumerate_all(X), 0.1)
        for r in rng.standard_normal((5, 5)):
            assert sampled_correlation(X, r) <= program.largest_correlation(r) * (1 + 1e-12)


def test_a_feature_that_no_row_sees_changes_nothing() -> None:
    twice = np.hstack([X, X[:, :1] - X[:, 1:], np.zeros((6, 1))])
    every = arrangements.enumerate_all(twice)
    for r in np.random.default_rng(2).standard_normal((10, 6)):
        wide = NormalisedProgram(twice, Y, every, 0.2).largest_correlation(r)
        assert wide == pytest.approx(made().largest_correlation(r), rel=1e-9)


def test_scales_of_features_change_nothing() -> None:
    """Invertible maps of the features leave every output of the layer as it was."""
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        A, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
        found = []
        for scales in ([1.0, 1.0, 1.0], [1.0, 1e5, 1e-3], [1e-4, 1e4, 1.0]):
            data = A * np.array(scales)
            program = NormalisedProgram(data, y, arrangements.enumerate_all(data), 0.1)
            program = program.with_weight_decay(0.1 * program.beta_max)
            solution = BlockDescent(tolerance=1e-7).solve(program).require_optimal()
            found.append(solution.certificate.primal)
        np.testing.assert_allclose(found, found[0], rtol=2e-7)


def one_neuron(X: np.ndarray, w: list[float]) -> np.ndarray:
    """The unit output of one neuron, by NumPy."""
    hidden = np.maximum(X @ np.array(w), 0.0)
    hidden = hidden - hidden.mean()
    return np.asarray(hidden / np.linalg.norm(hidden))


def timestamps() -> tuple[np.ndarray, np.ndarray]:
    """A feature that differs by 40 in 1.7e12: batch norm blows it up all the same."""
    X = np.stack([1.7e12 + 40 * np.arange(6), RNG.standard_normal(6)], axis=1)
    return X, one_neuron(X, [1.0, 0.0])


def faint(seen: float, free: float) -> tuple[np.ndarray, np.ndarray]:
    """A feature of size `seen`, and a step of 1 / `free` that lets it be."""
    one, two = [1.0, 2.0, 1.5, 3.0], [1.0, 0.2, 2.0, 0.5]
    rows = [[a, seen * b, 0.0] for a, b in zip(one, two, strict=True)]
    X = np.array([*rows, [0.0, 1.0, free], [0.0, 0.0, 1.0]])
    return X, one_neuron(X, [0.0, 1.0, -1.1 / free])


ODD = {
    "timestamps": timestamps(),
    **{f"faint {a:g} {b:g}": faint(a, b) for a, b in ((1e-2, 1e-2), (1e-5, 1e-4), (1e-8, 1e-7))},
    "nearly equal": (
        np.array([[1.0, 0.0], [1.0, 1e-10], [-1.0, 0.5]]),
        np.array([2.0, -1.0, -1.0]) / np.sqrt(6.0),
    ),
}


@pytest.mark.parametrize("name", list(ODD))
def test_no_bound_is_above_a_network_that_is_there(name: str) -> None:
    """One neuron gives the target but for its decay: 1/2 beta^2 + beta (1 - beta) = 0.255."""
    data, target = ODD[name]
    every = arrangements.enumerate_all(data)
    program = NormalisedProgram(data, target, every, 0.3)
    assert program.beta_max >= 1.0 - 1e-12
    assert NormalisedCones(data, every, False).prove(target[:, None]).value >= 1.0 - 1e-12
    assert NormalisedCones(data, every, False).prove(np.outer(target, [1, 0])).value >= 1 - 1e-12
    assert BlockDescent().solve(program).certificate.dual <= 0.255 * (1 + 1e-9)


def test_a_neuron_that_the_relu_would_cut_is_not_allowed() -> None:
    """An inactive row with a long step is no measure of how deep another is outside."""
    rows = [[1, 0, 0], [2, 1, 0], [1, 2, 0], [3, 0.5, 0], [1, -1, 0], [0, 0, 1]]
    data, w = np.array(rows, dtype=float), np.array([-0.2, 1.0, -2e7])
    on = data @ np.array([1.0, 0.1, -1.0]) > 0
    single = arrangements.Arrangements(np.array([[1.0], [0.1], [-1.0]]), on[:, None], False)
    program = NormalisedProgram(data, np.ones(6), single, 0.3)
    variables = np.zeros((2, 1, 4))
    variables[0, 0, :3] = w
    assert program.violation(variables) > 0.1
    assert program.certify(variables).primal == np.inf
    variables[0, 0, 0] = np.inf
    assert program.certify(variables).dual == 0.0


def test_rows_taken_for_parallel_leave_the_patterns_incomplete() -> None:
    data = np.array([[1.0, 0.0], [1.0, 3e-9], [1.0, -3e-9], [-1.0, 0.5]])
    assert arrangements.joins_rows(data)
    assert not arrangements.joins_rows(np.vstack([X, 3.0 * X[:2], -X[2:3], np.zeros((1, 2))]))
