"""The batch-norm lab shows stored optima at each cut, and solves points on a line as it draws."""

import numpy as np
import pytest

from convexviz import architectures
from convexviz.experiments import path, precomputed, store
from convexviz.experiments.run import request
from convexviz.views import library
from tests.app.boards import clean, sent, visit
from tests.app.conftest import Clerk

ARCH = architectures.get("batch_norm")
SMALL = {
    "dataset": "signal_bottom",
    "neurons": "gated",
    "arrangements": "sampled",
    "n_gates": 6,
}


def family(**fields) -> str:
    return precomputed.family(ARCH.name, ARCH.spec.of({**ARCH.stored[0], **fields}).as_dict())


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
    assert panels["question"]["options"][panels["question"]["answer"]].startswith("about")
    assert {"quality"} <= set(panels["question"]["hides"])


def test_each_solved_cut_is_a_dot_with_its_own_certificate(clerk: Clerk) -> None:
    for k in (3, 0):
        fields = {**ARCH.stored[0], **SMALL, "n_directions": k}
        solved = path.solve_path(request(ARCH.name, None, fields), betas=[1.0, 0.3])
        library.keep(solved, family(**SMALL, n_directions=k))
    at = visit("batch_norm", **SMALL, n_directions=3)
    values, panels, arrays = sent(at)
    assert values["k"] == 3
    assert arrays["quality.x0"].tolist() == [3, 16]
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
    assert card["primal"] - card["dual"] <= 1e-6 * card["primal"]


def test_an_example_sets_the_page_and_reset_takes_it_back(clerk: Clerk) -> None:
    at = visit("batch_norm")
    at.button("batch_norm.example.3").click()
    clean(at.run())
    assert at.query_params["batch_norm.dataset"] == "toy"
    assert len(sent(at)[0]["points"]) == 15
    at.button("reset.batch_norm").click()
    clean(at.run())
    assert "batch_norm.dataset" not in at.query_params
    assert "spectrum" in sent(at)[1]
    assert clerk.asked == []


def test_the_story_cuts_the_spectrum(clerk: Clerk) -> None:
    at = visit("batch_norm")
    for _ in range(3):
        at.button("batch_norm.card.next").click()
        clean(at.run())
    assert at.query_params["batch_norm.n_directions"] == "15"
    assert sent(at)[0]["k"] == 15
    assert clerk.asked == []


def test_descent_is_shown_only_beside_a_proved_optimum_of_the_same_network(clerk: Clerk) -> None:
    whole = sent(visit("batch_norm"))[1]
    cut = sent(visit("batch_norm", n_directions=15))[1]
    assert {"falls", "turns", "player", "order"} <= set(whole)
    assert not {"falls", "turns", "player", "order"} & set(cut)
    assert clerk.asked == []
