"""Solving, cancelling, own images and exports in the denoiser lab, with real child processes."""

import io
import os
import select
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from convexviz.experiments.verify import verify

pytestmark = pytest.mark.e2e
SMALL = (
    "denoiser.dataset=tiny&denoiser.kernel_size=3&denoiser.n_gates=16"
    "&denoiser.neurons=gated&denoiser.arrangements=sampled"
)
# Cones at image size: minutes, so it is still running when it is cancelled.
LONG = (
    "denoiser.neurons=relu&denoiser.arrangements=sampled&denoiser.n_gates=200"
    "&denoiser.kernel_size=9&denoiser.seed="
)


def open_lab(page: Page, url: str, query: str = "") -> Page:
    page.goto(f"{url}/denoiser?{query}")
    expect(page.locator(".at-clean[data-ready]")).to_be_visible(timeout=20_000)
    return page


def solved(page: Page) -> Page:
    """The page, once nothing runs and nothing is offered."""
    expect(page.get_by_role("button", name="Solve")).to_have_count(0, timeout=40_000)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=40_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def held_id(page: Page) -> str:
    """Which payload the inspector draws."""
    return page.locator(".den").evaluate("(den) => den.getRootNode().__app.meta.id")


def wait_for_other(page: Page, before: str) -> None:
    page.wait_for_function(
        "(before) => [...document.querySelectorAll('*')].some((e) => "
        "{ const app = e.shadowRoot?.querySelector('.den') && e.shadowRoot.__app;"
        " return app && app.meta.id !== before; })",
        arg=before,
    )


def test_a_changed_setting_is_solved_on_demand_to_new_numbers(page: Page, app_url: str) -> None:
    open_lab(page, app_url)
    before, card = held_id(page), page.locator(".cert").inner_text()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("radio", name="Tiny, 4x4").or_(page.get_by_text("Tiny, 4")).first.click()
    expect(page.get_by_role("button", name="Solve")).to_be_visible()
    assert held_id(page) == before
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Solve").click()
    wait_for_other(solved(page), before)
    assert page.locator(".cert").inner_text() != card
    assert "denoiser.dataset=tiny" in page.url


def test_a_shared_link_to_unsolved_settings_solves_itself(page: Page, app_url: str) -> None:
    open_lab(page, app_url, f"{SMALL}&denoiser.seed=5")
    solved(page)
    expect(page.locator(".cert")).to_contain_text("gated network", timeout=60_000)
    page.wait_for_function(
        "[...document.querySelectorAll('*')].some((e) => e.shadowRoot?.__app?.meta?.k === 3)"
    )


def test_cancel_ends_a_solve_and_keeps_the_picture(page: Page, app_url: str) -> None:
    open_lab(page, app_url, f"{LONG}1")
    before = held_id(page)
    expect(page.get_by_text("Setting up").or_(page.get_by_text("Solving")).first).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_role("button", name="Solve")).to_be_visible()
    assert held_id(page) == before


def children(pid: int) -> set[int]:
    """The processes that this one started, and theirs."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | children(child)
    return found


def solvers() -> set[int]:
    """The worker processes of the servers that these tests run."""
    found = set()
    for pid in children(os.getpid()):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if b"jobs_worker" in words:
            found.add(pid)
    return found


# Ten seconds without a look at it end a solve; a browser cannot say that it went away.
def test_the_solve_of_a_closed_tab_is_stopped(new_page, app_url: str) -> None:
    page = new_page()
    open_lab(page, app_url, f"{LONG}2")
    expect(page.get_by_text("Setting up").or_(page.get_by_text("Solving")).first).to_be_visible()
    busiest = max(solvers(), key=seconds_used)
    watched = os.pidfd_open(busiest)
    try:
        assert not select.select([watched], [], [], 0)[0]
        page.context.close()
        assert select.select([watched], [], [], 20)[0], "the solve runs on"
    finally:
        os.close(watched)


def seconds_used(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def picture_bytes() -> bytes:
    rows, columns = np.indices((40, 40))
    wave = 127 * (1 + np.sin(rows / 4) * np.cos(columns / 5))
    file = io.BytesIO()
    Image.fromarray(wave.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of a few kilobytes that says it has 3.6 gigapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000))
    parts = chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def of_nan() -> bytes:
    file = io.BytesIO()
    np.save(file, np.full((32, 32), np.nan))
    return file.getvalue()


def upload(page: Page, name: str, data: bytes) -> None:
    files = [{"name": name, "mimeType": "application/octet-stream", "buffer": data}]
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(files)


def test_a_visitors_picture_is_solved_end_to_end(page: Page, app_url: str) -> None:
    open_lab(page, app_url, SMALL)
    before = held_id(solved(page))
    page.get_by_role("button", name="Your images").click()
    upload(page, "mine.png", picture_bytes())
    expect(page.get_by_text("Largest side")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Solve").click()
    wait_for_other(solved(page), before)
    size = "[...document.querySelectorAll('*')].map((e) => e.shadowRoot?.__app?.meta?.h)"
    page.wait_for_function(f"{size}.includes(40)")


HACK = "<img src=x onerror=window.hacked=1>![a](http:x.png).png"


def test_hostile_files_are_refused_in_one_line_and_their_names_are_text(
    page: Page, app_url: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_lab(page, app_url)
    page.get_by_role("button", name="Your images").click()
    refusal = page.get_by_test_id("stAlert")
    for name, data, why in (
        ("bomb.png", bomb(), "60,000 x 60,000"),
        ("nan.npy", of_nan(), "must be finite"),
        ("short.png", picture_bytes()[:40], "cut short (UnidentifiedImageError"),
        (HACK, b"garbage" * 50, HACK),
    ):
        upload(page, name, data)
        # While a rerun is under way the refusal of the file before may still be on the page.
        expect(refusal.filter(has_text=why)).to_have_count(1)
        expect(refusal).to_have_count(1)
        assert "\n" not in refusal.inner_text().strip()
    expect(refusal.locator("img, a")).to_have_count(0)
    upload(page, HACK, picture_bytes())
    expect(page.get_by_text("Largest side")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert not [url for url in asked if "x.png" in url]
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_each_format_is_downloaded_whole_and_the_result_verifies(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    open_lab(page, app_url, SMALL)
    solved(page)
    page.get_by_role("button", name="Export").click()
    files = {}
    for words in (".h5", ".npz", ".zip", ".png", ".html"):
        with page.expect_download(timeout=30_000) as download:
            page.get_by_test_id("stDownloadButton").filter(has_text=f"({words})").click()
        files[words] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[words])
        assert files[words].suffix == words
    assert verify(files[".h5"]) == []
    with np.load(files[".npz"], allow_pickle=False) as arrays:
        assert {"first_layer", "second_layer", "data/noisy"} <= set(arrays.files)
    with zipfile.ZipFile(files[".zip"]) as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".pt", ".py"}
    with Image.open(files[".png"]) as image:
        image.load()
    assert "<html" in files[".html"].read_text("utf-8").lower()
    expect(page.get_by_test_id("stCode")).to_contain_text("convexviz.solve(")


def test_gradient_descent_runs_where_no_race_is_stored(page: Page, app_url: str) -> None:
    open_lab(page, app_url, f"{SMALL}&denoiser.panel=Race")
    solved(page)
    page.get_by_role("button", name="Run gradient descent").click()
    chart = page.locator("[class*='st-key-denoiser-race'] .main-svg").first
    expect(chart).to_be_visible(timeout=50_000)
