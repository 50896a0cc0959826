"""Odd data in every solver: the right answer or one clear error, never NaN, never a false gap.

The oracle is scaling: with X times a, y times b and weight decay times a b, optima are b^2 times
those of ordinary data, exactly so for powers of two. Solvers of one program also bound each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexviz.core.arrangements import Arrangements, enumerate_all, sample
from convexviz.core.gated import GatedProgram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import LOSSES
from convexviz.core.neurons import NeuronProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Solution, Status
from convexviz.errors import ConvexvizError
from convexviz.solvers.adaptive import Adaptive
from convexviz.solvers.base import AbstractSolver
from convexviz.solvers.branch_and_bound import BranchAndBound
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.first_order import FirstOrder
from convexviz.solvers.gated_path import GatedPath
from convexviz.solvers.gated_wide import GatedWide
from convexviz.solvers.hinge_conic import HingeConic
from convexviz.solvers.loss_newton import LossNewton

TOLERANCE = 1e-6
KINDS = (
    *("ordinary", "one row", "one pattern", "rank one", "constant", "duplicated", "opposite"),
    *("zero rows", "zero columns", "zero", "scaled rows", "scaled columns"),
)
Made = Callable[[np.ndarray, np.ndarray, Arrangements], AbstractConvexProgram]


def relu(X: np.ndarray, y: np.ndarray, a: Arrangements) -> ReluProgram:
    return ReluProgram(X, y, a, 0.0)


def gated(X: np.ndarray, y: np.ndarray, a: Arrangements) -> GatedProgram:
    return GatedProgram(X, y, a, 0.0)


def logistic(X: np.ndarray, y: np.ndarray, a: Arrangements) -> LossProgram:
    return LossProgram(ReluProgram(X, np.where(y >= 0, 1.0, -1.0), a, 0.0), LOSSES["logistic"])


def hinge(X: np.ndarray, y: np.ndarray, a: Arrangements) -> LossProgram:
    return LossProgram(GatedProgram(X, np.where(y >= 0, 1.0, -1.0), a, 0.0), LOSSES["hinge"])


SOLVERS: dict[str, tuple[AbstractSolver, Made]] = {
    "GatedPath": (GatedPath(tolerance=TOLERANCE), gated),
    "GatedWide": (GatedWide(tolerance=TOLERANCE), gated),
    "FirstOrder gated": (FirstOrder(tolerance=TOLERANCE, max_iterations=40), gated),
    "FirstOrder": (FirstOrder(tolerance=TOLERANCE, max_iterations=40), relu),
    "ActiveSet": (ActiveSet(tolerance=TOLERANCE), relu),
    "LossNewton": (LossNewton(tolerance=TOLERANCE), logistic),
    "HingeConic": (HingeConic(tolerance=TOLERANCE), hinge),
}


CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "rank one": lambda X, rng: X[:, :1] @ rng.standard_normal((1, X.shape[1])),
    "constant": lambda X, _: np.full(X.shape, 0.7),
    "duplicated": lambda X, rng: X[rng.integers(0, len(X), len(X))],
    "opposite": lambda X, _: np.concatenate([X[: len(X) // 2], -X[: len(X) - len(X) // 2]]),
    "zero rows": lambda X, rng: X * (rng.random((len(X), 1)) < 0.5),
    "zero columns": lambda X, rng: X * (rng.random((1, X.shape[1])) < 0.5),
    "zero": lambda X, _: np.zeros(X.shape),
    "one row": lambda X, _: X[:1],
    "scaled rows": lambda X, rng: X * 10.0 ** rng.integers(-150, 150, (len(X), 1)),
    "scaled columns": lambda X, rng: X * 10.0 ** rng.integers(-150, 150, (1, X.shape[1])),
}


def data(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, Arrangements]:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    X = CHANGES.get(kind, lambda X, _: X)(X, rng)
    y = np.full(n, -1.3) if kind == "constant" else y[: len(X)]
    return X, y, sample(X, 1 if kind == "one pattern" else 5, rng)


def honest(solution: Solution) -> None:
    """No NaN, a bound below a value, and a status that says what the gap is."""
    certificate = solution.certificate
    assert np.isfinite(solution.variables).all()
    assert np.isfinite(certificate.primal)
    assert 0.0 <= certificate.dual <= certificate.primal
    assert (solution.status is Status.OPTIMAL) == (certificate.relative_gap <= TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOLVERS)
@settings(max_examples=2)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.5, 0.05]))
def test_answers_are_honest_and_ordinary_ones_optimal(
    name: str, kind: str, seed: int, share: float
) -> None:
    solver, make = SOLVERS[name]
    try:
        program = make(*data(kind, seed))
        program = program.with_weight_decay(share * program.beta_max)
        solution = solver.solve(program)
    except ConvexvizError as refused:
        error = refused
    else:
        error = None
    if error is not None:
        assert kind.startswith("scaled"), error
        assert "\n" not in str(error)
        return
    honest(solution)
    again = program.certify(solution.variables)  # what anyone else finds at that point
    assert again.primal == pytest.approx(solution.certificate.primal, rel=1e-9)
    assert again.dual <= solution.certificate.primal * (1 + 1e-12)
    if program.weight_decay > 0 and not kind.startswith("scaled"):
        assert solution.status is Status.OPTIMAL


@pytest.mark.parametrize(
    "name", [name for name in SOLVERS if name not in ("LossNewton", "HingeConic")]
)
@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), a=st.integers(-498, 498), b=st.integers(-498, 498))
def test_squared_optima_scale_with_the_data(name: str, seed: int, a: int, b: int) -> None:
    solver, make = SOLVERS[name]
    X, y, arrangements = data("ordinary", seed)
    ordinary = make(X, y, arrangements)
    beta = 0.1 * ordinary.beta_max
    exact = solver.solve(ordinary.with_weight_decay(beta)).certificate
    program = make(2.0**a * X, 2.0**b * y, arrangements).with_weight_decay(2.0 ** (a + b) * beta)
    solution = solver.solve(program)
    honest(solution)
    unit = 4.0**b
    assert solution.certificate.primal >= exact.dual * unit * (1 - 1e-12)
    assert solution.certificate.dual <= exact.primal * unit * (1 + 1e-12)
    if abs(a) < 400 and abs(b) < 400 and abs(a + b) < 400:
        assert solution.status is Status.OPTIMAL


@pytest.mark.parametrize("name", ["LossNewton", "HingeConic"])
@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), a=st.integers(-498, 498))
def test_optima_of_other_losses_do_not_change_with_the_scale(name: str, seed: int, a: int) -> None:
    solver, make = SOLVERS[name]
    X, y, arrangements = data("ordinary", seed)
    ordinary = make(X, y, arrangements)
    beta = 0.1 * ordinary.beta_max
    exact = solver.solve(ordinary.with_weight_decay(beta)).certificate
    solution = solver.solve(make(2.0**a * X, y, arrangements).with_weight_decay(2.0**a * beta))
    honest(solution)
    assert solution.certificate.primal >= exact.dual * (1 - 1e-12)
    assert solution.certificate.dual <= exact.primal * (1 + 1e-12)
    assert solution.status is Status.OPTIMAL


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("kind", ["ordinary", "rank one", "zero", "one row"])
def test_no_and_much_weight_decay_have_their_answers(name: str, kind: str) -> None:
    solver, make = SOLVERS[name]
    program = make(*data(kind, 7))
    none = solver.solve(program)
    honest(none)
    much = solver.solve(program.with_weight_decay(2.0 * program.beta_max + 1.0))
    honest(much)
    assert not much.variables.any()
    assert much.status is Status.OPTIMAL
    assert none.certificate.primal <= much.certificate.primal


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2)
@given(seed=st.integers(0, 10_000))
def test_the_network_itself_is_below_every_program_and_above_every_bound(
    kind: str, seed: int
) -> None:
    X, y, arrangements = data(kind, seed)
    try:
        program = NeuronProgram(X, y, 0.0)
        beta = 0.1 * float(np.linalg.norm(X.T @ y))
        if not np.isfinite(beta):
            return
        program = program.with_weight_decay(beta)
        solution = Adaptive(tolerance=1e-5, max_rounds=5).solve(program)
    except ConvexvizError:
        if not kind.startswith("scaled"):
            raise
        return
    honest_network = solution.certificate
    assert np.isfinite(solution.variables).all()
    assert 0.0 <= honest_network.dual <= honest_network.primal
    proved = BranchAndBound(max_seconds=0.3).prove(program, solution.variables).certificate
    assert 0.0 <= proved.dual <= honest_network.primal * (1 + 1e-12)
    if kind.startswith("scaled"):
        return
    sampled = ActiveSet(tolerance=1e-8).solve(ReluProgram(X, y, arrangements, beta)).certificate
    for bound in (honest_network.dual, proved.dual):
        assert bound <= sampled.primal * (1 + 1e-9)
    if len(X) <= 5:
        everything = ReluProgram(X, y, enumerate_all(X), beta)
        exact = ActiveSet(tolerance=1e-9).solve(everything).certificate
        assert proved.dual <= exact.primal * (1 + 1e-9)
        assert honest_network.primal >= exact.dual * (1 - 1e-9)


@pytest.mark.parametrize("make", [gated, relu, logistic, hinge])
@settings(max_examples=4)
@given(seed=st.integers(0, 10_000))
def test_no_bound_near_an_optimum_is_above_it(make: Made, seed: int) -> None:
    # Longer or shorter filters stay in their cones and are no optimum: values rise, bounds fall.
    program = make(*data("ordinary", seed))
    program = program.with_weight_decay(0.1 * program.beta_max)
    solver = next(solver for solver, made in SOLVERS.values() if solver.why_not(program) is None)
    optimum = solver.solve(program)
    for factor in (0.9, 0.99, 1 - 1e-4, 1 + 1e-5, 1 + 1e-3, 1.01, 1.1, 2.0):
        found = program.certify(factor * optimum.variables)
        assert found.primal >= optimum.certificate.primal * (1 - TOLERANCE)
        assert found.dual <= optimum.certificate.primal * (1 + 1e-12)
