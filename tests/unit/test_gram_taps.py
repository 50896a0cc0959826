"""The Gram of features that taps see: that of the features written out."""

import numpy as np
import pytest

from convexviz.core import gram_taps
from convexviz.core.arrangements import sample
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.readout import Taps
from convexviz.solvers.nuclear_descent import NuclearDescent, features_of

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 3)), RNG.standard_normal((60, 1))


def program(padding: str) -> NuclearProgram:
    gates = sample(X, 4, np.random.default_rng(1))
    return NuclearProgram(X, Y, gates, 0.5, Taps((2, 5, 6), (3, 3), padding))


@pytest.mark.parametrize("padding", ["circular", "zero"])
def test_the_gram_is_that_of_the_features(padding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gram_taps, "_ENTRIES", 700)  # in parts of seven rows
    made = program(padding)
    readout = Taps((2, 5, 6), (3, 3), padding)
    G, b = gram_taps.taps_gram(X, made.arrangements.patterns, Y[:, 0], readout)
    features = features_of(made)
    np.testing.assert_allclose(G, features.T @ features, atol=1e-12)
    np.testing.assert_allclose(b, features.T @ Y[:, 0], atol=1e-12)


def test_the_optimum_is_the_same_with_the_gram_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from convexviz.solvers import nuclear_descent

    monkeypatch.setattr(nuclear_descent, "GRAM_COLUMNS", 60 * 200)
    monkeypatch.setattr(nuclear_descent, "_pays", lambda _targets, _columns: True)
    with_gram = NuclearDescent(1e-7).solve(program("zero")).certificate
    monkeypatch.setattr(nuclear_descent, "_pays", lambda _targets, _columns: False)
    monkeypatch.setattr(nuclear_descent, "_fits", lambda _targets, _columns: False)
    without = NuclearDescent(1e-7).solve(program("zero")).certificate
    assert with_gram.relative_gap <= 1e-7
    assert with_gram.primal == pytest.approx(without.primal, rel=1e-6)
