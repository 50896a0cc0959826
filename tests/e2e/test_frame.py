"""What every page shares, on a server that nobody has visited."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e


def test_a_deep_link_is_whole_for_all_who_open_it_first(page: Page, fresh_app_url: str) -> None:
    """A class opens the link that was shared, at once, on a server that has just started."""
    others = [page.context.new_page() for _ in range(3)]
    for other in others:
        other.goto(f"{fresh_app_url}/denoiser", wait_until="commit")
    page.goto(f"{fresh_app_url}/denoiser?lecture=true", wait_until="commit")
    for other in others:
        expect(other.get_by_role("heading", name="Denoiser", level=1)).to_be_visible(timeout=60_000)
        expect(other.get_by_role("link", name="Start")).to_be_visible()
        expect(other.get_by_test_id("stSidebar")).to_have_count(0)
        other.close()
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
