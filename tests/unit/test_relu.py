"""The ReLU program: its optimum, its certificate, its network."""

from __future__ import annotations

import numpy as np
import pytest

from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Scope
from convexviz.solvers.reference import Reference

CLEAN = np.array([0, 0, 1, 1, 1, 0, 0.0])
NOISY = CLEAN + np.array([0.2, -0.1, 0.1, -0.3, 0.15, 0.05, -0.2])
PATCHES = np.stack([np.roll(NOISY, -offset) for offset in (-1, 0, 1)], axis=1)


def test_the_golden_denoiser_is_solved_and_covers_the_network() -> None:
    program = ReluProgram(PATCHES, CLEAN, enumerate_all(PATCHES), 0.1)
    solution = Reference(1e-7).solve(program)
    assert solution.certificate.primal == pytest.approx(0.113779000, abs=2e-9)
    assert solution.certificate.relative_gap < 1e-7
    assert solution.certificate.scope is Scope.RELU_NETWORK
    sampled = ReluProgram(PATCHES, CLEAN, sample(PATCHES, 5, np.random.default_rng(0)), 0.1)
    assert sampled.certify(np.zeros(sampled.shape)).scope is Scope.SAMPLED_PROGRAM
