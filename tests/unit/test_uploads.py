"""Visitors' files become the pictures they hold."""

import io
import os

import numpy as np
import pytest
from PIL import Image

import convexviz
from convexviz import architectures
from convexviz.datasets.uploads import describe, load
from convexviz.datasets.uploads_images import centre, shrink, unit
from convexviz.errors import DataError
from convexviz.experiments.foreign import open_result
from tests.unit.files_of_visitors import (
    IMAGES,
    PICTURE,
    RNG,
    cut,
    hdf5,
    multi_coil,
    npy,
    npz,
    png,
    single_coil,
)


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
