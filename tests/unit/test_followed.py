"""Paths over weight decays: what belongs to which value, cancelled or not."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from convexviz.core.solution import Certificate, Scope, Solution, Status
from convexviz.solvers.base import followed


@dataclass(frozen=True)
class Number:
    """`min (x - 3)^2/2 + beta |x|`."""

    weight_decay: float = 1.0

    def with_weight_decay(self, weight_decay: float) -> "Number":
        return replace(self, weight_decay=weight_decay)

    def certify(self, variables: Any) -> Certificate:
        x = float(variables[0])
        value = 0.5 * (x - 3) ** 2 + self.weight_decay * abs(x)
        return Certificate(value, 0.0, Scope.GATED_NETWORK)


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
