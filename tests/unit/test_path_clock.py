"""Seconds of a weight decay on a path: what it starts from was paid for before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from convexviz import architectures
from convexviz.experiments import path, precomputed
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.figures import convergence

TINY = {**architectures.get("denoiser").smoke, "tolerance": 1e-6}
BETAS = [1.0, 0.3, 0.1]


@pytest.fixture(scope="module")
def solved() -> Result:
    return path.solve_path(request("denoiser", None, TINY), BETAS)


def timed(result: Result) -> Result:
    """The path with solves of 1, 2 and 4 s, after set-up of 8 s."""
    trace = result.arrays["path_trace"].copy()
    for i, seconds in enumerate((1.0, 2.0, 4.0)):
        trace[trace[:, 0] == i, 1] = seconds
    arrays = {**result.arrays, "path_trace": trace}
    return replace(result, arrays=arrays, scalars={**result.scalars, "setup_seconds": 8.0})


@pytest.mark.parametrize(("index", "before"), [(0, 8.0), (1, 9.0), (2, 11.0)])
def test_a_race_counts_the_weight_decays_that_a_solve_starts_from(
    solved: Result, index: int, before: float
) -> None:
    assert convergence.set_up(path.at(timed(solved), index)) == pytest.approx(before)


def test_a_weight_decay_of_a_path_took_its_own_seconds_and_those_before_it(solved: Result) -> None:
    assert solved.spec["weight_decay"] == BETAS[2]
    assert path.at(timed(solved), 1).seconds == pytest.approx(8.0 + 1.0 + 2.0)


def test_only_a_network_without_a_path_is_told_apart_by_its_weight_decay() -> None:
    def name(**fields: Any) -> str:
        spec = architectures.get("denoiser").spec.of(fields).as_dict()
        return precomputed.family("denoiser", spec)

    assert name(weight_decay=1) == name(weight_decay=2)
    assert name(blocks=2, weight_decay=1) != name(blocks=2, weight_decay=2)
