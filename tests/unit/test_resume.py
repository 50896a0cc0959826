"""A solve that goes on where an earlier one ended."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz import architectures, solvers
from convexviz.core.solution import Progress, Solution, Status
from convexviz.errors import Cancelled, SpecError
from convexviz.experiments import path, resume
from convexviz.experiments.run import request
from convexviz.experiments.verify import verify
from convexviz.solvers.base import AbstractSolver

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

    def __call__(self, _progress: Progress | None = None) -> None:
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
        convexviz.solve("batch_norm", start={"weight_decay": 1.0})


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


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_path_that_goes_on_and_is_stopped_again_loses_nothing(after: int, tmp_path: Path) -> None:
    asked = request("batch_norm", CLASSES, {**FIELDS, "neurons": "gated", "n_gates": 6})
    length = len(path.weight_decays(asked.arch.build(asked.spec, asked.arrays, ()), 0.1))
    half = len(path.solve_path(asked).arrays["path_trace"]) // 2
    part = convexviz.load(path.solve_path(asked, report=After(half)).save(tmp_path / "part.h5"))
    again = path.solve_path(asked, report=After(after), start=part)
    betas = part.arrays["path_weight_decay"]
    assert again.status == "cancelled"
    assert len(betas) <= len(again.arrays["path_weight_decay"]) < length
    assert set(betas) <= set(again.arrays["path_weight_decay"])
    for name in ("primal", "dual"):
        np.testing.assert_array_equal(
            again.arrays[f"path_{name}"][: len(betas) - 1], part.arrays[f"path_{name}"][:-1]
        )
    gaps = [each.relative_gap for each in path.certificates(again)]
    assert all(
        now <= was.relative_gap for now, was in zip(gaps, path.certificates(part), strict=False)
    )
    assert verify(again.save(tmp_path / "again.h5")) == []
    whole = path.solve_path(asked, start=convexviz.load(tmp_path / "again.h5"))
    assert whole.status == "optimal"
    assert len(whole.arrays["path_weight_decay"]) == length


def test_known_weight_decays_below_the_one_that_is_stopped_stay_as_they_were(
    tmp_path: Path,
) -> None:
    fields = {**FIELDS, "neurons": "gated", "n_gates": 6, "tolerance": 1e-2}
    coarse = path.solve_path(request("batch_norm", CLASSES, fields))
    kept = convexviz.load(coarse.save(tmp_path / "coarse.h5"))
    finer = request("batch_norm", CLASSES, {**fields, "tolerance": 1e-9})
    some = path.solve_path(finer, report=After(3), start=kept)
    np.testing.assert_array_equal(
        some.arrays["path_weight_decay"], coarse.arrays["path_weight_decay"]
    )
    assert some.status == "cancelled"
    assert some.arrays["path_primal"][-1] == coarse.arrays["path_primal"][-1]
    np.testing.assert_allclose(
        path.at(some, -1).arrays["first_layer"],
        path.at(coarse, -1).arrays["first_layer"],
        rtol=1e-9,
        atol=1e-9,
    )
    assert verify(some.save(tmp_path / "some.h5")) == []


def test_a_restart_that_is_stopped_at_a_worse_point_keeps_the_better_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = request("batch_norm", CLASSES, {**FIELDS, "neurons": "gated", "n_gates": 6})
    part = path.solve_path(asked, report=After(9))

    class Worse:
        def solve_from(self, program: Any, start: np.ndarray, **_: Any) -> Solution:
            zero = np.zeros_like(start)
            return Solution(zero, program.certify(zero), Status.CANCELLED, "Worse")

    monkeypatch.setattr(resume, "_able", lambda *_: Worse())
    finer = replace(asked, spec=replace(asked.spec, tolerance=1e-10))
    again = path.solve_path(finer, start=part)
    assert again.status == "cancelled"
    for name in ("weight_decay", "primal", "dual"):
        np.testing.assert_array_equal(again.arrays[f"path_{name}"], part.arrays[f"path_{name}"])


def test_a_weight_decay_that_an_address_has_rounded_is_the_known_one(tmp_path: Path) -> None:
    data = {"X": X, "Y": CLASSES["Y"]}
    fields = {"method": "gated", "arrangements": "sampled", "n_gates": 6, "tolerance": 1e-4}
    part = path.solve_path(request("vector_output", data, fields), report=After(9), pick=True)
    assert part.status == "cancelled"
    kept = convexviz.load(part.save(tmp_path / "part.h5"))
    beta = float(part.arrays["path_weight_decay"][1]) * (1 + 4e-6)
    asked = request("vector_output", data, {**fields, "weight_decay": beta})
    whole = path.solve_path(asked, start=kept)
    found = whole.arrays["path_weight_decay"]
    assert whole.status == "optimal"
    assert np.isin(part.arrays["path_weight_decay"], found).all()
    assert np.min(-np.diff(np.log(found))) > 0.01  # none of them twice
    assert whole.spec["weight_decay"] == pytest.approx(beta, rel=1e-5)


def _with_a_start() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(solvers.__path__):
        for each in vars(importlib.import_module(f"{solvers.__name__}.{module.name}")).values():
            if isinstance(each, type) and issubclass(each, AbstractSolver):
                found |= {each.__name__} if hasattr(each, "solve_from") else set()
    return found


def test_the_solvers_that_a_cancelled_result_may_name_are_those_that_can_be_started() -> None:
    assert _with_a_start() == resume.STARTING


PAGES = {
    "batch_norm": ({"arrangements": "sampled", "neurons": "gated"}, {"dataset": "toy"}),
    "vector_output": (
        {"method": "gated", "arrangements": "sampled"},
        {"method": "frank_wolfe", "steps": 5},
        {"arrangements": "sampled", "n_gates": 5},
    ),
    "denoiser": (
        {"neurons": "relu", "arrangements": "sampled"},
        {"neurons": "relu", "arrangements": "adaptive"},
        {"blocks": 2},
    ),
}


@pytest.mark.parametrize("name", architectures.registry())
def test_what_is_said_ahead_of_a_solve_about_going_on_is_what_going_on_does(name: str) -> None:
    arch = architectures.get(name)
    for own in ({}, *PAGES.get(name, ())):
        asked = request(name, None, {**arch.smoke, "tolerance": 1e-2, **own})
        said = After(9)
        part = path.solve_path(asked, report=After(0), on_able=said)
        assert bool(said.seen) == resume.could_go_on(part), own
        if said.seen:
            path.solve_path(asked, start=part, report=After(0))
        elif part.status == "cancelled":
            with pytest.raises(SpecError, match="cannot be gone on with"):
                path.solve_path(asked, start=part, report=After(0))
