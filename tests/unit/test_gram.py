"""The Gram of masked features is the dense one, however it is summed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.core.compiled import compiled
from convexviz.core.gram import masked_gram
from convexviz.core.gram_cells import pair_sums
from convexviz.core.masked import adjoint, predict


def problem(n, d, P, share=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.random((n, P)) < share, rng.standard_normal(n)


def dense(X, patterns):
    return (patterns[:, :, None] * X[:, None, :]).reshape(len(X), -1)


@given(
    st.integers(1, 60),
    st.integers(1, 6),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]),
)
def test_the_gram_is_the_one_of_the_dense_features(n, d, P, share):
    X, patterns, y = problem(n, d, P, share, seed=n + 100 * P)
    gram = masked_gram(X, patterns, y)
    A = dense(X, patterns)
    np.testing.assert_allclose(gram.G, A.T @ A, atol=1e-12 * n)
    np.testing.assert_allclose(gram.b, A.T @ y, atol=1e-12 * n)
    assert gram.yy == pytest.approx(y @ y)
    assert (gram.P, gram.d) == (P, d)


@pytest.mark.parametrize("d", [1, 9, 40])
def test_many_rows_give_wide_blocks_and_the_same_gram(d):
    X, patterns, y = problem(20_000, d, 11)
    A = dense(X, patterns)
    np.testing.assert_allclose(masked_gram(X, patterns, y).G, A.T @ A, atol=1e-9)


def test_rows_that_do_not_fit_at_once_are_added_up(monkeypatch):
    X, patterns, y = problem(1000, 3, 7)
    whole = masked_gram(X, patterns, y).G
    monkeypatch.setattr("convexviz.core.gram_cells._BYTES_AT_A_TIME", 8 * 3 * 64)
    np.testing.assert_allclose(masked_gram(X, patterns, y).G, whole, atol=1e-11)


def test_cells_larger_than_one_product_are_added_up(monkeypatch):
    X, patterns, _ = problem(1000, 3, 4)
    whole = pair_sums(X, patterns, threads=1)
    monkeypatch.setattr("convexviz.core.gram_cells._FLOPS_A_PRODUCT", 1)
    np.testing.assert_allclose(pair_sums(X, patterns, threads=1), whole, atol=1e-11)


def test_two_threads_give_the_same_gram_to_the_last_bit():
    X, patterns, y = problem(3000, 4, 30)
    one, two = (masked_gram(X, patterns, y, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.G, two.G)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2]])
def test_views_and_fortran_order_are_read_rightly(layout):
    X, patterns, y = problem(200, 3, 6)
    expected = masked_gram(X, patterns, y)
    gram = masked_gram(layout(X), layout(patterns), layout(y))
    np.testing.assert_allclose(gram.G, expected.G, atol=1e-12)
    np.testing.assert_allclose(gram.b, expected.b, atol=1e-12)


def test_the_eigendecompositions_are_those_of_the_diagonal_blocks():
    X, patterns, y = problem(100, 4, 5)
    gram = masked_gram(X, patterns, y)
    for i in range(5):
        Q, block = gram.eigenvectors[i], X[patterns[:, i]].T @ X[patterns[:, i]]
        np.testing.assert_allclose(Q @ np.diag(gram.eigenvalues[i]) @ Q.T, block, atol=1e-10)


@given(st.integers(1, 50), st.integers(1, 5), st.integers(1, 9))
def test_predict_and_adjoint_are_transposes_of_each_other(n, d, P):
    X, patterns, r = problem(n, d, P, seed=n)
    W = np.random.default_rng(P).standard_normal((P, d))
    W[::3] = 0.0
    forward = predict(X, patterns, W)
    np.testing.assert_allclose(forward, dense(X, patterns) @ W.ravel(), atol=1e-11)
    assert forward @ r == pytest.approx(np.vdot(W, adjoint(X, patterns, r)), abs=1e-9)


def test_a_read_only_install_still_compiles(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.caching.FunctionCache.__init__", refuse)

    def double(x):
        return 2 * x

    assert compiled(double)(21) == 42
