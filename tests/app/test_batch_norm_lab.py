"""The batch-norm lab shows stored optima at each cut, and solves points on a line as it draws."""

import numpy as np
import pytest

from convexviz.experiments import path, precomputed, store
from convexviz.experiments.run import request
from convexviz.views import library
from tests.app.batch_norm_small import ARCH, SMALL, family
from tests.app.boards import clean, sent, visit
from tests.app.conftest import Clerk


def test_the_page_opens_on_the_stored_optimum_without_solving(clerk: Clerk) -> None:
    at = visit("batch_norm")
    values, panels, arrays = sent(at)
    stored = store.read(precomputed.FOLDER / precomputed.file_name(ARCH.name, family()))
    rank = len(stored.arrays["singular_values"])
    assert clerk.asked == []
    assert values["k"] == rank
    np.testing.assert_allclose(
        arrays["spectrum.values"], stored.arrays["singular_values"], rtol=1e-6
    )
    card = panels["certificate"]["states"][rank - 1]
    assert (card["primal"], card["dual"]) == (stored.certificate.primal, stored.certificate.dual)
    tested = dict(zip(arrays["quality.x0"], arrays["quality.y0"], strict=True))
    assert tested[rank] == pytest.approx(stored.scalars["test_accuracy"])
    texts = panels["say"]["texts"]
    assert texts[0].startswith("**1** of 49 directions is kept, with **")
    assert ["blown up" in words for words in texts[:2]] == [False, True]
    assert panels["question"]["options"][panels["question"]["answer"]].startswith("about")
    assert {"quality"} <= set(panels["question"]["hides"])


def test_each_solved_cut_is_a_dot_with_its_own_certificate(clerk: Clerk) -> None:
    alone = {**SMALL, "n_gates": 5}  # what other tests keep stays in memory
    for k in (3, 0):
        fields = {**ARCH.stored[0], **alone, "n_directions": k}
        solved = path.solve_path(request(ARCH.name, None, fields), betas=[1.0, 0.3])
        library.keep(solved, family(**alone, n_directions=k))
    at = visit("batch_norm", **alone, n_directions=3)
    values, panels, arrays = sent(at)
    assert values["k"] == 3
    assert arrays["quality.x0"].tolist() == [3, 16]
    low, high = panels["quality"]["yRange"]  # the words are placed by what is drawn
    shown = np.concatenate([arrays["quality.y0"], arrays["quality.y1"]])
    assert low < shown.min() < shown.max() < high
    states = panels["certificate"]["states"]
    assert states[2]["primal"] > states[15]["primal"]  # fewer directions fit less
    assert "missing" in states[4]
    assert "not solved yet" in panels["say"]["texts"][4]
    assert clerk.asked == []
    at.query_params["batch_norm.n_directions"] = "5"
    clean(at.run())
    assert any(button.label == "Solve" for button in at.button)
    assert clerk.asked == []


def test_points_on_a_line_are_solved_while_the_page_is_drawn(clerk: Clerk) -> None:
    values, panels, _ = sent(visit("batch_norm", dataset="toy", arrangements="all"))
    card = panels["certificate"]["states"][0]
    assert clerk.asked == []
    assert len(values["points"]) == 15
    assert card["scope"] == "RELU_NETWORK"
    assert card["primal"] - card["dual"] <= 1e-5 * card["primal"]
    cards = panels["certificate"]["states"]
    assert [panels[f"plane-{name}"]["note"] for name in ("none", "before", "after")] == [
        f"optimum {state['primal']:.4g}" for state in cards
    ]
    assert cards[2]["primal"] < cards[1]["primal"]


def test_moved_points_and_units_are_in_the_address(clerk: Clerk) -> None:
    line = {"dataset": "toy", "arrangements": "all"}
    first = sent(visit("batch_norm", **line))
    at = visit("batch_norm", **line, points="-1,0.5,0;0,-1,0;0.5,1,0;2,0.3,0", scale=5, shift=-2)
    values, panels, _ = sent(at)
    assert values["points"] == [[-1, 0.5, 0], [0, -1, 0], [0.5, 1, 0], [2, 0.3, 0]]
    assert (values["scale"], values["shift"]) == (5, -2)
    assert "5·x − 2" in panels["say"]["texts"][0]
    scaled = sent(visit("batch_norm", **line, scale=5))
    assert scaled[0]["points"] == first[0]["points"]
    one, other = (each[1]["certificate"]["states"] for each in (first, scaled))
    assert one[0]["primal"] != pytest.approx(other[0]["primal"], rel=1e-3)
    assert one[1]["primal"] == pytest.approx(other[1]["primal"], rel=1e-5)
    for nonsense in ({"points": "1,2"}, {"scale": "nan"}, {"shift": "x"}):
        assert sent(visit("batch_norm", **line, **nonsense))[0] == first[0]
    at.button("reset.batch_norm").click()
    clean(at.run())
    assert not {"batch_norm.points", "batch_norm.scale", "batch_norm.shift"} & set(at.query_params)
    assert clerk.asked == []


def test_an_example_sets_the_page_and_reset_takes_it_back(clerk: Clerk) -> None:
    at = visit("batch_norm")
    next(button for button in at.button if button.label == "Points on a line").click()
    clean(at.run())
    assert at.query_params["batch_norm.dataset"] == "toy"
    assert len(sent(at)[0]["points"]) == 15
    at.button("reset.batch_norm").click()
    clean(at.run())
    assert "batch_norm.dataset" not in at.query_params
    assert "spectrum" in sent(at)[1]
    assert clerk.asked == []


def test_every_stored_family_is_offered_and_opens_without_solving(clerk: Clerk) -> None:
    labels = {button.label: i for i, button in enumerate(visit("batch_norm").button)}
    assert {"Fifty digits", "Truncation fails", "Wrong labels", "Points on a line"} <= set(labels)
    at = visit("batch_norm")
    next(button for button in at.button if button.label == "Truncation fails").click()
    clean(at.run())
    assert at.query_params["batch_norm.dataset"] == "signal_bottom"
    values, panels, arrays = sent(at)
    tested = dict(zip(arrays["quality.x0"], arrays["quality.y0"], strict=True))
    assert values["k"] == 16
    assert tested[12] > 2 * tested[16]  # squared errors: the cut took the signal away
    assert panels["quality"]["title"] == "Squared error of a row"
    assert "right" not in panels["race-say"]["texts"][-1]  # targets that name no classes
    assert arrays["turns.y0"][-1] > tested[16]
    assert panels["turns"]["references"][0]["y"] == pytest.approx(tested[16])
    assert clerk.asked == []


def test_the_story_cuts_the_spectrum(clerk: Clerk) -> None:
    at = visit("batch_norm")
    for _ in range(3):
        at.button("batch_norm.card.next").click()
        clean(at.run())
    assert at.query_params["batch_norm.n_directions"] == "15"
    assert sent(at)[0]["k"] == 15
    for _ in range(2):
        at.button("batch_norm.card.next").click()
        clean(at.run())
    assert "plane-after" in sent(at)[1]
    at.button("batch_norm.card.back").click()
    clean(at.run())
    assert sent(at)[0]["k"] == 49
    assert clerk.asked == []


def test_the_race_stands_beside_the_proved_optimum_wherever_the_cut_is(clerk: Clerk) -> None:
    stored = store.read(precomputed.FOLDER / precomputed.file_name(ARCH.name, family()))
    proof = stored.certificate
    for k in (0, 15):
        values, panels, arrays = sent(visit("batch_norm", n_directions=k))
        assert {"falls", "turns", "player", "race-say"} <= set(panels)
        assert panels["falls"]["cursor"] == panels["turns"]["cursor"] == "record"
        assert values["record"] == panels["player"]["count"] - 1
        assert "proved" in panels["falls"]["title"]
        gaps = (stored.arrays["draws_adam_objective"][0] - proof.dual) / proof.primal
        np.testing.assert_allclose(arrays["falls.y0"], gaps, rtol=1e-5)
        best = max(stored.arrays["draws_adam_test_accuracy"][0])
        assert f"{round(100 * best)}\u00a0%" in panels["race-say"]["texts"][-1]
        assert len(panels["falls"]["series"]) == 5
    assert clerk.asked == []


def test_the_word_optimum_stands_beside_proved_cuts_only(clerk: Clerk) -> None:
    _, panels, _ = sent(visit("batch_norm"))
    texts, states = panels["say"]["texts"], panels["certificate"]["states"]
    proved = {
        i
        for i, state in enumerate(states)
        if "primal" in state
        and state["primal"] - state["dual"] <= state["tolerance"] * state["primal"]
    }
    assert {i for i, words in enumerate(texts) if "optimum" in words} == proved
    assert len(texts) - 1 in proved
    assert "closed form" in texts[-1]
    assert not any("closed form" in words for words in texts[:-1])
    assert clerk.asked == []


def test_the_closed_form_is_not_offered_below_full_rank(clerk: Clerk) -> None:
    fields = {**SMALL, "dataset": "signal_top", "n_directions": 0}
    solved = path.solve_path(request(ARCH.name, None, {**ARCH.stored[0], **fields}), betas=[0.3])
    library.keep(solved, family(**fields))
    _, panels, _ = sent(visit("batch_norm", **fields))
    assert "below n − 1 = 59: the closed form does not apply" in panels["say"]["texts"][-1]
    assert "question" not in panels
    assert clerk.asked == []


def test_the_band_and_the_baselines_are_those_of_these_rows(clerk: Clerk) -> None:
    stored = store.read(precomputed.FOLDER / precomputed.file_name(ARCH.name, family()))
    _, panels, arrays = sent(visit("batch_norm"))
    drawn = stored.arrays["draws_test_accuracy"]
    band = len(panels["quality"]["series"]) - 1
    low, high = arrays[f"quality.low{band}"], arrays[f"quality.high{band}"]
    assert arrays[f"quality.x{band}"].tolist() == stored.arrays["draws_n_directions"].tolist()
    np.testing.assert_allclose((low + high) / 2, drawn.mean(axis=0), rtol=1e-5)
    assert (high - low > 0.02).all()
    assert "over 10 draws" in panels["say"]["texts"][0]
    X, Y, T = (stored.data[name] for name in ("X", "Y", "test_X"))
    near = ((T[:, None] - X[None]) ** 2).sum(axis=2).argmin(axis=1)
    right = np.mean(Y[near].argmax(axis=1) == stored.data["test_Y"].argmax(axis=1))
    lines = [line["y"] for line in panels["quality"]["references"]]
    assert len(lines) == 3
    assert min(abs(np.array(lines) - right)) < 1e-9
    assert f"nearest neighbour {round(100 * right)}\u00a0%" in panels["race-say"]["texts"][0]
    assert clerk.asked == []


def test_the_moment_of_the_race_is_in_the_address_and_nonsense_is_its_end(clerk: Clerk) -> None:
    at = visit("batch_norm", record=7)
    assert sent(at)[0]["record"] == 7
    for text in ("-1", "9999999", "x", "400"):
        values, panels, _ = sent(visit("batch_norm", record=text))
        assert values["record"] == panels["player"]["count"] - 1
    assert clerk.asked == []


def test_the_order_is_run_while_the_page_is_drawn(clerk: Clerk) -> None:
    values, panels, arrays = sent(visit("batch_norm"), 1)
    assert values == {"way": "gd", "rows": "synthetic", "decades": 1.5}
    slow, fast, level = (arrays[f"steps.y{i}"] for i in range(3))
    assert np.median(slow[12:]) > 20 * np.median(slow[:4])
    assert np.median(slow[12:]) > 2 * np.median(fast[12:])
    assert np.median(level[12:]) < 3 * np.median(level[:4])
    assert {"map", "way", "rows", "decades"} <= set(panels)
    address = {"order_way": "whitened", "order_rows": "here", "order_decades": "nan"}
    values, panels, arrays = sent(visit("batch_norm", **address), 1)
    assert (values["way"], values["rows"]) == ("whitened", "here")
    assert len(arrays["steps.y0"]) == 49
    assert "whitened" in panels["map"]["title"]
    assert "decades" not in panels
    assert clerk.asked == []
