"""A certificate from the Gram alone holds for the data, rounding included."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.core.arrangements import sample
from convexviz.core.gated import GatedProgram
from convexviz.core.gram_certificate import certificate_from_gram, rounding
from convexviz.core.masked import adjoint, adjoint_of_many
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Status
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.constrained_workspace import workspace_of
from convexviz.solvers.gated_path import GatedPath


def program(seed, n=60, d=3, size=1.0, offset=0.0):
    rng = np.random.default_rng(seed)
    X = size * rng.standard_normal((n, d)) + offset
    y = X[:, 0] + 1e-6 * rng.standard_normal(n)  # |y|^2 is far above the optimum
    whole = GatedProgram(X, y, sample(X, 8, rng), 1.0)
    return whole.with_weight_decay(1e-4 * whole.beta_max)


def from_gram(p, W):
    gram = p.gram
    return certificate_from_gram(gram, p.columns, W, gram.G @ W.ravel() - gram.b, p.weight_decay)


def exact_squares(p, W):
    """`|A w - y|^2` in rationals."""
    X = [[Fraction(x) for x in row] for row in p.X.tolist()]
    weights = [[Fraction(w) for w in row] for row in W.tolist()]
    total = Fraction(0)
    for row, target, active in zip(X, p.y.tolist(), p.arrangements.patterns, strict=True):
        residual = -Fraction(target)
        for i in np.flatnonzero(active):
            residual += sum(x * w for x, w in zip(row, weights[i], strict=True))
        total += residual * residual
    return total


@given(st.integers(0, 200), st.sampled_from([0.0, 100.0]))
def test_the_primal_is_above_the_exact_objective(seed, offset):
    p = program(seed, offset=offset)
    W = GatedPath(tolerance=1e-6).solve(p).variables
    penalty = p.weight_decay * float(np.linalg.norm(W, axis=1).sum())
    exact = exact_squares(p, W) / 2 + Fraction(penalty) * (1 - Fraction(2) ** -48)
    assert Fraction(from_gram(p, W).primal) >= exact


@given(st.integers(0, 200), st.sampled_from([0.0, 100.0]), st.floats(0.0, 1.5))
def test_the_dual_is_below_the_optimum(seed, offset, times):
    p = program(seed, offset=offset)
    solution = GatedPath(tolerance=1e-10).solve(p)
    certificate = from_gram(p, times * solution.variables)
    assert certificate.dual <= solution.certificate.primal
    assert certificate.dual <= certificate.primal


def test_a_wrong_gram_is_noticed_by_the_rational_objective():
    p = program(0)
    W = GatedPath(tolerance=1e-6).solve(p).variables
    gram = p.gram
    certificate = certificate_from_gram(
        gram, p.columns, 1.001 * W, gram.G @ W.ravel() - gram.b, p.weight_decay
    )
    assert abs(certificate.primal - float(exact_squares(p, 1.001 * W)) / 2) > 1e-3 * abs(
        certificate.primal
    )


def test_a_path_certified_from_its_gram_agrees_with_the_data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4))
    whole = GatedProgram(X, np.abs(X[:, 0]), sample(X, 20, rng), 1.0)
    betas = whole.beta_max * np.geomspace(0.9, 1e-3, 8)
    quick = GatedPath(tolerance=1e-6, certify_from="gram").path(whole, betas)
    for beta, solution in zip(betas, quick, strict=True):
        data = whole.with_weight_decay(beta).certify(solution.require_optimal().variables)
        assert solution.certificate.primal >= data.primal
        assert solution.certificate.dual <= data.dual
        assert solution.certificate.relative_gap <= data.relative_gap + 1e-8


def test_where_rounding_is_too_much_the_data_are_asked():
    p = program(1, offset=100.0)
    solution = GatedPath(tolerance=1e-10, certify_from="gram").solve(p)
    assert from_gram(p, solution.variables).relative_gap > 1e-10
    assert solution.certificate == p.certify(solution.variables)


def relu_path() -> tuple[ReluProgram, np.ndarray]:
    rng = np.random.default_rng(4)
    X = rng.standard_normal((700, 4))
    y = np.maximum(X @ [1.0, -0.5, 0.2, 0.0], 0.0) + 0.1 * rng.standard_normal(700)
    p = ReluProgram(X, y, sample(X, 15, np.random.default_rng(2)), 1.0)
    return p, p.beta_max * np.geomspace(1.0, 1e-3, 9)


def test_the_constrained_path_from_the_gram_bounds_less_than_from_the_data_but_bounds() -> None:
    p, betas = relu_path()
    quick = ActiveSet(1e-7, certify_from="gram").path(p, betas)
    exact = ActiveSet(1e-7).path(p, betas)
    assert len(quick) == len(betas)
    for beta, a, b in zip(betas, quick, exact, strict=True):
        again = p.with_weight_decay(beta).certify(a.variables)
        assert a.status is Status.OPTIMAL
        assert a.certificate.relative_gap <= 1e-7
        assert a.certificate.primal == pytest.approx(again.primal, rel=1e-12)
        assert a.certificate.dual <= again.dual + 1e-13 * again.primal
        assert a.certificate.dual <= b.certificate.primal
        assert b.certificate.dual == pytest.approx(
            p.with_weight_decay(beta).certify(b.variables).dual, rel=1e-12
        )


def test_where_the_rounding_of_the_gram_is_too_much_the_constrained_path_asks_the_data() -> None:
    p, betas = relu_path()
    last = ActiveSet(1e-13, certify_from="gram").path(p, betas)[-1]
    known = workspace_of(p)
    assert known is not None
    assert known.whole is not None
    off, _ = rounding(known.whole, len(p.X), known.column_lengths, np.zeros((15, 4)))
    assert off > 1e-13 * known.at(betas[-1]).weight_decay  # the Gram alone could not say so
    assert last.certificate.relative_gap <= 1e-12


def test_many_adjoints_at_once_are_those_of_each() -> None:
    rng = np.random.default_rng(5)
    X, R = rng.standard_normal((50, 3)), rng.standard_normal((50, 4))
    patterns = rng.random((50, 6)) > 0.4
    many = adjoint_of_many(X, patterns, R).reshape(6, 3, 4)
    for b in range(4):
        np.testing.assert_allclose(many[:, :, b], adjoint(X, patterns, R[:, b]), atol=1e-13)
