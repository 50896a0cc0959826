"""What the vector-output networks refuse: one line, with the rule and the way out."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.errors import ConvexvizError, DataError, SpecError

RNG = np.random.default_rng(0)
REFUSED: tuple[tuple[dict[str, Any] | None, dict[str, Any], str], ...] = (
    ({"X": RNG.standard_normal((200, 4)), "Y": np.ones((200, 2))}, {},
     r"up to 2,627,200: some .* s a search .*'adaptive', or 'sampled' .with .*'copositive'"),
    (None, {"dataset": "digit_classes"}, "rank 50 have up to .*'adaptive', or 'sampled'"),
    (None, {"arrangements": "adaptive", "method": "frank_wolfe"}, "method='exact'"),
    (None, {"path_norm": 1.0}, "path_norm is of method='frank_wolfe'"),
    (None, {"method": "closed_form"}, "X must be spike-free"),
    (None, {"method": "closed_form", "loss": "cross_entropy"}, "takes loss='squared'"),
    ({"X": np.ones((3, 2)), "Y": np.ones(3)}, {}, r"Y must have shape \(n, c\), got \(3,\); add"),
    ({"X": np.ones((3, 2)), "Y": np.ones((4, 2))}, {}, "as many rows, got 3 and 4"),
    ({"X": np.ones((3, 2)), "Y": np.ones((3, 2))}, {"loss": "cross_entropy"}, "one-hot"),
    ({"X": np.ones((30, 2)), "Y": RNG.standard_normal((30, 30))}, {"loss": "cross_entropy"},
     "one-hot"),
    ({"X": np.full((3, 2), np.nan), "Y": np.ones((3, 2))}, {}, "X must be finite"),
    ({"X": np.ones((3, 2))}, {}, "data needs 'Y'"),
)  # fmt: skip


@pytest.mark.parametrize(("data", "fields", "words"), REFUSED)
def test_bad_input_is_refused_in_one_line(data: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises((SpecError, DataError), match=words) as refused:
        convexviz.solve("vector_output", data=data, **fields)
    assert isinstance(refused.value, ConvexvizError)
    assert "\n" not in str(refused.value)
