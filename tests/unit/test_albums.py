"""A visitor's folder of pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from convexviz.datasets import albums
from convexviz.errors import DataError


def encoded(pixels: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(out, kind)
    return out.getvalue()


def scene(rng: np.random.Generator, count: int, shift: int = 0) -> list[np.ndarray]:
    """One blob pattern with noise, each moved by up to `shift` pixels."""
    y, x = np.mgrid[: albums.WIDE, : albums.WIDE] / albums.WIDE
    found = []
    for _ in range(count):
        dy, dx = rng.integers(-shift, shift + 1, 2) / albums.WIDE
        blob = np.exp(-((x - 0.4 - dx) ** 2 + (y - 0.55 - dy) ** 2) / 0.02)
        found.append((0.2 + 0.6 * blob)[..., None] + 0.02 * rng.random((80, 80, 3)))
    return found


def test_the_centre_square_is_read_in_colour() -> None:
    pixels = np.zeros((200, 120, 3), dtype=np.uint8)
    pixels[40:160] = [255, 128, 0]
    found = albums.thumbnail(encoded(pixels), "a.png")
    assert found.shape == (80, 80, 3)
    np.testing.assert_allclose(found.mean(axis=(0, 1)), [1.0, 128 / 255, 0.0], atol=0.03)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P")])
def test_every_common_mode_is_read(kind: str, mode: str) -> None:
    pixels = np.full((60, 60, 3), 200, dtype=np.uint8)
    found = albums.thumbnail(encoded(pixels, kind, mode), "b")
    assert float(found.mean()) == pytest.approx(200 / 255, abs=0.01)  # a palette dithers


@pytest.mark.parametrize(
    "data", [b"", b"no picture", encoded(np.zeros((90, 90, 3), np.uint8))[:60],
             encoded(np.zeros((8, 90, 3), np.uint8))],
    ids=["empty", "text", "cut short", "too small"],
)  # fmt: skip
def test_a_bad_picture_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(DataError, match=r"^bad\.png: "):
        albums.thumbnail(data, "bad.png")


def test_shifted_pictures_are_brought_over_one_another() -> None:
    rng = np.random.default_rng(0)
    wide = np.stack(scene(rng, 12, shift=6))
    still = wide[:, 8:72, 8:72]
    moved = albums.aligned(wide)
    assert moved.std(axis=0).mean() < 0.5 * still.std(axis=0).mean()


def test_a_tenth_is_held_out_of_twenty() -> None:
    rng = np.random.default_rng(1)
    found = albums.album(scene(rng, 20), align=False)
    assert (found.n_images, len(found.held_out)) == (18, 2)
    assert found.shape == (64, 64, 3)
    assert albums.album(scene(rng, 6)).n_images == 6


def test_too_few_or_equal_pictures_are_refused() -> None:
    rng = np.random.default_rng(2)
    with pytest.raises(DataError, match="4 to 500 pictures"):
        albums.album(scene(rng, 3))
    with pytest.raises(DataError, match="must differ"):
        albums.album([np.full((80, 80, 3), 0.5)] * 9)
