"""Pointer, keyboard and slider on the inspector, in a real browser and without a server."""

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from convexviz.views import component
from convexviz.views.inspector import quantise
from tests.e2e.mounting import mount

pytestmark = pytest.mark.e2e
H, W, K = 40, 60, 3


def payload(*, quiz: bool = False, residual: bool = False) -> bytes:
    """Three units: one everywhere, one on the right half, one on the lower half."""
    rows, columns = np.indices((H, W))
    image = columns / W
    bits = 1 + 2 * (columns >= W // 2) + 4 * (rows >= H // 2)
    filters = np.zeros((3, K * K), np.float32)
    filters[0, 4], filters[1, 3:6], filters[2, [1, 4, 7]] = 0.5, 0.2, 0.1
    arrays: dict[str, np.ndarray] = {
        "clean": quantise(image, 0, 1),
        "noisy": quantise(image + 0.1 * ((rows + columns) % 2), 0, 1),
        "bits": bits.astype(np.uint32).ravel(),
    }
    states: list[dict[str, Any]] = []
    for s, units in enumerate(([0, 1, 2], [0, 2], [0])):
        arrays[f"out{s}"] = quantise(image * (1 - 0.1 * s), 0, 1)
        arrays[f"filters{s}"] = filters[units]
        arrays[f"offset{s}"] = np.zeros(len(units), np.float32)
        arrays[f"unit{s}"] = np.array(units, np.uint16)
        states.append(
            {"weight_decay": 10.0**s, "primal": 2.0 + s, "dual": 1.999999 + s, "bits": "bits"}
            | {"scope": "GATED_NETWORK", "tolerance": 1e-6, "n_patterns": 3, "foot": "in 2 s"}
            | {"n_neurons": len(units), "n_zero": 3 - len(units), "psnr_noisy": 20.0}
            | {"psnr_denoised": 30.0 - s}
        )
    question = {"pixel": [30, 50], "question": "Which way?", "options": ["left", "up"]}
    meta = {"h": H, "w": W, "k": K, "bias": False, "residual": residual, "split": 30}
    meta |= {"low": 0.0, "high": 1.0, "error_range": 0.15, "probe": [10, 10], "states": states}
    meta["quiz"] = {**question, "answer": 1, "why": "Because."} if quiz else None
    return component.pack(meta, **arrays)


def open_inspector(page: Page, data: bytes, command: dict[str, Any] | None = None) -> None:
    mount(page, "inspector", {"serial": 0, "state": 0, "pins": []} | (command or {}), data)


@pytest.fixture
def bench(page: Page) -> Page:
    open_inspector(page, payload())
    return page


def square(page: Page, name: str) -> Locator:
    return page.locator(f"[data-image={name}]")


def at(page: Page, name: str, row: int, column: int) -> dict[str, float]:
    """Where a pixel lies in its square; the picture is wider than high, so it is letterboxed."""
    box = square(page, name).bounding_box()
    assert box is not None
    size = box["width"] / W
    return {"x": (column + 0.5) * size, "y": (row + 0.5) * size + (W - H) / 2 * size}


def sentence(page: Page) -> Locator:
    return page.locator(".say")


def sent(page: Page) -> list[Any]:
    return page.evaluate("sent")


def test_pointing_at_a_pixel_counts_its_paths_and_its_like(bench: Page) -> None:
    square(bench, "denoised").hover(position=at(bench, "denoised", 5, 45))
    expect(sentence(bench)).to_contain_text("2 of 3 paths are open here")
    expect(sentence(bench)).to_contain_text("600 pixels share it. Weights add to 1.10.")
    expect(bench.locator(".at-filter figcaption")).to_contain_text("row 5, col 45")
    assert sent(bench) == []


def test_exactly_the_pixels_of_the_same_pattern_are_lit(bench: Page) -> None:
    square(bench, "noisy").hover(position=at(bench, "noisy", 30, 50))
    expect(sentence(bench)).to_contain_text("3 of 3")
    lit = bench.evaluate(
        """() => { const c = root.querySelector('[data-image=noisy] .lit');
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            return [...Array(c.width * c.height).keys()].filter((i) => d[4 * i + 3] === 255); }"""
    )
    rows, columns = np.indices((H, W))
    truth = np.flatnonzero((rows >= H // 2) & (columns >= W // 2))
    assert lit == truth.tolist()


def test_two_clicks_compare_and_a_third_replaces_the_older(bench: Page) -> None:
    for row, column in ((5, 5), (30, 50), (5, 50)):
        square(bench, "clean").click(position=at(bench, "clean", row, column))
    expect(bench.locator(".at-filter figcaption")).to_contain_text("A, pinned")
    expect(bench.locator(".at-filter figcaption")).to_contain_text("row 5, col 50")
    expect(bench.locator(".at-response figcaption")).to_contain_text("row 30, col 50")
    expect(sentence(bench)).to_contain_text("2 paths are open at A, 3 at B, 2 at both")
    assert sent(bench) == [
        ["pins", [[5, 5]]],
        ["pins", [[5, 5], [30, 50]]],
        ["pins", [[5, 50], [30, 50]]],
    ]
    bench.keyboard.press("Escape")
    expect(bench.locator(".at-filter figcaption")).to_contain_text("Filter under the probe")
    assert sent(bench)[-1] == ["pins", []]


def test_the_keyboard_reaches_every_pixel_and_says_where_it_is(bench: Page) -> None:
    square(bench, "clean").focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "ArrowUp"):
        bench.keyboard.press(key)
    expect(sentence(bench)).to_contain_text("Row 17, column 11")
    expect(sentence(bench)).to_contain_text("PSNR 30.0 decibels, noisy 20.0")
    bench.keyboard.press("End")
    bench.keyboard.press("ArrowRight")
    expect(sentence(bench)).to_contain_text("Row 17, column 59")
    bench.keyboard.press("Home")
    bench.keyboard.press("Enter")
    expect(sentence(bench)).to_contain_text("Row 17, column 0, pinned")
    assert sent(bench) == [["pins", [[17, 0]]]]


def test_the_slider_is_live_and_reports_once_when_it_is_let_go(bench: Page) -> None:
    slider = bench.locator(".decay input")
    slider.evaluate("s => { s.value = 2; s.dispatchEvent(new Event('input')); }")
    expect(bench.locator(".cert")).to_contain_text("4.000000")
    expect(bench.locator(".psnr-denoised")).to_have_text("28.0 dB")
    expect(sentence(bench)).to_contain_text("1 of 1 path is open")
    assert sent(bench) == []
    slider.evaluate("s => s.dispatchEvent(new Event('change'))")
    assert sent(bench) == [["state", 2]]
    assert slider.get_attribute("aria-valuetext") == "100, 1 path"


def zoom(page: Page) -> float:
    return page.evaluate("root.__app.view.z")


def test_the_wheel_scrolls_the_page_until_an_image_is_chosen(bench: Page) -> None:
    square(bench, "clean").hover(position={"x": 60, "y": 60})
    bench.mouse.wheel(0, 100)
    bench.wait_for_function("scrollY > 0")
    assert zoom(bench) == 1
    bench.evaluate("scrollTo(0, 0)")
    square(bench, "clean").click(position={"x": 60, "y": 60})
    bench.mouse.wheel(0, -400)
    bench.wait_for_function("root.__app.view.z > 1.5")
    assert bench.evaluate("scrollY") == 0


def test_all_images_share_one_zoom_and_a_drag_pans_without_pinning(bench: Page) -> None:
    square(bench, "clean").focus()
    for _ in range(3):
        bench.keyboard.press("+")
    styles = bench.evaluate("[...root.querySelectorAll('.view')].map((v) => v.style.transform)")
    assert len(set(styles)) == 1
    before = bench.evaluate("root.__app.view.cx")
    box = square(bench, "error").bounding_box()
    assert box is not None
    bench.mouse.move(box["x"] + 50, box["y"] + 60)
    bench.mouse.down()
    bench.mouse.move(box["x"] + 20, box["y"] + 60, steps=4)
    bench.mouse.up()
    assert bench.evaluate("root.__app.view.cx") > before
    assert sent(bench) == []
    square(bench, "error").dblclick(position={"x": 50, "y": 50})
    assert zoom(bench) == 1
    assert bench.evaluate("root.__app.held.pins") == []


def test_a_path_shows_its_own_filter_and_where_it_is_open(bench: Page) -> None:
    bench.locator(".strip").focus()
    bench.keyboard.press("ArrowRight")
    expect(sentence(bench)).to_have_text(
        re.compile("Path 1 is open at 2.400 pixels, 100 % of the image.")
    )
    bench.keyboard.press("ArrowRight")
    expect(sentence(bench)).to_contain_text("50 %")
    bench.keyboard.press("Escape")
    expect(sentence(bench)).to_contain_text("paths")


def test_a_rerun_of_the_page_keeps_what_the_visitor_holds(bench: Page) -> None:
    square(bench, "clean").click(position=at(bench, "clean", 5, 5))
    again = {"serial": 0, "state": 0, "pins": []}
    bench.evaluate("(bytes) => mount(bytes)", list(component.headed(again, payload())))
    assert bench.evaluate("root.__app.held.pins") == [[5, 5]]
    order = {"serial": 1, "state": 1, "pins": [[7, 8]]}
    bench.evaluate("(bytes) => mount(bytes)", list(component.headed(order, payload())))
    assert bench.evaluate("root.__app.held.pins") == [[7, 8]]
    expect(bench.locator(".decay output")).to_have_text("10")


def test_an_order_from_outside_the_picture_is_brought_inside(page: Page) -> None:
    open_inspector(page, payload(), {"state": 99, "pins": [[9999, -3], [1, 2], [3, 4]]})
    assert page.evaluate("root.__app.held.pins") == [[H - 1, 0], [1, 2]]
    assert page.evaluate("root.__app.held.state") == 2


def test_the_filter_in_question_is_covered_until_it_is_predicted(page: Page) -> None:
    open_inspector(page, payload(quiz=True))
    reveal = page.get_by_role("button", name="Reveal")
    square(page, "noisy").hover(position=at(page, "noisy", 35, 40))
    expect(page.locator(".at-filter .cover")).to_be_visible()
    square(page, "noisy").hover(position=at(page, "noisy", 5, 5))
    expect(page.locator(".at-filter .cover")).to_be_hidden()
    expect(reveal).to_be_disabled()
    page.get_by_text("left").click()
    expect(page.locator(".at-filter .cover")).to_be_visible()
    reveal.click()
    expect(page.locator(".at-filter .cover")).to_be_hidden()
    expect(page.locator(".answer")).to_have_text("Not quite: up. Because.")
    expect(page.locator(".at-filter figcaption")).to_contain_text("row 30, col 50")
    assert sent(page) == [["revealed", True]]


def test_a_residual_network_says_that_the_pixel_itself_is_added(page: Page) -> None:
    open_inspector(page, payload(residual=True))
    expect(sentence(page)).to_contain_text("With the identity, weights add to 1.50.")
    expect(page.locator(".at-response figcaption")).to_contain_text("with identity")


def test_on_a_phone_a_tap_probes_and_the_pictures_come_first(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_inspector(page, payload())
    names = ["clean", "noisy", "denoised", "error", "filter", "response"]
    boxes = [page.locator(f".at-{name}").bounding_box() for name in names]
    places = [(round(box["y"]), round(box["x"])) for box in boxes if box]
    assert places == sorted(places)
    assert len(places) == 6
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    below = page.locator(".side").bounding_box()
    assert below is not None
    assert below["y"] > places[-1][0]
    event = {"pointerType": "touch", "bubbles": True}
    for kind in ("pointerdown", "pointerup", "pointerleave"):
        square(page, "clean").dispatch_event(kind, {**event, "clientX": 100, "clientY": 120})
    expect(page.locator(".at-filter .sub")).to_be_hidden()
    assert page.evaluate("root.__app.held.cursor") != [10, 10]
    assert sent(page) == []
