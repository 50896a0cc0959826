"""The gated path solver reaches the optima of cvxpy and of the golden table (THEORY 7)."""

import numpy as np
import pytest

from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.gated import GatedProgram
from convexviz.solvers.gated_path import GatedPath
from convexviz.solvers.gated_wide import GatedWide

either = pytest.mark.parametrize("solver", [GatedPath, GatedWide])


def reference(p):
    problem = p.to_cvxpy()
    problem.solve(solver="CLARABEL")  # to 1e-8; tighter ends inaccurate on wide programs
    assert problem.status == "optimal"
    return problem


def random_program(seed, n, d, n_gates):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    return GatedProgram(X, y, sample(X, n_gates, rng), 1.0)


def circular_patches(image, kernel):
    """Row p holds the offsets `a - k//2` around pixel p, cross-correlation order."""
    rows, columns = kernel
    shifts = [(a - rows // 2, b - columns // 2) for a in range(rows) for b in range(columns)]
    return np.stack([np.roll(image, (-a, -b), (0, 1)).ravel() for a, b in shifts], axis=1)


LINE = np.array([[0.0, 0, 1, 1, 1, 0, 0]])
NOISY_LINE = LINE + np.array([0.2, -0.1, 0.1, -0.3, 0.15, 0.05, -0.2])
CROSS = np.array([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]])
NOISY_CROSS = CROSS + 0.5 * np.random.default_rng(0).standard_normal((3, 3))

GOLDEN = [
    pytest.param(NOISY_LINE, LINE, (1, 3), 0.1, 0.0815800686, 44, id="p4.A1"),
    pytest.param(NOISY_LINE, LINE - NOISY_LINE, (1, 3), 0.05, 0.0336473223, 44, id="p4.A2"),
    pytest.param(NOISY_CROSS, CROSS, (2, 2), 0.1, 0.0701178658, 186, id="p4.A3"),
]


@either
@pytest.mark.parametrize(("noisy", "target", "kernel", "beta", "golden", "n_patterns"), GOLDEN)
def test_the_gated_optimum_is_the_golden_value(
    solver, noisy, target, kernel, beta, golden, n_patterns
):
    X = circular_patches(noisy, kernel)
    arrangements = enumerate_all(X)
    assert len(arrangements) in (n_patterns, n_patterns - 1)  # the empty pattern adds nothing
    p = GatedProgram(X, target.ravel(), arrangements, beta)
    solution = solver(tolerance=1e-10).solve(p).require_optimal()
    assert solution.certificate.primal == pytest.approx(golden, rel=1e-8)  # the table's digits
    network = p.to_network(solution.variables)
    assert network.objective(X, target.reshape(-1, 1)) == pytest.approx(golden, rel=1e-8)


# The first case takes some 3 s: it imports cvxpy.
@pytest.mark.parametrize("share", [0.5, 0.1, 1e-2, 1e-3])
@pytest.mark.parametrize(
    ("n", "d", "n_gates"), [(60, 3, 6), (25, 5, 20), (12, 4, 30)], ids=["tall", "wide", "wider"]
)
@either
def test_the_optimum_is_the_one_of_cvxpy(solver, n, d, n_gates, share):
    whole = random_program(n, n, d, n_gates)
    p = whole.with_weight_decay(share * whole.beta_max)
    problem = reference(p)
    solution = solver(tolerance=1e-9).solve(p).require_optimal()
    assert solution.certificate.primal == pytest.approx(problem.value, rel=1e-7)
    assert p.objective(p.from_cvxpy(problem)) == pytest.approx(problem.value, rel=1e-7)
    assert p.certify(p.from_cvxpy(problem)).relative_gap < 1e-5


def test_the_reference_notices_another_weight_decay():
    p = random_program(1, 40, 3, 8)
    other = p.with_weight_decay(1.01)
    assert abs(GatedPath().solve(other).certificate.primal - reference(p).value) > 1e-4
