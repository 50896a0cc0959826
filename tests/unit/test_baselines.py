"""Baselines are computed on the rows they stand beside, and are what they are called."""

import numpy as np
import pytest

from convexviz.datasets.base import Draw
from convexviz.datasets.labelled import digit_classes
from convexviz.experiments import baselines


@pytest.fixture(scope="module")
def digits() -> dict[str, np.ndarray]:
    data = dict(digit_classes(Draw()))
    return {**data, "test_X": data["test_X"][:500], "test_Y": data["test_Y"][:500]}


@pytest.fixture(scope="module")
def found(digits: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return baselines.of(digits, 0.3)


def test_fifty_digits_are_told_apart_without_batch_norm(found: dict[str, np.ndarray]) -> None:
    # Measured over ten draws: 82.9 +- 3.5, 79.5 +- 4.6, and at best 82.8 +- 1.9.
    assert 0.72 < found["baseline_nearest"] < 0.93
    assert 0.66 < found["baseline_logistic"] < 0.93
    assert 0.76 < found["baseline_plain_test_accuracy"].max() < 0.9
    assert found["baseline_plain_step"][-1] == baselines.STEPS
    assert found["baseline_plain_test_accuracy"][0] < 0.4


def test_logistic_regression_is_that_of_scikit_learn(digits: dict[str, np.ndarray]) -> None:
    from sklearn.linear_model import LogisticRegression

    known = digits["Y"].argmax(axis=1)
    theirs = LogisticRegression(max_iter=500).fit(digits["X"], known)
    mine = baselines.logistic(digits["X"], known, 10)(digits["test_X"])
    assert np.mean(mine == theirs.predict(digits["test_X"])) > 0.99


def test_the_nearest_row_gives_its_class_and_wrong_answers_count() -> None:
    X, known = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]), np.array([0, 1, 2])
    assert baselines.nearest(X, known, X + 1.0).tolist() == [0, 1, 2]
    data = {"X": X, "Y": np.eye(3), "test_X": X + 1.0, "test_Y": np.eye(3)[[1, 0, 2]]}
    assert baselines.of(data, 0.1)["baseline_nearest"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "change",
    [
        {"Y": np.ones((3, 2)), "test_Y": np.ones((3, 2))},
        {"Y": np.array([0.5, 1, 2])},
        {"X": np.ones((3, 2, 2))},
        {"test_X": None},
    ],
)
def test_without_classes_or_rows_held_out_there_is_nothing_to_compare(change: dict) -> None:
    data = {"X": np.ones((3, 2)), "Y": np.eye(3), "test_X": np.ones((3, 2)), "test_Y": np.eye(3)}
    data = {name: value for name, value in {**data, **change}.items() if value is not None}
    assert baselines.of(data, 0.1) == {}


def test_what_takes_long_is_left_out(digits: dict[str, np.ndarray]) -> None:
    assert baselines.of(digits, 0.3, most=1.0) == {}
    assert set(baselines.of(digits, 0.3, most=3e7)) == {"baseline_nearest", "baseline_logistic"}
