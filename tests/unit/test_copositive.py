"""The relaxation: golden bounds, exact where it is provably so, never above the optimum."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.core.copositive import (
    block_problem,
    fit_of,
    fractional_fit,
    fractional_problem,
)
from convexviz.core.copositive_bound import relaxed_norm, why_exact
from convexviz.core.dual_norm import AllFaces
from convexviz.core.vector import VectorProgram
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.copositive import Copositive
from convexviz.solvers.dual_newton import DualNewton
from convexviz.solvers.reference import clarabel
from tests.unit.vector_golden import GOLDEN

RELAXED = {
    "p3.A1": 0.371049737,
    "p3.B1": 0.70756655,
    "p3.B2": 2.38515499,
    "p3.B3": 1.66794802,
    "p3.C2": 0.853573677,
    "p3.D1": 0.416950254,
}


# The first call takes some 2 s: it imports cvxpy.
@pytest.mark.parametrize("name", RELAXED)
def test_the_relaxation_has_its_golden_value(name: str) -> None:
    program = GOLDEN[name].program()
    certificate = Copositive(1e-8).solve(program).certificate
    assert certificate.dual == pytest.approx(RELAXED[name], rel=5e-9)
    assert certificate.dual <= GOLDEN[name].optimum * (1 + 1e-9)
    assert certificate.primal == pytest.approx(GOLDEN[name].optimum, rel=1e-8)


@pytest.mark.parametrize("name", ["p3.A1", "p3.A2", "p3.B1", "p3.D1", "p4.B1"])
def test_the_fractional_form_has_the_value_of_the_block_form(name: str) -> None:
    program = GOLDEN[name].program()
    block, fractional = block_problem(program), fractional_problem(program)
    assert clarabel(block, 1e-10)
    clarabel(fractional, 1e-10)
    assert fractional.value == pytest.approx(block.value, rel=1e-6)  # worse conditioned
    assert fractional.value == pytest.approx(GOLDEN[name].optimum, rel=1e-6)
    F = fractional_fit(program, fractional)
    np.testing.assert_allclose(F, fit_of(program, block), atol=1e-4)
    bound = Copositive(1e-6, fractional=True).solve(program).certificate
    assert bound.dual <= GOLDEN[name].optimum * (1 + 1e-9)
    assert bound.dual == pytest.approx(GOLDEN[name].optimum, rel=1e-5)


def test_the_fractional_form_refuses_what_it_is_not_written_for() -> None:
    with pytest.raises(IncompatibleSolver, match="of squared loss, got 'cross_entropy'"):
        fractional_problem(GOLDEN["p3.A1"].program("cross_entropy"))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3))
    program = VectorProgram(X, rng.standard_normal((20, 2)), 0.1, AllFaces(X))
    with pytest.raises(IncompatibleSolver, match="use the block form"):
        fractional_problem(program)


def test_one_relaxation_is_provably_loose_and_the_others_provably_exact() -> None:
    reasons = {name: why_exact(GOLDEN[name].program()) for name in GOLDEN}
    assert {name for name, why in reasons.items() if why is None} == {"p3.B2", "p3.B3"}
    loose = Copositive(1e-8).solve(GOLDEN["p3.B2"].program()).certificate
    assert loose.primal - loose.dual == pytest.approx(1.356e-5, rel=1e-2)


def test_any_multipliers_give_a_true_bound_and_none_are_needed_for_few_facets() -> None:
    program = GOLDEN["p3.B2"].program()
    variables = DualNewton(1e-9).solve(program).variables
    R = program.loss.minus_gradient(program.fit(variables), program.Y)
    best = relaxed_norm(program, R)
    assert best.multipliers
    assert best.value >= program.dual_norm(R) * (1 - 1e-12)
    rng = np.random.default_rng(0)
    for size in (0.0, 1e-3, 1.0):
        garbage = {cell: size * rng.random(len(N)) for cell, N in best.multipliers.items()}
        assert relaxed_norm(program, R, garbage).value >= best.value * (1 - 1e-9)
    again = relaxed_norm(program, R, best.multipliers)
    assert again.value == pytest.approx(best.value, rel=1e-12)
    assert not relaxed_norm(GOLDEN["p3.C2"].program(), np.ones((4, 2))).multipliers


def test_many_patterns_are_bounded_at_the_optimum_of_the_network() -> None:
    rng = np.random.default_rng(1)
    data: dict[str, Any] = {"X": rng.standard_normal((12, 3)), "Y": rng.standard_normal((12, 2))}
    result = convexviz.solve("vector_output", data=data, method="copositive", weight_decay=0.5)
    exact = convexviz.solve("vector_output", data=data, weight_decay=0.5)
    assert result.scalars["copositive_bound"] <= exact.certificate.primal * (1 + 1e-9)
    assert result.scalars["copositive_bound"] >= 0.99 * exact.certificate.primal
    beside = exact.scalars["copositive_bound"]  # from kept multipliers, replayed
    assert beside <= exact.certificate.primal
    assert beside == pytest.approx(result.scalars["copositive_bound"], rel=1e-7)
    worse = {**exact.arrays, "relaxation_proof": 0.5 * exact.arrays["relaxation_proof"]}
    spec = architectures.get("vector_output").spec.of(exact.spec)
    recomputed = architectures.get("vector_output").recompute(spec, exact.data, worse)[2]
    assert recomputed["copositive_bound"] < beside


def test_a_penalty_that_outweighs_the_data_gives_the_zero_network() -> None:
    result = convexviz.solve("vector_output", method="copositive", weight_decay=1e3)
    assert result.scalars["n_neurons"] == 0
    assert result.certificate.gap == 0.0
