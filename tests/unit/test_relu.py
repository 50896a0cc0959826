"""The ReLU program: its optimum, its certificate, its network, on small and odd data."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexviz.core.arrangements import Arrangements, enumerate_all, sample
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Progress, Scope, Status
from convexviz.errors import Cancelled, IncompatibleSolver, NotConverged, SpecError
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.reference import Reference
from tests.unit.relu_programs import small

CLEAN = np.array([0, 0, 1, 1, 1, 0, 0.0])
NOISY = CLEAN + np.array([0.2, -0.1, 0.1, -0.3, 0.15, 0.05, -0.2])
ROW = np.stack([np.roll(NOISY, -offset) for offset in (-1, 0, 1)], axis=1)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0.0]])


def patches_2x2(image: np.ndarray) -> np.ndarray:
    """Row p = (i, j) holds the pixels at offsets -1, 0, circular."""
    shifts = [(-a, -b) for a in (-1, 0) for b in (-1, 0)]
    return np.stack([np.roll(image, shift, (0, 1)).ravel() for shift in shifts], axis=1)


SQUARE = patches_2x2(CROSS + 0.5 * np.random.default_rng(0).standard_normal((3, 3)))
GOLDEN = {
    "A1": (ROW, CLEAN, 0.1, 0.113779000),
    "A2": (ROW, CLEAN - NOISY, 0.05, 0.050268071),
    "A3": (SQUARE, CROSS.ravel(), 0.1, 0.189503744),
}


# 3 s for A3: 185 patterns enumerated, and every call's shapes are checked in tests.
@pytest.mark.parametrize("key", GOLDEN)
def test_the_golden_denoisers_are_solved_to_rounding(key: str) -> None:
    X, y, beta, optimum = GOLDEN[key]
    program = ReluProgram(X, y, enumerate_all(X), beta)
    solution = ActiveSet(tolerance=1e-11).solve(program).require_optimal()
    # The table prints nine decimals of a solve to 1e-8.
    assert solution.certificate.primal == pytest.approx(optimum, abs=1e-9)
    assert solution.certificate.relative_gap <= 1e-11
    assert solution.certificate.scope is Scope.RELU_NETWORK
    network = program.to_network(solution.variables)
    assert network.objective(X, y[:, None]) == pytest.approx(optimum, abs=1e-9)


def test_a_neuron_of_z_counts_negatively_in_the_network() -> None:
    X = np.abs(np.random.default_rng(0).standard_normal((5, 2))) + 0.1
    program = ReluProgram(X, -X @ np.ones(2), enumerate_all(X), 0.01)
    solution = ActiveSet(tolerance=1e-9).solve(program)
    network = program.to_network(solution.variables)
    assert np.all(network.second_layer < 0)
    assert network.objective(X, program.y[:, None]) == pytest.approx(
        solution.certificate.primal, rel=1e-9
    )
    printed = replace(network, second_layer=-network.second_layer)  # the sign of the paper's text
    assert printed.objective(X, program.y[:, None]) > 10 * solution.certificate.primal


def test_network_neurons_come_w_first_and_balanced() -> None:
    program = small()
    variables = np.zeros(program.shape)
    variables[0, 0], variables[1, 2] = program.arrangements.gates[:, 0], [0.0, 0.0]
    variables[1, 1] = 2 * program.arrangements.gates[:, 1]
    network = program.to_network(variables)
    assert network.n_neurons == 2
    np.testing.assert_array_equal(np.sign(network.second_layer[:, 0]), [1, -1])
    np.testing.assert_allclose(
        np.linalg.norm(network.first_layer, axis=0), np.abs(network.second_layer[:, 0])
    )
    assert network.objective(program.X, program.y[:, None]) == pytest.approx(
        program.objective(variables), rel=1e-12
    )


def test_a_point_outside_the_cones_has_no_objective_and_no_certificate() -> None:
    program = small()
    outside = np.zeros(program.shape)
    outside[0, 0] = -program.arrangements.gates[:, 0]
    assert program.objective(outside) == np.inf
    certificate = program.certify(outside)
    assert certificate.primal == np.inf
    assert certificate.dual <= ActiveSet(1e-9).solve(program).certificate.primal
    assert program.objective(np.full(program.shape, np.nan)) == np.inf
    assert program.certify(np.full(program.shape, np.nan)).dual == pytest.approx(
        program.certify(np.zeros(program.shape)).dual
    )


def test_a_wrong_point_is_not_certified_and_its_bound_stays_below_the_optimum() -> None:
    program = small()
    solution = ActiveSet(tolerance=1e-10).solve(program).require_optimal()
    for factor in (0.0, 0.5, 0.99, 1.01, 2.0):
        certificate = program.certify(factor * solution.variables)
        assert certificate.relative_gap > 1e-6
        assert certificate.dual <= solution.certificate.primal <= certificate.primal


def test_a_point_slightly_outside_is_charged_for_the_way_back() -> None:
    program = small(seed=2)
    solution = ActiveSet(tolerance=1e-11).solve(program)
    noise = 1e-9 * np.random.default_rng(0).standard_normal(program.shape)
    nudged = solution.variables + noise * (solution.variables != 0)
    moved = program.feasible(nudged)
    assert program.violation(nudged).max() > 1e-13 >= program.violation(moved).max()
    assert program.objective(nudged) == program.objective(moved)
    assert program.certify(nudged).primal >= solution.certificate.dual
    assert program.certify(nudged).relative_gap < 1e-7


def test_sampled_patterns_bound_from_above_and_more_of_them_bound_better() -> None:
    program = small(seed=1, n=6, d=3, beta=0.05)
    a = program.arrangements
    order, values = np.random.default_rng(0).permutation(len(a)), []
    for count in (1, 3, 8, len(a)):
        few = order[:count]
        part = Arrangements(a.gates[:, few], a.patterns[:, few], complete=False)
        solution = ActiveSet(tolerance=1e-10).solve(replace(program, arrangements=part))
        assert solution.require_optimal().certificate.scope is Scope.SAMPLED_PROGRAM
        values.append(solution.certificate.primal)
    optimum = ActiveSet(tolerance=1e-10).solve(program).certificate.primal
    assert values[0] > values[-1] * 1.01  # else this shows nothing
    assert all(more <= fewer * (1 + 1e-9) for fewer, more in pairwise(values))
    assert values[-1] == pytest.approx(optimum, rel=1e-9)


@pytest.mark.parametrize("share", [1.0, 1.5, 1e6])
def test_a_weight_decay_above_the_largest_useful_one_gives_exactly_zero(share: float) -> None:
    program = small()
    largest = program.largest_correlation(program.y)
    program = replace(program, weight_decay=share * largest * (1 + 1e-12))
    solution = ActiveSet(tolerance=1e-9).solve(program).require_optimal()
    assert not solution.variables.any()
    assert solution.certificate.dual == pytest.approx(0.5 * program.y @ program.y, rel=1e-11)
    below = ActiveSet(tolerance=1e-9).solve(replace(program, weight_decay=0.99 * largest))
    assert below.variables.any()


ODD = {
    "zero images": (np.zeros((4, 2)), np.ones(4)),
    "zero targets": (np.ones((4, 2)), np.zeros(4)),
    "constant image": (np.full((9, 4), 0.5), np.full(9, 0.5)),
    "one row": (np.array([[1.0, -2.0]]), np.array([3.0])),
    "one column": (np.array([[1.0], [-2.0], [0.0]]), np.array([1.0, 1.0, 1.0])),
    "integers": (np.array([[1, 0], [0, 1], [1, 1], [-1, 1], [2, 2.0]]), np.arange(5.0)),
    "repeated rows": (np.array([[1.0, 2.0]] * 3 + [[-1.0, -2.0]] * 2), np.arange(5.0)),
    "zero rows": (np.array([[0.0, 0.0], [1.0, -1.0], [0.0, 2.0]]), np.ones(3)),
    "rank one in three": (np.outer([1.0, -2.0, 3.0], [1.0, 2.0, 2.0]), np.ones(3)),
    "byte images": (np.round(255 * np.abs(ROW)), 255 * CLEAN),
    "tiny scale": (1e-9 * ROW, 1e-6 * CLEAN),
}


@pytest.mark.parametrize("share", [0.0, 1e-6, 1e-2, 10.0])
@pytest.mark.parametrize("name", ODD)
def test_odd_data_give_true_numbers(name: str, share: float) -> None:
    X, y = ODD[name]
    scale = np.abs(X).max() or 1.0
    arrangements = enumerate_all(X / scale)  # linear programs need rows of ordinary size
    program = ReluProgram(X, y, arrangements, 0.0)
    largest = program.largest_correlation(y) or 1.0
    program = replace(program, weight_decay=share * largest)
    solution = ActiveSet(tolerance=1e-8).solve(program)
    certificate = solution.certificate
    assert np.isfinite([certificate.primal, certificate.dual]).all()
    assert 0 <= certificate.dual <= certificate.primal <= 0.5 * (y @ y) * (1 + 1e-12)
    assert certificate.primal == pytest.approx(program.objective(solution.variables), rel=1e-12)
    if share:
        assert solution.require_optimal().certificate.relative_gap <= 1e-8
    network = program.to_network(solution.variables)
    assert network.objective(X, y[:, None]) == pytest.approx(
        certificate.primal, rel=1e-9, abs=1e-12
    )


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 6), share=st.floats(1e-4, 1.0))
def test_random_programs_are_certified(seed: int, n: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    X, y = np.round(4 * rng.standard_normal((n, 2))) / 2, rng.standard_normal(n)
    program = ReluProgram(X, y, sample(X + 1e-3, 8, rng), 0.0)
    program = replace(program, weight_decay=share * max(program.largest_correlation(y), 1e-3))
    solution = ActiveSet(tolerance=1e-8).solve(program).require_optimal()
    assert program.violation(solution.variables).max() <= 1e-12


def test_weight_decays_share_what_is_known_of_the_data() -> None:
    program = small()
    other = program.with_weight_decay(0.1)
    assert other.data is program.data
    assert replace(program, y=program.y + 1).data is not program.data
    with pytest.raises(SpecError, match="weight_decay"):
        program.with_weight_decay(-1.0)


@pytest.mark.parametrize("seed", range(3))
def test_beta_max_is_where_the_optimum_becomes_zero(seed: int) -> None:
    program = small(seed=seed)
    above = ActiveSet(1e-9).solve(program.with_weight_decay(program.beta_max * (1 + 1e-9)))
    below = ActiveSet(1e-12).solve(program.with_weight_decay(program.beta_max * (1 - 1e-4)))
    assert not above.variables.any()
    assert below.variables.any()
    assert below.certificate.primal < above.certificate.primal


# 3 s: the smallest weight decays have the most neurons.
@pytest.mark.parametrize("share", [1e-3, 1e-4])
def test_many_neurons_at_small_weight_decay_are_certified(share: float) -> None:
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((60, 5)), rng.standard_normal(60)
    program = ReluProgram(X, y, sample(X, 20, rng), 0.0)
    program = program.with_weight_decay(share * program.beta_max)
    solution = ActiveSet(tolerance=1e-9).solve(program).require_optimal()
    assert np.count_nonzero(solution.variables.any(axis=2)) >= 12


@pytest.mark.parametrize("x_scale", [1e-150, 1e150])
@pytest.mark.parametrize("y_scale", [1e-140, 1.0, 1e140])
def test_data_of_any_scale_have_the_same_network(x_scale: float, y_scale: float) -> None:
    program = small(seed=7)
    expected = ActiveSet(tolerance=1e-9).solve(program).certificate.primal
    scaled = ReluProgram(
        x_scale * program.X,
        y_scale * program.y,
        program.arrangements,
        program.weight_decay * x_scale * y_scale,
    )
    solution = ActiveSet(tolerance=1e-9).solve(scaled).require_optimal()
    assert solution.certificate.primal == pytest.approx(expected * y_scale**2, rel=1e-8)
    assert scaled.beta_max == pytest.approx(program.beta_max * x_scale * y_scale, rel=1e-12)


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), kind=st.integers(0, 4))
def test_degenerate_images_are_certified(seed: int, kind: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((200, 3)), rng.standard_normal(200)
    if kind == 0:
        X = np.round(X)  # repeated rows, zero rows
    elif kind == 1:
        X[:, 2] = X[:, 0] - X[:, 1]  # rank-deficient
    elif kind == 2:
        X = np.abs(X)  # every row on one side
    elif kind == 3:
        X = np.repeat(X[:4], 50, axis=0)  # four distinct rows
    elif kind == 4:
        X[:, 1] = 1.0  # a constant column
    program = ReluProgram(X, y, sample(X, 6, rng), 0.0)
    program = program.with_weight_decay(0.02 * max(program.beta_max, 1e-3))
    solution = ActiveSet(tolerance=1e-8).solve(program).require_optimal()
    assert program.violation(solution.variables).max() <= 1e-12
    assert solution.certificate.dual >= 0


def test_one_iteration_is_reported_as_unfinished_and_never_worse_than_zero() -> None:
    program = small(seed=5, n=8, beta=0.01)
    solution = ActiveSet(tolerance=1e-12, max_iterations=1).solve(program)
    assert solution.status is Status.MAX_ITERATIONS
    assert solution.certificate.primal <= 0.5 * program.y @ program.y
    with pytest.raises(NotConverged):
        solution.require_optimal()


def test_a_cancelled_solve_returns_its_best_point() -> None:
    program = small(seed=5, n=8, beta=0.01)

    def stop(progress: Progress) -> None:
        if progress.iteration == 2:
            raise Cancelled("the visitor left")

    solution = ActiveSet(tolerance=1e-12).solve(program, on_iteration=stop)
    assert solution.status is Status.CANCELLED
    assert len(solution.objectives) == 3
    assert solution.certificate.primal < 0.5 * program.y @ program.y


def test_wrong_input_is_refused_by_name() -> None:
    program = small()
    with pytest.raises(SpecError, match="weight_decay must be in"):
        replace(program, weight_decay=-1.0)
    with pytest.raises(SpecError, match="weight_decay"):
        replace(program, weight_decay=float("nan"))
    with pytest.raises(SpecError, match="finite"):
        replace(program, y=np.full(6, np.nan))
    with pytest.raises(SpecError, match="one row a sample"):
        replace(program, arrangements=sample(np.ones((5, 2)), 3, np.random.default_rng(0)))
    wide = sample(np.ones((200_000, 2)), 90, np.random.default_rng(0))
    with pytest.raises(IncompatibleSolver, match="use ActiveSet"):
        Reference().solve(ReluProgram(np.ones((200_000, 60)), np.ones(200_000), wide, 1.0))
