"""One latent against a ReLU discriminator: F on a grid, two islands, branch and bound."""

import numpy as np
import pytest

import convexviz
from convexviz.core import one_latent
from convexviz.core.discriminator import Discriminator
from convexviz.core.landscape import landscape
from convexviz.errors import ConvexvizError, DataError

RELU = Discriminator("relu")
X22, Z22 = np.random.default_rng(22).standard_normal((4, 2)), np.array([1.5, 0.5, -0.5, -1])
POINTS = {
    "golden": X22,
    "shifted": np.random.default_rng(0).standard_normal((20, 2)) + np.array([1.0, 0]),
    "zero": np.zeros((3, 2)),
    "one line": np.array([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]]),
    "twice": np.repeat(X22, 2, axis=0),
    "single": np.array([[0.3, -2.0]]),
}


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("z", [Z22, np.array([1.0, 2.0]), np.array([-1.0])], ids=len)
def test_the_distance_of_a_segment_is_that_of_all_samples(name: str, z: np.ndarray) -> None:
    X, rng = POINTS[name], np.random.default_rng(1)
    W = np.concatenate([np.zeros((1, 2)), 3 * rng.standard_normal((20, 2))])
    e, U = one_latent.segment(X, z).farthest(W)
    for w, found, u in zip(W, e, U, strict=True):
        G = np.outer(z, w)
        assert abs(found) == pytest.approx(RELU.value(X, G), rel=1e-11, abs=1e-13)
        there = np.maximum(X @ u, 0).sum() - np.maximum(G @ u, 0).sum()
        assert there == pytest.approx(found, rel=1e-11, abs=1e-13)


def test_two_islands_of_the_golden_line() -> None:
    """p1.D1: w in [-1.3, -0.7] or [0.7, 1.3]."""
    X = np.array([[-1.0], [1.0]])
    found = landscape(X, X[:, 0], 0.3, grid=(131, 2), largest=1.3)
    assert found.islands == 2
    np.testing.assert_allclose(found.first, [0.7, 0.7], rtol=1e-9)
    np.testing.assert_allclose(found.last, [1.3, 1.3], rtol=1e-9)
    np.testing.assert_array_equal(found.allowed[:, 0], found.scales > 0.7 - 1e-9)
    result = convexviz.solve(
        "wgan", data={"X": X, "Z": X}, discriminator="relu", generator="linear", penalty="weights",
        weight_decay=0.3,
    )  # fmt: skip
    assert result.certificate.primal == pytest.approx(0.49, rel=1e-9)
    assert result.certificate.relative_gap < 1e-9


def test_branch_and_bound_brackets_the_golden_value() -> None:
    """p1.D2 is 0.330449292."""
    found = one_latent.least(one_latent.segment(X22, Z22), 2.5)
    assert found.lower**2 <= 0.330449292 * (1 + 1e-8)
    assert found.upper**2 == pytest.approx(0.330449292, rel=1e-6)
    assert found.lower**2 >= found.upper**2 * (1 - 1e-6)
    drawn = landscape(X22, Z22, 2.5)
    assert drawn.islands == 2
    assert drawn.value[drawn.allowed].size > 0
    least = np.min(drawn.scales[:, None] + np.where(drawn.allowed, 0, np.inf))
    assert found.lower <= least
    assert found.lower <= np.nanmin(drawn.first)
    result = convexviz.solve(
        "wgan", data={"X": X22, "Z": Z22[:, None]}, discriminator="relu", generator="linear",
        penalty="weights", weight_decay=2.5,
    )  # fmt: skip
    assert result.certificate.primal == pytest.approx(0.330449292, rel=1e-6)
    assert result.status == "optimal"
    assert "branch and bound" in result.provenance["solver"]


@pytest.mark.parametrize("name", ["golden", "shifted"])
def test_no_allowed_generator_is_below_the_bound_or_outside_the_means(name: str) -> None:
    X = POINTS[name]
    beta = 0.8 * RELU.value(X, np.zeros((1, 2)))
    found = landscape(X, Z22, beta, grid=(20, 24))
    some = np.linspace(0.01, 0.99, 4)
    for k, angle in enumerate(found.angles):
        w = np.array([np.cos(angle), np.sin(angle)])
        if not np.isfinite(found.first[k]):
            F = [RELU.value(X, np.outer(Z22, r * w)) for r in found.scales[::5]]
            assert min(F) > beta
            continue
        inside = found.first[k] + some * (found.last[k] - found.first[k])
        for r in inside:
            assert RELU.value(X, np.outer(Z22, r * w)) <= beta * (1 + 1e-9)
            assert found.mean_first[k] - 1e-9 <= r <= found.mean_last[k] + 1e-9
            assert r >= found.proved.lower
        for r in (0.99 * found.first[k], 1.01 * found.last[k]):
            assert RELU.value(X, np.outer(Z22, r * w)) > beta or r == 0
    assert found.proved.lower <= np.nanmin(found.first) * (1 + 1e-12)


def test_where_nothing_is_allowed_that_is_proved_and_said() -> None:
    t = 2 * np.pi * np.arange(20) / 20
    X, Z = np.stack([np.cos(t), np.sin(t)], axis=1), np.linspace(-1, 1, 20)[:, None]
    beta = 0.5 * RELU.value(X, np.zeros((1, 2)))
    found = landscape(X, Z[:, 0], beta)
    assert found.islands == 0
    assert found.proved.lower == np.inf
    with pytest.raises(ConvexvizError, match="no linear generator of one latent") as refused:
        convexviz.solve(
            "wgan", data={"X": X, "Z": Z}, discriminator="relu", generator="linear",
            weight_decay=beta,
        )  # fmt: skip
    assert "\n" not in str(refused.value)


def test_a_large_beta_allows_the_generator_of_zeros() -> None:
    found = landscape(X22, Z22, 1.01 * RELU.value(X22, np.zeros((1, 2))))
    assert (found.islands, found.proved.lower, found.proved.upper) == (1, 0.0, 0.0)


@pytest.mark.parametrize("scale", [1e-40, 1e40])
def test_scales_of_the_data_do_not_matter(scale: float) -> None:
    found = landscape(scale * X22, Z22, scale * 2.5)
    assert found.islands == 2
    assert found.proved.upper / scale == pytest.approx(0.5748472, rel=1e-4)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="one or two columns"):
        landscape(np.ones((3, 3)), Z22, 1.0)
    with pytest.raises(DataError, match="z must not be zero"):
        landscape(X22, np.zeros(4), 1.0)
    with pytest.raises(DataError, match="beta must be positive"):
        landscape(X22, Z22, 0.0)
