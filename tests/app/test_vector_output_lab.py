"""The vector-output lab shows what was solved, and solves again where points are moved."""

import numpy as np
import pytest

from convexviz import architectures
from convexviz.experiments import precomputed, store
from convexviz.views import points
from tests.app.boards import clean, sent, visit
from tests.app.conftest import Clerk

ARCH = architectures.get("vector_output")
MOVED = [[1.0, 0.3, 0], [0.7, -0.4, 0], [-0.6, 0.9, 1], [-0.1, -1.0, 2]]


def test_the_page_opens_on_the_stored_optimum_without_solving(clerk: Clerk) -> None:
    at = visit("vector_output")
    values, panels, _ = sent(at)
    family = precomputed.family(ARCH.name, ARCH.spec.of(ARCH.stored[0]).as_dict())
    stored = store.read(precomputed.FOLDER / precomputed.file_name(ARCH.name, family))
    card = panels["certificate"]["states"][0]
    assert clerk.asked == []
    assert (card["primal"], card["dual"]) == (stored.certificate.primal, stored.certificate.dual)
    assert len(values["points"]) == len(stored.data["X"])
    assert len(panels["neurons"]["frames"][0]) == stored.scalars["n_neurons"]
    network, bound = panels["bounds"]["frames"][0]["marks"][:2]
    assert (network["value"], bound["value"]) == (card["primal"], card["dual"])


def test_points_in_the_address_are_solved_and_proved_at_once(clerk: Clerk) -> None:
    at = visit("vector_output", points=points.written(MOVED))
    values, panels, _ = sent(at)
    card = panels["certificate"]["states"][0]
    assert clerk.asked == []
    assert values["points"] == MOVED
    assert card["scope"] == "RELU_NETWORK"
    assert card["primal"] - card["dual"] <= 1e-6 * card["primal"]
    assert "**4** rows" in panels["say"]["texts"][0]
    at.button("reset.vector_output").click()
    clean(at.run())
    assert "vector_output.points" not in at.query_params
    assert len(sent(at)[0]["points"]) == 6


@pytest.mark.parametrize("text", ["1,2", "a;b", "1,2,9;3,4,0", "1e9,0,0;1,1,1"])
def test_nonsense_for_points_leaves_those_of_the_data_set(clerk: Clerk, text: str) -> None:
    assert len(sent(visit("vector_output", points=text))[0]["points"]) == 6
    assert clerk.asked == []


def test_another_weight_decay_of_the_path_has_its_own_network(clerk: Clerk) -> None:
    _, opening, _ = sent(visit("vector_output"))
    values, panels, _ = sent(visit("vector_output", weight_decay=0.18))
    assert values["beta"] == pytest.approx(0.18, rel=0.3)
    assert (
        panels["certificate"]["states"][0]["primal"] > opening["certificate"]["states"][0]["primal"]
    )
    assert clerk.asked == []


def test_the_question_is_answered_by_the_path(clerk: Clerk) -> None:
    _, panels, _ = sent(visit("vector_output"))
    question = panels["question"]
    beta = float(question["question"].split("β = ")[2].rstrip("?"))
    _, there, _ = sent(visit("vector_output", weight_decay=beta))
    answer = int(question["options"][question["answer"]])
    assert there["certificate"]["states"][0]["n_neurons"] == answer
    assert clerk.asked == []


def test_frank_wolfe_is_played_from_what_it_recorded(clerk: Clerk) -> None:
    clerk.works = True
    at = visit("vector_output", method="frank_wolfe", steps=12)
    values, panels, arrays = sent(at)
    assert len(clerk.asked) == 1
    assert panels["player"]["count"] == 12
    assert values["step"] == 11
    layers = panels["plane"]["layers"][0]["layers"][0][0]["layers"]
    assert len(layers) == 12
    assert len(layers[0][1]["arrows"]) == 1  # one neuron a step
    assert np.isfinite(arrays["gap.y0"]).all()
