"""The batch-norm lab in a browser: the cut, the race's cursor, the order, points on a line."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_board_labs import APP, board_value, open_lab, place_of_point

pytestmark = pytest.mark.e2e

BOARDS = """(() => [...document.querySelectorAll('*')].map((e) => e.shadowRoot?.__app)
    .filter((app) => app?.panels))()"""
LINE = "?batch_norm.dataset=toy&batch_norm.arrangements=all&batch_norm.weight_decay=0.032"


def pixels(page: Page, panel: str) -> str:
    """What a panel's canvas shows."""
    return page.evaluate(
        f"{APP}.panels.find(({{spec}}) => spec.id === '{panel}').canvas.toDataURL()"
    )


def test_a_cut_that_is_dragged_changes_filters_and_the_dot(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "batch_norm")
    expect(page.locator("[data-panel=quality].b-covered")).to_be_visible()
    page.locator("[data-panel=question] label").nth(1).click()
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("[data-panel=quality].b-covered")).to_have_count(0)
    expect(page.locator("[data-panel=question]")).to_contain_text("It gets 35 % right")
    before = page.locator("[data-panel=filters] canvas").first.evaluate("(c) => c.toDataURL()")
    box = page.get_by_role("slider", name="Directions kept").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 60, steps=6)
    k = board_value(page, "k")
    assert 10 < k < 25
    note = page.locator("[data-panel=quality] figcaption .sub")
    expect(note).to_contain_text("not seen 7")  # it tests at 7x % there, while the hand holds it
    after = page.locator("[data-panel=filters] canvas").first.evaluate("(c) => c.toDataURL()")
    assert after != before
    page.mouse.up()
    page.wait_for_function(f"location.search.includes('n_directions={k}')")


def test_the_race_has_one_cursor_and_the_address_keeps_it(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "batch_norm")
    falls = page.get_by_role("slider", name="Relative distance of Adam")
    falls.focus()
    before = pixels(page, "turns")
    for _ in range(3):
        page.keyboard.press("PageDown")
    record = board_value(page, "record")
    page.wait_for_function(f"location.search.includes('batch_norm.record={record}')")
    assert pixels(page, "turns") != before
    page.reload()
    expect(page.locator(".board[data-ready]").first).to_be_visible(timeout=20_000)
    assert board_value(page, "record") == record


def test_the_order_follows_its_controls(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "batch_norm")
    page.wait_for_function(f"{BOARDS}.length === 2")
    panel = page.locator("[data-panel=map]")
    expect(panel).to_contain_text("Gradient descent")
    page.get_by_role("radio", name="Adam").click()
    expect(panel.locator("figcaption .label")).to_have_text("Adam")
    page.get_by_role("radio", name="Rows above").click()
    expect(page.locator("[data-panel=order-say]")).to_contain_text("real rows")
    page.wait_for_function("location.search.includes('order_rows=here')")


def test_points_on_a_line_are_moved_by_hand_and_keys_and_rescaled(page: Page, app_url: str) -> None:
    open_lab(page, app_url, "batch_norm", LINE)
    notes = page.locator("[data-panel^=plane] figcaption .sub")
    first = notes.all_inner_texts()
    scale = page.get_by_role("slider", name="Rescale x by")
    scale.focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    page.wait_for_function("location.search.includes('batch_norm.scale=')")
    expect(notes.nth(0)).not_to_have_text(first[0])
    assert notes.all_inner_texts()[1:] == first[1:]  # batch norm does not notice
    plane = page.get_by_role("application", name="No batch norm")
    plane.focus()
    page.keyboard.press("n")
    x, y, _ = board_value(page, "points")[0]
    page.keyboard.press("Shift+ArrowUp")
    moved = board_value(page, "points")[0]
    assert (moved[0], moved[1] > y) == (x, True)
    page.wait_for_function("location.search.includes('batch_norm.points=')")
    expect(notes.nth(1)).not_to_have_text(first[1])
    expect(page.locator(".cert")).to_contain_text("Proved")
    before, held = notes.nth(2).inner_text(), board_value(page, "points")
    x, y = place_of_point(page, 9)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 40, steps=4)
    page.mouse.up()
    assert board_value(page, "points")[9][1] < held[9][1]
    expect(notes.nth(2)).not_to_have_text(before)
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("!location.search.includes('batch_norm.')")
