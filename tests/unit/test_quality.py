"""PSNR and SSIM are those of scikit-image, and numbers for every image."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from convexviz.architectures.denoiser import quality


def images(seed: int = 0, shape: tuple[int, ...] = (2, 9, 11), scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).random(shape)


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (0.5, 0.2), (255, 0), (2, -1), (1e-8, 0)])
def test_psnr_is_that_of_skimage(scale: float, shift: float) -> None:
    clean = images(scale=scale) + shift
    noisy = clean + 0.1 * scale * images(1)
    inside = clean.min() >= 0 and clean.max() <= 1
    data_range = 1.0 if inside else np.ptp(clean)
    assert quality.data_range(clean) == data_range
    expected = peak_signal_noise_ratio(clean, noisy, data_range=data_range)
    assert quality.psnr(noisy, clean) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("side", "window"), [(64, 7), (9, 7), (7, 7), (6, 5), (4, 3), (3, 3)])
def test_ssim_is_the_mean_of_skimage_with_the_largest_odd_window_up_to_seven(
    side: int, window: int
) -> None:
    clean = images(shape=(3, side, side + 2))
    noisy = clean + 0.2 * images(1, clean.shape)
    expected = [
        structural_similarity(a, b, win_size=window, data_range=1.0)
        for a, b in zip(noisy, clean, strict=True)
    ]
    assert quality.ssim(noisy, clean) == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 8), (3, 2, 2), (1, 8, 1)])
def test_images_below_any_window_have_one_window(shape: tuple[int, ...]) -> None:
    clean, noisy = images(0, shape), images(1, shape)
    assert quality.ssim(clean, clean) == pytest.approx(1.0)
    assert -1 <= quality.ssim(noisy, clean) < 1


def test_one_window_is_the_formula_of_wang() -> None:
    a, b = images(0, (1, 2, 2)), images(1, (1, 2, 2))
    covariance = np.cov(a.ravel(), b.ravel(), bias=True)
    means = (2 * a.mean() * b.mean() + 1e-4) / (a.mean() ** 2 + b.mean() ** 2 + 1e-4)
    rest = (2 * covariance[0, 1] + 9e-4) / (covariance[0, 0] + covariance[1, 1] + 9e-4)
    assert quality.ssim(a, b) == pytest.approx(means * rest, rel=1e-12)


@pytest.mark.parametrize(
    "clean", [np.zeros((1, 8, 8)), np.full((1, 8, 8), 7.0), -np.ones((2, 3, 3))]
)
def test_a_constant_picture_has_qualities_and_equal_ones_the_best(clean: np.ndarray) -> None:
    assert quality.data_range(clean) == 1.0
    assert quality.psnr(clean, clean) == np.inf
    assert quality.ssim(clean, clean) == pytest.approx(1.0)
    assert quality.psnr(clean + 0.1, clean) == pytest.approx(20.0)
    assert np.isfinite(quality.ssim(clean + 0.1, clean))


def test_a_worse_picture_has_a_lower_quality() -> None:
    clean, noise = images(), images(1) - 0.5
    psnrs = [quality.psnr(clean + share * noise, clean) for share in (0.1, 0.2, 0.5)]
    ssims = [quality.ssim(clean + share * noise, clean) for share in (0.1, 0.2, 0.5)]
    assert psnrs == sorted(psnrs, reverse=True)
    assert ssims == sorted(ssims, reverse=True)
    assert psnrs[0] - psnrs[1] == pytest.approx(20 * np.log10(2))
