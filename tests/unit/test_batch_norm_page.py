"""What the batch-norm page says of a result is measured on it."""

from dataclasses import replace

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.architectures.batch_norm import analysis, figures, quiz
from convexviz.datasets.base import Draw
from convexviz.datasets.labelled import toy as toy_data
from convexviz.experiments.result import Result
from convexviz.views import batch_norm_line as line
from convexviz.views import batch_norm_toy as toy
from convexviz.views.batch_norm_quality import references

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


def test_a_network_whose_gap_is_open_is_not_asked_about_as_the_best(digits: Result) -> None:
    open_ = replace(digits.certificate, dual=0.9 * digits.certificate.dual)
    assert quiz.ask(digits) is not None
    assert quiz.ask(replace(digits, certificate=open_)) is None


def test_a_line_is_named_after_all_the_methods_that_lie_there() -> None:
    def named(**found: float) -> list[str]:
        return [
            line["words"] for line in references({f"baseline_{k}": v for k, v in found.items()})
        ]

    apart = ["network without batch norm", "logistic regression", "nearest neighbour"]
    assert named(nearest=0.67, logistic=0.75, plain_test_accuracy=0.83) == apart
    two = ["two without batch norm", "", "nearest neighbour"]
    assert named(nearest=0.67, logistic=0.80, plain_test_accuracy=0.83) == two
    assert named(nearest=0.79, logistic=0.80, plain_test_accuracy=0.83) == [
        "three methods without batch norm",
        "",
        "",
    ]


def test_one_direction_is_spoken_of_as_one(digits: Result) -> None:
    alone = replace(
        digits,
        spec={**digits.spec, "n_directions": 1},
        scalars={**digits.scalars, "explained_variance": 0.155},
    )
    one, all_ = figures.caption_spectrum(alone), figures.caption_spectrum(digits)
    assert one == "The one direction kept holds 16\u00a0% of the variance: only its size changes."
    assert all_.startswith("The 49 directions kept hold 100\u00a0%")


def test_only_what_is_short_is_live() -> None:
    assert ARCH.seconds is not None
    spec = ARCH.spec.of(ARCH.stored[0])
    assert ARCH.seconds(spec, ARCH.load(spec)) < 0.1  # a closed form
    cut = ARCH.spec.of({**ARCH.stored[0], "n_directions": 15})
    assert ARCH.seconds(cut, ARCH.load(cut)) > 1
    line = ARCH.spec.of({"dataset": "toy", "arrangements": "all"})
    assert ARCH.seconds(line, ARCH.load(line)) < 0.1


POINTS = [[-1.0, 0.2, 0], [0.1, -0.7, 0], [0.4, 0.3, 0], [1.6, 1.1, 0]]


def fitted(points: line.Points, units: line.Units, **fields: object) -> dict[str, line.Fit]:
    """The three networks on these points, as the page computes them."""
    data = line.arrays(points, units)
    fields = {"arrangements": "all", "weight_decay": 0.05, **fields}
    result = convexviz.solve("batch_norm", data=data, **fields)
    return dict(line.fits(result, 0))


@pytest.mark.parametrize("units", [line.Units(10.0), line.Units(1.0, 6.0), line.Units(0.3, -2.5)])
def test_other_units_are_noticed_without_batch_norm_only(units: line.Units) -> None:
    here, there = fitted(POINTS, line.Units()), fitted(POINTS, units)
    assert line.points_of(line.arrays(POINTS, units), units) == POINTS
    x = np.linspace(-2, 2, 9)
    for place in ("before", "after"):
        # All are solved to a gap of 1e-5 or less.
        assert there[place].certificate.primal == pytest.approx(
            here[place].certificate.primal, rel=1e-4
        )
    np.testing.assert_allclose(
        there["before"].at(x, units), here["before"].at(x, line.Units()), atol=1e-4
    )
    moved = there["none"].certificate.primal / here["none"].certificate.primal
    assert abs(moved - 1) > 0.01
    assert all(fit.proved for fit in there.values())


def test_on_standardised_points_batch_norm_before_is_the_plain_network() -> None:
    table = np.array(POINTS)
    x = (table[:, 0] - table[:, 0].mean()) / table[:, 0].std()
    points = [[float(a), float(b), 0] for a, b in zip(x, table[:, 1], strict=True)]
    found = fitted(points, line.Units())
    none, before = (found[place].certificate.primal for place in ("none", "before"))
    assert none == pytest.approx(before, rel=1e-5)
    for fit in found.values():  # the function drawn is the one whose objective is told
        f = fit.at(x, line.Units())
        assert 0.5 * np.sum((f - table[:, 1]) ** 2) < fit.certificate.primal


def test_after_the_relu_takes_the_outlier_and_the_page_says_so() -> None:
    data = toy_data(Draw(0))
    points = line.points_of(data, line.Units())
    found = fitted(points, line.Units(), weight_decay=0.03)
    drawn = toy.Line(fits=found, points=points, units=line.Units())
    words = next(p for p in toy.panels(drawn, [0.03]) if p.slot.id == "say").texts[0]
    x, y = np.array(points)[-1, :2]
    said = {place: float(fit.at(np.array([x]), line.Units())[0]) for place, fit in found.items()}
    assert abs(said["after"] - y) < 0.1
    assert abs(said["before"] - y) > 0.6
    assert f"y = {y:.2f}, they give {said['none']:.2f}" in words
    assert found["none"].certificate.primal == pytest.approx(1.568, rel=0.005)  # measured before
    assert found["after"].certificate.primal == pytest.approx(0.365, rel=0.005)


def test_a_network_whose_gap_is_open_is_not_called_the_optimum() -> None:
    found = fitted(POINTS, line.Units())
    open_ = replace(found["after"].certificate, dual=0.5 * found["after"].certificate.dual)
    found["after"] = replace(found["after"], certificate=open_)
    drawn = toy.Line(fits=found, points=POINTS, units=line.Units())
    notes = {p.slot.id: p.slot.note for p in toy.panels(drawn, [0.05])}
    assert "optimum" not in notes["plane-after"]
    assert "optimum" in notes["plane-before"]
