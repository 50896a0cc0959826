"""Visitors' files: the right picture, or one line that says why not."""

import io
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image

import convexviz
from convexviz import architectures
from convexviz.datasets import guard
from convexviz.datasets.guard_child import environment
from convexviz.datasets.uploads import describe, load
from convexviz.datasets.uploads_images import centre, shrink, unit
from convexviz.errors import DataError
from convexviz.experiments.foreign import open_result

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (12, 17), dtype=np.uint8)
SECRET = b"nobody but the server may read this"


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


def test_a_grey_png_is_its_levels_over_255():
    upload = describe(png(PICTURE), "scan.png")
    assert (upload.filename, upload.kind, upload.warnings) == ("scan.png", "picture", ())
    assert (upload.choices[0].slices, upload.choices[0].height, upload.choices[0].width) == (
        1,
        12,
        17,
    )
    image = load(upload)
    assert image.dtype == np.float64
    assert np.array_equal(image, PICTURE[None] / 255)


def test_a_png_keeps_its_sixteen_bits():
    levels = RNG.integers(0, 65536, (9, 8), dtype=np.uint16)
    assert np.array_equal(load(describe(png(levels)))[0], levels / 65535)


def test_colour_becomes_luminance_and_transparency_white():
    colours = np.zeros((8, 8, 4), dtype=np.uint8)
    colours[:4] = (200, 100, 50, 255)
    upload = describe(png(colours))
    assert upload.warnings == ("transparent parts are laid over white",)
    image = load(upload)[0]
    assert image[:4] == pytest.approx((0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255, abs=1e-6)
    assert np.array_equal(image[4:], np.ones((4, 8)))


def test_a_jpeg_is_read_and_its_exif_is_not():
    exif = Image.Exif()
    exif[274] = 6  # "turn me"
    image = load(describe(png(PICTURE, "JPEG", exif=exif, quality=95)))[0]
    assert image.shape == PICTURE.shape


def test_only_the_first_frame_of_a_moving_picture_is_used():
    held = io.BytesIO()
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    frames[0].save(held, "PNG", save_all=True, append_images=frames[1:])
    upload = describe(held.getvalue())
    assert upload.warnings == ("the picture moves: only its first frame is used",)
    assert np.array_equal(load(upload)[0], PICTURE / 255)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_stack_gives_the_slices_asked_for(order):
    stack = np.asarray(RNG.random((5, 9, 8)), order=order)
    upload = describe(npy(stack), "stack.npy")
    assert upload.choices[0].slices == 5
    assert np.array_equal(load(upload), stack[2:3])
    assert np.array_equal(load(upload, slice=[4, 0]), stack[[4, 0]])


def test_an_npz_offers_its_images_and_names_what_it_leaves_out():
    clean, noisy = RNG.random((2, 9, 8)), RNG.integers(0, 200, (9, 8))
    upload = describe(npz(clean=clean, noisy=noisy, names=np.array(["a", "b"])))
    assert [choice.name for choice in upload.choices] == ["clean", "noisy"]
    assert [choice.slices for choice in upload.choices] == [2, 1]
    assert upload.warnings == (
        "left out: names must hold real numbers of at most 8 bytes, got <U1",
    )
    assert np.array_equal(load(upload, choice="noisy")[0], noisy / 255)
    with pytest.raises(DataError, match="choice must be one of clean, noisy, got 'dirty'"):
        load(upload, choice="dirty")


def test_single_coil_kspace_becomes_the_magnitude_image_cropped_to_its_target():
    upload = describe(hdf5(single_coil), "file1.h5")
    assert [choice.name for choice in upload.choices] == ["kspace", "reconstruction_esc"]
    assert (upload.choices[0].slices, upload.choices[0].crop) == (3, (16, 16))
    image = load(upload, slice=2)[0]
    # Ten times the rounding of complex64.
    assert image == pytest.approx(IMAGES[2, 2:18] / IMAGES[2, 2:18].max(), abs=1e-6)
    target = load(upload, choice="reconstruction_esc", slice=2)[0]
    assert target == pytest.approx(image, abs=1e-6)
    assert load(upload, slice=2, crop=(20, 10))[0].shape == (20, 10)


def test_multi_coil_kspace_becomes_the_root_of_the_sum_of_squares():
    upload = describe(hdf5(multi_coil), "file2.h5")
    assert "4 coils" in upload.choices[0].says
    assert upload.warnings == ("k-space is undersampled: what was not measured counts as zero",)
    assert load(upload, slice=0)[0] == pytest.approx(IMAGES[0] / IMAGES[0].max(), abs=1e-6)


def test_a_path_is_read_where_it_lies(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(png(PICTURE))
    upload = describe(path)
    assert upload.filename == "scan.png"
    assert load(upload, crop=4, max_side=8).shape == (1, 4, 4)


def test_what_is_too_large_is_averaged_over_areas():
    ramp = np.arange(12.0)[:, None] * np.ones((1, 9))
    small = shrink(ramp, 8)
    assert small.shape == (8, 6)
    assert small.mean() == pytest.approx(ramp.mean())
    assert small[0] == pytest.approx(np.full(6, 1 / 3))  # row 0 whole, row 1 half: 0.5 / 1.5
    assert np.array_equal(shrink(ramp, 12), ramp)


def test_the_crop_is_the_centre_as_fastmri_has_it():
    image = np.arange(30.0).reshape(5, 6)
    assert np.array_equal(centre(image, (2, 3)), image[1:3, 1:4])
    with pytest.raises(DataError, match=r"crop width must be in \[1, 6\] for this image, got 7"):
        centre(image, (2, 7))


def test_values_are_scaled_by_their_kind():
    floats = np.array([[-0.2, 1.3]])
    assert np.array_equal(unit(floats), floats)
    assert np.array_equal(unit(np.array([[0, 1]])), [[0.0, 1.0]])
    assert np.array_equal(unit(np.array([[0, 51]])), [[0.0, 0.2]])
    assert np.array_equal(unit(np.array([[0, 1]], dtype=np.uint8)), [[0.0, 1 / 255]])
    assert np.array_equal(unit(np.array([[-100.0, 0.0, 300.0]])), [[0.0, 0.25, 1.0]])
    with pytest.raises(DataError, match="must not be constant, got 7 everywhere"):
        unit(np.full((2, 2), 7.0))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    result = convexviz.solve("denoiser", **architectures.get("denoiser").smoke)
    return result, result.save(tmp_path_factory.mktemp("stored") / "result.h5").read_bytes()


# The child imports every architecture, with its compiled code: about a second.
def test_a_visitors_result_is_read_as_it_was_written(stored):
    result, data = stored
    found = open_result(data, "mine.h5")
    assert found.certificate == result.certificate
    assert np.array_equal(found.arrays["denoised"], result.arrays["denoised"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: cut(data), "^mine.h5: "),
        (lambda _data: hdf5(single_coil), "^mine.h5: "),
        (lambda _data: b"", r"is empty \(0 bytes\)"),
    ],
)
def test_what_is_no_result_is_refused_without_naming_our_folders(stored, change, said):
    with pytest.raises(DataError, match=said) as refusal:
        open_result(change(stored[1]), "mine.h5")
    assert "\n" not in str(refusal.value)
    assert "/" not in str(refusal.value)


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


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line_within_seconds(name):
    build, said = HOSTILE[name]
    data = build()
    before = time.perf_counter()
    with pytest.raises(DataError, match=said) as refusal:
        load(describe(data, f"{name}\n<script>.bin"))
    assert time.perf_counter() - before < guard.SECONDS
    message = str(refusal.value)
    assert "\n" not in message
    assert message.startswith(f"{name} <script>.bin")
    assert len(message) < 400


def test_refusing_takes_no_memory_of_the_server():
    data = an_npz(data=bytes(280_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        with pytest.raises(DataError):
            describe(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_file_over_the_limit_is_refused_before_any_child_starts(monkeypatch):
    monkeypatch.setattr(guard, "_ask", None)
    with pytest.raises(DataError, match="must be at most 64 MB, got 64 MB"):
        describe(bytes(guard.LARGEST_UPLOAD + 1), "big.npy")


@pytest.mark.parametrize("make", ["folder", "pipe", "nothing"])
def test_only_plain_files_are_opened(tmp_path, make):
    path = tmp_path / "it"
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    with pytest.raises(DataError, match=r"^it must be a (plain )?file"):
        describe(path)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"slice": 3}, r"slice must be in \[0, 2\], got 3"),
        ({"slice": -1}, r"slice must be in \[0, 2\], got -1"),
        ({"slice": []}, "slice must name 1 to 64 slices, got 0"),
        ({"crop": 30}, "crop must be between 1 x 1 and 9 x 8, got 30 x 30"),
        ({"max_side": 4}, r"max_side must be in \[8, 2048\], got 4"),
    ],
)
def test_a_wrong_wish_is_one_line(wanted, said):
    upload = describe(npy(RNG.random((3, 9, 8))))
    with pytest.raises(DataError, match=said):
        load(upload, **wanted)


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("os.abort()", "is damaged: reading it ended the reader"),
        ("time.sleep(60)", "took longer than 0.5 s to read"),
        ("[0 for _ in iter(int, 1)]", "took longer than 0.5 s"),
        ("os.write(1, b'x' * 3000)", "could not be understood"),
        ("os.write(1, (9).to_bytes(8, 'little') + b'[1,2,3,4]')", "could not be understood"),
        (
            "os.write(1, (14).to_bytes(8, 'little') + b'{\"shape\":[1e9]}')",
            "could not be understood",
        ),
        ("[os.write(1, bytes(1 << 20)) for _ in range(99)]", "took longer"),
    ],
)
def test_a_child_that_misbehaves_is_one_line(monkeypatch, attack, said):
    real = subprocess.Popen

    def start(_command, **options):
        return real([sys.executable, "-c", f"import os, time\n{attack}"], **options)

    monkeypatch.setattr(guard.subprocess, "Popen", start)
    monkeypatch.setattr(guard, "SECONDS", 0.5)
    with pytest.raises(DataError, match=said):
        describe(png(PICTURE))


RIGHTS = """
import json, os, socket, subprocess, sys
from convexviz.datasets import guard_worker
guard_worker.give_up_rights(3)
def refused(act):
    try:
        act()
    except (OSError, MemoryError):
        return True
    return False
said = [refused(lambda: open("/etc/passwd")), refused(socket.socket),
        refused(lambda: os.open("/tmp/x", os.O_CREAT | os.O_WRONLY)),
        refused(lambda: bytearray(1 << 30)), refused(lambda: subprocess.Popen(["true"]))]
os.write(1, json.dumps(said).encode())
"""


def test_the_child_can_open_no_file_and_no_socket_and_take_no_memory():
    run = subprocess.run(
        [sys.executable, "-c", RIGHTS], env=environment(1), capture_output=True, check=True
    )
    assert json.loads(run.stdout) == [True] * 5


# Two hundred forked readers in one process: two seconds on an idle machine.
def test_changed_bytes_give_a_picture_or_one_line(tmp_path):
    data = hdf5(single_coil)
    paths = []
    for index in range(200):
        changed = bytearray(data)
        # Every other file is changed where its structure lies, which is mostly at its start.
        for place in RNG.integers(0, 4096 if index % 2 else len(data), 1 + index % 8):
            changed[place] = RNG.integers(256)
        paths.append(tmp_path / f"{index}.h5")
        paths[-1].write_bytes(changed)
    command = [sys.executable, "-m", "tests.unit.answers_of_guard", *map(str, paths)]
    run = subprocess.run(command, env=environment(1), capture_output=True, check=True, text=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    refused = [answer["error"] for answer in answers if "error" in answer]
    read = [answer["largest"] for answer in answers if answer.get("largest") is not None]
    died = [answer["code"] for answer in answers if "code" in answer]
    assert len(refused) + len(read) + len(died) == 200
    assert min(len(refused), len(read)) > 20
    assert set(read) == {1.0}
    assert not any("\n" in line for line in refused)
    assert -signal.SIGALRM not in died  # it hung for ten seconds
