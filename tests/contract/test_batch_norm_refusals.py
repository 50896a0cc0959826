"""Bad input to batch norm: one clear line, before any work."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.architectures.batch_norm import programs
from convexviz.errors import ConvexvizError, SpecError

RNG = np.random.default_rng(10)
A2, Y2 = RNG.standard_normal((7, 2)), RNG.standard_normal(7)
ROWS = {"X": A2, "Y": Y2}
BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "one row": ({"X": A2[:1], "Y": Y2[:1]}, {}, "X needs at least 2 rows"),
    "constant X": ({"X": np.ones((5, 2)), "Y": np.ones(5)}, {}, "X must vary between rows"),
    "too many directions": (ROWS, {"n_directions": 3}, "n_directions must be at most 2"),
    "above the rank": (
        {"X": np.hstack([A2, A2]), "Y": Y2}, {"n_directions": 3}, r"n_directions must be in \[1, 2",
    ),
    "test width": (
        {**ROWS, "test_X": np.ones((2, 3)), "test_Y": np.ones(2)}, {},
        "test_X must have the width of X",
    ),
    "test targets missing": ({**ROWS, "test_X": A2}, {}, "data needs 'test_Y'"),
    "labels": (
        {"X": A2, "Y": Y2}, {"loss": "cross_entropy"}, "cross_entropy needs class numbers",
    ),
    "signs": (ROWS, {"loss": "logistic"}, r"logistic needs labels \+1 and -1"),
    "rows": ({"X": A2, "Y": Y2[:3]}, {}, "X and Y must have as many rows"),
    "deep, too few rows": (
        {"X": A2, "Y": np.ones((7, 2))}, {"hidden_layers": 2}, "has a closed form for targets",
    ),
    "after, adaptive": (
        {"X": A2, "Y": np.ones((7, 2))}, {"position": "after"}, "program over all or sampled",
    ),
    "after, hinge": (
        {"X": A2, "Y": np.sign(Y2)},
        {"position": "after", "loss": "hinge", "arrangements": "all"},
        "position='after' takes a smooth loss",
    ),
    "hinge, two outputs": (
        {"X": A2, "Y": np.ones((7, 2))}, {"loss": "hinge"}, "hinge' takes one output.*got 2 outp",
    ),
    "hinge, adaptive": (
        {"X": A2, "Y": np.sign(Y2)}, {"loss": "hinge"}, "got arrangements='adaptive'",
    ),
    "after, cut": (ROWS, {"position": "after", "n_directions": 1}, "n_directions cuts the whiten"),
    "all faces": (
        {"X": np.random.default_rng(0).standard_normal((20, 6)), "Y": np.ones((20, 2))},
        {"arrangements": "all"}, "enumerates faces up to 3 directions, got 6",
    ),
    "all patterns": (
        {"X": np.random.default_rng(0).standard_normal((60, 8)), "Y": np.ones(60)},
        {"arrangements": "all"}, "arrangements='all' enumerates at most",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_clear_line(what: str) -> None:
    data, fields, words = BAD[what]
    with pytest.raises(ConvexvizError, match=words) as refused:
        convexviz.solve("batch_norm", data=data, **fields)
    assert "\n" not in str(refused.value)


def test_new_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ConvexvizError, match="X must have rows of 2 values, as in training, got 3"):
        convexviz.solve("batch_norm", data=ROWS, arrangements="sampled").network.predict(
            np.ones((1, 3))
        )


def test_patterns_after_the_relu_are_limited_by_rows_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is kept is features (N, d + 1) and factors (d, d + 1) of every pattern."""
    rng = np.random.default_rng(0)
    fields = {"position": "after", "arrangements": "sampled", "neurons": "gated", "n_gates": 7}
    few, many = ({"X": rng.standard_normal((n, 3)), "Y": rng.standard_normal(n)} for n in (20, 200))
    patches = {"X": rng.standard_normal((20, 10, 3)), "Y": rng.standard_normal(20)}
    monkeypatch.setattr(programs, "MAX_AFTER", 7 * (20 + 3) * 4)
    convexviz.solve("batch_norm", data=few, weight_decay=0.5, **fields)
    for data in (many, patches):
        with pytest.raises(SpecError, match=r"keeps the .* 200 rows of width 3: 5,684; use"):
            convexviz.solve("batch_norm", data=data, weight_decay=0.5, **fields)
