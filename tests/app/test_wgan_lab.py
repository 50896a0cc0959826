"""The game's lab: samples against a critic in the plane, and faces for every threshold."""

import numpy as np
import pytest

from convexviz import architectures
from convexviz.datasets import portraits
from convexviz.experiments import gallery, precomputed, store
from convexviz.views import ready, wgan_points
from tests.app.boards import clean, sent, visit
from tests.app.conftest import Clerk

ARCH = architectures.get("wgan")
POINTS = "200_0.0_200.-200_0.0_-200.140_140"


def test_the_page_opens_on_the_stored_optimum_without_solving(clerk: Clerk) -> None:
    values, panels, _ = sent(visit("wgan"))
    family = precomputed.family(ARCH.name, ARCH.spec.of(ARCH.stored[0]).as_dict())
    stored = store.read(precomputed.FOLDER / precomputed.file_name(ARCH.name, family))
    assert clerk.asked == []
    assert (values["data"], values["critic"]) == ("ring", "linear")
    assert len(values["points"]) == len(stored.data["X"])
    cards = panels["certificate"]["states"]
    assert len(cards) == len(stored.arrays["path_weight_decay"])
    assert any(card["primal"] == stored.certificate.primal for card in cards)
    assert "ring" in panels["quiz"]["question"]


@pytest.mark.parametrize("critic", ["quadratic", "polynomial"])
def test_another_critic_is_stored_too(clerk: Clerk, critic: str) -> None:
    values, panels, _ = sent(visit("wgan", discriminator=critic))
    assert values["critic"] == critic
    assert clerk.asked == []
    assert panels["matched"]["kind"] == "spectrum"
    assert panels["matched"]["stops"] == sorted(panels["certificate"]["at"])


def test_own_points_are_solved_at_once_and_kept_in_the_address(clerk: Clerk) -> None:
    at = visit("wgan", points=POINTS)
    values, panels, _ = sent(at)
    assert clerk.asked == []
    assert values["data"] == "given"
    assert values["points"] == wgan_points.read(POINTS)
    card = panels["certificate"]["states"][0]
    assert card["primal"] - card["dual"] <= 1e-6 * abs(card["primal"])
    at.button("reset.wgan").click()
    clean(at.run())
    assert "wgan.points" not in at.query_params
    assert sent(at)[0]["data"] == "ring"


def test_faces_need_no_solve_and_prove_what_the_solver_proves(clerk: Clerk) -> None:
    at = visit("wgan", dataset="faces")
    values, panels, arrays = sent(at)
    found = gallery.of("faces", portraits.faces())
    assert clerk.asked == []
    assert values["beta"] == found.opening
    at_opening = panels["certificate"]["at"].index(found.opening)
    card = panels["certificate"]["states"][at_opening]
    assert (card["primal"], card["dual"]) == (
        found.certificate(found.opening).primal,
        found.certificate(found.opening).dual,
    )
    assert "**40** of 169 directions" in panels["say"]["texts"][at_opening]
    shape = (16, 100, 25)
    np.testing.assert_array_equal(arrays["faces.written"].reshape(shape), found.nearest)
    assert len(arrays["faces.directions"]) == 100 * 64 * 64 * 3
    assert len(arrays["likeness.held_out"]) == 34
    assert panels["likeness"]["id"] in panels["quiz"]["hides"]
    assert any("CC BY 4.0" in caption.value for caption in at.caption)
    # Of the same game, solved beside it: Settings have nothing that this mode decides.
    assert not [w for w in at.segmented_control if "generator" in str(w.key)]


def test_the_address_holds_threshold_latents_and_the_way_between(clerk: Clerk) -> None:
    found = gallery.of("faces", portraits.faces())
    beta = found.stops[9]
    values, _, _ = sent(
        visit("wgan", dataset="faces", weight_decay=f"{beta:.6g}", draw=3, ends="4_7", between=0.25)
    )
    assert (values["beta"], values["draw"]) == (beta, 3)
    assert (values["ends"], values["share"]) == ([4, 7], 0.25)
    assert clerk.asked == []


@pytest.mark.parametrize(
    "address",
    [{"weight_decay": "x", "draw": "99", "ends": "1", "between": "nan"},
     {"weight_decay": -1, "draw": "-1", "ends": "1_99", "between": 7}],
)  # fmt: skip
def test_nonsense_in_the_address_opens_as_ever(clerk: Clerk, address: dict[str, object]) -> None:
    values, _, _ = sent(visit("wgan", dataset="lfw", **address))
    found = gallery.of("lfw", portraits.lfw())
    assert values == {
        "beta": found.opening, "data": "lfw", "draw": 0, "ends": [0, 1], "share": 0.5
    }  # fmt: skip
    assert clerk.asked == []


@pytest.mark.parametrize("name", ["lfw", "handwriting"])
def test_images_that_are_here_are_shown_beside_what_is_near_them(clerk: Clerk, name: str) -> None:
    at = visit("wgan", dataset=name)
    _, panels, arrays = sent(at)
    assert clerk.asked == []
    found = portraits.OF[name]()
    shown = gallery.of(name, found)
    assert shown.which is not None
    assert panels["faces"]["beside"] == list(found.shape)
    real = (255 * (found.X + found.mean)).round().reshape(len(found.X), -1)
    small = arrays["faces.beside"].reshape(-1, real.shape[1])
    at_tile = arrays["faces.which"].reshape(shown.which.shape)
    for place in ((0, 0, 0), (3, 10, 24), (7, 40, 5)):
        np.testing.assert_array_equal(small[at_tile[place]], real[shown.which[place]])
    if name == "lfw":
        assert any("poor case" in caption.value for caption in at.caption)


def test_what_descent_reached_on_faces_ships_and_stands_below(clerk: Clerk) -> None:
    at = visit("wgan", dataset="faces")
    _, panels, _ = sent(at)
    assert "beside" not in {k for k, v in panels["faces"].items() if v}  # the images do not ship
    assert "race" not in panels
    _, raced, _ = sent(at, 1)
    assert {"race", "won", "race-say"} == set(raced)
    assert "**not reached**" in raced["race-say"]["texts"][0]
    assert len(raced["won"]["series"]) == 8
    assert clerk.asked == []


def test_reset_leaves_the_faces(clerk: Clerk) -> None:
    at = visit("wgan", dataset="lfw", draw=2)
    at.button("reset.wgan").click()
    clean(at.run())
    assert sent(at)[0]["data"] == "ring"
    assert "wgan.draw" not in at.query_params
    assert clerk.asked == []


def test_the_story_goes_to_the_faces_and_back_to_the_plane(clerk: Clerk) -> None:
    at = visit("wgan")
    for _ in range(3):
        at.button("wgan.card.next").click()
        clean(at.run())
    values, _, _ = sent(at)
    assert values["data"] == "faces"
    assert values["beta"] != pytest.approx(20.0, rel=0.1)  # the card before set 20
    assert "wgan.weight_decay" not in at.query_params
    assert "*keep the directions" in at.markdown[0].value
    at.button("wgan.card.next").click()
    clean(at.run())
    values, _, _ = sent(at)
    assert (values["data"], values["critic"], values["beta"]) == ("ring", "polynomial", 0.16)
    assert clerk.asked == []


def test_an_example_opens_what_it_names(clerk: Clerk) -> None:
    at = visit("wgan", dataset="lfw", draw=1)
    at.button("wgan.example.3").click()
    clean(at.run())
    values, panels, _ = sent(at)
    assert (values["data"], values["critic"]) == ("gaussians", "quadratic")
    assert "each loses" in panels["matched"]["title"]
    assert clerk.asked == []


def test_a_weight_decay_is_kept_while_the_solver_is_made_ready(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"dataset": "gaussians", "discriminator": "quadratic", "penalty": "samples"}
    monkeypatch.setattr(ready, "is_ready", lambda _: False)
    monkeypatch.setattr(ready, "notice", lambda *_, **__: None)
    at = visit("wgan", **asked, generator="linear", weight_decay=23)
    assert sent(at)[0]["beta"] != 23  # something else stands there meanwhile
    assert at.query_params["wgan.weight_decay"] in ("23", ["23"])
    monkeypatch.setattr(ready, "is_ready", lambda _: True)
    clean(at.run())
    assert sent(at)[0]["beta"] == pytest.approx(23)
    assert clerk.asked == []
