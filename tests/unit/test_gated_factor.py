"""Newton systems solved from a kept factor are solved, whichever groups came and went."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.core.arrangements import sample
from convexviz.core.gated import GatedProgram
from convexviz.solvers.gated_factor import Factor, submatrix
from convexviz.solvers.gated_path import GatedPath

D = 3


def hessian(G, ids, units, slack):
    H = submatrix(G, ids, D)
    for k, (u, s) in enumerate(zip(units, slack, strict=True)):
        H[k * D : (k + 1) * D, k * D : (k + 1) * D] += (np.eye(D) - np.outer(u, u)) / s
    return H


@given(st.integers(0, 100))
def test_a_step_solves_its_system_after_groups_came_and_went(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((200, 12 * D))
    G = A.T @ A
    factor = Factor(G, D)
    for ids in ([0, 2, 5, 7], [0, 2, 5, 7, 9, 11], [0, 2, 4, 9, 11], [1], list(range(12))):
        groups = np.array(ids)
        units = rng.standard_normal((len(ids), D))
        units /= np.linalg.norm(units, axis=1)[:, None]
        slack = rng.uniform(0.01, 0.1, len(ids))
        slope = rng.standard_normal((len(ids), D))
        chosen = np.arange(len(ids))
        step = factor.solve(submatrix(G, groups, D), groups, chosen, (units, slack), slope)
        exact = np.linalg.solve(hessian(G, groups, units, slack), -slope.ravel())
        assert np.linalg.norm(step.ravel() - exact) <= 0.1 * np.linalg.norm(exact)


def test_a_system_of_some_groups_of_the_working_set_leaves_the_others():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((100, 6 * D))
    G = A.T @ A
    units = np.tile([1.0, 0.0, 0.0], (2, 1))
    slack, slope = np.full(2, 0.1), rng.standard_normal((2, D))
    ids, chosen = np.array([1, 3, 4]), np.array([0, 2])
    step = Factor(G, D).solve(submatrix(G, ids, D), ids, chosen, (units, slack), slope)
    exact = np.linalg.solve(hessian(G, ids[chosen], units, slack), -slope.ravel())
    np.testing.assert_allclose(step.ravel(), exact, rtol=0.05, atol=1e-3 * np.abs(exact).max())


def test_a_factor_that_fails_says_so():
    singular = np.zeros((D, D))
    units, slack = np.array([[1.0, 0.0, 0.0]]), np.ones(1)
    only, slope = np.array([0]), np.ones((1, D))
    assert Factor(singular, D).solve(singular, only, only, (units, slack), slope) is None


@pytest.mark.parametrize("share", [0.1, 1e-3])
def test_a_path_with_the_kept_factor_is_the_path_without(monkeypatch, share):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((300, 4))
    whole = GatedProgram(X, np.abs(X[:, 0]) + X[:, 1], sample(X, 20, rng), 1.0)
    betas = whole.beta_max * np.geomspace(0.9, share, 12)
    direct = GatedPath(tolerance=1e-9).path(whole, betas)
    monkeypatch.setattr("convexviz.solvers.gated_newton.LARGE", 1)
    kept = GatedPath(tolerance=1e-9).path(whole, betas)
    for one, other in zip(direct, kept, strict=True):
        assert other.require_optimal().certificate.primal == pytest.approx(
            one.certificate.primal, rel=2e-9
        )
