"""The active-set solver against cvxpy and Clarabel, on the program as printed."""

from __future__ import annotations

import numpy as np
import pytest

from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Status
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.reference import Reference


def instance(seed: int) -> ReluProgram:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    if seed % 4 == 1:
        X, y = np.round(2 * X), np.round(2 * y)
    if seed % 4 == 2:
        X = X[rng.integers(0, n, n)]
    X[0] += 1.0  # never all zero
    arrangements = enumerate_all(X) if seed % 2 else sample(X, 12, rng)
    return ReluProgram(X, y, arrangements, float(10 ** rng.uniform(-3, 0)))


# Up to 11 s: seed 15 has 57 patterns at small weight decay, and shapes are checked at every call.
@pytest.mark.parametrize("seed", range(16))
def test_the_active_set_finds_the_reference_optimum(seed: int) -> None:
    program = instance(seed)
    ours = ActiveSet(tolerance=1e-10).solve(program).require_optimal().certificate
    theirs = Reference(tolerance=1e-5).solve(program).require_optimal().certificate
    assert ours.primal <= theirs.primal * (1 + 1e-10)
    assert ours.primal == pytest.approx(
        theirs.primal, rel=1e-6
    )  # values agree to the square of the gap
    assert theirs.dual <= ours.primal * (1 + 1e-10)


def test_a_reference_that_stopped_early_does_not_count() -> None:
    program = instance(3)
    strict = Reference(tolerance=1e-15).solve(program)
    assert strict.status is Status.MAX_ITERATIONS
    assert strict.certificate.dual <= strict.certificate.primal


def test_a_sampled_image_is_certified_with_its_cones() -> None:
    rng = np.random.default_rng(0)
    clean = np.kron(rng.random((6, 6)), np.ones((4, 4)))
    noisy = clean + 0.1 * rng.standard_normal(clean.shape)
    shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    X = np.stack([np.roll(noisy, s, (0, 1)).ravel() for s in shifts], axis=1)
    X = (X - X.mean()) / X.std()
    program = ReluProgram(X, clean.ravel(), sample(X, 12, rng), 0.5)
    ours = ActiveSet(tolerance=1e-10).solve(program).require_optimal().certificate
    theirs = Reference(tolerance=1e-5).solve(program).require_optimal().certificate
    assert ours.primal == pytest.approx(theirs.primal, rel=1e-6)
