"""The vector-output lab with a visitor's own rows: solved, exported, shared, cancelled, reset."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from convexviz.experiments.verify import verify
from tests.e2e.conftest import NewPage
from tests.e2e.test_board_labs import APP, board_value, open_lab

pytestmark = pytest.mark.e2e
SLOW = 120_000
CSV = b"x,y,kind\n1,0.2,red\n0.8,-0.3,red\n-0.5,0.9,green\n-0.7,0.6,green\n-0.2,-1,blue\n"


def upload(page: Page, name: str, data: bytes) -> None:
    page.get_by_role("button", name="Your data").click()
    files = [{"name": name, "mimeType": "application/octet-stream", "buffer": data}]
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(files)


def test_a_table_of_classes_is_solved_downloaded_and_let_go(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    open_lab(page, app_url, "vector_output")
    upload(page, "mine.csv", CSV)
    expect(page.get_by_text("5 rows of 3 columns")).to_be_visible(timeout=SLOW)
    page.keyboard.press("Escape")
    # Five points take milliseconds: they are solved as soon as the loops are ready.
    expect(page.locator("[data-panel=say]")).to_contain_text("5 rows", timeout=SLOW)
    expect(page.locator(".cert")).to_contain_text("Proved", timeout=SLOW)
    page.get_by_role("button", name="Export").click()
    with page.expect_download(timeout=SLOW) as download:
        page.get_by_test_id("stDownloadButton").filter(has_text="(.h5)").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert verify(file) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("[data-panel=say]")).to_contain_text("6 rows", timeout=SLOW)


def test_rows_that_do_not_match_are_refused_in_one_line_and_nothing_is_lost(
    page: Page, app_url: str
) -> None:
    open_lab(page, app_url, "vector_output")
    before = board_value(page, "points")
    file = io.BytesIO()
    np.savez(file, X=np.ones((4, 2)), Y=np.eye(3))
    upload(page, "wrong.npz", file.getvalue())
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("as many rows, got 4 and 3", timeout=SLOW)
    assert "\n" not in alert.inner_text().strip()
    kept = json.dumps(before, separators=(",", ":"))
    held = f"JSON.stringify(({APP})?.values.points)"  # the board may just be drawn anew
    page.wait_for_function(f"JSON.stringify({kept}) === {held}", timeout=SLOW)


def test_moved_points_are_shared_and_a_long_solve_is_cancelled(
    page: Page, new_page: NewPage, app_url: str
) -> None:
    open_lab(page, app_url, "vector_output", "?vector_output.points=1,0.3,0;0.7,-0.4,1;-0.6,0.9,2")
    page.wait_for_function(f"{APP}.values.points.length === 3", timeout=SLOW)
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    other = new_page()
    other.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(other.locator("[data-panel=say]")).to_contain_text("3 rows", timeout=SLOW)
    assert len(board_value(page, "points")) == 3
    shared = json.dumps(board_value(page, "points"))
    held = f"JSON.stringify(({APP})?.values.points)"
    other.wait_for_function(f"JSON.stringify({shared}) === {held}", timeout=SLOW)

    # A fresh visit to settings that nobody has solved starts a job of a minute.
    long = new_page()
    query = "dataset=digit_classes&vector_output.n_train=60&vector_output.arrangements=sampled"
    long.goto(f"{app_url}/vector_output?vector_output.{query}&vector_output.seed=7")
    long.get_by_role("button", name="Cancel").click(timeout=SLOW)
    expect(long.get_by_role("button", name="Cancel")).to_have_count(0, timeout=SLOW)
    expect(long.get_by_role("button", name="Solve")).to_be_visible(timeout=SLOW)
    expect(long.locator(".cert")).to_contain_text("Proved")  # the picture is still the last one
