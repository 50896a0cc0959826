"""What every page shares, on a server that nobody has visited."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e


def test_a_deep_link_is_whole_on_the_first_visit(page: Page, fresh_app_url: str) -> None:
    page.goto(f"{fresh_app_url}/denoiser?lecture=true")
    expect(page.get_by_role("heading", name="Denoiser")).to_be_visible(timeout=20_000)
    expect(page.get_by_test_id("stHeaderLogo")).to_be_visible()
    expect(page.get_by_role("link", name="Start")).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_have_count(0)
    assert "lecture=true" in page.url
    size = "getComputedStyle(document.documentElement).fontSize"
    page.wait_for_function(f"{size} === '21px'")


def test_the_start_page_leads_to_each_lab(page: Page, app_url: str) -> None:
    page.goto(app_url)
    expect(page.get_by_role("heading", name="Train a network.")).to_be_visible(timeout=20_000)
    page.locator(".cardx", has_text="Denoiser").click()
    page.wait_for_url("**/denoiser*")
    expect(page.get_by_role("heading", name="Denoiser", level=1)).to_be_visible()
