"""Networks with logistic and hinge loss: golden optima, cvxpy, honest bounds, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.gated import GatedProgram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import LOSSES
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Progress, Scope, Status
from convexviz.errors import Cancelled, DataError, IncompatibleSolver
from convexviz.solvers.base import AbstractSolver
from convexviz.solvers.choose import choose
from convexviz.solvers.hinge_conic import HingeConic
from convexviz.solvers.loss_newton import LossNewton
from convexviz.solvers.reference import clarabel

KINDS = (ReluProgram, GatedProgram)
NAMES = ("logistic", "hinge")


def golden_data() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(1).standard_normal((7, 2))
    return X, np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0])


def small(kind: type, name: str, beta: float) -> LossProgram:
    X, y = golden_data()
    return LossProgram(kind(X, y, enumerate_all(X), beta), LOSSES[name])


def solver(program: LossProgram, tolerance: float) -> AbstractSolver:
    return choose(program, tolerance, 0)


def test_the_golden_logistic_network() -> None:
    program = small(ReluProgram, "logistic", 0.3)
    solution = solver(program, 1e-9).solve(program).require_optimal()
    assert solution.certificate.primal == pytest.approx(4.351686659, abs=2e-9)
    assert solution.certificate.dual == pytest.approx(4.351686659, abs=5e-9)
    assert solution.certificate.scope is Scope.RELU_NETWORK


def test_the_golden_hinge_network() -> None:
    program = small(ReluProgram, "hinge", 0.3)
    solution = solver(program, 1e-9).solve(program).require_optimal()
    assert solution.certificate.primal == pytest.approx(4.029093533, abs=5e-9)
    assert solution.certificate.dual == pytest.approx(4.029093533, abs=5e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_network_re_evaluates_to_the_convex_objective(kind: type, name: str) -> None:
    program = small(kind, name, 0.2)
    solution = solver(program, 1e-7).solve(program)
    network = program.to_network(solution.variables)
    fit = network.predict(program.squared.X)[:, 0]
    value = LOSSES[name].value(fit, program.y) + network.penalty()
    assert value == pytest.approx(solution.certificate.primal, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*NAMES, "squared"])
@pytest.mark.parametrize("beta", [0.5, 0.02])
def test_optima_agree_with_cvxpy(kind: type, name: str, beta: float) -> None:
    program = small(kind, name, beta)
    solution = solver(program, 1e-7).solve(program).require_optimal()
    problem = program.to_cvxpy()
    assert clarabel(problem, 1e-9)
    assert solution.certificate.primal == pytest.approx(problem.value, rel=1e-6)
    assert solution.certificate.dual <= problem.value * (1 + 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_sampled_patterns_of_many_rows_reach_the_tolerance(kind: type, name: str) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((120, 4))
    y = np.where(X[:, 0] * X[:, 1] + 0.3 * rng.standard_normal(120) >= 0, 1.0, -1.0)
    program = LossProgram(kind(X, y, sample(X, 20, rng), 0.0), LOSSES[name])
    program = program.with_weight_decay(0.03 * program.beta_max)
    solution = solver(program, 1e-6).solve(program).require_optimal()
    again = program.certify(solution.variables)  # from the point alone
    assert again.primal == pytest.approx(solution.certificate.primal, rel=1e-12)
    assert again.dual <= solution.certificate.primal
    assert again.relative_gap <= (1e-6 if name == "logistic" else 1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_from_beta_max_on_the_optimum_is_zero_and_not_before(kind: type, name: str) -> None:
    program = small(kind, name, 0.0)
    top = program.beta_max
    above = program.with_weight_decay(top * (1 + 1e-9))
    solution = solver(above, 1e-9).solve(above).require_optimal()
    assert not solution.variables.any()
    below = program.with_weight_decay(0.99 * top)
    assert solver(below, 1e-9).solve(below).variables.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_no_weight_decay_certifies_nothing_and_says_so(kind: type, name: str) -> None:
    program = small(kind, name, 0.0)
    solution = solver(program, 1e-6).solve(program)
    assert solution.certificate.dual == 0.0
    assert np.isfinite(solution.certificate.primal)
    assert solution.status is Status.MAX_ITERATIONS or solution.certificate.primal == 0.0


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)  # a solve of each kind an example
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(KINDS))
def test_no_point_is_below_any_bound(name: str, seed: int, kind: type) -> None:
    program = small(kind, name, 0.1)
    rng = np.random.default_rng(seed)
    best = solver(program, 1e-7).solve(program).certificate
    point = rng.standard_normal(program.squared.shape)
    if isinstance(program.squared, ReluProgram):
        point = program.squared.feasible(point)
    found = program.certify(point)
    assert found.primal >= best.dual
    assert found.dual <= best.primal
    assert program.bound(program.y * rng.random(len(program.y))) <= best.primal


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_odd_data_have_a_certified_answer(kind: type, name: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 3))
    y = np.array([1.0, -1.0, 1.0, -1.0, 1.0, 1.0])
    cases = {
        "constant": np.ones((6, 3)),
        "rank one": X[:, :1] @ np.ones((1, 3)),
        "duplicated": X[[0, 0, 1, 1, 2, 2]],
        "zero rows": X * np.array([1.0, 0, 1, 0, 1, 1])[:, None],
        "one row": X[:1],
        "tiny": 1e-100 * X,
        "huge": 1e100 * X,
    }
    for what, data in cases.items():
        labels = y[: len(data)]
        gates = sample(data, 5, np.random.default_rng(1))
        program = LossProgram(kind(data, labels, gates, 0.0), LOSSES[name])
        program = program.with_weight_decay(0.1 * program.beta_max)
        solution = solver(program, 1e-5).solve(program)
        assert solution.status is Status.OPTIMAL, what
        assert np.isfinite(solution.variables).all(), what


@pytest.mark.parametrize("name", NAMES)
def test_data_of_zeros_are_optimal_at_the_zero_network(name: str) -> None:
    X, y = np.zeros((4, 2)), np.array([1.0, -1.0, 1.0, 1.0])
    program = LossProgram(
        ReluProgram(X, y, sample(X, 2, np.random.default_rng(0)), 1.0), LOSSES[name]
    )
    solution = solver(program, 1e-9).solve(program).require_optimal()
    assert not solution.variables.any()


@pytest.mark.parametrize("name", NAMES)
def test_a_cancelled_solve_says_so(name: str) -> None:
    def cancel(_: Progress) -> None:
        raise Cancelled

    program = small(ReluProgram, name, 0.05)
    assert solver(program, 1e-9).solve(program, on_iteration=cancel).status is Status.CANCELLED


def test_solvers_refuse_what_they_cannot_take() -> None:
    hinge, logistic = small(ReluProgram, "hinge", 0.1), small(ReluProgram, "logistic", 0.1)
    with pytest.raises(IncompatibleSolver, match="curvature"):
        LossNewton().solve(hinge)
    with pytest.raises(IncompatibleSolver, match="hinge"):
        HingeConic().solve(logistic)
    with pytest.raises(IncompatibleSolver, match="LossProgram"):
        LossNewton().solve(logistic.squared)


def test_targets_that_are_no_labels_are_refused_before_work() -> None:
    X, y = golden_data()
    with pytest.raises(DataError, match="labels"):
        LossProgram(ReluProgram(X, 2 * y, enumerate_all(X), 0.1), LOSSES["hinge"])
    with pytest.raises(DataError, match="column"):
        LossProgram(GatedProgram(X, y, enumerate_all(X), 0.1), LOSSES["cross_entropy"])


def test_a_point_outside_its_cones_has_no_objective() -> None:
    program = small(ReluProgram, "logistic", 0.1)
    outside = np.ones(program.squared.shape)
    assert program.objective(outside) == np.inf
    found = program.certify(outside)
    assert found.primal == np.inf
    assert found.dual <= 4.351686659
