"""Specs take what means the same and refuse the rest in one line that names it."""

from dataclasses import FrozenInstanceError, dataclass
from typing import Annotated, Any

import numpy as np
import pytest

from convexviz.architectures import denoiser
from convexviz.architectures.spec import Param, Spec, describe, params
from convexviz.errors import SpecError


@dataclass(frozen=True, kw_only=True)
class Example(Spec):
    size: Annotated[int, Param("size", 1, 64)] = 3
    share: Annotated[float, Param("share", 1e-3, 10, log=True)] = 0.5
    kind: Annotated[str, Param("kind", choices=("round", "square"))] = "round"
    on: Annotated[bool, Param("whether it is on")] = False


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("size", 3.0, 3),
        ("size", np.int64(4), 4),
        ("size", np.uint8(4), 4),
        ("size", np.float32(4.0), 4),
        ("size", np.array(5), 5),
        ("share", 1, 1.0),
        ("share", np.float32(0.5), 0.5),
        ("share", np.int32(2), 2.0),
        ("kind", np.str_("square"), "square"),
        ("on", np.True_, True),
        ("on", np.array(True), True),
    ],
    ids=repr,
)
def test_what_means_the_same_becomes_the_field_s_own_type(name: str, given: Any, meant: Any):
    kept = getattr(Example.of({name: given}), name)
    assert kept == meant
    assert type(kept) is type(meant)
    assert Example.of({name: given}) == Example.of({name: meant})


@pytest.mark.parametrize(
    ("name", "given", "rule"),
    [
        ("size", True, "an integer in [1, 64]"),
        ("size", np.True_, "an integer in [1, 64]"),
        ("size", 2.5, "an integer in [1, 64]"),
        ("size", "3", "an integer in [1, 64]"),
        ("size", b"3", "an integer in [1, 64]"),
        ("size", None, "an integer in [1, 64]"),
        ("size", 0, "an integer in [1, 64]"),
        ("size", 65, "an integer in [1, 64]"),
        ("size", 2 + 0j, "an integer in [1, 64]"),
        ("size", [3], "an integer in [1, 64]"),
        ("size", np.array([3]), "an integer in [1, 64]"),
        ("size", 10**400, "an integer in [1, 64]"),
        ("share", 10**400, "a number in [0.001, 10]"),
        ("share", 10**5000, "a number in [0.001, 10]"),
        ("share", float("nan"), "a number in [0.001, 10]"),
        ("share", np.nan, "a number in [0.001, 10]"),
        ("share", float("inf"), "a number in [0.001, 10]"),
        ("share", -0.0, "a number in [0.001, 10]"),
        ("share", False, "a number in [0.001, 10]"),
        ("share", "0.5", "a number in [0.001, 10]"),
        ("share", np.ones((40, 40)), "a number in [0.001, 10]"),
        ("kind", "Round", "one of 'round', 'square'"),
        ("kind", "x" * 10_000, "one of 'round', 'square'"),
        ("kind", b"round", "one of 'round', 'square'"),
        ("kind", None, "one of 'round', 'square'"),
        ("on", 1, "True or False"),
        ("on", "True", "True or False"),
        ("on", None, "True or False"),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) or value < 99 else "huge",
)
def test_what_does_not_is_refused_by_name_with_the_rule_in_one_line(
    name: str, given: Any, rule: str
):
    for make in (lambda: Example.of({name: given}), lambda: Example(**{name: given})):
        with pytest.raises(SpecError) as refused:
            make()
        text = str(refused.value)
        assert text.startswith(f"{name} must be {rule}, got ")
        assert "\n" not in text
        assert len(text) < 160


@pytest.mark.parametrize("name", ["weightdecay", "Size", "", "noise"])
def test_an_unknown_field_lists_those_there_are(name: Any):
    with pytest.raises(SpecError, match="there are: size, share, kind, on"):
        Example.of({name: 1})


def test_a_near_miss_gets_a_suggestion():
    with pytest.raises(SpecError, match="'siz'; did you mean 'size'"):
        Example.of({"siz": 1})


def test_a_spec_is_frozen_ordered_and_survives_its_dictionary():
    spec = Example.of({"kind": "square"})
    assert list(spec.as_dict()) == ["size", "share", "kind", "on"]
    assert Example.of(spec.as_dict()) == spec
    with pytest.raises(FrozenInstanceError):
        spec.size = 4


def test_each_field_is_described_with_rule_and_default():
    lines = describe(Example)
    assert lines[0].split(None, 1) == ["size", "size (an integer in [1, 64]; default 3)"]
    assert len(lines) == len(params(Example)) == 4


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"output_kernel": 2}, "output_kernel must be odd, got 2"),
        ({"neurons": "gated", "arrangements": "adaptive"}, "use neurons='relu'"),
    ],
)
def test_fields_of_a_denoiser_that_do_not_fit_are_refused(fields: dict[str, Any], said: str):
    with pytest.raises(SpecError, match=said):
        denoiser.Spec.of(fields)


def test_the_defaults_of_a_denoiser_are_those_of_the_design():
    spec = denoiser.Spec().as_dict()
    plain = {"normalise": "none", "bias": False, "residual": False, "blocks": 1, "output_kernel": 1}
    assert spec.items() >= plain.items()
    assert denoiser.Spec.of({"tolerance": 1e-10, "weight_decay": 1e-12}).tolerance == 1e-10
    assert denoiser.Spec.of({"tolerance": 0.1}).tolerance == 0.1
