"""Summed patches: the Gram of a convolutional network, and gated programs solved with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.core.arrangements import sample
from convexviz.core.gated import GatedProgram
from convexviz.core.gram import masked_gram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import LOSSES
from convexviz.core.pooled import pooled_features, pooled_gram
from convexviz.errors import DataError, SpecError
from convexviz.solvers.choose import choose
from convexviz.solvers.gated_path import GatedPath
from convexviz.solvers.gated_wide import GatedWide
from convexviz.solvers.reference import clarabel

PATCHES = 5


def program(seed: int = 0, n: int = 30) -> GatedProgram:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n * PATCHES, 3)), rng.standard_normal(n)
    made = GatedProgram(X, y, sample(X, 6, rng), 0.0, PATCHES)
    return made.with_weight_decay(0.1 * made.beta_max)


def by_hand(p: GatedProgram) -> np.ndarray:
    """A neuron's features of a sample, patch by patch."""
    n, (P, d) = len(p.y), p.shape
    out = np.zeros((n, P, d))
    for row, x in enumerate(p.X):
        out[row // PATCHES] += p.arrangements.patterns[row][:, None] * x
    return out.reshape(n, P * d)


@given(st.integers(0, 30), st.integers(1, 9))
def test_the_gram_is_that_of_the_summed_features(seed: int, n: int) -> None:
    p = program(seed, n)
    A = by_hand(p)
    np.testing.assert_allclose(
        pooled_features(p.X, p.arrangements.patterns, PATCHES), A, atol=1e-12
    )
    gram = pooled_gram(p.X, p.arrangements.patterns, p.y, PATCHES)
    np.testing.assert_allclose(gram.G, A.T @ A, atol=1e-10)
    np.testing.assert_allclose(gram.b, A.T @ p.y, atol=1e-10)


def test_blocks_of_samples_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    p = program()
    whole = p.gram.G
    monkeypatch.setattr("convexviz.core.pooled._ENTRIES", 40)
    np.testing.assert_allclose(
        pooled_gram(p.X, p.arrangements.patterns, p.y, PATCHES).G, whole, atol=1e-10
    )


def test_one_patch_a_sample_is_the_plain_gram() -> None:
    p = program()
    y = np.random.default_rng(1).standard_normal(len(p.X))
    pooled = pooled_gram(p.X, p.arrangements.patterns, y, 1)
    np.testing.assert_allclose(pooled.G, masked_gram(p.X, p.arrangements.patterns, y).G, atol=1e-10)


def test_whitened_rows_are_rows_like_others() -> None:
    # Batch norm: the rows of U' are the data, and gates are drawn in whitened space.
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 4)) @ np.diag([100.0, 1.0, 1e-2, 1.0])
    U = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0]
    U = np.column_stack([U, np.full(60, 60**-0.5)])
    y, patterns = rng.standard_normal(60), sample(U, 8, rng).patterns
    A = (patterns[:, :, None] * U[:, None, :]).reshape(60, -1)
    np.testing.assert_allclose(masked_gram(U, patterns, y).G, A.T @ A, atol=1e-14)


def test_optima_are_those_of_cvxpy_and_certified_from_the_data() -> None:
    p = program()
    assert isinstance(choose(p, 1e-8, 0), GatedPath)
    solution = choose(p, 1e-8, 0).solve(p).require_optimal()
    problem = p.to_cvxpy()
    assert clarabel(problem, 1e-10)
    assert solution.certificate.primal == pytest.approx(problem.value, rel=1e-7)
    A, w = by_hand(p), solution.variables
    value = 0.5 * np.sum((A @ w.ravel() - p.y) ** 2)
    value += p.weight_decay * np.linalg.norm(w, axis=1).sum()
    assert solution.certificate.primal == pytest.approx(value, rel=1e-12)


def test_a_path_and_a_device_take_summed_patches() -> None:
    p = program()
    solutions = GatedPath(tolerance=1e-7, certify_from="gram").path(
        p, p.beta_max * np.geomspace(1, 1e-2, 5)
    )
    assert all(s.certificate.relative_gap <= 1e-7 for s in solutions)
    again = replace(program())
    again.summarise(device="cpu")
    np.testing.assert_array_equal(again.gram.G, p.gram.G)


def test_logistic_loss_on_summed_patches() -> None:
    p = program()
    labels = replace(p, y=np.where(p.y >= 0, 1.0, -1.0))
    made = LossProgram(labels, LOSSES["logistic"])
    made = made.with_weight_decay(0.1 * made.beta_max)
    solution = choose(made, 1e-7, 0).solve(made).require_optimal()
    problem = made.to_cvxpy()
    assert clarabel(problem, 1e-9)
    assert solution.certificate.primal == pytest.approx(problem.value, rel=1e-6)


def test_the_network_sums_its_outputs_over_patches() -> None:
    p = program()
    solution = choose(p, 1e-6, 0).solve(p)
    network = p.to_network(solution.variables)
    outputs = network.predict(p.X)[:, 0].reshape(-1, PATCHES).sum(axis=1)
    np.testing.assert_allclose(outputs, p.fit(solution.variables), atol=1e-12)


def test_rows_that_are_no_whole_samples_are_refused() -> None:
    p = program()
    with pytest.raises(DataError, match="5 rows \\(patches\\) for each of the 29"):
        replace(p, y=p.y[:-1])
    with pytest.raises(SpecError, match="patches must be at least 1, got 0"):
        replace(p, patches=0)
    assert "summed patches" in str(GatedWide().why_not(p))
