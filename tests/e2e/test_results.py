"""The Results page in a browser: marks, linked cursors, deletion and its undoing, in every look."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

import convexviz
from convexviz.experiments import store
from tests.e2e.conftest import serve

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def results_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("results")
    home = store.Store(folder / "store")
    for decay in (1.0, 0.3, 0.1):
        home.save(convexviz.solve("denoiser", dataset="tiny", n_gates=8, weight_decay=decay))
    with serve(folder) as url:
        yield f"{url}/results?results.find=tiny"


def opened(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator(".results[data-ready=true] tbody tr")).to_have_count(3)


def test_results_are_found_compared_deleted_and_brought_back(page: Page, results_url: str) -> None:
    opened(page, results_url)
    rows = page.locator(".results tbody tr")
    rows.nth(0).click()
    expect(page.locator(".cert .gap")).to_be_visible()
    page.locator(".results input").nth(1).check()
    panels = page.locator(".compare[data-ready=true] figure")
    expect(panels).to_have_count(2)
    panels.nth(0).locator(".frame").hover()
    values = panels.locator(".sub").all_inner_texts()
    assert all(values)  # one cursor, a value in each
    page.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(3)


def test_heads_sort_and_keys_open(page: Page, results_url: str) -> None:
    opened(page, results_url)
    head = page.locator(".results th", has_text="Result")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    titles = page.locator(".results tbody b")
    expect(titles.first).to_contain_text("0.1")
    page.locator(".results tbody tr").first.press("Enter")
    expect(page.locator(".results tbody tr").first).to_have_attribute("aria-selected", "true")


def test_the_page_fits_every_look(page_in_every_look: Page, results_url: str) -> None:
    opened(page_in_every_look, results_url)
    width = page_in_every_look.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
