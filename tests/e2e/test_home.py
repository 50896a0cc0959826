"""The start page in a real browser."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e


def home(page: Page, url: str) -> Page:
    page.goto(url)
    expect(page.locator(".home[data-ready]")).to_be_visible(timeout=20_000)
    return page


def test_a_stored_result_opens_in_its_lab_with_its_number(page: Page, app_url: str) -> None:
    home(page, app_url)
    card = page.locator(".strip .it").filter(has_text="MRI").first
    gap = card.locator("span").first.inner_text().split(",")[0].removeprefix("gap ")
    card.click()
    expect(page.locator(".at-clean[data-ready]")).to_be_visible(timeout=20_000)
    expect(page.locator(".cert")).to_contain_text(gap)
    expect(page.get_by_role("button", name="Solve")).to_have_count(0)


def test_a_card_is_a_link_that_opens_in_a_new_tab_too(page: Page, app_url: str) -> None:
    home(page, app_url)
    with page.context.expect_page() as opened:
        page.locator(".cardx").filter(has_text="Denoiser").click(modifiers=["Control"])
    expect(opened.value.locator(".at-clean[data-ready]")).to_be_visible(timeout=20_000)


def test_the_picture_moves_and_pauses(page: Page, app_url: str) -> None:
    home(page, app_url)
    frame = "(c) => c.toDataURL()"
    canvas = page.locator(".cardx canvas").first
    first = canvas.evaluate(frame)
    button = page.get_by_role("button", name="Pause")
    expect(button).to_be_visible()
    page.wait_for_function(
        "(first) => [...document.querySelectorAll('*')].some((e) => "
        "{ const c = e.shadowRoot?.querySelector('.cardx canvas');"
        " return c && c.toDataURL() !== first; })",
        arg=first,
    )
    button.click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    still = canvas.evaluate(frame)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert canvas.evaluate(frame) == still


def test_the_start_page_fits_every_look(page_in_every_look: Page, app_url: str) -> None:
    page = home(page_in_every_look, app_url)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    expect(page.locator(".cardx").first).to_be_visible()
    expect(page.locator(".strip .it").first).to_be_attached()
