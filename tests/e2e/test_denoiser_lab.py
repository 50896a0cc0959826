"""The denoiser lab in a real browser: hand, address, links, story, looks."""

import json
import re
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Locator, Page, expect

from convexviz import figures
from tests.e2e.conftest import NewPage

pytestmark = pytest.mark.e2e
PANELS = ["Race", *figures.for_architecture("denoiser")]


def open_lab(page: Page, url: str, query: str = "") -> Page:
    page.goto(f"{url}/denoiser{query}")
    return drawn(page)


def drawn(page: Page) -> Page:
    """The page, once the hero shows its picture and a figure is below it."""
    expect(page.locator(".at-clean[data-ready]")).to_be_visible(timeout=20_000)
    expect(page.locator(".say")).to_contain_text("PSNR")
    return page


def picture(page: Page) -> Locator:
    return page.locator("[data-image=noisy]")


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items()}


def wait_for_address(page: Page, **wanted: str) -> None:
    """Until the address holds these values of the lab."""
    page.wait_for_function(
        """(wanted) => { const have = new URLSearchParams(location.search);
            return Object.entries(wanted).every(([k, v]) => have.get(`denoiser.${k}`) === v); }""",
        arg=wanted,
    )


def held(page: Page) -> dict:
    """What the visitor holds, as the inspector knows it."""
    return page.locator(".den").evaluate("(den) => den.getRootNode().__app.held")


def drag_slider(page: Page, share: float) -> str:
    """Drag the weight decay to a share of its width; what the label says before release."""
    box = page.locator(".decay input").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.22 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + share * box["width"], middle, steps=5)
    return page.locator(".decay output").inner_text()


def test_hovering_asks_the_server_nothing(page: Page, app_url: str) -> None:
    frames: list[int] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: frames.append(1)))
    open_lab(page, app_url)
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    before, said = len(frames), set()
    assert before > 0
    for row in range(40, 240, 20):
        picture(page).hover(position={"x": 150, "y": row})
        expect(page.locator(".say .unseen").first).to_contain_text(
            f"Row {held(page)['cursor'][0]},"
        )
        said.add(page.locator(".say").inner_text())
    assert len(said) > 5
    assert len(frames) == before


def test_clicks_pin_two_pixels_and_the_address_holds_them(page: Page, app_url: str) -> None:
    open_lab(page, app_url)
    picture(page).click(position={"x": 100, "y": 100})
    [(row, column)] = held(page)["pins"]
    wait_for_address(page, pins=f"{row},{column}")
    picture(page).click(position={"x": 200, "y": 150})
    pins = held(page)["pins"]
    assert len(pins) == 2
    wait_for_address(page, pins=";".join(f"{row},{column}" for row, column in pins))
    expect(page.locator(".at-filter figcaption")).to_contain_text("A, pinned")
    expect(page.locator(".at-response figcaption")).to_contain_text("B, pinned")
    assert held(page)["pins"] == pins
    page.keyboard.press("Escape")
    page.wait_for_function("!location.search.includes('pins')")


def test_the_keyboard_alone_pins_and_frees_a_pixel(page: Page, app_url: str) -> None:
    open_lab(page, app_url)
    row, column = held(page)["cursor"]
    page.locator("[data-image=clean]").focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".say")).to_contain_text(f"Row {row + 1}, column {column + 1}, pinned")
    wait_for_address(page, pins=f"{row + 1},{column + 1}")
    page.keyboard.press("Escape")
    page.wait_for_function("!location.search.includes('pins')")


def test_the_certificate_follows_the_slider_and_the_address_its_release(
    page: Page, app_url: str
) -> None:
    open_lab(page, app_url)
    card = page.locator(".cert")
    before = card.inner_text()
    beta = drag_slider(page, 0.7)
    assert card.inner_text() != before
    assert "weight_decay" not in page.url
    page.mouse.up()
    page.wait_for_function("location.search.includes('weight_decay')")
    assert float(address(page)["denoiser.weight_decay"]) == pytest.approx(float(beta), rel=0.02)


# One walk through everything that the address restores: a page load each.
def test_reload_a_copied_link_and_back_restore_the_whole_state(
    page: Page, new_page: NewPage, app_url: str
) -> None:
    open_lab(page, app_url)
    picture(page).click(position={"x": 110, "y": 120})
    page.wait_for_function("location.search.includes('pins')")
    drag_slider(page, 0.8)
    page.mouse.up()
    page.wait_for_function("location.search.includes('weight_decay')")
    page.get_by_role("radio", name="Filter gallery").click()
    wait_for_address(page, panel="Filter gallery")
    wanted = {"said": page.locator(".say").inner_text(), **shown(page)}

    page.reload()
    assert {"said": drawn(page).locator(".say").inner_text(), **shown(page)} == wanted

    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    other = new_page()
    other.goto(link)
    assert {"said": drawn(other).locator(".say").inner_text(), **shown(other)} == wanted

    page.get_by_role("link", name="Start").click()
    expect(page.locator(".home[data-ready]")).to_be_visible()
    page.go_back()
    assert {"said": drawn(page).locator(".say").inner_text(), **shown(page)} == wanted
    page.go_forward()
    expect(page.locator(".home[data-ready]")).to_be_visible()


def shown(page: Page) -> dict[str, str]:
    expect(page.get_by_role("radio", name="Filter gallery")).to_be_checked()
    return {
        "certificate": page.locator(".cert").inner_text(),
        "decay": page.locator(".decay output").inner_text(),
        "pins": json.dumps(held(page)["pins"]),
    }


def test_reset_takes_back_what_was_dragged_and_pinned(page: Page, app_url: str) -> None:
    open_lab(page, app_url)
    before = page.locator(".cert").inner_text()
    for _ in range(2):  # the second time is no news to the browser unless it reports resets
        drag_slider(page, 0.9)
        page.mouse.up()
        page.wait_for_function("location.search.includes('weight_decay')")
        picture(page).click(position={"x": 110, "y": 120})
        page.wait_for_function("location.search.includes('pins')")
        page.get_by_role("button", name="Reset").click()
        page.wait_for_function("location.search === ''")
        expect(page.locator(".cert")).to_have_text(re.compile(".+"))
        page.wait_for_function(
            "(text) => [...document.querySelectorAll('*')].some("
            "(e) => e.shadowRoot?.querySelector('.cert')?.innerText === text)",
            arg=before,
        )
        assert held(page)["pins"] == []


def test_the_filter_in_question_stays_hidden_until_a_guess(page: Page, app_url: str) -> None:
    open_lab(page, app_url)
    reveal, cover = page.get_by_role("button", name="Reveal"), page.locator(".at-filter .cover")
    expect(reveal).to_be_disabled()
    page.locator(".options label").first.click()
    expect(cover).to_be_visible()
    reveal.click()
    expect(cover).to_be_hidden()
    expect(page.locator(".quiz .answer")).to_contain_text(re.compile("Yes|Not quite"))


def test_the_story_leads_to_its_figures_and_back(page: Page, app_url: str) -> None:
    open_lab(page, app_url)
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_text("2 of 5")).to_be_visible()
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_text("3 of 5")).to_be_visible()
    expect(page.get_by_role("radio", name="Path sparsity")).to_be_checked()
    expect(page.locator(".decay output")).to_have_text("100")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_role("radio", name="Filter gallery")).to_be_checked()
    page.wait_for_function("location.search.includes('pins')")
    page.get_by_role("button", name="Back", exact=True).click()
    expect(page.get_by_role("radio", name="Path sparsity")).to_be_checked()


# Four looks, each with every figure: the one place where all of them are seen.
@pytest.mark.timeout(120)
def test_every_figure_draws_in_every_look(page_in_every_look: Page, app_url: str) -> None:
    page = open_lab(page_in_every_look, app_url)
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    for title in PANELS:
        page.get_by_role("radio", name=title, exact=True).click()
        figure = page.locator(f"[class*='st-key-denoiser-{slug(title)}'] .main-svg").first
        expect(figure).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def slug(title: str) -> str:
    """How Streamlit writes the key of a figure into its class."""
    return "race" if title == "Race" else f"figure-{title.replace(' ', '-')}"


def test_lecture_enlarges_everything_and_is_in_the_address(page: Page, app_url: str) -> None:
    open_lab(page, app_url)
    page.get_by_text("Lecture").click()
    size = "getComputedStyle(document.documentElement).fontSize"
    page.wait_for_function(f"{size} === '21px'")
    page.wait_for_function("location.search.includes('lecture=true')")
    page.get_by_text("Lecture").click()
    page.wait_for_function(f"{size} === '16px'")
    page.wait_for_function("!location.search.includes('lecture')")
