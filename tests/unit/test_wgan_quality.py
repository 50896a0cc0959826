"""A Frechet distance of pixels is what its formula says, and histograms are matched."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from convexviz.architectures.wgan.quality import frechet_distance, histogram_matched
from convexviz.errors import DataError

RNG = np.random.default_rng(0)
A = RNG.standard_normal((60, 5)) @ RNG.standard_normal((5, 5))
B = RNG.standard_normal((80, 5)) @ RNG.standard_normal((5, 5)) + 1.0


def test_the_distance_is_that_of_the_matrix_root() -> None:
    S, T = np.cov(A, rowvar=False), np.cov(B, rowvar=False)
    apart = np.square(A.mean(0) - B.mean(0)).sum()
    expected = apart + np.trace(S + T - 2 * np.real(sqrtm(S @ T)))
    for components in (None, 5, 50):
        assert frechet_distance(A, B, components) == pytest.approx(expected, rel=1e-9)
        assert frechet_distance(B, A, components) == pytest.approx(expected, rel=1e-9)


def test_a_shift_counts_its_square_and_no_change_nothing() -> None:
    shift = np.array([1.0, 2, 0, 0, 2])
    assert frechet_distance(A + shift, A, None) == pytest.approx(9.0, rel=1e-9)
    assert frechet_distance(A, A) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(3 * A + 1, A) > frechet_distance(A + 1, A)


def test_more_pixels_than_images_are_compared_in_their_span() -> None:
    wide, other = RNG.standard_normal((6, 300)), RNG.standard_normal((7, 300))
    S, T = np.cov(wide, rowvar=False), np.cov(other, rowvar=False)
    apart = np.square(wide.mean(0) - other.mean(0)).sum()
    root = np.linalg.svd(np.linalg.cholesky(S + 1e-12 * np.eye(300)).T @ np.linalg.cholesky(
        T + 1e-12 * np.eye(300)), compute_uv=False).sum()  # fmt: skip
    expected = apart + np.trace(S) + np.trace(T) - 2 * root
    assert frechet_distance(wide, other, None) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(wide, other, 2) < expected


def test_histograms_become_those_of_the_real_images() -> None:
    real = RNG.uniform(size=(4, 8, 8, 3)) ** np.array([1.0, 2, 3])
    made = RNG.standard_normal((2, 8, 8, 3))
    found = histogram_matched(made, real)
    for channel in range(3):
        values = np.sort(real[..., channel], axis=None)
        for image, before in zip(found[..., channel], made[..., channel], strict=True):
            np.testing.assert_array_equal(
                np.argsort(image, axis=None), np.argsort(before, axis=None)
            )
            quarters = np.quantile(image, [0.25, 0.5, 0.75])
            np.testing.assert_allclose(quarters, np.quantile(values, [0.25, 0.5, 0.75]), atol=0.05)
    np.testing.assert_allclose(histogram_matched(real[:1], real[:1]), real[:1], atol=1e-12)
    flat = histogram_matched(np.ones((1, 4, 4, 3)), real)
    assert np.ptp(flat[0, :, :, 0]) == 0.0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="same columns, got 5 and 4"):
        frechet_distance(A, B[:, :4])
    with pytest.raises(DataError, match="at least 2 rows"):
        frechet_distance(A[:1], B)
    with pytest.raises(DataError, match="components must be at least 1"):
        frechet_distance(A, B, 0)
    with pytest.raises(DataError, match="must be finite"):
        frechet_distance(A * np.nan, B)
    with pytest.raises(DataError, match="same channels, got 3 and 1"):
        histogram_matched(np.ones((1, 4, 4, 3)), np.ones((1, 4, 4, 1)))
