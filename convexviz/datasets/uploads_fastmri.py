"""fastMRI HDF5, read in the guard's child: three known names, plain numbers, one slice at a time.

k-space becomes a magnitude image as in facebookresearch/fastMRI: fftshift(ifft2(ifftshift(k),
norm="ortho")) over the last two axes, root of the sum of squares over coils, centre crop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import IO

import h5py
import numpy as np
from jaxtyping import Complex, Float, Num
from numpy import fft  # now: the guard opens no module later

from convexviz.datasets.uploads_images import (
    Choice,
    Contents,
    Wanted,
    centre,
    check_finite,
    check_index,
)
from convexviz.errors import DataError

MEGABYTE = 1 << 20
LARGEST_DECLARED = 2048 * MEGABYTE
LARGEST_SLICE = 96 * MEGABYTE
LARGEST_CHUNK = 64 * MEGABYTE
LARGEST_RATIO = 1000
RATIO_FROM = 16 * MEGABYTE
SIDES = (8, 4096)
LARGEST_COILS = 128
CROP = 320  # the side of every fastMRI target
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_KSPACE, _TARGETS = "kspace", ("reconstruction_esc", "reconstruction_rss")


@dataclass(frozen=True, slots=True)
class Volume:
    """A dataset of the file that passed every check on what it declares."""

    name: str
    values: h5py.Dataset

    @property
    def slices(self) -> int:
        return int(self.values.shape[0])

    @property
    def sides(self) -> tuple[int, int]:
        height, width = self.values.shape[-2:]
        return int(height), int(width)


def _root(file: h5py.File) -> h5py.h5g.GroupID:
    # `.links` of it works only as long as this object lives.
    return h5py.h5g.open(file.id, b"/")


def _volume(file: h5py.File, name: str, file_size: int) -> Volume | None:
    """The dataset called `name` where the file has one.

    Raises:
        DataError: it is a link elsewhere, holds no plain numbers, or declares too much.
    """
    root = _root(file)
    key = name.encode()
    if not root.links.exists(key):
        return None
    # The kind of link before anything is opened: an external one names a file of this machine.
    if root.links.get_info(key).type != h5py.h5l.TYPE_HARD:
        raise DataError(f"{name} must lie in the file itself, got a link; save a copy of the data")
    found = h5py.h5o.open(file.id, key)
    if not isinstance(found, h5py.h5d.DatasetID):
        raise DataError(f"{name} must be a dataset, got a {type(found).__name__}")
    _check_layout(name, found.get_create_plist())
    _check_type(name, found.dtype)
    _check_shape(name, found.shape)
    _check_sizes(name, found, file_size)
    return Volume(name, h5py.Dataset(found))


def _check_layout(name: str, plan: h5py.h5p.PropDCID) -> None:
    if plan.get_layout() == h5py.h5d.VIRTUAL or plan.get_external_count():
        raise DataError(
            f"{name} must be stored in the file itself, got a dataset whose numbers lie elsewhere; "
            "save a copy of the data"
        )
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    unknown = [number for number in filters if number not in _FILTERS]
    if unknown:
        known = ", ".join(_FILTERS.values())
        raise DataError(
            f"{name} must be packed with {known} or not at all, got filter {unknown[0]}"
        )


def _check_type(name: str, dtype: np.dtype[np.generic]) -> None:
    kinds = ("c8", "c16") if name == _KSPACE else ("f4", "f8")
    if f"{dtype.kind}{dtype.itemsize}" not in kinds:
        rule = "complex64 or complex128" if name == _KSPACE else "float32 or float64"
        raise DataError(f"{name} must be {rule}, got {dtype}")


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    axes = "(slices, H, W) or (slices, coils, H, W)" if name == _KSPACE else "(slices, h, w)"
    if len(shape) not in ((3, 4) if name == _KSPACE else (3,)) or 0 in shape:
        raise DataError(f"{name} must be {axes} and not empty, got shape {shape}")
    low, high = SIDES
    if not all(low <= side <= high for side in shape[-2:]):
        raise DataError(f"{name} must be {axes} with sides in [{low}, {high}], got shape {shape}")
    if len(shape) == 4 and shape[1] > LARGEST_COILS:
        raise DataError(f"{name} must be {axes} with at most 128 coils, got shape {shape}")


def _check_sizes(name: str, found: h5py.h5d.DatasetID, file_size: int) -> None:
    item, shape = found.dtype.itemsize, found.shape
    declared, one = math.prod(shape) * item, math.prod(shape[1:]) * item
    plan = found.get_create_plist()
    chunked = plan.get_layout() == h5py.h5d.CHUNKED
    chunk = math.prod(plan.get_chunk()) * item if chunked else 0
    for what, size, largest in (
        ("in all", declared, LARGEST_DECLARED),
        ("a slice", one, LARGEST_SLICE),
        ("a chunk", chunk, LARGEST_CHUNK),
    ):
        if size > largest:
            raise DataError(
                f"{name} must take at most {largest // MEGABYTE:,} MB {what}, got shape {shape} "
                f"with {size / MEGABYTE:,.0f} MB; save fewer or smaller slices"
            )
    stored = min(found.get_storage_size(), file_size)
    if declared > RATIO_FROM and declared > LARGEST_RATIO * stored:
        raise DataError(
            f"{name} must be packed at most {LARGEST_RATIO:,}-fold, got {declared / MEGABYTE:,.0f} "
            f"MB declared and {stored / MEGABYTE:,.3f} MB stored; save it anew"
        )


def volumes(file: IO[bytes]) -> dict[str, Volume]:
    """The k-space and the targets of an open file, each checked and none of them read.

    Raises:
        DataError: there is none, or one of them is not what a fastMRI volume holds.
    """
    file.seek(0, 2)
    size = file.tell()
    opened = h5py.File(file, "r")
    found = (_volume(opened, name, size) for name in (_KSPACE, *_TARGETS))
    named = {volume.name: volume for volume in found if volume is not None}
    if not named:
        names = ", ".join((_KSPACE, *_TARGETS))
        raise DataError(f"HDF5 file must be a fastMRI volume with one of {names}; it has none")
    return named


def crop_of(volumes: dict[str, Volume]) -> tuple[int, int]:
    """The target's sides where the file has a target, else 320, never more than there is."""
    whole = volumes[_KSPACE].sides
    target = next((volumes[name].sides for name in _TARGETS if name in volumes), (CROP, CROP))
    return min(whole[0], target[0]), min(whole[1], target[1])


def describe(file: IO[bytes], _kind: str) -> Contents:
    """What the headers say that the file holds."""
    found = volumes(file)
    choices, warnings = [], []
    for name, volume in found.items():
        height, width = volume.sides
        coils = volume.values.shape[1] if volume.values.ndim == 4 else 1
        made = "magnitude of the inverse Fourier transform" if name == _KSPACE else "as stored"
        if coils > 1:
            made += f", root of the sum of squares over {coils} coils"
        choices.append(
            Choice(
                name=name,
                slices=volume.slices,
                height=height,
                width=width,
                crop=crop_of(found) if name == _KSPACE else None,
                says=f"{made}, over its largest value",
            )
        )
    root = _root(next(iter(found.values())).values.file)
    if _KSPACE in found and root.links.exists(b"mask"):
        warnings.append("k-space is undersampled: what was not measured counts as zero")
    return Contents(tuple(choices), tuple(warnings))


def load(file: IO[bytes], _kind: str, wanted: Wanted) -> list[Num[np.ndarray, "h w"]]:
    """The images wanted, each in [0, 1]."""
    found = volumes(file)
    if wanted.name not in found:
        raise DataError(f"choice must be one of {', '.join(found)}, got {wanted.name!r}")
    volume = found[wanted.name]
    crop = wanted.crop
    if crop is None and volume.name == _KSPACE:
        crop = crop_of(found)
    images = []
    for index in wanted.slices:
        check_index(index, volume.slices)
        values = volume.values[index]
        check_finite(f"{volume.name}, slice {index},", values)
        whole = magnitude(values) if volume.name == _KSPACE else values.astype(np.float64)
        image = centre(whole, crop)
        top = float(image.max())
        if not 0 < top < math.inf:
            raise DataError(f"{volume.name}, slice {index}, must have values above 0, got {top:g}")
        images.append(np.clip(image / top, 0.0, 1.0))
    return images


def magnitude(
    kspace: Complex[np.ndarray, "H W"] | Complex[np.ndarray, "coils H W"],
) -> Float[np.ndarray, "H W"]:
    """|image| of one coil; the root of the sum of squares over several (rss of fastMRI)."""
    total = np.zeros(kspace.shape[-2:])
    for coil in kspace.reshape(-1, *kspace.shape[-2:]):
        shifted = fft.ifftshift(coil.astype(np.complex128))
        image = fft.fftshift(fft.ifft2(shifted, norm="ortho"))
        total += image.real**2 + image.imag**2
    return np.sqrt(total)
