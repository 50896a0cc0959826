"""npy and npz, read in the guard's child: headers and sizes first, never a pickle."""

from __future__ import annotations

import codecs
import math
import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

import numpy as np
from jaxtyping import Num
from numpy.lib import format as npy

from convexviz.datasets.guard_child import one_line
from convexviz.datasets.uploads_images import (
    Choice,
    Contents,
    Wanted,
    centre,
    check_finite,
    check_index,
    unit,
)
from convexviz.errors import DataError

MEGABYTE = 1 << 20
LARGEST_HEADER = 10_000
LARGEST_ARRAY = 128 * MEGABYTE
LARGEST_MEMBERS = 64
LARGEST_RATIO = 100
_RATIO_FROM = MEGABYTE  # a small black image compresses better than any bomb must
_DIRECTORY = LARGEST_MEMBERS * 1024
_COLOURS = (3, 4)
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True, slots=True)
class Header:
    """What an npy header declares."""

    name: str
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_colour(self) -> bool:
        """Whether it is one picture (h, w, 3 or 4) of bytes, and not h images of width 3 or 4."""
        return (
            len(self.shape) == 3
            and self.shape[2] in _COLOURS
            and min(self.shape[:2]) > max(_COLOURS)
            and self.dtype == np.uint8
        )

    def choice(self) -> Choice:
        says = "integers over 1, 255 or 65535; floats in [-1, 2] as they are; else over their range"
        if self.is_colour:
            height, width, _ = self.shape
            return Choice(name=self.name, slices=1, height=height, width=width, says="luminance")
        slices, height, width = (1, *self.shape)[-3:]
        return Choice(name=self.name, slices=slices, height=height, width=width, says=says)


def _header(file: IO[bytes], name: str, available: int) -> Header:
    """The header of the array that begins here, checked against what the file can hold."""
    if file.read(6) != b"\x93NUMPY":
        raise DataError(f"{name} must be an npy array; save it with numpy.save")
    version = tuple(file.read(2))
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{name} must be of npy version 1 or 2, got {version}; save it anew")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(file.read(width), "little")
    if length > LARGEST_HEADER:
        raise DataError(f"{name} must have a header of at most 10,000 bytes, got {length:,}")
    text = length.to_bytes(width, "little") + file.read(length)
    header = Header(name, *_parsed(text, version[0]))
    if header.dtype.hasobject:
        raise DataError(
            f"{name} must hold numbers, got Python objects (a pickle); save plain numbers"
        )
    if header.size > LARGEST_ARRAY:
        raise DataError(
            f"{name} must take at most {LARGEST_ARRAY // MEGABYTE} MB, got shape {header.shape} "
            f"with {header.size / MEGABYTE:,.0f} MB; save fewer images"
        )
    held = available - 8 - len(text)
    if header.size != held:
        raise DataError(
            f"{name} declares {header.size:,} bytes and holds {held:,}: it is cut short"
        )
    return header


def _parsed(text: bytes, version: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read = npy.read_array_header_1_0 if version == 1 else npy.read_array_header_2_0
    shape, fortran, dtype = read(BytesIO(text), max_header_size=LARGEST_HEADER)
    return shape, fortran, dtype


def _why_no_image(header: Header) -> str | None:
    if header.dtype.kind not in "buif" or header.dtype.itemsize > 8:
        return f"{header.name} must hold real numbers of at most 8 bytes, got {header.dtype}"
    if len(header.shape) not in (2, 3) or 0 in header.shape:
        return f"{header.name} must be (h, w) or (N, h, w) and not empty, got shape {header.shape}"
    return None


def header_of(file: IO[bytes], name: str = "array", size: int | None = None) -> Header:
    """The header of an npy file, or of a member of `size` bytes of an archive, checked."""
    if size is None:
        file.seek(0, 2)
        size = file.tell()
        file.seek(0)
    return _header(file, name, size)


def _npy_header(file: IO[bytes]) -> Header:
    header = header_of(file)
    if problem := _why_no_image(header):
        raise DataError(problem)
    return header


def members_of(file: IO[bytes]) -> zipfile.ZipFile:
    """The archive with every declared size checked and nothing unpacked."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - 66_000))
    _, found, end = file.read().rpartition(b"PK\x05\x06")
    if not found or len(end) < 18:
        raise DataError("npz is cut short: the archive's directory is missing; upload it again")
    directory = int.from_bytes(end[8:12], "little")
    if directory > _DIRECTORY or end[:4] != bytes(4):
        raise DataError(f"npz must hold at most {LARGEST_MEMBERS} arrays in one part")
    archive = zipfile.ZipFile(file)
    members = archive.infolist()
    if not 1 <= len(members) <= LARGEST_MEMBERS:
        raise DataError(f"npz must hold 1 to {LARGEST_MEMBERS} arrays, got {len(members)}")
    total = sum(member.file_size for member in members)
    if total > 2 * LARGEST_ARRAY:
        raise DataError(
            f"npz must unpack to at most {2 * LARGEST_ARRAY // MEGABYTE} MB, got "
            f"{total / MEGABYTE:,.0f} MB; save fewer images"
        )
    for member in members:
        ratio = member.file_size / max(1, member.compress_size)
        if ratio > LARGEST_RATIO and member.file_size > _RATIO_FROM:
            raise DataError(
                f"npz must be packed at most {LARGEST_RATIO}-fold, got {ratio:,.0f}-fold; save it "
                "with numpy.savez"
            )
        if member.flag_bits & 1 or member.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise DataError("npz must be as numpy.savez writes it: no password, stored or deflated")
    return archive


# The names in an archive; Python would import the encoding too late in a child without files.
codecs.lookup("cp437")


def _shown(member: zipfile.ZipInfo) -> str:
    return one_line(member.filename.removesuffix(".npy"), 80)


def _npz_headers(archive: zipfile.ZipFile) -> tuple[dict[str, Header], list[str]]:
    """Headers of the images in the archive, and why the other arrays are none."""
    headers, warnings = {}, []
    for member in archive.infolist():
        name = _shown(member)
        with archive.open(member) as file:
            header = _header(file, name, member.file_size)
        if problem := _why_no_image(header):
            warnings.append(f"left out: {problem}")
        else:
            headers[name] = header
    if not headers:
        raise DataError("npz must hold an image (h, w) or images (N, h, w); " + "; ".join(warnings))
    return headers, warnings


def describe(file: IO[bytes], kind: str) -> Contents:
    """What the headers say that the file holds."""
    if kind == "npy":
        return Contents((_npy_header(file).choice(),))
    headers, warnings = _npz_headers(members_of(file))
    return Contents(tuple(header.choice() for header in headers.values()), tuple(warnings))


def load(file: IO[bytes], kind: str, wanted: Wanted) -> list[Num[np.ndarray, "h w"]]:
    """The images wanted, each in [0, 1]."""
    if kind == "npy":
        header = _npy_header(file)
        return _images(file.read(header.size), header, wanted)
    archive = members_of(file)
    headers, _ = _npz_headers(archive)
    if wanted.name not in headers:
        raise DataError(f"array must be one of {', '.join(headers)}, got {wanted.name!r}")
    header = headers[wanted.name]
    member = next(m for m in archive.infolist() if _shown(m) == wanted.name)
    with archive.open(member) as stream:
        _header(stream, header.name, member.file_size)
        return _images(stream.read(header.size), header, wanted)


def _images(data: bytes, header: Header, wanted: Wanted) -> list[Num[np.ndarray, "h w"]]:
    flat = np.frombuffer(data, dtype=header.dtype)
    array = flat.reshape(header.shape[::-1]).T if header.fortran else flat.reshape(header.shape)
    if header.is_colour:
        array = array[:, :, :3].astype(np.float32) @ (_LUMINANCE / 255).astype(np.float32)
    stack = array.reshape(-1, *array.shape[-2:])
    chosen = []
    for index in wanted.slices:
        check_index(index, len(stack))
        image = centre(stack[index], wanted.crop)
        check_finite(f"slice {index}", image)
        chosen.append(unit(image))
    return chosen
