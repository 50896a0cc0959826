"""Masks measure what was asked; images come back from what was measured."""

import sys
import types
from typing import Any

import numpy as np
import pytest

from convexviz.datasets import reconstruction, undersampling
from convexviz.errors import DataError, SpecError

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("acceleration", [2, 4, 8])
def test_masks_measure_the_share_that_was_asked(acceleration: int) -> None:
    columns = undersampling.cartesian(368, acceleration, np.random.default_rng(0))
    assert columns.sum() == round(368 / acceleration)
    middle = round(368 * undersampling.CENTRE[acceleration])
    start = (368 - middle + 1) // 2
    assert columns[start : start + middle].all()
    assert 184 in np.flatnonzero(columns)  # the zero frequency, where fftshift puts it
    disc = undersampling.poisson_disc((80, 80), acceleration, np.random.default_rng(0))
    assert disc.size / disc.sum() == pytest.approx(acceleration, rel=undersampling.CLOSE)
    assert disc[32:48, 32:48].all()
    assert not (columns == undersampling.cartesian(368, acceleration, RNG)).all()


def test_no_two_points_of_a_poisson_disc_are_nearer_than_the_slope_allows() -> None:
    mask = undersampling.poisson_disc((64, 64), 4, np.random.default_rng(1), calibration=0)
    points = np.argwhere(mask)
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    far = np.hypot(*(2 * (points - 32) / 64).T)
    inner, outer = apart.min(axis=1)[far < 0.4], apart.min(axis=1)[far > 1.0]
    assert inner.mean() < outer.mean()  # denser in the middle
    same = undersampling.poisson_disc((64, 64), 4, np.random.default_rng(1), calibration=0)
    np.testing.assert_array_equal(mask, same)


def test_impossible_masks_are_refused() -> None:
    with pytest.raises(SpecError, match="cannot be reached on 16 x 16"):
        undersampling.poisson_disc((16, 16), 8, RNG, calibration=16)
    with pytest.raises(SpecError, match=r"acceleration must be in \[1, 10\]"):
        undersampling.cartesian(10, 0.5, RNG)
    with pytest.raises(SpecError, match="centre must be in"):
        undersampling.cartesian(100, 8, RNG, centre=0.5)


def coils(n: int = 3, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """An image, and smooth maps whose squares add to one."""
    y, x = np.mgrid[:side, :side] / side
    maps = np.stack([np.exp(-((x - i / n) ** 2) + 1j * (i + y)) for i in range(n)])
    maps /= np.sqrt((np.abs(maps) ** 2).sum(axis=0))
    image = ((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.1) * np.exp(1j * x)
    return image, maps


def test_everything_measured_gives_the_image_back() -> None:
    image, maps = coils()
    kspace = reconstruction.fourier(maps * image)
    full = np.ones(32, bool)
    images = reconstruction.zero_filled(kspace, full)
    # FFT there and back: about 16 digits.
    np.testing.assert_allclose(reconstruction.rss(images), np.abs(image), atol=1e-12)
    np.testing.assert_allclose(reconstruction.combined(images, maps), image, atol=1e-12)
    assert np.linalg.norm(kspace) == pytest.approx(np.linalg.norm(image))  # orthonormal


def test_what_is_not_measured_counts_as_zero_and_costs_quality() -> None:
    image, maps = coils()
    kspace = reconstruction.fourier(maps * image)
    errors = []
    for acceleration in (2, 4, 8):
        mask = undersampling.cartesian(32, acceleration, np.random.default_rng(0), centre=0.1)
        zero = reconstruction.zero_filled(kspace, mask)
        assert np.abs(reconstruction.fourier(zero)[..., ~mask]).max() < 1e-12
        errors.append(np.linalg.norm(reconstruction.rss(zero) - np.abs(image)))
    assert 0 < errors[0] < errors[1] < errors[2]
    with pytest.raises(DataError, match="mask must be"):
        reconstruction.masked(kspace, np.ones(31, bool))


def test_sense_needs_sigpy_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sigpy", None)
    with pytest.raises(SpecError, match="SENSE needs SigPy, which is optional: pip install sigpy"):
        reconstruction.sense(np.zeros((2, 8, 8), complex), np.ones(8, bool))


def test_sense_hands_sigpy_the_masked_data_the_weights_and_the_maps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, maps = coils(side=16)
    kspace, mask = reconstruction.fourier(maps * image), np.arange(16) % 2 == 0
    seen: dict[str, Any] = {}

    class Recon:
        def __init__(self, measured: Any, sensitivities: Any, **options: Any) -> None:
            seen.update(options, measured=measured, maps=sensitivities)

        def run(self) -> np.ndarray:
            return image

    class Calib(Recon):
        def __init__(self, measured: Any, calib_width: int, show_pbar: bool) -> None:
            seen.update(calibrated=measured, width=calib_width, bar=show_pbar)

        def run(self) -> np.ndarray:
            return maps

    app = types.SimpleNamespace(SenseRecon=Recon, EspiritCalib=Calib)
    monkeypatch.setitem(sys.modules, "sigpy", types.ModuleType("sigpy"))
    mri = types.ModuleType("sigpy.mri")
    mri.app = app
    monkeypatch.setitem(sys.modules, "sigpy.mri", mri)
    found = reconstruction.sense(kspace, mask)
    np.testing.assert_array_equal(found, image)
    np.testing.assert_array_equal(seen["measured"], np.where(mask, kspace, 0))
    np.testing.assert_array_equal(seen["calibrated"], seen["measured"])
    np.testing.assert_array_equal(seen["maps"], maps)
    assert seen["weights"].shape == (16, 16)
    assert (seen["weights"][:, 1] == 0).all()
    assert seen["width"] == 16
    # Without a penalty conjugate gradients fit the noise, and zero-filled images are better.
    assert seen["lamda"] == reconstruction.PENALTY > 0


def test_maps_of_the_calibration_region_need_no_sigpy_and_combine_coils(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sigpy", None)
    image, maps = coils(side=48)
    kspace = reconstruction.fourier(maps * image)
    mask = undersampling.poisson_disc((48, 48), 2, np.random.default_rng(0))
    found = reconstruction.sensitivities(reconstruction.masked(kspace, mask), kind="calibration")
    on = np.abs(image) > 0
    np.testing.assert_allclose(reconstruction.rss(found)[on], 1.0, atol=1e-12)
    together = reconstruction.combined(reconstruction.inverse(kspace), found)
    # Smooth maps come out but for the edges of what is seen, and but for a common phase.
    error = np.abs(np.abs(together[on]) - np.abs(image[on]))
    assert np.median(error) < 0.02
    for odd in (0, 49):
        with pytest.raises(SpecError, match=r"calibration must be in \[1, 48\]"):
            reconstruction.sensitivities(kspace, kind="calibration", calibration=odd)
    with pytest.raises(SpecError, match="kind must be one of espirit, jsense, calibration"):
        reconstruction.sensitivities(kspace, kind="lowres")
    with pytest.raises(DataError, match="no sensitivities were found in the middle 16 x 16"):
        reconstruction.sensitivities(np.zeros_like(kspace), kind="calibration")
