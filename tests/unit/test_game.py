"""The game over moments: golden values, certificates that hold for any discriminator, refusals."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.core import reach
from convexviz.core.discriminator import Discriminator, Neurons, largest_on_ball
from convexviz.core.game import GameProgram
from convexviz.core.moment_program import balanced
from convexviz.errors import DataError, SpecError

X20 = np.random.default_rng(20).standard_normal((6, 2)) * [1.5, 0.7] + [0.5, 0]
A2 = np.array([[1.0, 2], [3, -1]])
B2 = np.array([[2, 0, 0], [0, 1, 0], [0, 0, 0.5], [1.0, 1, 0]])
# key: data, n_f, fields, value. The table's values are good to seven digits.
GOLDEN: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Any], float]] = {
    "p1.A1": (X20, np.ones((6, 1)), {"discriminator": "linear", "weight_decay": 1.0}, 0.314765993),
    "p1.A2": (A2, np.ones((3, 1)), {"discriminator": "linear", "weight_decay": 2.0}, 1.502525833),
    "p1.B1": (X20, np.ones((6, 1)), {"weight_decay": 1.0}, 9.626226164),
    "p1.B1.R_W": (
        X20,
        np.random.default_rng(21).standard_normal((6, 5)),
        {"weight_decay": 1.0, "generator": "linear", "penalty": "weights"},
        0.671457216,
    ),
    "p1.B2": (B2, np.ones((4, 1)), {"weight_decay": 0.5}, 6.0),
    "p1.B2.R_ZW": (
        B2,
        np.random.default_rng(21).standard_normal((4, 5)),
        {"weight_decay": 0.5, "generator": "linear"},
        6.0,
    ),
    "p1.B2.R_W": (
        B2,
        np.random.default_rng(21).standard_normal((4, 5)),
        {"weight_decay": 0.5, "generator": "linear", "penalty": "weights"},
        0.499947878,
    ),
    "p1.C1": (
        X20, np.ones((6, 1)), {"discriminator": "polynomial", "weight_decay": 0.3}, 6.704400164,
    ),
    "p1.C2": (
        X20, np.ones((6, 1)), {"discriminator": "polynomial", "weight_decay": 0.1}, 9.404003940,
    ),
}  # fmt: skip
RNG = np.random.default_rng(3)
X = RNG.standard_normal((7, 2)) * [1.4, 0.6] + [0.4, -0.2]
Z = np.hstack([RNG.standard_normal((7, 3)), np.ones((7, 1))])
G0 = 0.5 * RNG.standard_normal((7, 2))
GRID = np.stack([np.cos(t := np.linspace(0, 2 * np.pi, 4001)), np.sin(t)], axis=1)


@pytest.mark.parametrize("key", GOLDEN)
def test_the_golden_values_are_met_and_certified(key: str) -> None:
    data, latents, fields, value = GOLDEN[key]
    result = convexviz.solve("wgan", data={"X": data, "Z": latents}, **fields)
    assert result.certificate.primal == pytest.approx(value, rel=2e-8)
    assert 0 <= result.certificate.relative_gap < 1e-8
    assert result.scalars["discriminator_value"] == pytest.approx(fields["weight_decay"], rel=1e-8)


def activation(kind: str, t: np.ndarray) -> np.ndarray:
    return {"linear": t, "quadratic": t**2, "polynomial": 0.09 * t**2 + 0.5 * t + 0.47}[kind]


@pytest.mark.parametrize("kind", ["linear", "quadratic", "polynomial"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("generator", "penalty"),
    [
        ("free", "samples"),
        ("free", "displacement"),
        ("linear", "samples"),
        ("linear", "displacement"),
    ],
)
def test_the_samples_are_allowed_and_no_generator_does_better(
    kind: str, bias: bool, generator: str, penalty: str
) -> None:
    fields = {"discriminator": kind, "bias": bias, "generator": generator, "penalty": penalty}
    result = convexviz.solve("wgan", data={"X": X, "Z": Z, "G0": G0}, weight_decay=0.4, **fields)
    G = result.arrays["generated"]
    apart = 0.0
    heights = np.linspace(-1, 1, 41) if bias else np.zeros(1)
    for height in heights:
        U = GRID * np.sqrt(1 - height**2)
        totals = [activation(kind, S @ U.T + height).sum(axis=0) for S in (X, G)]
        apart = max(apart, float(np.abs(totals[0] - totals[1]).max()))
    assert apart <= 0.4 * (1 + 1e-7)
    assert apart == pytest.approx(result.scalars["discriminator_value"], rel=1e-3)  # of the grid
    moved = G - (G0 if penalty == "displacement" else 0)
    assert result.certificate.primal == pytest.approx(float(np.sum(moved**2)), rel=1e-9)
    assert 0 <= result.certificate.relative_gap < 1e-6
    if generator == "linear":
        np.testing.assert_allclose(Z @ result.arrays["generator_weights"], G, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "quadratic", "polynomial"])
@pytest.mark.parametrize("start", [None, G0])
def test_any_discriminator_gives_a_bound(kind: str, start: np.ndarray | None) -> None:
    """Random ones, and ones near the best, never exceed the value; the best one reaches it."""
    game = GameProgram(X, 7, reach.free(7, 2, start), Discriminator(kind), 0.4)
    penalty = "samples" if start is None else "displacement"
    data = {"X": X, "Z": Z, "G0": G0}
    best = convexviz.solve("wgan", data=data, discriminator=kind, penalty=penalty, weight_decay=0.4)
    value, rng = best.certificate.primal, np.random.default_rng(0)
    directions = best.arrays["discriminator_directions"].T
    weights = best.arrays["discriminator_weights"]
    found = []
    for trial in range(24):
        noise = 10.0 ** -(trial % 6)
        U = directions + noise * rng.standard_normal(directions.shape)
        v = weights + noise * rng.standard_normal(weights.shape)
        found.append(game.bound(Neurons(U, v)))
        many = Neurons(rng.standard_normal((9, 2)), rng.standard_normal(9))
        found.append(game.bound(many))
    assert max(found) <= value * (1 + 1e-8)
    assert max(found) >= value * (1 - 1e-3)
    assert game.bound(Neurons(directions, weights)) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("kind", ["quadratic", "polynomial"])
@pytest.mark.parametrize("size", [0.0, 0.1])
@pytest.mark.parametrize("bias", [False, True])
def test_noise_that_must_shrink_is_certified_too(kind: str, size: float, bias: bool) -> None:
    """Samples that are larger than the real ones: the best critic's weights are all negative."""
    data = {"X": size * X, "Z": Z, "G0": 2 * G0}
    for generator in ("free", "linear"):
        result = convexviz.solve(
            "wgan", data=data, discriminator=kind, bias=bias, generator=generator,
            penalty="displacement", weight_decay=0.3,
        )  # fmt: skip
        assert result.certificate.relative_gap < 1e-6
        assert result.certificate.dual > 0.0


def test_a_direction_longer_than_one_counts_as_one() -> None:
    game = GameProgram(X, 7, reach.free(7, 2), Discriminator("quadratic"), 0.4)
    U, v = np.array([[1.0, 0.0]]), np.ones(1)
    assert game.bound(Neurons(10 * U, v)) == pytest.approx(game.bound(Neurons(U, v)), rel=1e-12)


def test_the_largest_value_on_the_ball_is_above_every_point_and_is_met() -> None:
    rng = np.random.default_rng(1)
    inside = rng.standard_normal((4_000, 3))
    inside /= np.maximum(np.linalg.norm(inside, axis=1), 1.0)[:, None]
    for shift in (-3.0, 0.0, 3.0):
        A = rng.standard_normal((3, 3))
        A = A + A.T + shift * np.eye(3)
        for h in (np.zeros(3), rng.standard_normal(3), np.linalg.eigh(A)[1][:, 0]):
            value = largest_on_ball(A, h)
            seen = np.einsum("ni,ij,nj->n", inside, A, inside) + 2 * inside @ h
            assert value >= seen.max() - 1e-9
            assert value <= seen.max() + 0.4  # the sample's spacing


def test_a_multiplier_is_a_mixture_of_neurons() -> None:
    rng = np.random.default_rng(2)
    for rank in (1, 2, 4):
        half = rng.standard_normal((4, rank)) * [[1], [1], [1], [3]]
        P = half @ half.T
        pairs = balanced(P)
        again = sum(v * np.outer(np.append(u, 1), np.append(u, 1)) for u, v in pairs)
        np.testing.assert_allclose(again, P, atol=1e-9 * np.abs(P).max())
        radius = np.sqrt(np.trace(P[:3, :3]) / P[3, 3])
        assert max(np.linalg.norm(u) for u, _ in pairs) <= radius * (1 + 1e-9)


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "too few latents": (
        {"X": B2, "Z": np.ones((4, 1))},
        {"generator": "linear", "weight_decay": 0.1},
        "keeps 3 directions, the generator has rank 1; give at least 3 .* or weight_decay >= ",
    ),
    "counts apart": (
        {"X": X20, "Z": np.ones((4, 1))},
        {"discriminator": "polynomial", "weight_decay": 0.9},
        "weight_decay must be at least 0.94, got 0.9: with 6 real and 4 generated",
    ),
    "constants apart": (
        {"X": X20, "Z": np.ones((4, 1))},
        {"discriminator": "linear", "bias": True, "weight_decay": 1.5},
        "weight_decay must be at least 2, got 1.5: .* use as many rows of Z as of X",
    ),
    "no mean": (
        {"X": X20, "Z": np.array([[1.0], [-1]])},
        {"discriminator": "linear", "generator": "linear", "weight_decay": 0.1},
        "the latents sum to zero.*append a constant column to Z",
    ),
    "no start": ({"X": X20, "Z": Z[:6]}, {"penalty": "displacement"}, r"needs 'G0', the \(6, 2\)"),
    "another start": (
        {"X": X20, "Z": Z[:6], "G0": G0},
        {"penalty": "displacement"},
        r"G0 must have a row for each of Z .* \(6, 2\), got \(7, 2\)",
    ),
    "no weights": ({"X": X20, "Z": Z[:6]}, {"penalty": "weights"}, "needs a generator that has w"),
    "no latents": ({"X": X20, "Z": 0 * Z[:6]}, {"generator": "linear"}, "Z must not be zero"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_played_is_refused_in_one_line(case: str) -> None:
    data, fields, words = REFUSED[case]
    with pytest.raises((SpecError, DataError), match=words) as refused:
        convexviz.solve("wgan", data=data, **fields)
    assert "\n" not in str(refused.value)


def test_above_the_largest_eigenvalue_nothing_is_generated() -> None:
    top = np.linalg.norm(X20, 2) ** 2
    result = convexviz.solve("wgan", data={"X": X20, "Z": Z[:6]}, weight_decay=1.01 * top)
    assert not result.arrays["generated"].any()
    assert result.certificate.primal == result.certificate.dual == 0.0
    assert result.scalars["n_kept"] == 0
    assert result.scalars["violation"] < 0
    assert result.status == "optimal"


def test_counts_that_differ_and_that_the_discriminator_allows_are_played() -> None:
    result = convexviz.solve(
        "wgan", data={"X": X20, "Z": np.ones((5, 1))}, discriminator="polynomial", weight_decay=2.0
    )
    G = result.arrays["generated"]
    totals = [activation("polynomial", S @ GRID.T).sum(axis=0) for S in (X20, G)]
    assert np.abs(totals[0] - totals[1]).max() <= 2.0 * (1 + 1e-9)
    assert result.certificate.relative_gap < 1e-6
