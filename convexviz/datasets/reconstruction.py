"""Images from undersampled k-space: zero-filled, root sum of squares, and SENSE."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray

from convexviz.errors import DataError, SpecError

Maps = Literal["espirit", "jsense"]


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
    """Coil sensitivities from the calibration region, by SigPy (an optional package).

    ESPIRiT: Uecker et al., Magn. Reson. Med. 71, 2014. JSENSE (P4's choice): Ying and Sheng,
    Magn. Reson. Med. 57, 2007.

    Raises:
        SpecError: SigPy is not installed, or the kind is unknown.
    """
    app = _sigpy()
    kinds = {
        "espirit": lambda: app.EspiritCalib(kspace, calib_width=calibration, show_pbar=False),
        "jsense": lambda: app.JsenseRecon(kspace, ksp_calib_width=calibration, show_pbar=False),
    }
    if kind not in kinds:
        raise SpecError(f"kind must be one of {', '.join(kinds)}, got {kind!r}")
    return np.asarray(kinds[kind]().run())


def sense(
    kspace: Complex[np.ndarray, "coils H W"],
    mask: NDArray[np.bool_],
    maps: Complex[np.ndarray, "coils H W"] | None = None,
    *,
    penalty: float = 0.0,
) -> Complex[np.ndarray, "H W"]:
    """SENSE: the complex image whose coil images agree best with what was measured, by SigPy.

    Pruessmann et al., Magn. Reson. Med. 42, 1999. `maps` are ESPIRiT's of the measured
    k-space unless given (`sensitivities`).

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


def _sigpy() -> Any:
    try:
        from sigpy.mri import app
    except ImportError as error:
        raise SpecError(
            "SENSE needs SigPy, which is optional: pip install sigpy; or use zero_filled and rss"
        ) from error
    return app
