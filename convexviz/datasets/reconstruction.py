"""Images from undersampled k-space: zero-filled, root sum of squares, and SENSE."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray

from convexviz.errors import DataError, SpecError

Maps = Literal["espirit", "jsense", "calibration"]
# Of the normal equations, whose largest eigenvalue is about 1. Without it conjugate gradients fit
# the noise: on eight coils at R = 2 and 4, 22.9 and 15.7 dB, against 35.3 and 28.0 dB with it and
# 29.2 and 22.9 dB for zero-filled.
PENALTY = 0.01


def fourier(images: Complex[np.ndarray, "*n H W"]) -> Complex[np.ndarray, "*n H W"]:
    """Image -> k-space, centred and orthonormal, over the last two axes."""
    shifted = np.fft.ifftshift(images, axes=(-2, -1))
    return np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), axes=(-2, -1))


def inverse(kspace: Complex[np.ndarray, "*n H W"]) -> Complex[np.ndarray, "*n H W"]:
    """K-space -> image: the inverse of `fourier`, as facebookresearch/fastMRI has it."""
    shifted = np.fft.ifftshift(kspace, axes=(-2, -1))
    return np.fft.fftshift(np.fft.ifft2(shifted, norm="ortho"), axes=(-2, -1))


def masked(
    kspace: Complex[np.ndarray, "coils H W"], mask: NDArray[np.bool_]
) -> Complex[np.ndarray, "coils H W"]:
    """K-space with zeros where nothing is measured; the mask is (W,) or (H, W).

    Raises:
        DataError: the mask has another size.
    """
    if mask.shape not in (kspace.shape[-2:], kspace.shape[-1:]):
        raise DataError(
            f"mask must be {kspace.shape[-2:]} or {kspace.shape[-1:]} as k-space, got {mask.shape}"
        )
    return np.where(mask, kspace, 0)


def zero_filled(
    kspace: Complex[np.ndarray, "coils H W"], mask: NDArray[np.bool_]
) -> Complex[np.ndarray, "coils H W"]:
    """Coil images with what was not measured counted as zero."""
    return inverse(masked(kspace, mask))


def rss(images: Complex[np.ndarray, "coils H W"]) -> Float[np.ndarray, "H W"]:
    """The root of the sum of squares over coils."""
    return np.sqrt((images.real.astype(float) ** 2 + images.imag.astype(float) ** 2).sum(axis=0))


def combined(
    images: Complex[np.ndarray, "coils H W"], maps: Complex[np.ndarray, "coils H W"]
) -> Complex[np.ndarray, "H W"]:
    """One complex image: coils weighted by their maps, sum conj(S_c) x_c / sum |S_c|^2."""
    if images.shape != maps.shape:
        raise DataError(f"maps must have shape {images.shape} as the images, got {maps.shape}")
    power = (np.abs(maps) ** 2).sum(axis=0)
    return (maps.conj() * images).sum(axis=0) / np.where(power > 0, power, 1.0)


def sensitivities(
    kspace: Complex[np.ndarray, "coils H W"], *, kind: Maps = "espirit", calibration: int = 16
) -> Complex[np.ndarray, "coils H W"]:
    """Coil sensitivities from the middle `calibration` x `calibration` of k-space, all measured.

    `calibration`: coil images of that region over their root sum of squares. By SigPy (an
    optional package): ESPIRiT, Uecker et al., Magn. Reson. Med. 71, 2014; JSENSE (P4's choice),
    Ying and Sheng, Magn. Reson. Med. 57, 2007.

    Raises:
        SpecError: SigPy is not installed, or the kind is unknown.
        DataError: the calibration region is too small, or holds nothing.
    """
    kinds = ("espirit", "jsense", "calibration")
    if kind not in kinds:
        raise SpecError(f"kind must be one of {', '.join(kinds)}, got {kind!r}")
    if not 1 <= calibration <= min(kspace.shape[-2:]):
        raise SpecError(f"calibration must be in [1, {min(kspace.shape[-2:])}], got {calibration}")
    maps = (
        _smooth(kspace, calibration)
        if kind == "calibration"
        else _by_sigpy(kspace, kind, calibration)
    )
    if not np.isfinite(maps).all() or not maps.any():
        raise DataError(
            f"no sensitivities were found in the middle {calibration} x {calibration} of k-space; "
            "use a larger calibration, all of it measured"
        )
    return maps


def _by_sigpy(kspace: np.ndarray, kind: Maps, width: int) -> np.ndarray:
    app = _sigpy()
    if kind == "espirit":
        return np.asarray(app.EspiritCalib(kspace, calib_width=width, show_pbar=False).run())
    return np.asarray(app.JsenseRecon(kspace, ksp_calib_width=width, show_pbar=False).run())


def _smooth(kspace: np.ndarray, width: int) -> np.ndarray:
    """Each coil's image of the calibration region, tapered, over their root sum of squares."""
    tapers = []
    for side in kspace.shape[-2:]:
        taper = np.zeros(side)
        start = (side - width) // 2
        taper[start : start + width] = np.hanning(width + 2)[1:-1]
        tapers.append(taper)
    images = inverse(kspace * np.outer(*tapers))
    power = rss(images)
    return np.where(power > 0, images / np.where(power > 0, power, 1.0), 0)


def sense(
    kspace: Complex[np.ndarray, "coils H W"],
    mask: NDArray[np.bool_],
    maps: Complex[np.ndarray, "coils H W"] | None = None,
    *,
    penalty: float = PENALTY,
) -> Complex[np.ndarray, "H W"]:
    """SENSE: the complex image whose coil images agree best with what was measured, by SigPy.

    Pruessmann et al., Magn. Reson. Med. 42, 1999. `maps` are ESPIRiT's of the measured
    k-space unless given (`sensitivities`). `penalty` weighs the image's own square: without one
    the noise is fitted, too.

    Raises:
        SpecError: SigPy is not installed.
    """
    app = _sigpy()
    measured = masked(kspace, mask)
    if maps is None:
        maps = sensitivities(measured)
    weights: Bool[np.ndarray, "H W"] = np.broadcast_to(mask, kspace.shape[-2:])
    solver = app.SenseRecon(
        measured, maps, lamda=penalty, weights=weights.astype(float), show_pbar=False
    )
    return np.asarray(solver.run())


def has_sigpy() -> bool:
    """Whether SigPy is installed."""
    return find_spec("sigpy") is not None


def _sigpy() -> Any:
    try:
        from sigpy.mri import app
    except ImportError as error:
        raise SpecError(
            "SENSE needs SigPy, which is optional: pip install sigpy; or use zero_filled and rss"
        ) from error
    return app
