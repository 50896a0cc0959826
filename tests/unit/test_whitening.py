"""Whitening: orthonormal rows of U', however the singular vectors were found."""

from collections.abc import Callable

import numpy as np
import pytest

from convexviz.core import whitening
from convexviz.core.whitening import whiten
from convexviz.errors import SpecError

RNG = np.random.default_rng(0)
TALL = RNG.standard_normal((90, 7)) * np.logspace(0, -3, 7) + 5.0
WIDE = RNG.standard_normal((9, 30)) + 2.0


@pytest.fixture(params=["svd", "gram"])
def found_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """`whiten`, by LAPACK's SVD or from the Gram matrix in blocks of rows."""
    if request.param == "gram":
        monkeypatch.setattr(whitening, "EXACT_WORK", 0.0)
        monkeypatch.setattr(whitening, "ROWS_AT_A_TIME", 32)
    return whiten


@pytest.mark.parametrize("X", [TALL, WIDE], ids=["tall", "wide"])
def test_the_rows_of_u_are_orthonormal_and_rebuild_the_data(found_by: Callable, X) -> None:
    white = found_by(X)
    features = white.features(X)
    assert white.rank == min(len(X) - 1, X.shape[1])
    # The mean of values near 5 is rounded to 1e-15, and the smallest direction is 1e-3.
    np.testing.assert_allclose(features.T @ features, np.eye(white.rank + 1), atol=1e-11)
    s = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)[: white.rank]
    # Squares in the Gram lose half of the digits of the smallest, 1e-3 of the largest here.
    np.testing.assert_allclose(white.singular_values, s, rtol=1e-9)
    centred = X - X.mean(axis=0)
    V = white.lift * white.singular_values
    np.testing.assert_allclose((features[:, :-1] * white.singular_values) @ V.T, centred, atol=1e-9)


def test_one_large_value_does_not_hide_the_others_from_the_gram(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = RNG.standard_normal((200, 5)) * [1.0, 1.0, 1e-2, 1e-4, 1e-5]
    exact = whiten(X)
    monkeypatch.setattr(whitening, "EXACT_WORK", 0.0)
    features = whiten(X).features(X)
    np.testing.assert_allclose(features.T @ features, np.eye(6), atol=1e-12)
    # The same spaces: projections agree to what the squares leave of the smallest direction.
    one, other = exact.features(X), features
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-5)


def test_constant_and_duplicated_features_have_no_direction_of_their_own(
    found_by: Callable,
) -> None:
    X = RNG.standard_normal((40, 3))
    more = np.hstack([X, X[:, :1], np.full((40, 1), 7.0)])
    white = found_by(more)
    assert (white.rank, white.dropped) == (3, 0)
    P, Q = white.features(more), whiten(X).features(X)
    np.testing.assert_allclose(P @ P.T, Q @ Q.T, atol=1e-9)


def test_negligible_directions_are_dropped_and_counted() -> None:
    X = RNG.standard_normal((40, 4)) * [1.0, 0.1, 1e-7, 1e-8]
    white = whiten(X)
    assert (white.rank, white.dropped) == (2, 2)


def test_truncation_keeps_the_largest_directions_and_says_what_they_hold() -> None:
    white = whiten(TALL)
    two = white.truncated(2)
    np.testing.assert_array_equal(two.features(TALL)[:, :2], white.features(TALL)[:, :2])
    s = white.singular_values
    assert two.explained_variance == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), rel=1e-12)
    assert two.rank == white.rank == 7
    with pytest.raises(SpecError, match=r"n_directions must be in \[1, 7\].*got 8"):
        white.truncated(8)


def test_a_basis_is_turned_back_and_a_wrong_one_is_not_made_right() -> None:
    white = whiten(TALL)
    signs = np.array([1.0, -1, 1, 1, -1, 1, 1])
    turned = white.along(TALL, white.lift * signs)
    np.testing.assert_allclose(
        turned.lift, white.lift * signs, atol=1e-9 * np.abs(white.lift).max()
    )
    stretched = white.lift * np.linspace(1, 2, 7)
    assert not np.allclose(white.along(TALL, stretched).lift, stretched, rtol=1e-3)
    other = whiten(TALL[:50]).lift
    assert not np.allclose(white.along(TALL, other).lift, other, rtol=1e-3)
