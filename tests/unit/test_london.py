"""A visitor's own copy of the London set: its faces are found, and the nearest is shown."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convexviz.datasets import london, portraits
from convexviz.errors import DataError
from convexviz.experiments import gallery
from convexviz.views import wgan_faces

COUNT = 10


@pytest.fixture
def faces() -> np.ndarray:
    """Generated ones, for the real ones do not ship."""
    shown = gallery.of("faces", portraits.faces())
    V = shown.directions[:12].reshape(12, -1) * shown.scale[:12, None]
    gains = np.sqrt(shown.squares[:12] / shown.n)
    rows = shown.mean.ravel() + (gains * shown.latents[0, :COUNT, :12]) @ V
    return np.round(rows.clip(0, 255)).astype(np.uint8).reshape(-1, 64, 64, 3)


@pytest.fixture
def copy(faces: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Larger pictures, each with a face of 150 pixels somewhere in it."""
    rng, folder = np.random.default_rng(0), tmp_path / "london" / "neutral_front"
    folder.mkdir(parents=True)
    for i, face in enumerate(faces):
        picture = np.full((320, 300, 3), 90, np.uint8)
        large = np.asarray(Image.fromarray(face).resize((150, 150), Image.Resampling.BICUBIC))
        y, x = rng.integers(20, 140, 2)
        picture[y : y + 150, x : x + 150] = large
        Image.fromarray(picture).save(folder / f"{i + 1:03d}_03.png")
    (folder / "notes.txt").write_text("no picture")
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    return faces


def test_faces_are_found_wherever_they_are(copy: np.ndarray) -> None:
    found = london.here()
    assert found is not None
    rows, people = found
    assert people.tolist() == list(range(1, COUNT + 1))
    apart = np.linalg.norm(rows - copy.reshape(COUNT, -1) / 255, axis=1)
    others = np.linalg.norm(rows - np.roll(copy, 1, axis=0).reshape(COUNT, -1) / 255, axis=1)
    assert (apart < 0.5 * others).all()


@pytest.mark.usefixtures("copy")
def test_the_nearest_of_the_copy_stands_under_each_face() -> None:
    shown = gallery.of("faces", portraits.faces())
    assert shown.real is not None
    assert shown.which is not None
    assert shown.real.shape == (COUNT, 64 * 64 * 3)
    assert shown.which.shape == shown.nearest.shape == (16, 100, 25)
    # Of the very latents that a picture of the copy was made with, that picture is the nearest.
    assert (shown.which[0, 11, :COUNT] == np.arange(COUNT)).mean() > 0.8
    pair = shown.closest(shown.stops[11], 0, 3)
    assert pair is not None
    apart = float(np.linalg.norm(pair[0] - pair[1]))
    assert apart == pytest.approx(shown.nearest[0, 11, 3] / 100, abs=0.05)
    panel = wgan_faces._grid(shown, "face")
    assert panel.beside is not None
    assert panel.beside.shape[1:] == (32, 32, 3)


def test_a_folder_without_its_pictures_says_what_belongs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "london").mkdir()
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"unpack neutral_front\.zip"):
        london.here()
    said = gallery.of("faces", portraits.faces())
    assert said.real is None
    assert "unpack neutral_front.zip and smiling_front.zip there" in said.note
    monkeypatch.delenv("CONVEXVIZ_DATA")
    assert london.here() is None
    assert gallery.of("faces", portraits.faces()).real is None
