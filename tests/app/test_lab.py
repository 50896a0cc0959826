"""The lab shows what was computed, solves only when asked, and follows its address."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from convexviz import architectures, figures
from convexviz.architectures import story
from convexviz.architectures.base import params
from convexviz.experiments.result import Result
from convexviz.views import component
from tests.app.conftest import Clerk, OpenLab

SPEC = architectures.get("denoiser").spec
OPENING = SPEC.of(architectures.get("denoiser").stored[0]).as_dict()


def hero(at: AppTest) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What was sent to the inspector: the order, the header and the arrays."""
    sent = next(c.proto for c in at.get("bidi_component") if "inspector" in c.proto.component_name)
    data = bytes(sent.bytes)
    length = struct.unpack_from("<I", data)[0]
    return component.unpack_header(data), *component.unpack(data[4 + length :])


def clean(at: AppTest) -> AppTest:
    """The same page, if nothing on it went wrong."""
    assert not at.exception, at.exception[0].message
    assert not at.error, at.error[0].value
    return at


def has_solve(at: AppTest) -> bool:
    return any(button.label == "Solve" for button in at.button)


def control(at: AppTest, name: str) -> Any:
    """The widget of a parameter, whichever kind it is."""
    kinds = (at.number_input, at.button_group, at.toggle)
    start = f"denoiser.{name}."
    return next(w for kind in kinds for w in kind if str(w.key).startswith(start))


def test_the_page_opens_on_the_stored_numbers_without_solving(
    open_lab: OpenLab, clerk: Clerk, opening: Result
) -> None:
    at = clean(open_lab())
    order, header, arrays = hero(at)
    state = header["states"][order["state"]]
    assert clerk.asked == []
    assert not has_solve(at)
    assert state["weight_decay"] == opening.spec["weight_decay"]
    assert (state["primal"], state["dual"]) == (
        opening.certificate.primal,
        opening.certificate.dual,
    )
    assert state["n_neurons"] == opening.scalars["n_neurons"]
    assert state["psnr_denoised"] == pytest.approx(opening.scalars["psnr_denoised"], abs=1e-9)
    scale = (header["high"] - header["low"]) / 65535
    shown = header["low"] + scale * arrays[f"out{order['state']}"].reshape(header["h"], -1)
    trained = shown[:, : opening.arrays["denoised"].shape[2]]
    assert np.abs(trained - opening.arrays["denoised"][0]).max() <= 0.51 * scale


def test_each_weight_decay_of_the_slider_carries_its_own_certificate(
    open_lab: OpenLab, opening: Result
) -> None:
    states = hero(open_lab())[1]["states"]
    paths = [opening.arrays[f"path_{name}"] for name in ("weight_decay", "primal", "dual")]
    found = [[s[name] for s in states] for name in ("weight_decay", "primal", "dual")]
    np.testing.assert_array_equal(found, paths)


def test_a_changed_setting_offers_solve_and_keeps_the_last_picture(
    open_lab: OpenLab, clerk: Clerk
) -> None:
    at = open_lab()
    before = hero(at)[1]["id"]
    control(at, "kernel_size").set_value(5)
    clean(at.run())
    assert has_solve(at)
    assert hero(at)[1]["id"] == before
    assert clerk.asked == []
    assert at.query_params["denoiser.kernel_size"] == "5"
    control(at, "kernel_size").set_value(OPENING["kernel_size"])
    clean(at.run())
    assert not has_solve(at)
    assert "denoiser.kernel_size" not in at.query_params


def test_solve_replaces_picture_and_numbers(open_lab: OpenLab, clerk: Clerk) -> None:
    at = open_lab()
    before = hero(at)[1]["id"]
    control(at, "dataset").set_value("tiny")
    control(at, "kernel_size").set_value(3)
    control(at, "n_gates").set_value(8)
    at.run()
    clerk.works = True
    at.button("denoiser.solve").click()
    clean(at.run())
    header = hero(at)[1]
    assert len(clerk.asked) == 1
    assert clerk.asked[0]["fields"]["kernel_size"] == 3
    assert header["id"] != before
    assert (header["k"], header["h"]) == (3, 4)
    assert not has_solve(at)


def test_a_link_to_unsolved_settings_is_solved_at_once(open_lab: OpenLab, clerk: Clerk) -> None:
    clean(open_lab(dataset="tiny", kernel_size=3, residual="true", seed=7))
    assert len(clerk.asked) == 1
    wanted = {"dataset": "tiny", "kernel_size": 3, "residual": True, "seed": 7}
    assert wanted.items() <= clerk.asked[0]["fields"].items()


def test_a_full_queue_is_one_line_beside_the_last_picture(open_lab: OpenLab, clerk: Clerk) -> None:
    clerk.refuses = "the queue is full: try again in about 4 s"
    at = open_lab(kernel_size=5)
    assert [error.value for error in at.error] == [clerk.refuses]
    assert hero(at)[1]["k"] == OPENING["kernel_size"]


def test_a_failed_solve_says_why_and_may_be_tried_again(open_lab: OpenLab, clerk: Clerk) -> None:
    clerk.fails = "the solve took longer than 300 s; choose a smaller image"
    at = open_lab(kernel_size=5)
    assert not at.exception
    assert [error.value for error in at.error] == [clerk.fails]
    assert has_solve(at)
    assert hero(at)[1]["k"] == OPENING["kernel_size"]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_address_restores_weight_decay_pins_and_figure(
    open_lab: OpenLab, clerk: Clerk, opening: Result, share: float
) -> None:
    decays = opening.arrays["path_weight_decay"]
    index = round(share * (len(decays) - 1))
    at = clean(
        open_lab(weight_decay=f"{decays[index]:g}", pins="10,20;30,40", panel="Filter gallery")
    )
    order = hero(at)[0]
    assert order["state"] == index
    assert order["pins"] == [[10, 20], [30, 40]]
    assert at.session_state["denoiser.panel"] == "Filter gallery"
    assert clerk.asked == []


NONSENSE = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["nan", "inf", "-1", "1e400", "0x3", "7.5", "9" * 400, "true", "given", "[]"]),
    st.integers().map(str),
    st.floats().map(str),
)
NAMES = [*params(SPEC), "pins", "panel", "card", "nothing"]


# Fifty whole pages, some 250 odd values: a tenth of a second each is what a page takes.
@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # to shrink by whole pages takes minutes
)
@given(address=st.dictionaries(st.sampled_from(NAMES), NONSENSE, min_size=4, max_size=8))
@example(address={"weight_decay": "2e-311"})
def test_nonsense_in_the_address_is_ignored(open_lab: OpenLab, address: dict[str, str]) -> None:
    at = clean(open_lab(**address))
    order, header, _ = hero(at)
    assert 0 <= order["state"] < len(header["states"])


def test_nonsense_values_leave_the_opening_settings(open_lab: OpenLab, clerk: Clerk) -> None:
    bad = {"kernel_size": "-3", "noise_std": "nan", "neurons": "GELU", "bias": "maybe"}
    at = clean(open_lab(**bad, dataset="given", n_gates="1e9", weight_decay="-1", pins="x;1,2,3"))
    assert clerk.asked == []
    assert hero(at)[0] == hero(open_lab())[0]
    shown = f"{OPENING['weight_decay']:g}"
    assert dict(at.query_params) == {"denoiser.weight_decay": shown}


def test_a_combination_without_meaning_is_one_line(open_lab: OpenLab, clerk: Clerk) -> None:
    at = open_lab(arrangements="adaptive", neurons="gated")
    assert not at.exception
    assert len(at.error) == 1
    assert "use neurons='relu'" in at.error[0].value
    assert "\n" not in at.error[0].value
    assert clerk.asked == []


def test_reset_returns_to_the_opening_page(open_lab: OpenLab) -> None:
    at = open_lab(weight_decay="100", pins="3,4", panel="Path sparsity", n_gates=32)
    at.button("reset.denoiser").click()
    clean(at.run())
    assert not [name for name in at.query_params if name.startswith("denoiser.")]
    assert control(at, "n_gates").value == OPENING["n_gates"]
    assert hero(at)[0]["pins"] == []
    assert not has_solve(at)


@pytest.mark.parametrize("title", ["Race", *figures.for_architecture("denoiser")])
def test_each_figure_is_drawn_with_a_caption_and_words_for_the_blind(
    open_lab: OpenLab, title: str
) -> None:
    at = clean(open_lab(panel=title))
    chart = at.get("plotly_chart")
    assert len(chart) == 1
    assert chart[0].proto.alt
    assert "What to notice" in [heading.value for heading in at.subheader]


def test_the_story_sets_the_figure_that_each_card_speaks_of(open_lab: OpenLab) -> None:
    at, cards = open_lab(), story.of("denoiser")
    for number, card in enumerate(cards[1:], start=2):
        at.button("denoiser.card.next").click()
        clean(at.run())
        assert f"{number} of {len(cards)}" in [caption.value for caption in at.caption]
        assert at.session_state["denoiser.panel"] == card.settings["panel"]
        assert at.get("plotly_chart")
    assert at.button("denoiser.card.next").disabled
    at.button("denoiser.card.back").click()
    assert not clean(at.run()).button("denoiser.card.next").disabled


def test_a_card_that_speaks_of_a_weight_decay_moves_the_slider(open_lab: OpenLab) -> None:
    at = open_lab()
    before = hero(at)[0]["state"]
    for _ in range(2):
        at.button("denoiser.card.next").click()
        at.run()
    order, header, _ = hero(at)
    assert order["state"] != before
    assert header["states"][order["state"]]["weight_decay"] == pytest.approx(100, rel=0.5)
