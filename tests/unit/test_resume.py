"""A solve that goes on where an earlier one ended."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.core.solution import Progress
from convexviz.errors import Cancelled, SpecError
from convexviz.experiments import path
from convexviz.experiments.run import request

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 4)), RNG.standard_normal(40)
DATA = {"X": X, "Y": Y}
CLASSES = {"X": X, "Y": np.eye(3)[np.arange(40) % 3]}
FIELDS = {"arrangements": "sampled", "n_gates": 20, "weight_decay": 0.1, "tolerance": 1e-7}
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gated": (DATA, {"neurons": "gated"}),
    "cones": (DATA, {}),
    "several outputs": (CLASSES, {"neurons": "gated"}),
    "every pattern": (
        {"X": X[:12, :2], "Y": CLASSES["Y"][:12]},
        {"arrangements": "adaptive", "tolerance": 1e-6},
    ),
    "logistic": ({"X": X, "Y": np.sign(Y)}, {"loss": "logistic"}),
}


class After:
    """Cancels once so many reports have come."""

    def __init__(self, reports: int) -> None:
        self.left, self.seen = reports, 0

    def __call__(self, _progress: Progress) -> None:
        self.seen += 1
        if self.seen > self.left:
            raise Cancelled


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_solve_goes_on_to_the_same_optimum(kind: str, tmp_path: Path) -> None:
    data, own = KINDS[kind]
    fields = {**FIELDS, **own}
    whole = convexviz.solve("batch_norm", data=data, **fields)
    part = convexviz.solve("batch_norm", data=data, on_iteration=After(1), **fields)
    assert part.status == "cancelled"
    kept = convexviz.load(part.save(tmp_path / "part.h5"))
    first: list[Progress] = []
    rest = convexviz.solve("batch_norm", start=kept, on_iteration=first.append)
    tolerance = float(fields["tolerance"])
    assert rest.certificate.primal == pytest.approx(whole.certificate.primal, rel=2 * tolerance)
    assert rest.spec == whole.spec
    assert rest.provenance["key"] == whole.provenance["key"]
    if kind != "logistic":  # Newton offers zero first
        assert first[0].primal <= part.certificate.primal * (1 + 1e-12)


def test_an_optimum_is_where_another_tolerance_or_weight_decay_goes_on() -> None:
    coarse = convexviz.solve("batch_norm", data=DATA, **FIELDS | {"neurons": "gated"})
    near = convexviz.solve("batch_norm", start=coarse, weight_decay=0.09)
    alone = convexviz.solve(
        "batch_norm", data=DATA, **FIELDS | {"neurons": "gated", "weight_decay": 0.09}
    )
    assert near.certificate.primal == pytest.approx(alone.certificate.primal, rel=1e-6)


@pytest.mark.parametrize(
    ("architecture", "data", "fields", "words"),
    [
        ("batch_norm", None, {"n_gates": 5}, "was solved with n_gates=20, got n_gates=5"),
        ("batch_norm", {"X": X + 1, "Y": Y}, {}, "was solved on other data"),
        ("vector_output", None, {}, "is a result of 'batch_norm', not of 'vector_output'"),
        ("batch_norm", None, {"weight_decay": -1.0}, "weight_decay"),
    ],
)
def test_what_cannot_be_gone_on_with_is_one_clear_line(
    architecture: str, data: Any, fields: Mapping[str, Any], words: str
) -> None:
    done = convexviz.solve("batch_norm", data=DATA, **FIELDS)
    with pytest.raises(SpecError, match=words):
        convexviz.solve(architecture, data=data, start=done, **fields)


def test_start_must_be_a_result() -> None:
    with pytest.raises(SpecError, match="start must be a Result"):
        convexviz.solve("batch_norm", start={"weight_decay": 1.0})  # type: ignore[arg-type]


def test_a_path_that_was_stopped_goes_on_with_what_it_had(tmp_path: Path) -> None:
    fields = {**FIELDS, "neurons": "gated", "n_gates": 6}
    asked = request("batch_norm", CLASSES, fields)
    whole = path.solve_path(asked)
    half = len(whole.arrays["path_trace"]) // 2
    part = path.solve_path(asked, report=After(half))
    reached = len(part.arrays["path_weight_decay"])
    assert part.status == "cancelled"
    assert 1 < reached < len(whole.arrays["path_weight_decay"])
    kept = convexviz.load(part.save(tmp_path / "part.h5"))
    steps: list[Progress] = []
    rest = path.solve_path(asked, report=steps.append, start=kept)
    assert rest.status == "optimal"
    np.testing.assert_array_equal(
        rest.arrays["path_weight_decay"], whole.arrays["path_weight_decay"]
    )
    np.testing.assert_allclose(rest.arrays["path_primal"], whole.arrays["path_primal"], rtol=1e-6)
    assert len(steps) < len(whole.arrays["path_trace"])  # what was solved is not solved again
    other = request("batch_norm", {**CLASSES, "X": X + 1.0}, fields)
    with pytest.raises(SpecError, match="solved on other data"):
        path.solve_path(other, start=kept)
