"""Files that the tests of uploads hand in: good ones, and one of every hostile kind."""

import io
import struct
import zipfile
import zlib

import h5py
import numpy as np
from PIL import Image

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (12, 17), dtype=np.uint8)


def png(array, kind="PNG", **options):
    held = io.BytesIO()
    Image.fromarray(array).save(held, kind, **options)
    return held.getvalue()


def npy(array):
    held = io.BytesIO()
    np.save(held, array)
    return held.getvalue()


def npz(save=np.savez, **arrays):
    held = io.BytesIO()
    save(held, **arrays)
    return held.getvalue()


def hdf5(fill):
    """The bytes of an HDF5 file that `fill` wrote into."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        fill(file)
    return held.getvalue()


def kspace_of(images):
    """The k-space whose fastMRI image is `images`, by the definition turned around."""
    axes = (-2, -1)
    image = np.fft.ifftshift(images, axes=axes)
    return np.fft.fftshift(np.fft.fft2(image, norm="ortho"), axes=axes).astype(np.complex64)


IMAGES = RNG.random((3, 20, 16)) * 1e-4
PHASE = np.exp(2j * np.pi * RNG.random((3, 20, 16)))


def single_coil(file):
    # ifftshift over both axes is fftshift here: the sides are even.
    file["kspace"] = kspace_of(IMAGES * PHASE)
    file["reconstruction_esc"] = IMAGES[:, 2:18].astype(np.float32)
    file.attrs["max"] = IMAGES.max()


def multi_coil(file):
    sensitivities = RNG.random((1, 4, 20, 16)) + 0.1
    sensitivities /= np.sqrt((sensitivities**2).sum(1, keepdims=True))
    file["kspace"] = kspace_of((IMAGES * PHASE)[:, None] * sensitivities)
    file["mask"] = np.ones(16, bool)


def a_png_bomb():
    """A picture of 13,000 x 13,000 black pixels in 170 kB."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = zlib.compress(bytes(13_001 * 13_000), 1)
    size = struct.pack(">IIBBBBB", 13_000, 13_000, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def an_npy(header, data=b""):
    text = header.encode()
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + data


def an_npz(count=1, data=None):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(count):
            archive.writestr(f"a{index}.npy", npy(np.ones((9, 8))) if data is None else data)
    return held.getvalue()


def dataset(name="kspace", shape=(2, 16, 16), dtype=np.complex64, **options):
    def fill(file):
        file.create_dataset(name, shape, dtype, **options)

    return fill


def filled(values, name="kspace"):
    def fill(file):
        file[name] = values

    return fill


def with_nan(file):
    values = np.ones((2, 16, 16), np.complex64)
    values[1, 3, 3] = np.nan
    file["kspace"] = values


def external_storage(file):
    external = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("kspace", (1, 8, 8), np.complex64, external=external)


def virtual(file):
    layout = h5py.VirtualLayout((2, 16, 16), np.complex64)
    layout[:] = h5py.VirtualSource("other.h5", "kspace", (2, 16, 16), np.complex64)
    file.create_virtual_dataset("kspace", layout)


def soft_cycle(file):
    file["kspace"] = h5py.SoftLink("/other")
    file["other"] = h5py.SoftLink("/kspace")


def strings(file):
    file.create_dataset("kspace", (2, 16, 16), h5py.string_dtype())


def cut(data, part=0.6):
    return data[: int(part * len(data))]


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }\n"
HOSTILE = {
    "png bomb": (a_png_bomb, "at most 25,000,000 pixels, got 13,000 x 13,000"),
    "cut png": (lambda: cut(png(PICTURE)), "damaged or cut short"),
    "gif": (lambda: png(PICTURE, "GIF"), "must be PNG, JPEG, npy, npz or fastMRI HDF5"),
    "svg": (lambda: b"<svg onload='x'/>", "must be PNG, JPEG"),
    "empty": (lambda: b"", r"is empty \(0 bytes\)"),
    "npy of objects": (lambda: npy(np.array([[{}]], dtype=object)), "got Python objects"),
    "npy with a header of 50 MB": (
        lambda: an_npy(" " * 50_000_000),
        "10,000 bytes, got 50,000,000",
    ),
    "npy of a petabyte": (lambda: an_npy(HUGE % "9999, 99999, 99999"), "must take at most 128 MB"),
    "npy of negative shape": (lambda: an_npy(HUGE % "-4, -4", bytes(128)), "shape"),
    "npy that calls": (lambda: an_npy("__import__('os').abort()"), "damaged or cut short"),
    "npy of depth": (lambda: an_npy("(" * 9000), "damaged or cut short"),
    "cut npy": (lambda: cut(npy(np.ones((20, 20)))), "declares 3,200 bytes and holds"),
    "npy of text": (lambda: npy(np.full((4, 4), "x")), "must hold real numbers"),
    "complex npy": (lambda: npy(np.ones((4, 4), complex)), "must hold real numbers"),
    "npy of one axis": (lambda: npy(np.ones(4)), r"must be \(h, w\) or \(N, h, w\)"),
    "npy of an empty axis": (lambda: npy(np.ones((0, 4))), "not empty, got shape"),
    "npy with NaN": (lambda: npy(np.full((4, 4), np.nan)), "finite, got 16 NaN"),
    "npy of zeros": (lambda: npy(np.zeros((4, 4))), "must not be zero everywhere"),
    "npz of objects": (lambda: npz(x=np.array([None])), "got Python objects"),
    "npz bomb": (lambda: npz(np.savez_compressed, x=np.zeros((900, 900))), "at most 100-fold, got"),
    "npz of gigabytes": (lambda: an_npz(data=bytes(280_000_000)), "at most 256 MB, got 267 MB"),
    "npz of many": (lambda: an_npz(65), "1 to 64 arrays, got 65"),
    "npz of thousands": (lambda: an_npz(3000, b"x"), "at most 64 arrays"),
    "npz of no array": (lambda: an_npz(data=b"#!/bin/sh"), "must be an npy array"),
    "cut npz": (lambda: cut(an_npz()), "the archive's directory is missing"),
    "hdf5 of nothing": (lambda: hdf5(lambda _file: None), "it has none"),
    "external link": (lambda: hdf5(filled(h5py.ExternalLink("/etc/passwd", "/x"))), "got a link"),
    "external storage": (lambda: hdf5(external_storage), "lie elsewhere"),
    "virtual dataset": (lambda: hdf5(virtual), "lie elsewhere"),
    "soft link cycle": (lambda: hdf5(soft_cycle), "got a link"),
    "group": (lambda: hdf5(lambda file: file.create_group("kspace")), "must be a dataset"),
    "strings": (lambda: hdf5(strings), "must be complex64 or complex128, got object"),
    "gzip bomb": (
        lambda: hdf5(dataset(shape=(200, 1024, 1024), chunks=(1, 1024, 1024), compression="gzip")),
        "at most 1,000-fold, got 1,600 MB declared",
    ),
    "terabytes": (lambda: hdf5(dataset(shape=(9999, 4000, 4000))), "at most 2,048 MB in all"),
    "one large slice": (
        lambda: hdf5(dataset(shape=(1, 90, 1000, 1000), chunks=(1, 1, 100, 100))),
        "at most 96 MB a slice",
    ),
    "one large chunk": (
        lambda: hdf5(dataset(shape=(3, 2000, 2000), chunks=(3, 2000, 2000), compression="gzip")),
        "at most 64 MB a chunk",
    ),
    "filter": (
        lambda: hdf5(dataset("reconstruction_rss", dtype="<f4", scaleoffset=2, chunks=True)),
        "packed with gzip, shuffle, fletcher32, lzf or not at all, got filter 6",
    ),
    "wrong axes": (lambda: hdf5(dataset(shape=(320, 320, 3))), r"sides in \[8, 4096\], got shape"),
    "one axis": (lambda: hdf5(dataset(shape=(9,))), "slices, H, W"),
    "empty axis": (lambda: hdf5(dataset(shape=(0, 16, 16))), "not empty, got shape"),
    "NaN": (lambda: hdf5(with_nan), "must be finite, got 1 NaN"),
    "all zero": (lambda: hdf5(dataset()), "must not be zero everywhere"),
    "negative target": (
        lambda: hdf5(filled(-np.ones((1, 9, 9)), "reconstruction_rss")),
        "must have values above 0, got -1",
    ),
    "cut hdf5": (lambda: cut(hdf5(single_coil)), "damaged or cut short"),
}
