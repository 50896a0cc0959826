"""Losses against their definition: conjugates by Fenchel-Young, gradients, scales and cvxpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexviz.core.losses import LOSSES, Loss, loss_named
from convexviz.errors import DataError, SpecError

NAMES = tuple(LOSSES)
SIZES = st.sampled_from([1e-12, 1e-3, 1.0, 30.0, 1e6])


def problem(name: str, seed: int, size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets: vectors for even seeds, matrices for odd ones and for classes."""
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(1, 9)), int(rng.integers(2, 5))
    shape = (n, c) if seed % 2 or name == "cross_entropy" else (n,)
    F = size * rng.standard_normal(shape)
    if name == "squared":
        return F, rng.standard_normal(shape)
    if name == "cross_entropy":
        return F, np.eye(c)[rng.integers(0, c, n)]
    return F, np.where(rng.random(shape) < 0.5, -1.0, 1.0)


def anywhere(loss: Loss, Y: np.ndarray, seed: int) -> np.ndarray:
    """A residual inside the conjugate's domain that no fit need have."""
    rng = np.random.default_rng([seed, 7])
    if loss.name == "squared":
        return rng.standard_normal(Y.shape)
    if loss.name == "cross_entropy":
        return Y - rng.dirichlet(np.ones(Y.shape[1]), len(Y))
    return Y * rng.random(Y.shape)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), size=SIZES)
def test_no_dual_value_exceeds_a_fit_less_its_inner_product(
    name: str, seed: int, size: float
) -> None:
    # Fenchel-Young: -l*(-R) <= l(F) + <R, F> for every F and R.
    loss = LOSSES[name]
    F, Y = problem(name, seed, size)
    for R in (anywhere(loss, Y, seed), loss.minus_gradient(F * 0.3, Y)):
        fit = loss.value(F, Y) + float(np.vdot(R, F))
        room = 1e-13 * (1 + loss.value(F, Y) + float(np.abs(R * F).sum()))
        assert loss.dual_value(R, Y) <= fit + room


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), size=SIZES)
def test_the_residual_of_a_fit_meets_it_with_equality(name: str, seed: int, size: float) -> None:
    loss = LOSSES[name]
    F, Y = problem(name, seed, size)
    R = loss.minus_gradient(F, Y)
    fit = loss.value(F, Y) + float(np.vdot(R, F))
    room = 1e-12 * (1 + loss.value(F, Y) + float(np.abs(R * F).sum()))  # sums of <= 40 terms
    assert abs(loss.dual_value(R, Y) - fit) <= room


@pytest.mark.parametrize("name", [name for name in NAMES if name != "hinge"])
def test_the_residual_is_minus_the_gradient_and_no_steeper_than_stated(name: str) -> None:
    loss = LOSSES[name]
    F, Y = problem(name, 3)
    V = np.random.default_rng(0).standard_normal(F.shape)
    h = 1e-6
    rise = (loss.value(F + h * V, Y) - loss.value(F - h * V, Y)) / (2 * h)
    assert rise == pytest.approx(-np.vdot(loss.minus_gradient(F, Y), V), rel=1e-7)
    change = loss.minus_gradient(F + V, Y) - loss.minus_gradient(F, Y)
    assert np.linalg.norm(change) <= loss.smoothness * np.linalg.norm(V) * (1 + 1e-12)


def test_stated_smoothness_is_reached_so_that_it_could_not_be_smaller() -> None:
    h = 1e-4
    for name, F, Y, V in (
        ("logistic", np.zeros(1), np.ones(1), np.ones(1)),
        ("cross_entropy", np.zeros((1, 2)), np.eye(2)[:1], np.array([[1.0, -1.0]])),
    ):
        loss = LOSSES[name]
        bend = loss.value(F + h * V, Y) - 2 * loss.value(F, Y) + loss.value(F - h * V, Y)
        assert bend / (h * h * np.vdot(V, V)) == pytest.approx(loss.smoothness, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), limit=st.sampled_from([0.0, 1e-9, 0.1, 0.7, 1.0, 3.0, np.inf]))
def test_the_best_scale_is_allowed_and_beats_every_other(
    name: str, seed: int, limit: float
) -> None:
    loss = LOSSES[name]
    F, Y = problem(name, seed)
    R = loss.minus_gradient(F, Y)
    s = loss.best_scale(R, Y, limit)
    assert 0.0 <= s <= limit
    found = loss.dual_value(R, Y, s)
    assert np.isfinite(found)
    for other in np.linspace(0.0, min(limit, 5.0), 100):
        assert loss.dual_value(R, Y, float(other)) <= found + 1e-12 * (1 + abs(found))


@pytest.mark.parametrize("name", NAMES)
def test_zero_and_vanishing_residuals_have_a_scale(name: str) -> None:
    loss = LOSSES[name]
    _F, Y = problem(name, 1)
    tiny = anywhere(loss, Y, 1) * 1e-200
    for R in (np.zeros_like(Y), tiny):
        for limit in (0.0, 1.0, np.inf):
            s = loss.best_scale(R, Y, limit)
            assert 0.0 <= s <= limit
            assert np.isfinite(loss.dual_value(R, Y, s) if np.isfinite(s) else 0.0)


def test_values_are_the_textbook_ones() -> None:
    y, f = np.array([1.0, -1.0]), np.array([0.25, 0.5])
    assert loss_named("squared").value(f, y) == pytest.approx(0.5 * (0.75**2 + 1.5**2))
    assert loss_named("hinge").value(f, y) == pytest.approx(0.75 + 1.5)
    assert loss_named("logistic").value(f, y) == pytest.approx(
        np.log1p(np.exp(-0.25)) + np.log1p(np.exp(0.5))
    )
    Y, F = np.eye(2)[[0]], np.array([[1.0, 2.0]])
    assert loss_named("cross_entropy").value(F, Y) == pytest.approx(np.log1p(np.exp(1.0)))


@pytest.mark.parametrize("name", ["logistic", "hinge", "cross_entropy"])
def test_a_residual_outside_the_domain_bounds_nothing(name: str) -> None:
    loss = LOSSES[name]
    F, Y = problem(name, 1)
    assert loss.dual_value(1.5 * Y, Y) == -np.inf
    assert loss.dual_value(-0.5 * Y, Y) == -np.inf
    assert loss.best_scale(-0.5 * Y, Y, 1.0) == 0.0
    assert np.isfinite(loss.dual_value(loss.minus_gradient(F, Y), Y))


def test_a_residual_whose_rows_do_not_cancel_bounds_no_cross_entropy() -> None:
    Y = np.eye(2)[[0, 1]]
    assert LOSSES["cross_entropy"].dual_value(0.5 * Y, Y) == -np.inf


@pytest.mark.parametrize("name", ["logistic", "cross_entropy"])
def test_perfect_fits_keep_their_tiny_losses_and_residuals(name: str) -> None:
    loss = LOSSES[name]
    Y = np.eye(3) if name == "cross_entropy" else np.array([1.0, -1.0])
    F = 100.0 * Y
    assert 0.0 < loss.value(F, Y) < 1e-40
    R = loss.minus_gradient(F, Y)
    assert 0.0 < np.abs(R).max() < 1e-40
    assert loss.dual_value(R, Y) > 0.0


@pytest.mark.parametrize("name", NAMES)
def test_huge_outputs_overflow_nothing(name: str) -> None:
    loss = LOSSES[name]
    F, Y = problem(name, 2, 1e150)
    R = loss.minus_gradient(F, Y)
    assert np.isfinite(loss.value(F, Y))
    assert np.isfinite(R).all()
    assert np.isfinite(loss.dual_value(R, Y, loss.best_scale(R, Y, 1.0)))


@pytest.mark.parametrize("name", NAMES)
def test_cvxpy_agrees_with_value_and_bound_on_a_ridge_free_fit(name: str) -> None:
    # min_w l(X w, Y) + beta ||w||_F, whose dual norm is ||X'R||_F.
    import cvxpy as cp

    loss = LOSSES[name]
    rng = np.random.default_rng(5)
    c = 3 if name == "cross_entropy" else 2
    X = rng.standard_normal((8, 3))
    Y = np.eye(3)[rng.integers(0, 3, 8)] if c == 3 else np.sign(rng.standard_normal((8, 2)))
    W, beta = cp.Variable((3, c)), 1.5
    F = X @ W
    fit = {
        "squared": lambda: 0.5 * cp.sum_squares(F - Y),
        "logistic": lambda: cp.sum(cp.logistic(-cp.multiply(Y, F))),
        "hinge": lambda: cp.sum(cp.pos(1 - cp.multiply(Y, F))),
        "cross_entropy": lambda: cp.sum(cp.log_sum_exp(F, axis=1)) - cp.sum(cp.multiply(Y, F)),
    }[name]()
    problem = cp.Problem(cp.Minimize(fit + beta * cp.norm(W, "fro")))
    problem.solve(solver="CLARABEL")
    assert problem.status == "optimal"
    outputs = X @ np.asarray(W.value)
    primal = loss.value(outputs, Y) + beta * float(np.linalg.norm(W.value))
    assert primal == pytest.approx(problem.value, rel=1e-8)  # Clarabel's own 1e-8
    R = loss.minus_gradient(outputs, Y)
    s = loss.best_scale(R, Y, beta / float(np.linalg.norm(X.T @ R)))
    bound = loss.dual_value(R, Y, s)
    assert bound <= problem.value * (1 + 1e-7)
    if name != "hinge":  # its rows at the margin have residuals that the outputs do not tell
        assert bound == pytest.approx(problem.value, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "Y", "says"),
    [
        ("squared", np.array([1.0, np.nan]), "finite"),
        ("logistic", np.array([1.0, 0.0]), "labels"),
        ("hinge", np.array([[1.0, 2.0]]), "labels"),
        ("logistic", np.array([1.0, np.inf]), "finite"),
        ("cross_entropy", np.array([1.0, -1.0]), "column"),
        ("cross_entropy", np.array([[1.0]]), "column"),
        ("cross_entropy", np.array([[1.0, 0.0], [0.5, 0.5]]), "row 1"),
        ("cross_entropy", np.array([[1.0, 1.0]]), "one-hot"),
        ("cross_entropy", np.array([[0.0, 0.0]]), "one-hot"),
    ],
)
def test_wrong_targets_are_refused_in_one_line(name: str, Y: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        LOSSES[name].check(Y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_right_targets_are_taken(name: str) -> None:
    for seed in range(6):
        LOSSES[name].check(problem(name, seed)[1])


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SpecError, match="squared, logistic, hinge, cross_entropy, got 'l1'"):
        loss_named("l1")
