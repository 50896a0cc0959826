"""The labs whose heroes are boards, in a real browser on a real server."""

import json

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e

# The board's root, wherever Streamlit put it.
APP = """(() => [...document.querySelectorAll('*')].map((e) => e.shadowRoot?.__app)
    .find((app) => app?.panels))()"""


def open_lab(page: Page, url: str, lab: str, query: str = "") -> Page:
    page.goto(f"{url}/{lab}{query}")
    expect(page.locator(".board[data-ready]").first).to_be_visible(timeout=20_000)
    page.wait_for_function(f"{APP}.panels[0].place || {APP}.panels[0].scale")
    return page


def board_value(page: Page, name: str):
    return json.loads(page.evaluate(f"JSON.stringify({APP}.values.{name})"))


def place_of_point(page: Page, index: int) -> tuple[float, float]:
    x, y = page.evaluate(
        f"""(() => {{ const panel = {APP}.panels[0];
            const box = panel.canvas.getBoundingClientRect();
            const [x, y] = panel.scale.to(panel.app.values.points[{index}]);
            return [box.x + x, box.y + y]; }})()"""
    )
    return x, y


# The first solve of a server compiles its loops.
def test_a_dragged_point_is_proved_again_and_kept_in_the_address(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "vector_output")
    card = page.locator(".cert")
    before = card.inner_text()
    still = board_value(page, "points")[3]
    for _ in range(5):  # a line above the board may go while the mouse is on its way: missed
        x, y = place_of_point(page, 3)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y - 40, steps=4)
        page.mouse.up()
        moved = board_value(page, "points")[3]
        if moved != still:
            break
        page.wait_for_timeout(500)
    assert moved != still
    # Places on the way are told too; the last one comes when the solves before it are done.
    here = f"decodeURIComponent(location.search).includes('{moved[0]:g}')"
    page.wait_for_function(here, timeout=60_000)
    expect(card).to_contain_text("Proved")
    expect(card).not_to_have_text(before)
    page.reload()
    expect(page.locator(".board[data-ready]")).to_be_visible(timeout=60_000)
    assert board_value(page, "points")[3] == moved
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("!location.search.includes('points')")
    page.wait_for_function(f"JSON.stringify({APP}.values.points[3]) !== '{json.dumps(moved)}'")


def test_a_cut_by_keyboard_goes_into_the_address(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "batch_norm")
    k = board_value(page, "k")
    page.get_by_role("slider", name="Directions kept").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"location.search.includes('batch_norm.n_directions={k - 1}')")
    expect(page.locator("[data-panel=say]")).to_contain_text(f"{k - 1} of {k} directions")
    page.keyboard.press("End")
    page.wait_for_function("!location.search.includes('n_directions')")


@pytest.mark.parametrize("lab", ["vector_output", "batch_norm"])
@pytest.mark.look(theme="dark", width=390, height=844)
def test_a_lab_fits_a_phone(page: Page, app_url: str, lab: str) -> None:
    open_lab(page, app_url, lab)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    first, card = page.locator(".board canvas").first, page.locator(".cert")
    above, below = first.bounding_box(), card.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] < below["y"]  # the picture first, what it proves after it
