"""Projections onto the cones of patterns, and the bounds that their multipliers prove."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from convexviz.core import cones
from convexviz.core.cones import Cone, cone_of, lawson_hanson, unit_rows


def cone(seed: int, n: int, d: int) -> tuple[Cone, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, gate = np.round(3 * rng.standard_normal((n, d))) / 3, rng.standard_normal(d)
    return cone_of(*unit_rows(X), X @ gate >= 0), rng.standard_normal(d)


@given(seed=st.integers(0, 10**6), n=st.integers(0, 12), d=st.integers(1, 5))
def test_the_bound_is_above_every_feasible_direction_and_the_point_attains_it(
    seed: int, n: int, d: int
) -> None:
    K, c = cone(seed, n, d)
    found = K.project(c)
    assert K.slack(found.point).min(initial=0.0) >= -1e-12 * np.linalg.norm(c)
    assert found.point @ found.point == pytest.approx(c @ found.point, abs=1e-12 * (c @ c))
    assert found.bound == pytest.approx(np.linalg.norm(found.point), abs=1e-12 * np.linalg.norm(c))
    draws = np.random.default_rng(seed).standard_normal((500, d))
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    inside = [u for u in draws if K.slack(u).min(initial=0.0) >= 0]
    assert all(c @ u <= found.bound for u in inside)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), d=st.integers(1, 5))
def test_the_multipliers_prove_the_bound(seed: int, n: int, d: int) -> None:
    K, c = cone(seed, n, d)
    found = K.project(c)
    assert np.all(found.multipliers >= 0)
    recomputed = np.linalg.norm(c + K.normals(found.rows).T @ found.multipliers)
    assert recomputed <= found.bound <= np.linalg.norm(c) * (1 + 1e-12)


def test_few_rows_at_a_time_find_what_all_rows_find() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 4)) + 0.5
    K, c = cone_of(*unit_rows(X), X @ np.ones(4) >= 0), rng.standard_normal(4)
    everything = nnls((K.signs[:, None] * K.rows).T, -c)[1]
    assert K.project(c).bound == pytest.approx(everything, rel=1e-9, abs=1e-12)
    assert K.slack(K.project(c).point).min() > -1e-12


@given(seed=st.integers(0, 10**6), k=st.integers(1, 12), d=st.integers(1, 5))
def test_our_non_negative_least_squares_meets_the_optimality_conditions(
    seed: int, k: int, d: int
) -> None:
    rng = np.random.default_rng(seed)
    A, b = np.round(2 * rng.standard_normal((d, k))), rng.standard_normal(d)
    x = lawson_hanson(A, b)
    gradient = A.T @ (A @ x - b)
    assert x.min() >= 0
    assert gradient.min() >= -1e-9
    assert abs(gradient @ x) <= 1e-9


def test_a_projection_survives_where_scipy_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    K, c = cone(1, 6, 3)
    expected = K.project(c).bound

    def gives_up(*_args: object) -> None:
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr(cones, "nnls", gives_up)
    assert K.project(c).bound == pytest.approx(expected, rel=1e-12)


def test_rows_of_any_scale_and_zero_rows_make_the_same_cone() -> None:
    X = np.array([[1.0, 2.0], [0.0, 0.0], [-3.0, 1.0]])
    scaled = X * np.array([[1e-300], [1.0], [1e300]])
    rows, kept = unit_rows(scaled)
    np.testing.assert_array_equal(kept, [True, False, True])
    np.testing.assert_allclose(rows, unit_rows(X)[0], rtol=1e-15)
    assert unit_rows(np.zeros((3, 2)))[0].shape == (0, 2)


def test_a_cone_without_interior_is_projected_onto() -> None:
    flat = Cone(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1.0, -1.0]))
    np.testing.assert_allclose(flat.project(np.array([3.0, 4.0])).point, [0.0, 4.0], atol=1e-15)
