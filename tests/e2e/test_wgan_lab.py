"""The game's lab in a real browser: faces that are dragged, samples, and the race."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from convexviz.datasets import portraits, warped
from convexviz.experiments import gallery
from tests.e2e.test_board_labs import APP, board_value

pytestmark = pytest.mark.e2e

SUM = """(() => { const panel = APP.panels.find((p) => p.spec.id === 'faces');
    return panel.held.sums[3].reduce((all, v, i) => all + v * ((i % 97) + 1), 0); })()"""
THERE = "APP?.panels.some((p) => p.spec.id === 'faces' && p.held?.sums)"


def of_board(page: Page, script: str) -> object:
    return page.evaluate(script.replace("APP", APP))


def open_faces(page: Page, url: str, query: str = "", data: str = "faces") -> Page:
    page.goto(f"{url}/wgan?wgan.dataset={data}{query}")
    page.wait_for_function(THERE.replace("APP", APP), timeout=60_000)
    return page


def test_a_dragged_threshold_redraws_faces_without_the_server(page: Page, app_url: str) -> None:
    open_faces(page, app_url)
    before, first = of_board(page, SUM), board_value(page, "beta")
    line = page.get_by_role("slider", name="Threshold beta")
    box = line.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] / 2
    page.context.set_offline(offline=True)  # nothing from here to the release may need it
    page.mouse.move(x, box["y"] + 0.72 * box["height"])
    page.mouse.down()
    page.mouse.move(x, box["y"] + 0.3 * box["height"], steps=6)
    page.wait_for_function(f"{APP}.values.beta > {2 * float(first)}")
    page.wait_for_function(f"{SUM} !== {before}".replace("APP", APP))
    beta = board_value(page, "beta")
    kept = of_board(
        page, f"APP.panels[1].arrays.values.filter((v) => v > {beta} * 1.000001).length"
    )
    expect(page.locator("[data-panel=say]")).to_contain_text(f"keeps {kept} of 169")
    expect(page.locator(".cert")).to_contain_text("Proved")
    page.context.set_offline(offline=False)
    page.mouse.up()
    page.wait_for_function("location.search.includes('wgan.weight_decay=')")
    # Once the hand rests, what is drawn is the sum over all directions, not only those redrawn.
    exact = """(() => { const p = APP.panels.find((q) => q.spec.id === 'faces'), {held} = p;
        const gains = gainsNow(p), z = held.own, out = Float32Array.from(p.arrays.mean);
        for (let i = 0; i < held.k; i++) for (let q = 0; q < held.size; q++)
            out[q] += gains[i] * z[3 * held.k + i] * held.U[i * held.size + q];
        return Math.max(...out.map((v, q) => Math.abs(v - held.sums[3][q]))); })()""".replace(
        "gainsNow(p)",
        "Array.from(p.arrays.strength, "
        "(s) => Math.sqrt(Math.max(s - p.app.values.beta, 0) / p.spec.n))",
    )
    page.wait_for_function(f"{exact} < 0.02".replace("APP", APP))


def test_new_faces_a_chosen_pair_and_the_way_between_are_in_the_address(
    page: Page, app_url: str
) -> None:
    open_faces(page, app_url)
    before = of_board(page, SUM)
    page.get_by_role("button", name="New faces").click()
    page.wait_for_function("location.search.includes('wgan.draw=1')")
    page.wait_for_function(f"{SUM} !== {before}".replace("APP", APP))
    tile = page.get_by_role("button", name="generated face 8,")
    tile.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("location.search.includes('wgan.ends=1_7')")
    expect(tile).to_have_attribute("aria-pressed", "true")
    way = page.get_by_role("slider", name="Share of the way")
    way.focus()
    page.keyboard.press("End")
    page.wait_for_function("location.search.includes('wgan.between=1')")
    page.reload()
    page.wait_for_function(THERE.replace("APP", APP), timeout=60_000)
    state = [board_value(page, name) for name in ("draw", "ends", "share")]
    assert state == [1, [1, 7], 1]
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("!location.search.includes('wgan.')")
    page.wait_for_function(f"{APP}.values.data === 'ring'")


def test_distances_are_told_after_the_guess_and_space_sweeps(page: Page, app_url: str) -> None:
    open_faces(page, app_url)
    covered = page.locator("[data-panel=likeness]")
    expect(covered).to_have_class("b-panel p-likeness b-covered")
    page.get_by_role("radio", name="Yes, some").check()
    page.get_by_role("button", name="Reveal").click()
    expect(covered).to_have_class("b-panel p-likeness")
    expect(page.locator(".b-answer")).to_contain_text("With 40 directions")
    beta = board_value(page, "beta")
    page.get_by_role("slider", name="Threshold beta").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function(f"{APP}.values.beta > {beta}")
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    seen = board_value(page, "beta")
    page.wait_for_function(f"{APP}.values.beta !== {seen}")
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Sweep")).to_be_visible()


@pytest.mark.look(theme="dark", width=390, height=844)
def test_faces_fit_a_phone_and_the_race_plays(page: Page, app_url: str) -> None:
    open_faces(page, app_url)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # The same page, back in the plane: its race is played with Space.
    page.get_by_role("radio", name="Ring").click()
    page.wait_for_function(f"{APP}.values.data === 'ring'")
    play = page.get_by_role("button", name="Play the race")
    expect(play).to_be_visible(timeout=60_000)
    race = (
        "[...document.querySelectorAll('*')].map((e) => e.shadowRoot?.__app)"
        ".filter((app) => app?.values?.moment !== undefined)[0]"
    )
    page.locator("[aria-label='moment of the race']").fill("0")
    page.wait_for_function(f"{race}.values.moment === 0")
    play.focus()
    page.keyboard.press(" ")
    page.wait_for_function(f"{race}.values.moment > 3")
    page.keyboard.press(" ")
    expect(play).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_another_critic_moves_the_samples_of_the_ring(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/wgan")
    expect(page.locator(".board[data-ready]").first).to_be_visible(timeout=20_000)
    page.get_by_role("radio", name="Quadratic", exact=True).click()
    page.wait_for_function("location.search.includes('wgan.discriminator=quadratic')")
    expect(page.locator("[data-panel=say]")).to_contain_text("samples lie in the ring")
    expect(page.locator("[data-panel=samples] .b-key")).to_contain_text("second moment")
    line = page.locator("[data-panel=matched] [role=slider]")
    beta = board_value(page, "beta")
    line.focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function(f"{APP}.values.beta > {beta}")
    page.wait_for_function("location.search.includes('wgan.weight_decay=')")


def test_a_folder_of_pictures_becomes_a_generator(page: Page, app_url: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(5):
        Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(
            tmp_path / f"{i}.png"
        )
    (tmp_path / "broken.png").write_bytes(b"no picture")
    open_faces(page, app_url, data="lfw")
    expect(page.locator("[data-panel=likeness]")).to_have_class("b-panel p-likeness b-covered")
    page.get_by_role("button", name="Your data").click()
    page.locator("input[type=file]").first.set_input_files(tmp_path)
    page.wait_for_function(f"{APP}?.values.data === 'pictures'", timeout=60_000)
    expect(page.get_by_text("5 pictures read.")).to_be_visible()
    expect(page.get_by_text("1 skipped")).to_be_visible()
    expect(page.get_by_text("broken.png: ")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Learned from your pictures.")).to_be_visible()
    # Of other sizes than what stood there: every pixel is drawn, and nothing waits for a guess.
    drawn = """(() => { const p = APP.panels.find((q) => q.spec.id === 'faces');
        const whole = (c) => c.width > 25 && c.getContext('2d')
            .getImageData(0, 0, c.width, c.height).data.every((v, i) => i % 4 !== 3 || v === 255);
        return [p.grid.children[7].firstChild, p.grid.children[7].querySelector('.b-near')]
            .every(whole); })()"""
    page.wait_for_function(drawn.replace("APP", APP))
    expect(page.locator("[data-panel=likeness]")).to_have_class("b-panel p-likeness")
    page.get_by_role("radio", name="Ring").click()
    page.wait_for_function(f"{APP}.values.data === 'ring'")


def test_a_face_of_texture_and_shape_is_the_one_that_python_draws(page: Page, app_url: str) -> None:
    open_faces(page, app_url, data="warped_faces")
    shown = gallery.of("warped_faces", portraits.warped_faces())
    page.wait_for_function(f"{APP}.values.data === 'warped_faces'")
    script = """(() => { const p = APP.panels.find((q) => q.spec.id === 'faces');
        const c = p.grid.children[3].firstChild;
        return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; })()"""
    seen = np.array(of_board(page, script), dtype=float).reshape(96, 96, 4)[..., :3]
    assert shown.warp is not None
    k = shown.kept(shown.opening)
    gains = np.sqrt((shown.squares[:k] - shown.opening) / shown.n)
    V = shown.directions[:k] * shown.scale[:k, None]
    row = (shown.mean + (gains * shown.latents[0, 3, :k]) @ V) / 255
    drawn = 255 * warped.render(row[None], shown.warp)[0].clip(0, 1)
    assert np.abs(seen - drawn).mean() < 1.0
    assert np.abs(seen - drawn).max() < 12  # at edges, where a thousandth of a pixel shows
