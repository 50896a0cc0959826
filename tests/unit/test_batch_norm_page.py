"""What the batch-norm page says of a result is measured on it."""

from dataclasses import replace

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.architectures.batch_norm import analysis, quiz
from convexviz.experiments.result import Result
from convexviz.views import batch_norm_toy as toy

ARCH = architectures.get("batch_norm")


@pytest.fixture(scope="module")
def digits() -> Result:
    return convexviz.solve("batch_norm", **ARCH.stored[0])


def test_the_nearest_neighbour_is_found_among_the_training_rows() -> None:
    X, Y = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]), np.eye(3)
    known = {"X": X, "Y": Y, "test_X": X + 1.0, "test_Y": Y}
    outcome = type("O", (), {"data": known, "spec": {"loss": "squared"}, "arrays": {}})()
    assert analysis.baselines(outcome) == {"nearest neighbour": 1.0, "ridge": 1.0}
    wrong = {**known, "test_Y": Y[[1, 0, 2]]}
    outcome = type("O", (), {"data": wrong, "spec": {"loss": "squared"}, "arrays": {}})()
    assert analysis.baselines(outcome)["nearest neighbour"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("measured", [0.02, 0.3, 0.35, 0.58, 0.8, 0.97, 1.0])
def test_the_question_offers_the_measured_answer_among_ones_that_differ(
    digits: Result, measured: float
) -> None:
    asked = quiz.ask(replace(digits, scalars={**digits.scalars, "test_accuracy": measured}))
    assert asked is not None
    offered = [int(words.split()[1]) for words in asked.options]
    assert asked.answer in asked.options
    assert abs(int(asked.answer.split()[1]) - 100 * measured) <= 2.5
    assert len(offered) >= 2
    assert offered == sorted(offered)
    assert min(np.diff(offered)) >= 12
    assert 0 <= offered[0] <= offered[-1] <= 100


def test_nothing_is_asked_where_nothing_is_proved_of_all_networks(digits: Result) -> None:
    assert quiz.ask(replace(digits, spec={**digits.spec, "n_directions": 15})) is None


def test_only_what_is_short_is_live() -> None:
    assert ARCH.seconds is not None
    spec = ARCH.spec.of(ARCH.stored[0])
    assert ARCH.seconds(spec, ARCH.load(spec)) < 0.1  # a closed form
    cut = ARCH.spec.of({**ARCH.stored[0], "n_directions": 15})
    assert ARCH.seconds(cut, ARCH.load(cut)) > 1
    line = ARCH.spec.of({"dataset": "toy", "arrangements": "all"})
    assert ARCH.seconds(line, ARCH.load(line)) < 0.1


@pytest.mark.parametrize("units", list(toy.SCALES))
def test_other_units_keep_the_points_and_the_objective(units: str) -> None:
    points = [[-1.0, 0.2, 0], [0.1, -0.7, 0], [0.4, 0.3, 0], [1.6, 1.1, 0]]
    data = toy.arrays(points, units)
    fields = {"arrangements": "all", "weight_decay": 0.05}
    result = convexviz.solve("batch_norm", data=data, **fields)
    plain = convexviz.solve("batch_norm", data=toy.arrays(points, "given"), **fields)
    assert toy.points_of(result, units) == points
    # Both are solved to a gap of 1e-6.
    assert result.certificate.primal == pytest.approx(plain.certificate.primal, rel=1e-5)
