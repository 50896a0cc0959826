"""The vector-output lab under a hand and a keyboard, in a real browser."""

import json

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.e2e.test_board_labs import APP, board_value, open_lab, place_of_point

pytestmark = pytest.mark.e2e
SLOW = 120_000  # a condition is waited for as long as a busy machine takes


def until(page: Page, condition: str) -> None:
    """Waits for what the page's own state says."""
    page.wait_for_function(condition, timeout=SLOW)


def test_the_proof_follows_the_hand_before_it_lets_go(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "vector_output")
    card = page.locator(".cert")
    before = card.inner_text()
    x, y = place_of_point(page, 3)
    page.mouse.move(x, y)
    page.mouse.down()
    # Until its loops are loaded the page keeps what is moved and answers later.
    changed = f"{APP}.root.querySelector('.cert').innerText !== {json.dumps(before)}"
    for turn in range(60):  # a hand that rests is not told of: it moves until it is answered
        page.mouse.move(x + 30 + turn % 7, y - 20 - turn % 5)
        try:
            page.wait_for_function(changed, timeout=3_000)
            break
        except TimeoutError:
            continue
    expect(card).not_to_have_text(before, timeout=SLOW)
    expect(card).to_contain_text("Proved", timeout=SLOW)
    page.mouse.up()
    page.wait_for_function("location.search.includes('vector_output.points')", timeout=60_000)


def test_points_are_added_moved_and_removed_by_keyboard(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "vector_output")
    plane = page.locator("[data-panel=plane] canvas").first
    plane.focus()
    page.keyboard.press("n")
    first = board_value(page, "points")[0]
    page.keyboard.press("ArrowLeft")
    until(page, f"{APP}.values.points[0][0] < {first[0]}")
    page.keyboard.press("Enter")
    until(page, f"{APP}.values.points.length === 7")
    page.keyboard.press("3")
    until(page, f"{APP}.values.points[6][2] === 2")
    until(page, "decodeURIComponent(location.search).split(';').length === 7")
    expect(page.locator("[data-panel=say]")).to_contain_text("7 rows", timeout=SLOW)
    plane.focus()
    page.keyboard.press("Delete")
    until(page, f"{APP}.values.points.length === 6")
    until(
        page,
        "!location.search.includes('points') || "
        "decodeURIComponent(location.search).split(';').length === 6",
    )
    expect(page.locator("[data-panel=say]")).to_contain_text("6 rows", timeout=SLOW)


def test_space_plays_frank_wolfe_and_the_winning_cell_is_lit(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "vector_output", "?vector_output.method=frank_wolfe")
    last = board_value(page, "step")
    page.get_by_role("slider", name="step of Frank–Wolfe").focus()
    page.keyboard.press("Home")
    page.wait_for_function(f"{APP}.values.step === 0")
    page.locator(".b-slow input").check()
    page.locator("[data-panel=plane] canvas").first.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function(f"{APP}.values.step > 0")
    page.keyboard.press("Space")
    step = board_value(page, "step")
    assert 0 < step < last
    won = page.evaluate(f"layers = {APP}.panels[0].spec.layers[0].layers[0][0].layers[{step}]")
    assert won[0]["type"] == "fan"
    assert won[0]["won"] is not None


@pytest.mark.look(theme="dark", width=390, height=844)
def test_the_theory_fits_a_phone_and_plays_a_proof(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/theory")
    expect(page.locator(".board[data-ready]")).to_be_visible(timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    card = page.locator(".cert")
    expect(card).to_contain_text("Proved")
    page.get_by_role("button", name="One step back").click()
    page.get_by_role("slider", name="iteration of the solver").press("Home")
    expect(card).to_contain_text("Gap open")


def test_the_story_stands_beside_its_figure_and_under_it_on_a_phone(
    page: Page, app_url: str
) -> None:
    open_lab(page, app_url, "vector_output")
    boxes = (
        "const f = document.querySelector('[data-testid=stPlotlyChart]')?.getBoundingClientRect();"
        "const s = document.querySelector('[class*=st-key-vector_output-story]')"
        "?.getBoundingClientRect();"
    )
    until(page, f"(() => {{{boxes} return f && s && s.left >= f.right && s.top <= f.top + 60}})()")
    page.set_viewport_size({"width": 390, "height": 844})
    until(page, f"(() => {{{boxes} return s.top >= f.bottom && s.right <= 390}})()")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_text("2 of 6")).to_be_visible(timeout=SLOW)
    until(page, "document.documentElement.scrollWidth <= 390")
