"""The gated program and its path solver obey their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.gated import GatedProgram
from convexviz.core.solution import Scope, Status
from convexviz.errors import DataError, IncompatibleSolver, NotConverged, SpecError
from convexviz.solvers.choose import choose
from convexviz.solvers.gated_path import GatedPath
from convexviz.solvers.gated_wide import GatedWide

either = pytest.mark.parametrize("solver", [GatedPath, GatedWide])


def program(seed=0, n=40, d=4, n_gates=12, share=0.1):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    whole = GatedProgram(X, y, sample(X, n_gates, rng), 1.0)
    return whole.with_weight_decay(share * whole.beta_max)


def zeros(p):
    return np.zeros((len(p.arrangements), p.X.shape[1]))


@either
@given(st.integers(0, 200), st.floats(1e-3, 0.9))
def test_a_solved_program_has_a_gap_within_the_tolerance(solver, seed, share):
    p = program(seed, share=share)
    solution = solver(tolerance=1e-8).solve(p).require_optimal()
    assert solution.certificate.dual <= solution.certificate.primal
    assert solution.certificate.relative_gap <= 1e-8
    assert solution.certificate.scope is Scope.GATED_NETWORK
    assert p.certify(solution.variables) == solution.certificate
    assert p.objective(solution.variables) == pytest.approx(solution.certificate.primal, rel=1e-12)


@either
@given(st.integers(0, 200))
def test_the_dual_of_any_point_is_below_the_primal_of_any_other(solver, seed):
    p = program(seed)
    rng = np.random.default_rng(seed)
    optimum = solver(tolerance=1e-9).solve(p).certificate.primal
    for size in (1e-3, 0.1, 10.0):
        point = size * rng.standard_normal(zeros(p).shape)
        assert p.certify(point).dual <= optimum * (1 + 1e-12)
        assert p.objective(point) >= optimum * (1 - 1e-9)


def test_a_wrong_point_is_not_certified():
    p = program()
    solution = GatedPath(tolerance=1e-9).solve(p)
    assert p.certify(1.01 * solution.variables).relative_gap > 1e-6
    assert p.certify(zeros(p)).relative_gap > 1e-2


@given(st.integers(0, 200))
def test_the_network_has_the_objective_of_the_convex_program(seed):
    p = program(seed)
    point = np.random.default_rng(seed).standard_normal(zeros(p).shape)
    point[::2] = 0.0
    network = p.to_network(point)
    assert network.n_neurons == np.count_nonzero(point.any(axis=1))
    assert network.objective(p.X, p.y[:, None]) == pytest.approx(p.objective(point), rel=1e-12)


@either
@given(st.integers(0, 200), st.floats(1.0, 10.0))
def test_from_beta_max_on_the_optimum_is_exactly_zero_with_no_gap(solver, seed, times):
    p = program(seed, share=times)
    solution = solver().solve(p)
    assert not solution.variables.any()
    assert solution.certificate.gap == 0.0
    assert solution.status is Status.OPTIMAL


@either
@given(st.integers(0, 200))
def test_below_beta_max_the_optimum_is_not_zero(solver, seed):
    assert solver(tolerance=1e-9).solve(program(seed, share=0.99)).variables.any()


@either
def test_a_path_is_the_programs_solved_one_by_one(solver):
    p = program()
    weight_decays = p.beta_max * np.geomspace(1.0, 1e-3, 8)
    path = solver(tolerance=1e-9).path(p, weight_decays)
    assert len(path) == 8
    for weight_decay, solution in zip(weight_decays, path, strict=True):
        alone = solver(tolerance=1e-9).solve(p.with_weight_decay(weight_decay))
        assert solution.certificate.primal == pytest.approx(alone.certificate.primal, rel=1e-8)


def test_weight_decays_share_one_gram():
    p = program()
    assert p.gram is p.with_weight_decay(3.0).gram
    assert p.with_weight_decay(3.0).weight_decay == 3.0


def degenerate_cases():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((30, 4))
    y = rng.standard_normal(30)
    doubled = X.copy()
    doubled[:, 1] = doubled[:, 0]
    flat = np.outer(X[:, 0], rng.standard_normal(4))
    cases = {
        "no target": (X, np.zeros(30)),
        "no data": (np.zeros((30, 4)), y),
        "a column twice": (doubled, y),
        "rank one": (flat, y),
        "one row": (X[:1], y[:1]),
        "fewer rows than variables": (X[:6], y[:6]),
        "fewer rows than features": (X[:3], y[:3]),
        "tiny numbers": (1e-150 * X, 1e-150 * y),
        "huge numbers": (1e100 * X, 1e100 * y),
    }
    return [pytest.param(*case, id=name) for name, case in cases.items()]


@either
@pytest.mark.parametrize(("X", "y"), degenerate_cases())
@pytest.mark.parametrize("share", [0.01, 0.3, 2.0])
def test_degenerate_data_are_solved_and_certified(solver, X, y, share):
    arrangements = sample(X, 8, np.random.default_rng(0))
    whole = GatedProgram(X, y, arrangements, 0.0)
    p = whole.with_weight_decay(share * whole.beta_max)
    solution = solver(tolerance=1e-8).solve(p).require_optimal()
    assert np.isfinite(solution.variables).all()


@either
@pytest.mark.parametrize(("X", "y"), degenerate_cases())
def test_least_squares_gets_a_true_bound_or_none(solver, X, y):
    p = GatedProgram(X, y, sample(X, 8, np.random.default_rng(0)), 0.0)
    solution = solver().solve(p)
    patterns = p.arrangements.patterns
    features = (patterns[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    scale = np.abs(y).max() or 1.0
    best = np.linalg.lstsq(features, y, rcond=None)[0]
    optimum = 0.5 * np.sum((features @ best / scale - y / scale) ** 2)
    assert solution.certificate.dual <= solution.certificate.primal
    assert solution.certificate.dual / scale**2 <= optimum + 1e-12 * len(y)
    assert not np.isnan(solution.certificate.relative_gap)


@either
def test_one_pattern_is_enough(solver):
    X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]])
    p = GatedProgram(X, X[:, 0], sample(X, 1, np.random.default_rng(0)), 0.1)
    assert solver(tolerance=1e-10).solve(p).status is Status.OPTIMAL


@either
def test_running_out_of_iterations_is_a_status_with_a_true_bound(solver):
    p = program(n=60, d=5, n_gates=30, share=1e-3)
    solution = solver(tolerance=1e-9, max_iterations=1).solve(p)
    assert solution.status is Status.MAX_ITERATIONS
    optimum = solver(tolerance=1e-9).solve(p).certificate.primal
    assert solution.certificate.dual <= optimum <= solution.certificate.primal
    with pytest.raises(NotConverged):
        solution.require_optimal()


@either
def test_no_tolerance_that_float64_cannot_reach_is_called_optimal(solver):
    solution = solver(tolerance=1e-300).solve(program(share=1e-3))
    assert (solution.status is Status.OPTIMAL) == (solution.certificate.gap == 0.0)


@pytest.mark.parametrize("weight_decay", [-1.0, np.nan, np.inf])
def test_a_weight_decay_must_be_finite_and_not_negative(weight_decay):
    with pytest.raises(SpecError, match="weight_decay"):
        program().with_weight_decay(weight_decay)


def test_data_must_be_finite_and_fit():
    p = program()
    bad = p.X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(DataError, match="finite"):
        GatedProgram(bad, p.y, p.arrangements, 1.0)
    with pytest.raises(DataError, match="share n"):
        GatedProgram(p.X[:-1], p.y[:-1], p.arrangements, 1.0)


@either
def test_inputs_are_never_changed(solver):
    p = program()
    X, y = p.X.copy(), p.y.copy()
    start = np.ones_like(zeros(p))
    solver().solve_from(p, start)
    assert np.array_equal(X, p.X)
    assert np.array_equal(y, p.y)
    assert np.array_equal(start, np.ones_like(start))


def test_programs_with_more_features_than_rows_are_solved_without_a_gram():
    assert isinstance(choose(program(n=40), 1e-6, 0), GatedWide)  # 12 patterns of 4 features
    assert isinstance(choose(program(n=60), 1e-6, 0), GatedPath)


def test_a_kernel_of_many_rows_is_refused():
    X = np.ones((6_000, 2))
    p = GatedProgram(X, X[:, 0], sample(X, 2, np.random.default_rng(0)), 1.0)
    assert GatedPath().why_not(p) is None
    with pytest.raises(IncompatibleSolver, match="6,000"):
        GatedWide().solve(p)


@pytest.mark.parametrize("weight_decay", [1e-1, 1e-3, 1e-5])
def test_a_linear_target_is_solved_where_every_residual_is_as_small_as_the_weight_decay(
    weight_decay,
):
    X = np.random.default_rng(0).standard_normal((10, 3))
    a = enumerate_all(X)
    p = GatedProgram(X, X @ [0.9, 0.0, 0.1], a, weight_decay)
    solution = GatedWide(tolerance=1e-6).solve(p)
    assert solution.status is Status.OPTIMAL
    linear = weight_decay * np.linalg.norm([0.9, 0.0, 0.1])  # two complementary patterns: twice it
    assert solution.certificate.dual <= 2 * linear
