"""Downloads resume, are checked, happen only when asked; `convexviz data` says the rest."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convexviz import datasets
from convexviz.cli import main
from convexviz.datasets import download, own_files, places
from convexviz.datasets.base import Dataset, Guide, Remote
from convexviz.errors import DataError

BODY = bytes(range(256)) * 40


class Server(BaseHTTPRequestHandler):
    """Serves BODY, at first half of it, and honours Range where it is told to."""

    asked: list[str | None]
    break_at: int | None = None
    body = BODY

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        type(self).asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start >= len(self.body):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(self.body) - start))
        self.end_headers()
        end, type(self).break_at = type(self).break_at, None
        self.wfile.write(self.body[start:end])

    def log_message(self, *_words: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    Server.asked, Server.break_at, Server.body = [], None, BODY
    with HTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/a.bin"
        http.shutdown()
        thread.join()


def remote(url: str, body: bytes = BODY) -> Dataset:
    file = Remote("a.bin", hashlib.md5(body).hexdigest(), url)
    guide = Guide(page="p", place="there", words="a.bin", files=(file,))
    return Dataset("a", "A", "s", "l", datasets.get("tiny").load, own_files.arrays, guide)


def test_a_download_goes_on_where_it_stopped_and_is_checked(server: str, tmp_path: Path) -> None:
    Server.break_at = 1000
    with pytest.raises(
        DataError, match=r"ended early .* run it again, it goes on where it stopped"
    ):
        download.fetch(remote(server), tmp_path)
    assert not (tmp_path / "there" / "a.bin").exists()
    seen: list[int] = []
    download.fetch(remote(server), tmp_path, lambda _name, so_far, _total: seen.append(so_far))
    assert (tmp_path / "there" / "a.bin").read_bytes() == BODY
    assert Server.asked == [None, "bytes=1000-"]
    assert seen[-1] == len(BODY)
    download.fetch(remote(server), tmp_path)
    assert len(Server.asked) == 2  # it is there and right: nothing is asked for


def test_what_is_not_the_right_file_is_deleted(server: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must have md5 .* it was deleted, try again"):
        download.fetch(remote(server, b"other"), tmp_path)
    assert not list((tmp_path / "there").iterdir())


def test_only_what_may_be_fetched_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVEXVIZ_DATA", raising=False)
    with pytest.raises(DataError, match="comes with convexviz"):
        download.fetch(datasets.get("mri"), tmp_path)
    with pytest.raises(DataError, match="celeba cannot be fetched for you: get img_align"):
        download.fetch(datasets.get("celeba"), tmp_path)
    with pytest.raises(DataError, match="name a folder with --to FOLDER"):
        download.fetch(datasets.get("mnist"))
    with pytest.raises(DataError, match="only https and http"):
        download.fetch(remote("file:///etc/passwd"), tmp_path)
    assert places.root() is None


def test_data_lists_what_is_here_and_how_to_get_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CONVEXVIZ_DATA", raising=False)
    assert main(["data"]) == 0
    said = capsys.readouterr().out
    assert "mri                  shipped  MRI slice of a head" in said
    assert "celeba               absent   CelebA faces; non-commercial" in said
    np.savez(tmp_path / "a.npz", X=np.zeros((3, 2)))
    assert main(["data", "show", str(tmp_path / "a.npz")]) == 0
    assert "train      X               float64 (3, 2)" in capsys.readouterr().out
    assert main(["data", "get", "celeba", "--to", str(tmp_path)]) == 2
    assert "celeba cannot be fetched for you" in capsys.readouterr().err
