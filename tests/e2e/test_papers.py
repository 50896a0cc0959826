"""The Papers page in a browser: our figures beside each claim, what is missing said once."""

import pytest
from playwright.sync_api import Page, expect

from convexviz.datasets import fastmri
from convexviz.experiments import papers, presets

pytestmark = pytest.mark.e2e


def opened(page: Page, url: str) -> None:
    page.goto(f"{url}/papers")
    expect(page.get_by_text("Progressive faces in closed form")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(len(presets.PRESETS))


def test_every_experiment_has_our_figures_beside_what_its_paper_says(
    page: Page, app_url: str
) -> None:
    opened(page, app_url)
    spiral = page.locator(".st-key-papers\\.p3-spiral, [class*='st-key-papers-p3-spiral']").first
    expect(spiral).to_contain_text("unconfirmed")
    found = papers.read(papers.file_of(presets.get("p3-spiral"), "small", papers.SHIPPED))
    rows = spiral.get_by_role("row")
    expect(rows).to_have_count(1 + len(found.rows))
    expect(rows.nth(1)).to_contain_text(f"{100 * found.rows[0]['train_accuracy']:.1f} %")
    expect(spiral).to_contain_text("convexviz preset figures p3-spiral --size full")
    mnist = page.locator("[class*='st-key-papers-p4-mnist']").first
    expect(mnist).to_contain_text("despite sampling")


def test_how_to_get_what_is_missing_is_said_once(page: Page, app_url: str) -> None:
    opened(page, app_url)
    text = page.locator("[data-testid=stMain]").inner_text()
    assert text.count(fastmri.DATASETS[1].licence) == 1
    assert text.count("https://www.cs.toronto.edu/~kriz/cifar.html") == 2  # CIFAR-10, CIFAR-100


def test_the_page_fits_every_look(page_in_every_look: Page, app_url: str) -> None:
    opened(page_in_every_look, app_url)
    width = page_in_every_look.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
