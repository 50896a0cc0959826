"""Nearly equal rows: the Gram of their features has no digits left, the answer has a limit.

Where all rows are `u`, a network is a constant t on them, and its cheapest weights have `t/|u|`:
the optimum is that of `1/2 sum (y - t)^2 + beta t/|u|`, with `t = mean(y) - beta / (n |u|)`.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.relu import ReluProgram
from convexviz.solvers.constrained import ActiveSet


def nearly_constant(spread: float, n: int, share: float, *, bias: bool, seed: int) -> ReluProgram:
    rng = np.random.default_rng(seed)
    X = 1 + spread * rng.standard_normal((n, 3))
    if bias:
        X[:, 2] = 1.0
    y = 2 + rng.random(n)
    gates = enumerate_all(X) if n <= 9 else sample(X, 8, rng)
    return ReluProgram(X, y, gates, share * float(np.linalg.norm(X.T @ y)))


def limit(program: ReluProgram) -> float:
    """The optimum of equal rows."""
    y, beta = program.y, program.weight_decay
    length = float(np.linalg.norm(program.X.mean(axis=0)))
    t = max(0.0, float(y.mean()) - beta / (len(y) * length))
    return 0.5 * float(np.sum((y - t) ** 2)) + beta * t / length


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("n", [1, 2, 5, 9, 20])
@pytest.mark.parametrize("spread", [1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
def test_nearly_equal_rows_have_the_optimum_of_equal_ones(
    spread: float, n: int, bias: bool
) -> None:
    program = nearly_constant(spread, n, 1e-3, bias=bias, seed=n)
    solution = ActiveSet(tolerance=1e-9).solve(program).require_optimal()
    assert solution.certificate.primal == pytest.approx(limit(program), rel=20 * spread + 1e-8)
    network = program.to_network(solution.variables)
    assert network.objective(program.X, program.y[:, None]) == pytest.approx(
        solution.certificate.primal, rel=1e-9
    )


@pytest.mark.parametrize("seed", [3, 8])
@pytest.mark.parametrize("spread", [1e-8, 1e-10])
def test_where_float64_cannot_prove_it_the_search_does_not_run_away(
    spread: float, seed: int
) -> None:
    """A step that the Gram calls a decrease, and that is none on the data, is not taken."""
    program = nearly_constant(spread, 9, 1e-12, bias=False, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ActiveSet().solve(program)
    assert program.objective(found.variables) == pytest.approx(found.certificate.primal, rel=1e-12)
    assert 0.0 <= found.certificate.dual <= found.certificate.primal
    zero = 0.5 * float(program.y @ program.y)
    assert found.certificate.primal <= 0.02 * zero
