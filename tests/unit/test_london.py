"""A visitor's own copy of the London set: its faces are found, and the nearest is shown."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convexviz.datasets import london, portraits
from convexviz.errors import DataError
from convexviz.experiments import faces as faces_of
from convexviz.experiments import gallery
from convexviz.views import wgan_face_mode, wgan_faces

COUNT = 10
PEOPLE = london.LEARNED[:COUNT]


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
        Image.fromarray(picture).save(folder / f"{PEOPLE[i]:03d}_03.png")
    (folder / "notes.txt").write_text("no picture")
    for other in ("777.png", "001_05.png", "001_03 copy.png", "me.png"):
        Image.fromarray(picture).save(folder / other)
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    return faces


def test_faces_are_found_wherever_they_are(copy: np.ndarray) -> None:
    found = london.here()
    assert found is not None
    rows, people = found
    assert people.tolist() == list(PEOPLE)
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
    assert "unpack neutral_front.zip and smiling_front.zip there" in said.trouble
    assert "your copy" not in said.trouble.lower()
    assert str(tmp_path) not in said.trouble
    monkeypatch.delenv("CONVEXVIZ_DATA")
    assert london.here() is None
    assert gallery.of("faces", portraits.faces()).real is None


def beside(tmp_path: Path, name: str, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(tmp_path / "london" / "neutral_front" / name)


def test_who_is_held_out_does_not_depend_on_how_many_people_are_here() -> None:
    everyone = [f"{person:03d}" for person in sorted((*london.LEARNED, *london.HELD_OUT))]
    assert len(set(everyone)) == 102
    held = faces_of.held_out(everyone)
    found = [int(name) for name, out in zip(everyone, held, strict=True) if out]
    assert found == sorted(london.HELD_OUT)
    assert 2 * len(london.LEARNED) == gallery.of("faces", portraits.faces()).n


def test_pictures_of_held_out_people_are_not_called_learned_from(
    copy: np.ndarray, tmp_path: Path
) -> None:
    beside(tmp_path, f"{london.HELD_OUT[0]:03d}_08.png", np.tile(copy[0], (2, 2, 1)))
    shown = gallery.of("faces", portraits.faces())
    assert shown.real is not None
    assert len(shown.real) == COUNT
    assert f"Of the copy on this server {COUNT} pictures are by their names those" in shown.note
    for file in (tmp_path / "london" / "neutral_front").glob("*_03.png"):
        file.unlink()
    shown = gallery.of("faces", portraits.faces())
    assert shown.real is None
    assert "learned from" in shown.trouble
    assert "copy on this server" not in shown.note


def test_what_is_no_face_or_too_narrow_is_left_out_and_said(
    copy: np.ndarray, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    beside(tmp_path, "172_03.png", rng.integers(0, 255, (300, 280, 3), np.uint8))
    beside(tmp_path, "173_03.png", np.full((20_000, 8, 3), 90, np.uint8))
    beside(tmp_path, "173_08.png", np.full((80, 4000, 3), 90, np.uint8))
    (tmp_path / "london" / "neutral_front" / "172_08.png").write_bytes(b"no picture at all")
    opened = london.LONDON.open()
    assert len(opened.files) == len(opened.splits["train"]["person"]) == len(copy)
    assert "Left out: 4 " in gallery.of("faces", portraits.faces()).trouble
    with pytest.raises(DataError, match=r"173_03\.png: must be at most 3 times .* got 8 x 20000"):
        london.faces([tmp_path / "london" / "neutral_front" / "173_03.png"])
    with pytest.raises(DataError, match=r"172_03\.png: holds no face"):
        london.faces([tmp_path / "london" / "neutral_front" / "172_03.png"])


@pytest.mark.usefixtures("copy")
def test_one_face_is_too_few_to_learn_from_and_to_hold_out(tmp_path: Path) -> None:
    files = sorted((tmp_path / "london" / "neutral_front").glob("[0-9]*_03.png"))
    for file in files[2:]:
        file.unlink()
    images = london.load()
    assert (len(images.train), len(images.test)) == (1, 1)
    files[1].unlink()
    with pytest.raises(DataError, match=r"must have at least two faces.* got 1"):
        london.load()


@pytest.mark.usefixtures("copy")
def test_a_page_looks_again_when_the_copy_changes_and_shows_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = london.listing()
    assert before == london.listing() != ""
    (tmp_path / "london" / "neutral_front" / f"{PEOPLE[0]:03d}_03.png").unlink()
    assert london.listing() != before
    for file in (tmp_path / "london" / "neutral_front").iterdir():
        file.unlink()
    (tmp_path / "london" / "001_03.png").write_bytes(b"no picture at all")
    said: list[str] = []
    monkeypatch.setattr(wgan_face_mode.st, "caption", said.append)
    monkeypatch.setattr(wgan_face_mode.board, "board", lambda *_, **__: None)
    wgan_face_mode.show(wgan_face_mode.gallery_of("faces", None), "faces", [], "key")
    assert r"The copy on this server: 001\_03.png: is no PNG" in said[0]
    assert str(tmp_path) not in said[0]
    monkeypatch.delenv("CONVEXVIZ_DATA")
    assert london.listing() == ""
    assert wgan_face_mode.gallery_of("faces", None).trouble == ""
