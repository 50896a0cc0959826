"""Adaptive where all patterns are few: the optimum is proved, by what is stored alone."""

import numpy as np
import pytest

from convexviz.core.neurons import NeuronProgram
from convexviz.core.solution import Status
from convexviz.errors import Cancelled
from convexviz.solvers.adaptive import Adaptive


@pytest.mark.parametrize(("n", "d"), [(60, 1), (80, 2), (25, 3), (9, 4)])
def test_few_patterns_are_all_visited_and_the_optimum_is_proved(n, d):
    rng = np.random.default_rng(n)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    program = NeuronProgram(X, y, 3e-3 * float(np.linalg.norm(X.T @ y)))
    solution = Adaptive(tolerance=1e-6).solve(program)
    assert solution.status is Status.OPTIMAL
    assert program.certify(solution.variables).relative_gap <= 1e-6  # from what is stored alone
    nearby = solution.variables.copy()
    nearby[:, :-1] *= 1 + 0.01 * rng.standard_normal(nearby[:, :-1].shape)
    assert program.certify(nearby).dual <= solution.certificate.primal  # any residual bounds


def test_a_proof_on_all_patterns_can_be_cancelled():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((120, 2)), rng.standard_normal(120)

    def stop(_progress):
        raise Cancelled

    solution = Adaptive(tolerance=1e-9).solve(NeuronProgram(X, y, 0.01), on_iteration=stop)
    assert solution.status is Status.CANCELLED
    assert 0 <= solution.certificate.dual <= solution.certificate.primal < np.inf
