"""Cones where some coordinates may be anything: walls of the shadow, and multipliers for it."""

import numpy as np
import pytest
from scipy.optimize import linprog

from convexviz.core import cone_shadow
from convexviz.core.cone_shadow import balanced, shadow


def reachable(A: np.ndarray, B: np.ndarray, q: np.ndarray) -> float:
    """How deep the worst row must be outside, over all steps; linear programming."""
    p = B.shape[1]
    found = linprog(
        np.r_[np.zeros(p), 1.0],
        A_ub=np.hstack([-B, -np.ones((len(A), 1))]),
        b_ub=A @ q,
        bounds=[(None, None)] * p + [(0, None)],
    )
    assert found.status == 0
    return float(found.fun)


@pytest.mark.parametrize(("rows", "r", "p"), [(8, 2, 1), (12, 3, 2), (9, 3, 3), (14, 2, 2)])
def test_the_shadow_is_what_some_step_reaches(rows: int, r: int, p: int) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        K = rng.standard_normal((rows, r + p))
        K[:, 0] = np.abs(K[:, 0]) + 0.2  # a cone that is more than its tip
        K /= np.linalg.norm(K, axis=1, keepdims=True)
        A, B = K[:, :r], np.where(rng.random((rows, p)) < 0.2, 0.0, K[:, r:])
        walls, whole = shadow(A, B)
        assert whole
        for q in rng.standard_normal((60, r)):
            depth = -float((walls @ q).min(initial=0.0))
            if depth > 1e-9:
                assert reachable(A, B, q) > 1e-10
            elif not len(walls) or (walls @ q).min() > 1e-9:
                assert reachable(A, B, q) <= 1e-10


def test_a_step_that_leads_in_from_everywhere_leaves_no_wall() -> None:
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((7, 2)), np.abs(rng.standard_normal((7, 1))) + 0.1
    walls, whole = shadow(A, B)
    assert whole
    assert walls.shape == (0, 2)


def test_too_many_sums_leave_a_wider_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    A, B = rng.standard_normal((20, 2)), rng.standard_normal((20, 1))
    A[:, 0], B[:3] = np.abs(A[:, 0]) + 1.0, 0.0
    every, _ = shadow(A, B)
    monkeypatch.setattr(cone_shadow, "MOST", 10)
    few, whole = shadow(A, B)
    assert not whole
    inside = rng.standard_normal((500, 2))
    inside = inside[(inside @ every.T >= 0).all(axis=1)]
    assert len(inside)
    assert (inside @ few.T >= -1e-9).all()


@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_balanced_multipliers_cost_nothing_along_a_step(scale: float) -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        B = rng.standard_normal((6, 2)) * np.array([1.0, scale])
        first = np.abs(rng.standard_normal(6)) * (rng.random(6) < 0.8)
        found = balanced(B, first)
        assert (found >= 0).all()
        assert (found[first == 0] == 0).all()
        weighed = np.abs(B).T @ found
        assert (np.abs(B.T @ found) <= 1e-12 * np.maximum(weighed, 1e-300)).all()


def test_what_balances_already_stays() -> None:
    B = np.array([[1.0], [-2.0], [0.5]])
    multipliers = np.array([2.0, 1.5, 2.0])
    np.testing.assert_allclose(balanced(B, multipliers), multipliers, rtol=1e-14)
    assert not balanced(B[[0, 2]], np.ones(2)).any()
