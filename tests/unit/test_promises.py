"""What a certificate promises: bounds on their side of the true optimum, cancelled or not."""

import itertools
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.core.solution import Progress, Scope
from convexviz.errors import Cancelled
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.solvers.reference import Reference

RNG = np.random.default_rng(0)
CLEAN = RNG.random((1, 3, 3)).round(3)
NOISY = (CLEAN + 0.3 * RNG.standard_normal(CLEAN.shape)).round(3)
KINDS: dict[str, dict[str, Any]] = {
    "gated": {"neurons": "gated"},
    "relu": {"neurons": "relu"},
    "adaptive": {"neurons": "relu", "arrangements": "adaptive"},
}
DATA = {"noisy": NOISY, "clean": CLEAN}
FIELDS = {"kernel_size": 2, "n_gates": 6, "weight_decay": 0.3}


def solve(**fields: Any) -> Result:
    return convexviz.solve("denoiser", data=DATA, **{**FIELDS, **fields})


def is_true(result: Result) -> None:
    """The promises of any result, finished or not."""
    primal, dual = result.certificate.primal, result.certificate.dual
    assert 0 <= dual <= primal < np.inf
    assert result.scalars["network_objective"] == pytest.approx(primal, rel=1e-9)
    assert np.isfinite(result.arrays["denoised"]).all()


def all_patterns_optimum(**fields: Any) -> float:
    """The optimum of the ReLU network by cvxpy, every pattern enumerated."""
    arch = architectures.get("denoiser")
    settings = {**FIELDS, "neurons": "relu", "arrangements": "all"}
    asked = request("denoiser", DATA, {**settings, **fields})
    solution = Reference().solve(arch.build(asked.spec, asked.arrays, ()))
    return solution.require_optimal().certificate.primal


# Clarabel takes some 2 s for all patterns of nine rows, and cvxpy is imported.
@pytest.mark.parametrize("fields", [{}, {"residual": True}], ids=["plain", "residual"])
def test_every_bound_is_on_its_side_of_the_true_optimum(fields: dict[str, Any]) -> None:
    optimum = all_patterns_optimum(**fields)
    every = solve(neurons="relu", arrangements="all", tolerance=1e-8, **fields)
    assert every.certificate.scope is Scope.RELU_NETWORK
    assert every.certificate.primal == pytest.approx(optimum, rel=1e-6)
    some = solve(neurons="relu", tolerance=1e-8, **fields)
    grown = solve(**KINDS["adaptive"], **fields)
    assert grown.certificate.scope is Scope.RELU_NETWORK
    for result in (every, some, grown):
        assert result.certificate.primal >= optimum * (1 - 1e-6)  # Reference is asked for 1e-7
        assert result.scalars["network_bound"] <= optimum * (1 + 1e-6)
    for result in (every, grown):  # `some` bounds its own program alone
        assert result.certificate.dual <= optimum * (1 + 1e-6)
    assert grown.certificate.primal <= some.certificate.primal * (1 + 1e-3)


def test_gated_bounds_never_claim_the_relu_network() -> None:
    for patterns in ("sampled", "all"):
        gated = solve(neurons="gated", arrangements=patterns)
        assert gated.certificate.scope is Scope.GATED_NETWORK
        assert "network_bound" not in gated.scalars
    relu = solve(neurons="relu", arrangements="all")
    assert gated.certificate.primal < 0.9 * relu.certificate.primal  # dropping cones is no detail


def test_gates_come_one_after_another_and_more_of_them_are_never_worse() -> None:
    first = solve(n_gates=4).arrays["gates"]
    more = solve(n_gates=40).arrays["gates"]
    assert {g.tobytes() for g in first.T} != {g.tobytes() for g in more.T}
    for kind in ("gated", "relu"):
        every = solve(arrangements="all", **KINDS[kind]).certificate.primal
        for n_gates, seed in itertools.product((1, 5, 30), (0, 1)):
            some = solve(n_gates=n_gates, seed=seed, **KINDS[kind]).certificate.primal
            assert some >= every * (1 - 1e-6)  # the tolerance


@pytest.mark.parametrize(
    ("kind", "after"), [("gated", 0), ("gated", 1), ("relu", 0), ("relu", 1), ("adaptive", 0)]
)
def test_a_cancelled_solve_keeps_its_best_point_and_a_true_bound(kind: str, after: int) -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) > after:
            raise Cancelled("the visitor left")

    fields = {"weight_decay": 0.05, "n_gates": 12, "tolerance": 1e-10, **KINDS[kind]}
    result = solve(on_iteration=stop, **fields)
    assert result.status == "cancelled"
    assert len(seen) == after + 1
    assert result.certificate.primal <= seen[0].primal * (1 + 1e-12)
    is_true(result)
    if kind != "adaptive":
        assert result.certificate.dual <= solve(**fields).certificate.primal


def test_a_cancelled_depth_is_the_depth_that_was_reached() -> None:
    blocks = iter(range(10**6))

    def stop(progress: Progress) -> None:
        if progress.iteration == 0 and next(blocks) == 1:
            raise Cancelled

    result = solve(blocks=4, on_iteration=stop)
    assert (result.status, result.spec["blocks"]) == ("cancelled", 2)
    is_true(result)
    assert result.network.predict(NOISY).shape == NOISY.shape


def test_another_error_of_the_callback_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        solve(on_iteration=lambda _: 1 // 0)


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_what_the_trace_keeps(kind: str) -> None:
    seen: list[Progress] = []
    result = solve(on_iteration=seen.append, **KINDS[kind])
    assert tuple(seen) == result.trace
    assert {type(value) for step in seen for value in (step.primal, step.dual)} == {float}
    assert [step.iteration for step in seen] == list(range(len(seen)))
    seconds = [step.seconds for step in seen]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= result.seconds
    assert min(step.primal for step in seen) >= result.certificate.primal * (1 - 1e-12)
