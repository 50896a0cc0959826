"""fastMRI volumes on this machine: k-space and targets of single- and multi-coil HDF5 files.

One file is one volume; W differs from file to file. The array of a part is its slices, cropped to
what all its volumes have: the magnitude of the targets where there are some, else of k-space.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import h5py
import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import NDArray

from convexviz.datasets import uploads_fastmri as layout
from convexviz.datasets.base import Dataset, Guide, Images, Lazy, Opened
from convexviz.datasets.uploads_images import centre
from convexviz.errors import DataError

Coils = Literal["singlecoil", "multicoil"]
PARTS = ("train", "val", "test")
_NAMESPACE = "{http://www.ismrm.org/ISMRMRD}"
_LARGEST_HEADER = 1 << 20
_TARGET = {"singlecoil": "reconstruction_esc", "multicoil": "reconstruction_rss"}
LOADED = (8, 4)  # slices that a denoiser trains on and is tested with


@dataclass(frozen=True, slots=True)
class Volume:
    """One file.

    Attributes:
        shape: of its k-space: (slices, H, W), or (slices, coils, H, W).
        target: sides of its target images, None where it has none (the test part).
        crop: sides of the centre that its images are compared on.
        acquisition: such as CORPD_FBK; empty where the file does not say.
        padding: columns of k-space at the left and right that were never measured; None where
            the header does not say.
    """

    path: Path
    shape: tuple[int, ...]
    target: tuple[int, int] | None
    crop: tuple[int, int]
    acquisition: str = ""
    padding: tuple[int, int] | None = None
    maximum: float | None = None
    _target_name: str = field(default="", repr=False)

    def __len__(self) -> int:
        return self.shape[0]

    def kspace(self, index: int) -> Complex[np.ndarray, "coils H W"]:
        """The k-space of one slice; a single coil has an axis of one."""
        values = self._read("kspace", index)
        return values.reshape(-1, *values.shape[-2:])

    def target_image(self, index: int) -> Float[np.ndarray, "h w"]:
        """The reconstruction that fastMRI compares with, in its own units (about 1e-4).

        Raises:
            DataError: the file has none.
        """
        if self.target is None:
            raise DataError(f"{self.path}: has no target: it belongs to the test part")
        return self._read(self._target_name, index)

    def mask(self) -> NDArray[np.bool_] | None:
        """The columns that were measured (the test part), or None: all of them."""
        with h5py.File(self.path, "r") as file:
            if not file.id.links.exists(b"mask"):
                return None
            values = np.asarray(file["mask"]).astype(bool).ravel()
        if len(values) != self.shape[-1]:
            raise DataError(
                f"{self.path}: mask must have {self.shape[-1]} columns, got {len(values)}"
            )
        return values

    def _read(self, name: str, index: int) -> NDArray[Any]:
        with h5py.File(self.path, "r") as file:
            values = np.asarray(file[name][index])
        if not np.isfinite(values).all():
            raise DataError(f"{self.path}: {name}, slice {index}, must be finite")
        return values


def volume(path: Path) -> Volume:
    """What the headers of a file say.

    Raises:
        DataError: it is no fastMRI volume.
    """
    try:
        with path.open("rb") as file:
            found = layout.volumes(file)
            if "kspace" not in found:
                raise DataError("HDF5 file must have kspace; it has a target only")
            shape = tuple(int(side) for side in found["kspace"].values.shape)
            name = _TARGET["multicoil" if len(shape) == 4 else "singlecoil"]
            name = name if name in found else next((n for n in _TARGET.values() if n in found), "")
            root = found["kspace"].values.file
            return Volume(
                path=path,
                shape=shape,
                target=found[name].sides if name else None,
                crop=layout.crop_of(found),
                acquisition=str(root.attrs.get("acquisition", ""))[:64],
                padding=_padding(path, root),
                maximum=float(root.attrs["max"]) if "max" in root.attrs else None,
                _target_name=name,
            )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # what HDF5 raises at damaged files has no common class
        said = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: is no fastMRI volume or is damaged ({said})") from error


def _padding(path: Path, file: Any) -> tuple[int, int] | None:
    """fastMRI's padding_left and padding_right, from the ISMRMRD header."""
    if not file.id.links.exists(b"ismrmrd_header"):
        return None
    header = file["ismrmrd_header"]
    if header.shape != () or header.dtype != object:
        return None
    raw = header[()]
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    if len(text) > _LARGEST_HEADER or re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise DataError(f"{path.name}: its header must be plain XML of at most 1 MB")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{path.name}: its header is no XML ({error})") from error
    encoding = root.find(f"{_NAMESPACE}encoding")
    numbers = [
        None if encoding is None else encoding.findtext("/".join(_NAMESPACE + p for p in place))
        for place in (
            ("encodedSpace", "matrixSize", "y"),
            ("encodingLimits", "kspace_encoding_step_1", "center"),
            ("encodingLimits", "kspace_encoding_step_1", "maximum"),
        )
    ]
    if any(number is None or not number.strip().isdecimal() for number in numbers):
        return None
    width, middle, last = (int(number or 0) for number in numbers)
    left = width // 2 - middle
    return left, left + last + 1


def volumes(folder: Path) -> list[Volume]:
    """The volumes of a folder, by name.

    Raises:
        DataError: there is none, or one of them is not a fastMRI volume.
    """
    paths = sorted(path for path in folder.glob("*.h5") if not path.name.startswith("."))
    if not paths:
        raise DataError(f"{folder}: has no .h5 files; put fastMRI volumes there")
    return [volume(path) for path in paths]


def image_of(one: Volume, index: int) -> Float[np.ndarray, "h w"]:
    """The target where there is one, else the root sum of squares; not scaled."""
    if one.target is not None:
        return one.target_image(index).astype(np.float64)
    return centre(layout.magnitude(one.kspace(index)), one.crop)


def slices(found: list[Volume]) -> Lazy:
    """All slices of the volumes, one after another, on the centre that all have."""
    sides = [one.target or one.crop for one in found]
    crop = (min(side[0] for side in sides), min(side[1] for side in sides))
    places = [(one, index) for one in found for index in range(len(one))]

    def read(rows: NDArray[np.intp]) -> NDArray[Any]:
        return np.stack([centre(image_of(*places[row]), crop) for row in rows])

    return Lazy((len(places), *crop), np.dtype(np.float64), read)


def open_folder(folder: Path, coils: Coils) -> Opened:
    """The parts of one kind: images (slices, h, w) in the file's own units.

    Raises:
        DataError: there is no folder of that kind, or a file in it is malformed.
    """
    splits, files = {}, []
    for part in PARTS:
        home = folder / f"{coils}_{part}"
        if home.is_dir():
            found = volumes(home)
            splits[part] = {"images": slices(found)}
            files += [one.path for one in found]
    if not splits:
        raise DataError(f"{folder}: needs {coils}_train, {coils}_val or {coils}_test; has none")
    return Opened(splits, {}, tuple(files))


def _load(coils: Coils) -> Images:
    from convexviz import datasets

    name = f"fastmri_{coils}"
    splits = datasets.get(name).open().splits
    parts = [split["images"] for split in splits.values()]
    train, test = parts[0], parts[min(1, len(parts) - 1)]
    return Images(unit(train[: LOADED[0]]), unit(test[: LOADED[1]]))


def unit(images: Float[np.ndarray, "N h w"]) -> Float[np.ndarray, "N h w"]:
    """Each slice over its own largest value: the files' values are about 1e-4."""
    top = images.max(axis=(1, 2), keepdims=True)
    return images / np.where(top > 0, top, 1.0)


def _dataset(coils: Coils, title: str) -> Dataset:
    return Dataset(
        name=f"fastmri_{coils}",
        title=title,
        source="Zbontar et al.: fastMRI, an open dataset and benchmarks for accelerated MRI, 2018",
        licence="fastMRI data use agreement, no redistribution",
        load=lambda: _load(coils),
        reader=lambda folder: open_folder(folder, coils),
        guide=Guide(
            page="https://fastmri.med.nyu.edu/",
            place="fastmri",
            words=f"the folders {coils}_train and {coils}_val (any volumes of them)",
        ),
    )


DATASETS = (
    _dataset("singlecoil", "fastMRI, one coil"),
    _dataset("multicoil", "fastMRI, several coils"),
)
