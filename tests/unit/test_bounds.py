"""Bounds on the dual norm of a residual: which side each one is on, and what it proves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexviz.core import bounds
from convexviz.core.arrangements import enumerate_all
from convexviz.core.relu import ReluProgram

KINDS = ("normal", "integers", "repeated", "opposite", "zero rows", "rank one", "offset", "scales")


def problem(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 8)), int(rng.integers(1, 4))
    X, r = rng.standard_normal((n, d)), rng.standard_normal(n)
    if kind == "integers":
        X, r = np.round(2 * X), np.round(2 * r)
    if kind == "repeated":
        X = X[rng.integers(0, n, n)]
    if kind == "opposite":
        X = np.concatenate([X[: n // 2], -X[: n - n // 2]])
    if kind == "zero rows":
        X[rng.random(n) < 0.5] = 0.0
    if kind == "rank one":
        X = X[:, :1] @ np.ones((1, d))
    if kind == "offset":
        X = X + 5.0
    if kind == "scales":
        X, r = X * 10.0 ** rng.integers(-9, 9, (n, 1)), r * 10.0 ** rng.integers(-9, 9)
    return X, r


def exact_M(X: np.ndarray, r: np.ndarray) -> float:
    """By enumeration: one non-negative least squares problem a pattern and sign."""
    if not X.any():
        return 0.0
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    unit = X / np.where(lengths > 0, lengths, 1.0)  # linear programs need rows of one scale
    program = ReluProgram(X, np.zeros(len(X)), enumerate_all(unit), 0.0)
    return program.largest_correlation(r)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)  # eight kinds of eight; enumeration costs 50 ms a problem
@given(seed=st.integers(0, 200))
def test_the_pattern_free_bound_is_never_below_and_the_estimate_never_above(
    kind: str, seed: int
) -> None:
    X, r = problem(kind, seed)
    true = exact_M(X, r)
    assert bounds.pattern_free_bound(X, r) >= true * (1 - 1e-12)
    estimate = bounds.estimate_M(X, r, np.random.default_rng(0), starts=9)
    assert estimate <= true * (1 + 1e-12)


def test_the_oracle_of_these_tests_beats_every_direction_it_is_shown() -> None:
    X, r = problem("normal", 3)
    directions = np.random.default_rng(0).standard_normal((X.shape[1], 2000))
    directions /= np.linalg.norm(directions, axis=0)
    reached = np.abs(r @ np.maximum(X @ directions, 0)).max()
    assert reached <= exact_M(X, r) <= 1.05 * reached


def test_the_pattern_free_bound_is_tight_where_one_direction_decides() -> None:
    X = np.abs(np.random.default_rng(0).standard_normal((50, 3))) + 1.0
    r = np.ones(50)  # every row agrees: M(r) = |X'r|
    bound = bounds.pattern_free_bound(X, r)
    assert 1.0 <= bound / np.linalg.norm(X.T @ r) < 1.0001


@settings(max_examples=10)
@given(seed=st.integers(0, 100), beta=st.floats(0.01, 3.0))
def test_no_network_is_below_the_pattern_free_lower_bound(seed: int, beta: float) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((6, 2)), rng.standard_normal(6)
    U, v = rng.standard_normal((2, 4)), rng.standard_normal(4)
    U, v = U * rng.random(), v * rng.random()
    r = y - np.maximum(X @ U, 0) @ v
    objective = 0.5 * r @ r + 0.5 * beta * (np.sum(U**2) + np.sum(v**2))
    for residual in (r, y, rng.standard_normal(6)):
        assert bounds.network_lower_bound(X, y, residual, beta) <= objective


def test_a_lower_bound_is_exact_where_zero_is_optimal() -> None:
    X, y = np.ones((4, 2)), np.array([1.0, 2.0, -1.0, 0.5])
    assert bounds.network_lower_bound(X, y, y, 100.0) == pytest.approx(0.5 * y @ y, rel=1e-12)


def test_an_M_that_is_too_small_would_overstate_the_bound() -> None:
    X, y = problem("normal", 3)
    true = exact_M(X, y)
    honest = bounds.dual_value(y, y, true, 0.1 * true)
    assert bounds.estimated_lower_bound(y, y, 0.5 * true, 0.1 * true) > honest


def test_degenerate_residuals_and_data_give_numbers() -> None:
    zero, one = np.zeros((3, 2)), np.ones(3)
    assert bounds.pattern_free_bound(zero, one) == 0.0
    assert bounds.pattern_free_bound(np.ones((3, 2)), 0 * one) == 0.0
    assert bounds.estimate_M(zero, one, np.random.default_rng(0)) == 0.0
    assert bounds.network_lower_bound(zero, one, one, 1.0) == pytest.approx(1.5)
    assert bounds.network_lower_bound(np.ones((3, 2)), one, 0 * one, 0.0) == 0.0
    tiny = bounds.pattern_free_bound(np.ones((3, 2)), 1e-200 * one)
    assert tiny == pytest.approx(3e-200 * np.sqrt(2), rel=1e-6)
