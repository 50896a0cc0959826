"""Paths over weight decays: what belongs to which value, cancelled or not."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from convexviz.core import cone_search
from convexviz.core.arrangements import sample
from convexviz.core.cone_norm import ChosenCones
from convexviz.core.solution import Certificate, Progress, Scope, Solution, Status
from convexviz.core.vector import VectorProgram
from convexviz.errors import Cancelled
from convexviz.solvers.base import followed
from convexviz.solvers.cone_columns import ConeColumns


@dataclass(frozen=True)
class Number:
    """`min (x - 3)^2/2 + beta |x|`."""

    weight_decay: float = 1.0

    def with_weight_decay(self, weight_decay: float) -> "Number":
        return replace(self, weight_decay=weight_decay)

    def objective(self, variables: Any) -> float:
        x = float(variables[0])
        return 0.5 * (x - 3) ** 2 + self.weight_decay * abs(x)

    def certify(self, variables: Any) -> Certificate:
        return Certificate(self.objective(variables), 0.0, Scope.GATED_NETWORK)


def along(betas: list[float], cancel_at: float) -> tuple[list[float], tuple[Solution, ...]]:
    order: list[float] = []

    def solve(at: Number, start: Any) -> Solution:
        assert (start is None) == (not order)
        order.append(at.weight_decay)
        x = np.array([max(0.0, 3 - at.weight_decay)])
        status = Status.CANCELLED if at.weight_decay == cancel_at else Status.OPTIMAL
        return Solution(x, at.certify(x), status, "here", ())

    return order, followed(Number(), betas, solve)


@pytest.mark.parametrize("betas", [[4.0, 2.0, 1.0], [1.0, 2.0, 4.0], [2.0, 4.0, 1.0], []])
def test_each_value_has_its_own_solution_the_larger_ones_first(betas: list[float]) -> None:
    order, found = along(betas, cancel_at=-1.0)
    assert order == sorted(betas, reverse=True)
    for beta, solution in zip(betas, found, strict=True):
        assert solution.variables[0] == max(0.0, 3 - beta)


@pytest.mark.parametrize(
    ("betas", "statuses"),
    [
        ([4.0, 2.0, 1.0], ["optimal", "cancelled"]),
        ([1.0, 2.0, 4.0], ["cancelled", "cancelled", "optimal"]),
        ([1.0, 4.0, 2.0], ["cancelled", "optimal", "cancelled"]),
        ([4.0, 1.0, 2.0], ["optimal", "cancelled", "cancelled"]),
    ],
)
def test_a_cancelled_path_pairs_values_and_solutions(
    betas: list[float], statuses: list[str]
) -> None:
    order, found = along(betas, cancel_at=2.0)
    assert order == [4.0, 2.0]
    assert [str(solution.status.value) for solution in found] == statuses
    for beta, solution in zip(betas, found, strict=False):
        here = Number().with_weight_decay(beta).certify(solution.variables)
        assert solution.certificate == here


def test_values_that_were_not_reached_have_a_bound_that_costs_nothing() -> None:
    """The optimum is `3 beta - beta^2/2` up to 3: a share of a larger one is below it."""

    def optimum(beta: float) -> float:
        return 3 * beta - beta**2 / 2 if beta < 3 else 4.5

    class Costly(Number):
        def certify(self, variables: Any) -> Certificate:  # noqa: ARG002
            raise AssertionError("a proof was searched after Cancel")

    def solve(at: Number, start: Any) -> Solution:  # noqa: ARG001
        x = np.array([max(0.0, 3 - at.weight_decay)])
        known = Certificate(at.objective(x), optimum(at.weight_decay), Scope.GATED_NETWORK)
        return Solution(x, known, Status.CANCELLED, "here", ())

    betas = [1.0, 0.5, 2.0]
    found = followed(Costly(), betas, solve)
    assert [str(solution.status) for solution in found] == ["cancelled"] * 3
    for beta, solution in zip(betas, found, strict=True):
        assert solution.certificate.primal == Number(beta).objective(np.ones(1))
        assert solution.certificate.dual == beta / 2 * optimum(2.0)
        assert 0 < solution.certificate.dual <= optimum(beta)


def test_who_cancels_a_path_over_given_cones_waits_for_no_multipliers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((40, 7)), rng.standard_normal((40, 3))
    norm = ChosenCones(X, sample(X, 4, rng))
    assert not norm.exact
    program, betas = VectorProgram(X, Y, 1.0, norm), [1.0, 2.0, 8.0]

    def stop(_progress: Progress) -> None:
        raise Cancelled

    def searched(*_: object) -> np.ndarray:
        raise AssertionError("multipliers were searched after Cancel")

    monkeypatch.setattr(cone_search, "multipliers", searched)
    found = ConeColumns().path(program, betas, on_iteration=stop)
    assert [solution.status for solution in found] == [Status.CANCELLED] * 3
    for beta, solution in zip(betas, found, strict=True):
        here = program.with_weight_decay(beta).objective(solution.variables)
        assert solution.certificate.primal == pytest.approx(here, rel=1e-12)
        assert 0 < solution.certificate.dual <= here
        assert solution.certificate.scope is norm.scope
