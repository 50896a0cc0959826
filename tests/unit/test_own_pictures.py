"""A visitor's pictures stay in their session, and nothing of them is left when they let go."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from convexviz.datasets import albums
from convexviz.views import own_pictures, wgan_face_mode

FILES = [
    SimpleNamespace(file_id=f"f{i}", name=f"{i}.png", getvalue=lambda i=i: bytes([i]))
    for i in range(5)
]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that were decoded."""
    names: list[str] = []

    def thumbnail(data: bytes, name: str) -> np.ndarray:
        names.append(name)
        return np.random.default_rng(data[0]).random((albums.WIDE, albums.WIDE, 3))

    monkeypatch.setattr(albums, "thumbnail", thumbnail)
    monkeypatch.setattr(own_pictures.st, "rerun", lambda: None)
    monkeypatch.setattr(own_pictures.st, "toggle", lambda *_, **__: False)
    return names


def session(monkeypatch: pytest.MonkeyPatch, files: list[Any]) -> dict[str, Any]:
    """A session of its own, whose folder holds these files."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(own_pictures.st, "session_state", state)
    monkeypatch.setattr(own_pictures.st, "file_uploader", lambda *_, **__: files)
    return state


def test_they_are_read_once_a_session_and_gone_when_forgotten(
    decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = session(monkeypatch, FILES)
    for _ in range(2):
        own_pictures.chooser("wgan")
        found = own_pictures.held("wgan")
        assert found is not None
        gallery = wgan_face_mode.gallery_of(wgan_face_mode.OWN, found)
        assert gallery is wgan_face_mode.gallery_of(wgan_face_mode.OWN, found)
    assert len(decoded) == len(FILES)
    assert len(state) > 1
    own_pictures.forget("wgan")
    assert own_pictures.held("wgan") is None
    assert list(state) == ["wgan.hero.pictures.version"]
    session(monkeypatch, FILES)  # another visitor: nothing is known of them on the server
    own_pictures.chooser("wgan")
    assert len(decoded) == 2 * len(FILES)


@pytest.mark.usefixtures("decoded")
def test_a_folder_that_is_taken_away_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    state = session(monkeypatch, FILES)
    own_pictures.chooser("wgan")
    monkeypatch.setattr(own_pictures.st, "file_uploader", lambda *_, **__: [])
    own_pictures.chooser("wgan")
    assert state == {}


@pytest.mark.usefixtures("decoded")
def test_a_folder_that_became_too_small_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session(monkeypatch, FILES)
    own_pictures.chooser("wgan")
    assert own_pictures.held("wgan") is not None
    said: list[str] = []
    monkeypatch.setattr(own_pictures.st, "error", said.append)
    monkeypatch.setattr(own_pictures.st, "file_uploader", lambda *_, **__: FILES[:2])
    own_pictures.chooser("wgan")
    assert "4 to 500 pictures" in said[0]
    assert own_pictures.held("wgan") is None
