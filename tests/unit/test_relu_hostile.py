"""The constrained program on hostile data, against cvxpy: cones by few rows, and many groups.

With few rows of a cone known at first, tiny data go through the same search as whole images.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from convexviz.core import cone_rows
from convexviz.core.arrangements import Arrangements, sample
from convexviz.core.relu import ReluProgram
from convexviz.core.relu_data import ReluData
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.reference import Reference

Made = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows, gates, patterns
Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], Made]


def seen(X: np.ndarray, gates: np.ndarray) -> Made:
    return X, gates, X @ gates >= 0


def on_a_gate(X: np.ndarray, gates: np.ndarray, _: np.random.Generator) -> Made:
    """Rows exactly on the first gate, some counted as active and some not."""
    g = gates[:, 0]
    X[:7] -= np.outer(X[:7] @ g, g) / (g @ g)
    patterns = X @ gates >= 0
    patterns[:7, 0] = np.arange(7) < 3
    return X, gates, patterns


def without_interior(X: np.ndarray, gates: np.ndarray, rng: np.random.Generator) -> Made:
    """A pattern that no neuron has: its cone is zero."""
    patterns = X @ gates >= 0
    patterns[:, 0] = rng.random(len(X)) < 0.5
    return X, gates, patterns


def without_gate(X: np.ndarray, gates: np.ndarray, _: np.random.Generator) -> Made:
    """A gate of zeros, and one on the wrong side of every row."""
    patterns = X @ gates >= 0
    gates[:, 0], gates[:, 1] = 0.0, -gates[:, 1]
    return X, gates, patterns


def one_sided(X: np.ndarray, gates: np.ndarray, _: np.random.Generator) -> Made:
    """Intensities on one side of a gate: its slice has no end."""
    gates[:, 0] = 1.0
    return seen(np.abs(X), gates)


def dependent(X: np.ndarray, gates: np.ndarray, rng: np.random.Generator) -> Made:
    X[:, 3:] = X[:, :2] @ rng.standard_normal((2, X.shape[1] - 3))
    return seen(X, gates)


def nearly_equal(X: np.ndarray, gates: np.ndarray, _: np.random.Generator) -> Made:
    """Full rank with a condition of 1e5, where squares of singular values do not tell it."""
    X = X[:1] + 1e-5 * X
    return seen(X, gates * np.sign(X[0] @ gates))


HOSTILE: dict[str, Change] = {
    "ordinary": lambda X, g, _: seen(X, g),
    "rank-deficient": dependent,
    "constant column": lambda X, g, _: seen(np.where(np.arange(X.shape[1]) == 0, 1.0, X), g),
    "duplicated rows": lambda X, g, rng: seen(X[rng.integers(0, len(X) // 3, len(X))], g),
    "whole numbers": lambda X, g, _: seen(np.round(X), np.round(2 * g) + 0.5),
    "zero rows": lambda X, g, _: seen(np.where(np.arange(len(X))[:, None] % 2, X, 0.0), g),
    "rows on a gate": on_a_gate,
    "one-sided": one_sided,
    "empty cone": without_interior,
    "no gate": without_gate,
    "nearly equal rows": nearly_equal,
}


def hostile(kind: str, d: int, n: int, P: int, seed: int = 0) -> ReluProgram:
    rng = np.random.default_rng(seed)
    X, gates = rng.standard_normal((n, d)), rng.standard_normal((d, P))
    X, gates, patterns = HOSTILE[kind](X, gates, rng)
    _, first = np.unique(patterns, axis=1, return_index=True)
    first.sort()
    y = np.maximum(X @ rng.standard_normal(d), 0) + 0.1 * rng.standard_normal(n) * np.abs(X).max()
    a = Arrangements(np.ascontiguousarray(gates[:, first]), patterns[:, first], complete=False)
    program = ReluProgram(X, y, a, 1.0)
    return program.with_weight_decay(1e-2 * program.beta_max)


@pytest.fixture
def few_rows_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cone_rows, "ALWAYS", 0)
    monkeypatch.setattr(cone_rows, "START", 1)


# A fraction of a second each, most of it cvxpy's.
@pytest.mark.usefixtures("few_rows_at_first")
@pytest.mark.parametrize("share", [0.3, 1e-2, 1e-5])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_data_are_solved_to_the_reference(kind: str, share: float) -> None:
    program = hostile(kind, 5, 60, 5)
    program = program.with_weight_decay(share * program.beta_max)
    ours = ActiveSet(tolerance=1e-8).solve(program).require_optimal()
    theirs = Reference(tolerance=1e-5).solve(program).certificate
    assert program.violation(ours.variables).max() <= 1e-13
    assert ours.certificate.primal <= theirs.primal * (1 + 1e-8)
    assert ours.certificate.dual <= theirs.primal * (1 + 1e-9)
    assert theirs.dual <= ours.certificate.primal * (1 + 1e-9)


@pytest.mark.parametrize(
    ("d", "n", "P", "share"), [(9, 400, 3, 1e-4), (25, 1010, 2, 1e-4), (49, 70, 2, 1e-2)]
)
def test_filters_of_every_width_are_solved_to_the_reference(
    d: int, n: int, P: int, share: float
) -> None:
    program = hostile("rows on a gate", d, n, P)
    program = program.with_weight_decay(share * program.beta_max)
    ours = ActiveSet(tolerance=1e-9).solve(program).require_optimal().certificate
    theirs = Reference(tolerance=1e-5).solve(program).require_optimal().certificate
    assert ours.primal == pytest.approx(theirs.primal, rel=1e-7)
    assert ours.dual <= theirs.primal * (1 + 1e-9)


@pytest.mark.usefixtures("few_rows_at_first")
def test_many_groups_of_wide_filters_are_exact_on_all_rows() -> None:
    rng = np.random.default_rng(0)
    image = np.kron(rng.random((8, 8)), np.ones((6, 6))) + 0.1 * rng.standard_normal((48, 48))
    shifts = [(a, b) for a in range(5) for b in range(5)]
    X = np.stack([np.roll(image, shift, (0, 1)).ravel() for shift in shifts], axis=1)
    program = ReluProgram(X, image.ravel() ** 2, sample(X, 20, rng), 1.0)
    betas = program.beta_max * np.array([1.0, 1e-2, 1e-4])
    path = ActiveSet(tolerance=1e-8).path(program, betas)
    assert np.count_nonzero(path[-1].variables.any(axis=2)) > 10
    for beta, solution in zip(betas, path, strict=True):
        here = program.with_weight_decay(float(beta))
        assert solution.require_optimal().certificate.relative_gap <= 1e-8
        assert here.violation(solution.variables).max() <= 1e-13
        # Cones of all rows, told nothing of the search.
        blind = ReluProgram(X, program.y, program.arrangements, float(beta))
        exact = blind.certify(solution.variables)
        assert exact.relative_gap <= 2e-8
        assert exact.primal == pytest.approx(solution.certificate.primal, rel=1e-12)


def test_a_condition_that_squares_do_not_tell_keeps_the_coordinates() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1, 4)) + 1e-6 * rng.standard_normal((50, 4))
    data = ReluData(X, np.ones(50), Arrangements(np.ones((4, 1)), np.ones((50, 1), bool), False))
    space = data.row_space
    assert space is not None
    np.testing.assert_array_equal(space.basis, np.eye(4))
    np.testing.assert_allclose(space.width * space.small, X, rtol=1e-14)
