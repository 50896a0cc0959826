"""What Adaptive is made of: the oracle, its seeds, and what makes neurons fewer."""

import numpy as np
import pytest

from convexviz.solvers.adaptive_oracle import Maxima, Oracle
from convexviz.solvers.adaptive_refine import Training, evaluate, merge, reweigh
from convexviz.solvers.adaptive_seeds import cosine_filters, random_directions


def test_the_oracle_finds_the_largest_maximum_of_a_plane_by_brute_force() -> None:
    rng = np.random.default_rng(4)
    X, r = rng.standard_normal((60, 2)), rng.standard_normal(60)
    angles = np.linspace(0, 2 * np.pi, 20_001)
    grid = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    largest = np.abs(r @ np.maximum(X @ grid.T, 0)).max()
    found = Oracle(X, np.random.default_rng(0))(r, np.zeros((0, 2)), np.zeros(0), fresh=100)
    assert largest * (1 - 1e-4) <= found.largest <= largest * (1 + 1e-5)
    values = found.signs * (r @ np.maximum(X @ found.U.T, 0))
    np.testing.assert_allclose(values, found.values, rtol=1e-10)


def test_maxima_that_point_the_same_way_are_one() -> None:
    U = np.array([[1.0, 0.0], [1.0, 1e-3], [0.0, 1.0], [1.0, 0.0]])
    found = Maxima(np.array([1.0, 3.0, 2.0, 0.5]), U, np.array([1.0, 1.0, 1.0, -1.0]))
    np.testing.assert_array_equal(found.best(4).values, [3.0, 2.0, 0.5])
    np.testing.assert_array_equal(found.best(1).values, [3.0])


def test_merging_neurons_of_one_direction_keeps_the_objective() -> None:
    data = Training(np.eye(3), np.ones(3), 0.1)
    twins = evaluate(data, np.array([[0.2, 0.1, 0.0], [0.4, 0.2, 0.0]]), np.ones(2))
    merged = merge(data, twins, 0.97)
    assert len(merged) == 1
    np.testing.assert_allclose(merged.F, twins.F, rtol=1e-12)
    opposite = evaluate(data, twins.W, np.array([1.0, -1.0]))
    assert len(merge(data, opposite, 0.97)) == 2


def test_reweighing_keeps_the_best_within_the_limit() -> None:
    data = Training(np.eye(3), np.array([3.0, 2.0, 1.0]), 0.5)
    full = reweigh(data, np.eye(3), np.zeros(3), 3)
    np.testing.assert_allclose(np.diag(full.W), [2.5, 1.5, 0.5], atol=1e-6)
    two = reweigh(data, np.eye(3), np.zeros(3), 2)
    np.testing.assert_allclose(two.W, [[2.5, 0, 0], [0, 1.5, 0]], atol=1e-6)


@pytest.mark.parametrize(("d", "count"), [(9, 18), (10, 18), (1, 2), (3, 0), (7, 0)])
def test_cosine_filters_are_unit_and_blind_to_the_bias(d: int, count: int) -> None:
    filters = cosine_filters(d)
    assert filters.shape == (count, d)
    np.testing.assert_allclose(np.linalg.norm(filters, axis=1), 1.0)
    assert not filters[:, 9:].any()


def test_random_directions_are_unit_also_for_rank_deficient_data() -> None:
    X = np.outer(np.arange(5.0), [1.0, 2.0, 0.0])
    U = random_directions(X, 10, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(U, axis=1), 1.0)
