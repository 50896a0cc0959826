"""A sweep in a browser: the shipped map is read and opened; a new one runs to its end, live."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e


def opened(page: Page, url: str) -> None:
    page.goto(f"{url}/sweeps")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(page.locator(".sweepmap[data-ready=true]")).to_be_visible()


# A server, a worker a core and their imports: some twenty seconds on two busy cores.
def test_a_sweep_runs_from_the_builder_to_the_map(page: Page, fresh_app_url: str) -> None:
    opened(page, fresh_app_url)
    hold = page.locator(".sweepmap .hold")
    hold.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".sweepmap .said")).to_contain_text("weight decay")
    page.keyboard.press("Enter")
    expect(page.locator(".cert .gap")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Cancel").click()  # while it still starts
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_text("32 of 32 cells done.")).to_be_visible(timeout=120_000)
    expect(page.locator(".sweepmap .sub")).to_have_text("32 of 32 cells")
    hold.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".cert .gap")).to_be_visible()
    gap = page.locator(".cert .gap").inner_text()
    page.get_by_role("button", name="Open in its lab").click()
    expect(page).to_have_url(re.compile(r"\.result=[0-9a-f]{16}"))
    expect(page.locator(".cert .gap")).to_have_text(gap)  # as it is stored
    expect(page.get_by_role("button", name="Solve", exact=True)).to_have_count(0)


def test_the_page_fits_every_look(page_in_every_look: Page, app_url: str) -> None:
    opened(page_in_every_look, app_url)
    width = page_in_every_look.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
