"""Descent-ascent on faces: what is stored of it is what it proves, and never more."""

import numpy as np
import pytest

from convexviz.experiments import faces_race
from convexviz.experiments.faces_race import Reached
from convexviz.experiments.run import request
from convexviz.views import wgan_faces_race


def reached(lower: list[float], upper: list[float]) -> Reached:
    records = {
        "seconds": np.arange(len(lower), dtype=float),
        "lower_bound": np.array(lower),
        "objectives": np.array(upper),
        "regulariser": np.array(upper),
        "violation": np.zeros(len(lower)),
    }
    return Reached("alternating", records, 10.0, 2.0)


def test_one_percent_needs_both_sides() -> None:
    assert reached([9.0, 9.95, 3.0], [12.0, 10.02, 15.0]).is_certified  # the best so far counts
    assert not reached([9.0, 9.8], [12.0, 10.02]).is_certified
    assert not reached([9.99, 9.99], [np.inf, np.inf]).is_certified
    assert not reached([9.99, np.nan], [np.nan, np.nan]).is_certified
    assert reached([1.0, np.nan], [30.0, np.nan]).interval == (0.1, 3.0)


def test_what_ships_is_of_the_game_that_the_closed_form_solves() -> None:
    found, seconds = faces_race.stored()
    assert 1 <= len(found) <= len(faces_race.SETTINGS)
    assert all(one.records["seconds"][-1] >= 50 for one in found)
    assert seconds < 60
    game = faces_race.game()
    assert found[0].beta == pytest.approx(game["weight_decay"], rel=1e-6)
    closed = faces_race.closed_form().certificate
    assert found[0].optimum == pytest.approx(closed.primal, rel=1e-6)
    for one in found:
        lower, upper = one.interval
        assert lower <= 1 + 1e-4
        assert upper >= 1 - 1e-4
        assert not one.is_certified


def test_a_short_run_keeps_the_records_that_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces_race, "RECORDS", 2)
    monkeypatch.setattr(faces_race, "PACED", 1)
    (one,) = faces_race.run(1e-6, ["alternating"])
    assert set(one.records) == set(faces_race.NAMES)
    kept = faces_race.arrays([one], 0.5)
    assert list(faces_race.SETTINGS)[int(kept["setting"][0])] == "alternating"
    assert np.isfinite(one.interval[1])  # faces and samples are not as many: still repaired
    assert one.interval[0] <= 1 <= one.interval[1]


def drawn(monkeypatch: pytest.MonkeyPatch, *found: Reached) -> tuple[str, str]:
    """What the picture says for those who cannot see it, and the words under it."""
    monkeypatch.setattr(faces_race, "stored", lambda: (found, 0.5))
    _, won, said = wgan_faces_race.race_panels()
    return won.alt, said.texts[0]


def test_words_count_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    far, near = reached([1.0, 2.0], [30.0, 20.0]), reached([1.0, 2.0], [30.0, 20.0])
    far.records["violation"][:] = [6.0, 4.0]
    alt, words = drawn(monkeypatch, far, far, far)
    assert "none comes to 1" in alt
    assert words.startswith("3 settings")
    assert "3.0 at the least" in words
    alt, words = drawn(monkeypatch, far, near)
    assert "1 comes to 1" in alt
    assert words.startswith("2 settings")
    far.records["violation"][:] = np.nan
    alt, words = drawn(monkeypatch, far)
    assert "none comes to 1" in alt
    assert words.startswith("One setting")
    assert "at the least" not in words


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("dataset", "ring"),
        ("discriminator", "linear"),
        ("generator", "free"),
        ("penalty", "weights"),
    ],
)
def test_runs_are_shown_beside_their_own_game_only(
    field: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(wgan_faces_race.board, "board", lambda *_, key: shown.append(key))
    spec = request("wgan", None, faces_race.game()).spec.as_dict()
    assert wgan_faces_race.show(type("Result", (), {"spec": spec})(), "key")
    assert not wgan_faces_race.show(type("Result", (), {"spec": {**spec, field: other}})(), "key")
    assert shown == ["key"]
