"""Undersampled slices for P4's experiment (section 5.2): 80 x 80, real and imaginary part apart.

At full size they are fastMRI volumes of this machine; at the small one, windows of the head slice
that comes with matplotlib, whose k-space is simulated with a smooth phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Complex
from numpy.typing import NDArray

from convexviz.errors import DataError

SIDE = 80
TOPS, LEFT = (8, 88, 168), {"train": 40, "val": 8}  # windows of the 256 x 128 halves
BEND = 1.5  # radians of the simulated phase, about

Slice = Complex[np.ndarray, "coils 80 80"]


def images(acceleration: int, *, whole: bool) -> dict[str, Any]:
    """`clean` and zero-filled `noisy` parts, each slice over its largest value.

    Several coils are combined by their sensitivities (P4: JSENSE; here ESPIRiT's where SigPy
    is installed, else those of the calibration region) into one complex image, before and after
    undersampling, so that both are what one coil would have seen.

    Raises:
        DataError: `whole`, and there are no fastMRI volumes on this machine.
    """
    from convexviz.datasets import undersampling

    rng = np.random.default_rng(acceleration)
    source = _volumes if whole else _windows
    arrays: dict[str, Any] = {}
    for prefix, part in (("", "train"), ("test_", "val")):
        pairs = []
        for kspace in source(part):
            mask = undersampling.poisson_disc((SIDE, SIDE), acceleration, rng)
            clean, zero = _combined(kspace, mask)
            top = np.abs(clean).max()
            pairs += [(take(clean) / top, take(zero) / top) for take in (np.real, np.imag)]
        clean_parts, noisy_parts = zip(*pairs, strict=True)
        arrays[f"{prefix}clean"] = np.stack(clean_parts)
        arrays[f"{prefix}noisy"] = np.stack(noisy_parts)
    return arrays


def _combined(
    kspace: Slice, mask: NDArray[np.bool_]
) -> tuple[Complex[np.ndarray, "80 80"], Complex[np.ndarray, "80 80"]]:
    from convexviz.datasets import reconstruction

    whole, zero = reconstruction.inverse(kspace), reconstruction.zero_filled(kspace, mask)
    if len(kspace) == 1:
        return whole[0], zero[0]
    kind: reconstruction.Maps = "espirit" if reconstruction.has_sigpy() else "calibration"
    maps = reconstruction.sensitivities(reconstruction.masked(kspace, mask), kind=kind)
    return reconstruction.combined(whole, maps), reconstruction.combined(zero, maps)


def _windows(part: str) -> Iterator[Slice]:
    """Three windows of the bundled slice: its left side to train on, its right side held out."""
    from convexviz.datasets import bundled, reconstruction

    halves = bundled.mri_slice()
    half, left = (halves.train if part == "train" else halves.test)[0], LEFT[part]
    rng = np.random.default_rng(0 if part == "train" else 1)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    for top in TOPS:
        a, b, c, d = rng.standard_normal(4)
        phase = BEND * (a + b * x + c * y + d * x * y) / 2
        image = half[top : top + SIDE, left : left + SIDE] * np.exp(1j * phase)
        yield reconstruction.fourier(image[None])


def _volumes(part: str) -> Iterator[Slice]:
    """The middle 80 x 80 of k-space of every slice: several coils where there are such volumes."""
    from convexviz import datasets
    from convexviz.datasets import fastmri, places

    kinds = ("multicoil", "singlecoil")
    kind = next((k for k in kinds if places.is_here(datasets.get(f"fastmri_{k}"))), kinds[1])
    folder = places.found(datasets.get(f"fastmri_{kind}"))
    named = [k for k in kinds if (folder / f"{k}_train").is_dir()]
    home = folder / f"{named[0] if named else kind}_{part}"
    if not Path(home).is_dir():
        raise DataError(f"{folder}: needs the folder {home.name} with fastMRI volumes")
    for one in fastmri.volumes(home):
        if min(one.shape[-2:]) < SIDE:
            sides = f"{SIDE} x {SIDE}"
            raise DataError(f"{one.path}: k-space must be at least {sides}, got {one.shape}")
        for index in range(len(one)):
            kspace = one.kspace(index)
            top, left = ((side - SIDE) // 2 for side in kspace.shape[-2:])
            yield kspace[:, top : top + SIDE, left : left + SIDE]
