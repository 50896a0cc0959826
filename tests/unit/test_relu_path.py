"""A path of the ReLU program over weight decays, on small data and on images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convexviz.core.arrangements import sample
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Progress, Status
from convexviz.errors import Cancelled
from convexviz.solvers.constrained import ActiveSet
from tests.unit.relu_programs import small


# 2.5 s: seven solves of 44 patterns with shapes checked.
def test_a_path_agrees_with_single_solves() -> None:
    program = small(seed=3, n=7)
    betas = np.array([1.0, 0.1, 0.01])
    for beta, solution in zip(betas, ActiveSet(tolerance=1e-9).path(program, betas), strict=True):
        alone = ActiveSet(tolerance=1e-9).solve(replace(program, weight_decay=float(beta)))
        assert solution.require_optimal().certificate.primal == pytest.approx(
            alone.certificate.primal, rel=1e-8
        )


def image(size: int, P: int, beta: float, seed: int = 0) -> ReluProgram:
    """A blocky picture, noise, and 3x3 patches: many more rows than columns."""
    rng = np.random.default_rng(seed)
    clean = np.kron(rng.random((size // 8, size // 8)), np.ones((8, 8)))
    noisy = clean + 0.1 * rng.standard_normal(clean.shape)
    shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    X = np.stack([np.roll(noisy, shift, (0, 1)).ravel() for shift in shifts], axis=1)
    program = ReluProgram(X, clean.ravel(), sample(X, P, rng), 1.0)
    return program.with_weight_decay(beta * program.beta_max)


# 3 s: a 64 by 64 image, solved once along the path and once value by value.
def test_a_path_over_an_image_agrees_with_single_solves_and_with_its_own_data() -> None:
    program = image(64, 20, 1.0)
    betas = program.beta_max * np.array([1.01, 0.3, 0.03, 1e-3])
    path = ActiveSet(tolerance=1e-8).path(program, betas)
    assert not path[0].variables.any()
    for beta, solution in zip(betas, path, strict=True):
        here = program.with_weight_decay(float(beta))
        alone = ActiveSet(tolerance=1e-8).solve(here).require_optimal().certificate
        found = solution.require_optimal().certificate
        # The path's bound comes from the Gram, with a margin: the data may only confirm it.
        exact = here.certify(solution.variables)
        assert found.dual <= exact.dual * (1 + 1e-12)
        assert found.primal == pytest.approx(exact.primal, rel=1e-12)
        assert found.primal == pytest.approx(alone.primal, rel=2e-8)
        assert here.violation(solution.variables).max() <= 1e-13


# 2 s, and more where loops are compiled first: the size that a lab opens on.
def test_a_real_image_is_solved_on_few_rows_and_certified_on_all() -> None:
    program = image(128, 30, 1e-3)
    solution = ActiveSet(tolerance=1e-7).solve(program).require_optimal()
    kept = [len(normals) for normals in program.data.cones.normals(range(30))]
    assert max(kept) < 0.02 * len(program.X)
    assert program.violation(solution.variables).max() <= 1e-13
    network = program.to_network(solution.variables)
    assert network.n_neurons >= 2
    assert network.objective(program.X, program.y[:, None]) == pytest.approx(
        solution.certificate.primal, rel=1e-10
    )


def test_a_path_of_an_image_is_cancelled_between_two_rounds() -> None:
    program = image(32, 8, 1.0)

    def stop(progress: Progress) -> None:
        if progress.primal < 0.2 * program.y @ program.y:
            raise Cancelled("the visitor left")

    betas = program.beta_max * np.array([0.9, 0.1, 0.01])
    path = ActiveSet(tolerance=1e-9).path(program, betas, on_iteration=stop)
    assert 1 <= len(path) < 3
    assert path[-1].status is Status.CANCELLED
    assert all(solution.status is Status.OPTIMAL for solution in path[:-1])
    assert np.isfinite(path[-1].certificate.primal)
