"""The vector-output lab shows what was solved, and solves again where points are moved."""

import numpy as np
import pytest

from convexviz import architectures
from convexviz.experiments import precomputed, starts, store
from convexviz.experiments.result import Result
from convexviz.views import points, vector_pictures
from convexviz.views.heroes.vector_output import EXAMPLES
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
    now, beta = (
        float(part.split()[0].rstrip("?")) for part in question["question"].split("β = ")[1:]
    )
    assert beta == 2 * now == 0.2
    _, there, _ = sent(visit("vector_output", weight_decay=beta))
    answer = int(question["options"][question["answer"]])
    assert there["certificate"]["states"][0]["n_neurons"] == answer
    assert clerk.asked == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_every_path_that_ships_holds_the_double_of_its_weight_decay(example) -> None:
    known = stored(**example.fields)
    if "path_weight_decay" in known.arrays and known.spec["arrangements"] != "adaptive":
        decays = known.arrays["path_weight_decay"]
        assert 2 * float(known.spec["weight_decay"]) in decays.tolist()
        np.testing.assert_allclose(decays[:-1] / decays[1:], 2.0, rtol=1e-12)


def test_the_spiral_shows_the_relaxation_all_along_its_path(clerk: Clerk) -> None:
    spiral = next(each.fields for each in EXAMPLES if each.title == "Spiral")
    known = stored(**spiral)
    for place, beta in enumerate(known.arrays["path_weight_decay"][4:7], 4):
        _, panels, _ = sent(visit("vector_output", **{**spiral, "weight_decay": beta}))
        network, _, relaxed = (mark["value"] for mark in panels["bounds"]["frames"][0]["marks"])
        assert relaxed == known.arrays["path_copositive"][place]
        assert relaxed <= network <= relaxed * (1 + 1e-6)
    assert clerk.asked == []


def test_frank_wolfe_is_played_from_what_it_recorded(clerk: Clerk) -> None:
    at = visit("vector_output", method="frank_wolfe", steps=12)
    values, panels, arrays = sent(at)
    assert clerk.asked == []  # it takes milliseconds: solved while the page is drawn
    assert panels["player"]["count"] == 12
    assert values["step"] == 11
    layers = panels["plane"]["layers"][0]["layers"][0][0]["layers"]
    assert len(layers) == 12
    assert len(layers[0][1]["arrows"]) == 1  # one neuron a step
    assert np.isfinite(arrays["gap.y0"]).all()


def stored(**fields: object) -> Result:
    """The result that ships for these fields."""
    spec = ARCH.spec.of({**ARCH.stored[0], **fields}).as_dict()
    family = precomputed.family(ARCH.name, spec)
    return store.read(precomputed.FOLDER / precomputed.file_name(ARCH.name, family))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_every_example_opens_on_a_stored_result_with_its_race(clerk: Clerk, example) -> None:
    at = visit("vector_output", **example.fields)
    _, panels, _ = sent(at)
    known = stored(**example.fields)
    card = panels["certificate"]["states"][0]
    assert clerk.asked == []
    assert (card["primal"], card["dual"]) == (known.certificate.primal, known.certificate.dual)
    dots = [chart for chart in at.get("plotly_chart") if "neurons" in chart.proto.spec]
    assert len(dots) == 1


def test_the_loose_relaxation_shows_three_marks_and_names_what_it_loses(clerk: Clerk) -> None:
    loose = next(each.fields for each in EXAMPLES if "loose" in each.title)
    _, panels, _ = sent(visit("vector_output", **loose))
    frame = panels["bounds"]["frames"][0]
    network, exact, relaxed = (mark["value"] for mark in frame["marks"])
    assert relaxed == pytest.approx(2.38515499, abs=1e-7)  # p3.B2 of the golden table
    assert network == pytest.approx(2.38516856, abs=1e-7)
    assert relaxed < exact <= network < exact + 1e-7
    assert (frame["gaps"][0]["from"], frame["gaps"][0]["to"]) == (relaxed, exact)
    assert "loose by 1.4e" in frame["gaps"][0]["words"]
    assert clerk.asked == []


def test_a_block_costs_at_least_its_nuclear_norm_and_all_of_them_what_the_neurons_do(
    clerk: Clerk,
) -> None:
    _, panels, _ = sent(visit("vector_output"))
    rows = panels["blocks"]["frames"][0]
    assert all(row["value"] >= row["second"] * (1 - 1e-9) for row in rows)
    total = sum(row["value"] for row in panels["neurons"]["frames"][0])
    assert sum(row["value"] for row in rows) == pytest.approx(total)
    assert clerk.asked == []


def test_the_table_of_answers_counts_the_unseen_digits(clerk: Clerk) -> None:
    digits = next(each.fields for each in EXAMPLES if "ten classes" in each.title)
    _, panels, _ = sent(visit("vector_output", **digits))
    result = stored(**digits)
    known = vector_pictures.table(result)
    assert known is not None
    counts, which = known
    assert which == "unseen rows"
    assert counts.sum() == len(result.data["test_Y"])
    right = np.trace(counts) / counts.sum()
    assert right == pytest.approx(result.scalars["test_accuracy"])
    assert f"{round(100 * right)}\u00a0%" in panels["say"]["texts"][0]
    assert panels["tiles"]["count"] == 10
    assert clerk.asked == []


def test_filters_fire_where_the_network_says(clerk: Clerk) -> None:
    patches = next(each.fields for each in EXAMPLES if "Patches" in each.title)
    _, panels, arrays = sent(visit("vector_output", **patches))
    result = stored(**patches)
    X, U = result.data["X"], result.arrays["first_layer"]
    cost = np.linalg.norm(U, axis=0) * np.linalg.norm(result.arrays["second_layer"], axis=1)
    best = int(np.argmax(cost))
    pictures = arrays["firing.frames"].reshape(-1, panels["firing"]["across"], 8, 8)
    first = np.argmax(result.data["Y"][:, 0] == 1)  # the first sample shown: of the first class
    fired = X[first] @ U[:, best] > 0
    assert not (pictures[0, 1, ::2, ::2].ravel().astype(bool) & ~fired).any()
    assert (pictures[0, 1] != 0).any() == fired.any()
    assert clerk.asked == []


def test_many_starts_run_on_demand_and_are_counted(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "ends", _few_steps(starts.ends))
    at = visit("vector_output", points=points.written(MOVED))
    assert not any("neurons" in chart.proto.spec for chart in at.get("plotly_chart"))
    clerk.works = True
    at.button("vector_output.starts.run").click()
    clean(at.run())
    assert clerk.asked[0]["widths"] == [3, 40]
    told = next(each.value for each in at.markdown if "With 3 neurons" in each.value)
    assert "of 2" in told


def _few_steps(ends):
    def run(*args, **more):
        return ends(*args, **{**more, "options": {"steps": 3, "seeds": 2, "optimizer": "adam"}})

    return run
