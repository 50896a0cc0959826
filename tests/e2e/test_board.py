"""The board in a real browser and without a server: hand, keys, links between panels, reports."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from convexviz.views.board import payload
from convexviz.views.board_small import Say
from tests.e2e.bench_board import (
    FACES,
    POINTS,
    VALUES,
    on_plane,
    panel,
    panels,
    picture,
    press,
    sent,
    settle,
    slot,
    values,
)
from tests.e2e.mounting import mount, mount_again

pytestmark = pytest.mark.e2e


@pytest.fixture
def bench(page: Page) -> Page:
    mount(page, "board", {"serial": 0, "values": VALUES}, payload(panels()))
    expect(page.locator(".board[data-ready]")).to_be_visible()
    settle(page)
    return page


def test_a_point_follows_the_hand_and_is_reported_when_it_is_let_go(bench: Page) -> None:
    bench.mouse.move(*on_plane(bench, 1, 0.5))
    bench.mouse.down()
    bench.mouse.move(*on_plane(bench, 0.25, 1.5), steps=4)
    settle(bench)
    assert values(bench)["points"][0][:2] == pytest.approx([0.25, 1.5], abs=0.03)
    assert sent(bench) == []
    bench.mouse.up()
    assert sent(bench)[-1]["points"][0][:2] == pytest.approx([0.25, 1.5], abs=0.03)
    assert sent(bench)[-1]["points"][1:] == POINTS[1:]


def test_points_are_added_classed_and_removed_by_hand_up_to_the_limits(bench: Page) -> None:
    bench.get_by_role("button", name="two").click()
    bench.mouse.click(*on_plane(bench, 1.5, 1.5))
    assert values(bench)["points"][-1] == [pytest.approx(1.5, abs=0.03)] * 2 + [1]
    bench.mouse.click(*on_plane(bench, -1.5, -1.5))
    assert len(values(bench)["points"]) == 4  # at most four
    bench.mouse.click(*on_plane(bench, 1, 0.5))
    settle(bench)
    bench.get_by_role("button", name="Remove").click()
    assert values(bench)["points"][:2] == POINTS[1:]
    bench.mouse.click(*on_plane(bench, -1, 0.5), button="right")
    assert len(values(bench)["points"]) == 2
    assert sent(bench)[-1]["points"] == values(bench)["points"]


def test_the_keyboard_alone_edits_points_and_says_so(bench: Page) -> None:
    press(bench, "plane", "n", "ArrowRight", "Shift+ArrowUp", "2")
    assert values(bench)["points"][0] == [pytest.approx(1.04), pytest.approx(0.7), 1]
    expect(panel(bench, "plane").get_by_role("status")).to_contain_text(
        "Point 1 of 3, two, at 1.04"
    )
    press(bench, "plane", "Enter")
    assert len(values(bench)["points"]) == 4
    press(bench, "plane", "Delete", "p", "Escape")
    assert len(values(bench)["points"]) == 3
    expect(panel(bench, "plane").get_by_role("status")).to_contain_text("No point is held")


def test_pointing_at_a_wedge_counts_the_points_that_are_on(bench: Page) -> None:
    before = picture(bench, "plane")
    bench.mouse.move(*on_plane(bench, -1.4, 1.4))
    expect(panel(bench, "plane")).to_contain_text("of 3 points are on in this cell")
    settle(bench)
    assert picture(bench, "plane") != before


def test_a_cut_moves_everything_that_watches_it_before_it_is_let_go(bench: Page) -> None:
    before = [picture(bench, "frames"), picture(bench, "curve"), picture(bench, "spectrum")]
    box = panel(bench, "spectrum").locator("canvas").bounding_box()
    assert box is not None
    bench.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 60)
    bench.mouse.down()
    bench.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 60, steps=3)
    settle(bench)
    k = values(bench)["k"]
    assert 8 <= k <= 11
    expect(panel(bench, "say")).to_contain_text(f"{k} kept")
    expect(panel(bench, "card")).to_contain_text(f"{k + 2}.00")
    after = [picture(bench, "frames"), picture(bench, "curve"), picture(bench, "spectrum")]
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert sent(bench) == []
    bench.mouse.up()
    assert [report["k"] for report in sent(bench)] == [k]


def test_cut_cursor_and_slider_are_sliders_for_keys_and_ears(bench: Page) -> None:
    cut = panel(bench, "spectrum").get_by_role("slider")
    press(bench, "spectrum", "ArrowRight", "ArrowRight")
    assert values(bench)["k"] == 6
    expect(cut).to_have_attribute("aria-valuetext", "6 of 12 kept")
    press(bench, "spectrum", "End")
    assert values(bench)["k"] == 12
    panel(bench, "quiz").get_by_text("there").click()
    bench.get_by_role("button", name="Reveal").click()
    press(bench, "curve", "ArrowLeft")
    assert values(bench)["k"] == 11
    expect(panel(bench, "curve").get_by_role("slider")).to_have_attribute(
        "aria-valuetext", "11: accuracy 92 %"
    )


def test_a_player_plays_steps_and_stops(bench: Page) -> None:
    arrows = picture(bench, "plane")
    box = panel(bench, "player")
    box.get_by_role("button", name="One step on").click()
    settle(bench)
    assert values(bench)["step"] == 1
    assert picture(bench, "plane") != arrows
    bench.locator(".board").evaluate("(b) => { b.tabIndex = -1; b.focus(); }")
    bench.keyboard.press("Space")
    bench.wait_for_function("root.__app.values.step === 5")
    expect(box.get_by_role("button", name="Play")).to_be_visible()
    expect(box.get_by_role("button", name="One step on")).to_be_disabled()
    bench.keyboard.press("ArrowLeft")
    assert values(bench)["step"] == 4
    assert sent(bench)[-1]["step"] == 4


def faces(beta: float) -> np.ndarray:
    """What the four pictures must be, by the formula."""
    gains = np.sqrt(np.maximum(FACES["strength"] - beta, 0) / FACES["n"])
    U = FACES["directions"] * FACES["scale"][:, None, None, None]
    return FACES["mean"] + np.einsum("k,tk,khwc->thwc", gains, FACES["latents"], U)


def test_pictures_from_factors_stay_true_over_many_small_moves(bench: Page) -> None:
    for beta in [50.0, *np.geomspace(2000, 8, 40)]:
        bench.evaluate("(b) => setValue(root.__app, 'beta', b, {final: false})", float(beta))
        settle(bench)
    wanted = np.clip(faces(8.0), 0, 255)
    for i in range(4):
        canvas = panel(bench, "faces").locator("canvas").nth(i)
        data = canvas.evaluate("(c) => [...c.getContext('2d').getImageData(0, 0, 8, 8).data]")
        shown = np.array(data).reshape(8, 8, 4)[..., :3]
        # Half a level a direction may be left out, and a level is lost by rounding.
        assert np.abs(shown - wanted[i]).max() <= 0.5 * 6 + 1


def test_an_answer_is_covered_until_it_was_guessed(bench: Page) -> None:
    reveal = bench.get_by_role("button", name="Reveal")
    expect(panel(bench, "curve").locator("canvas")).to_be_hidden()
    expect(reveal).to_be_disabled()
    panel(bench, "quiz").get_by_text("here", exact=True).click()
    reveal.click()
    expect(panel(bench, "quiz")).to_contain_text("Not quite: there. It was measured.")
    expect(panel(bench, "curve").locator("canvas")).to_be_visible()


def test_a_choice_is_made_by_hand_and_keys(bench: Page) -> None:
    bench.get_by_role("radio", name="ReLU").click()
    assert sent(bench)[-1]["critic"] == "relu"
    bench.keyboard.press("ArrowRight")
    assert values(bench)["critic"] == "linear"


def test_new_contents_take_nothing_out_of_the_hand(bench: Page) -> None:
    press(bench, "plane", "n", "ArrowRight")
    moved = values(bench)["points"]
    other = panels()
    other[8] = Say(slot=slot("say"), texts=("new words",))
    mount_again(bench, {"serial": 0, "values": VALUES}, payload(other))
    expect(panel(bench, "say")).to_contain_text("new words")
    assert values(bench)["points"] == moved
    press(bench, "plane", "ArrowRight")  # still held
    assert values(bench)["points"][0][0] > moved[0][0]


def test_an_order_is_obeyed_when_it_changes(bench: Page) -> None:
    press(bench, "spectrum", "End")
    mount_again(bench, {"serial": 0, "values": VALUES}, payload(panels()))
    assert values(bench)["k"] == 12
    mount_again(bench, {"serial": 1, "values": {**VALUES, "k": 2}}, payload(panels()))
    settle(bench)
    expect(panel(bench, "say")).to_contain_text("2 kept")
    press(bench, "spectrum", "ArrowRight")
    assert sent(bench)[-1]["serial"] == 1


def test_a_live_plane_reports_while_it_moves_but_waits_for_an_answer(page: Page) -> None:
    data = payload(panels(live=1))
    mount(page, "board", {"serial": 0, "values": VALUES}, data)
    settle(page)
    page.mouse.move(*on_plane(page, 1, 0.5))
    page.mouse.down()
    page.mouse.move(*on_plane(page, 0.8, 0.5), steps=8)
    assert [report["moving"] for report in sent(page)] == [True]
    mount_again(page, {"serial": 0, "values": VALUES}, data)
    page.mouse.move(*on_plane(page, 0.6, 0.5), steps=3)
    assert len(sent(page)) == 2
    page.mouse.up()
    assert not sent(page)[-1]["moving"]


def test_a_board_fits_every_look(page_in_every_look: Page) -> None:
    page = page_in_every_look
    mount(page, "board", {"serial": 0, "values": VALUES}, payload(panels()))
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    for name in ("plane", "spectrum", "curve", "bars", "marks"):
        canvas = panel(page, name).locator("canvas").first
        drawn = canvas.evaluate(
            "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v)"
        )
        assert drawn, name
