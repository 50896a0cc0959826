"""Games over moments do not depend on units, nor on how little beta is beside F(0)."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.core import moment_bound, reach
from convexviz.core.discriminator import Discriminator
from convexviz.core.game import GameProgram
from convexviz.core.solution import Certificate, Scope, Solution
from convexviz.solvers import game_choose, game_exact

RNG = np.random.default_rng(3)
X, G0 = RNG.standard_normal((8, 2)) + 0.5, 0.5 * RNG.standard_normal((8, 2))
Z = np.hstack([RNG.standard_normal((8, 5)), np.ones((8, 1))])
SCALES = [1e-30, 1e-8, 1e8, 1e30]


def played(kind: str, size: float, *, moved: bool, bias: bool, linear: bool) -> Solution:
    """The same game in other units: the samples, the constant and the activation are rescaled."""
    start = size * G0 if moved else None
    critic = Discriminator(kind, bias=bias).rescaled(1 / size)
    way = reach.linear(Z, 2, start=start) if linear else reach.free(8, 2, start)
    beta = 0.9 * size if kind == "linear" else 0.9 * size**2
    game = GameProgram(size * X, 8, way, critic, beta)
    return game_choose.choose(game, 1e-6).solve(game)


@pytest.mark.parametrize("kind", ["linear", "quadratic", "polynomial"])
@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("way", ["free", "linear", "bias"])
def test_value_and_bound_are_those_of_any_other_unit(kind: str, moved: bool, way: str) -> None:
    how = {"moved": moved, "bias": way == "bias", "linear": way == "linear"}
    one = played(kind, 1.0, **how).certificate
    assert one.relative_gap < 1e-6
    for size in SCALES:
        other = played(kind, size, **how).certificate
        assert other.primal == pytest.approx(size**2 * one.primal, rel=1e-6)
        assert other.dual == pytest.approx(size**2 * one.dual, rel=1e-6)
        assert other.dual <= other.primal


@pytest.mark.parametrize("kind", ["quadratic", "polynomial"])
@pytest.mark.parametrize("penalty", ["samples", "displacement"])
def test_a_beta_of_next_to_nothing_still_has_its_value(kind: str, penalty: str) -> None:
    """What is matched exactly is known; the value of every smaller beta is below it."""
    for size in (1.0, 1e8):
        data = {"X": size * X, "Z": Z, "G0": size * G0}
        result = convexviz.solve(
            "wgan", data=data, discriminator=kind, penalty=penalty, weight_decay=1e-10
        )
        game = GameProgram(
            size * X, 8, reach.free(8, 2, size * G0 if penalty == "displacement" else None),
            Discriminator(kind), 0.0,
        )  # fmt: skip
        exact = game_exact.exactly(game)
        assert exact is not None
        assert game.discriminator.value(size * X, exact) <= 1e-13 * game.scale
        assert result.certificate.primal == pytest.approx(game.reach.penalty(exact), rel=1e-6)
        assert result.certificate.dual <= result.certificate.primal


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("a", [1.0, -1.0])
def test_a_polynomial_without_a_linear_term_is_the_quadratic_discriminator(
    n: int, a: float
) -> None:
    data = {"X": X[:n] + 0.5, "Z": Z[:n]}
    fields: dict[str, Any] = {"data": data, "weight_decay": 0.3}
    other = convexviz.solve(
        "wgan", discriminator="polynomial", poly_a=a, poly_b=0.0, poly_c=3.0, **fields
    )
    one = convexviz.solve("wgan", discriminator="quadratic", **fields)
    assert other.certificate.primal == pytest.approx(one.certificate.primal, rel=1e-6)
    assert other.certificate.dual == pytest.approx(one.certificate.dual, rel=1e-6)


def test_with_too_few_samples_for_the_best_moments_real_ones_are_allowed() -> None:
    """Five samples of five columns: there is no room beside the start and the sum."""
    rng = np.random.default_rng(4)
    data = {"X": rng.standard_normal((5, 5)), "Z": np.ones((5, 1))}
    data["G0"] = 0.5 * rng.standard_normal((5, 5))
    result = convexviz.solve(
        "wgan", data=data, discriminator="quadratic", bias=True, penalty="displacement",
        weight_decay=0.9,
    )  # fmt: skip
    assert result.scalars["violation"] <= 0.9e-9
    away = float(np.square(data["X"] - data["G0"]).sum())
    assert 0 < result.certificate.dual <= result.certificate.primal <= away


@pytest.mark.parametrize(
    ("critic", "latents", "beta"), [("linear", 4, 0.6), ("polynomial", 6, 0.6), ("relu", 4, 4.7)]
)
def test_a_repaired_value_is_never_below_a_linear_generators(
    critic: str, latents: int, beta: float
) -> None:
    """Without a constant latent, moments cost a linear generator more than a free one."""
    rng = np.random.default_rng(0)
    data = {"X": rng.standard_normal((6, 1)) + 1, "Z": rng.standard_normal((6, latents))}
    fields: dict[str, Any] = {
        "data": data, "discriminator": critic, "generator": "linear", "weight_decay": beta,
    }  # fmt: skip
    bound = convexviz.solve("wgan", **fields).certificate.dual
    run = convexviz.descend("wgan", **fields, width=4, steps=40, seeds=2)
    known = np.isfinite(run.objectives)
    assert known.any()
    assert bound > 0
    assert run.objectives[known].min() >= bound * (1 - 1e-6)


def shifted(game: GameProgram, beyond: float) -> np.ndarray:
    """The optimum of a linear critic, its samples moved until F is `beyond` above beta."""
    found = game_choose.choose(game, 1e-6).solve(game).variables
    way = X.sum(axis=0) / np.linalg.norm(X.sum(axis=0))
    return game.pack(game.samples(found) - way * beyond / len(X), game.neurons(found))


def test_what_rounding_allows_is_little_beside_a_tiny_beta_too() -> None:
    """A billionth of F at G = 0 is many times this beta: it would buy a value below the optimum."""
    for beta in (1e-10, 1e-6, 1.0):
        game = GameProgram(X, 8, reach.free(8, 2), Discriminator("linear"), beta)
        assert game.slack <= 0.1 * beta
        assert np.isfinite(game.certify(shifted(game, 0.5 * game.slack)).primal)
        assert game.certify(shifted(game, 2e-9 * game.scale)).primal == np.inf
        if beta < 1e-9:
            assert game.certify(shifted(game, 0.9e-9 * game.scale)).primal == np.inf


@pytest.mark.parametrize("beyond", [0.0, 0.5])
def test_a_bound_that_slack_does_not_explain_is_not_lowered_to_the_value(
    monkeypatch: pytest.MonkeyPatch, beyond: float
) -> None:
    game = GameProgram(X, 8, reach.free(8, 2), Discriminator("linear"), 0.9)
    variables = shifted(game, beyond * game.slack)
    honest = game.certify(variables)
    assert honest.primal * (1 - 1e-8) <= honest.dual <= honest.primal
    exact = moment_bound.bound
    monkeypatch.setattr(moment_bound, "bound", lambda *known: 1.01 * exact(*known))
    wrong = game.certify(variables)
    assert wrong.dual > 1.009 * wrong.primal


def test_a_bound_that_slack_does_explain_is_lowered_to_the_value() -> None:
    """Next to beta_max the slack alone lets samples stay at 0, which the optimum moves."""
    whole = GameProgram(X, 8, reach.free(8, 2), Discriminator("linear"), 1.0).scale
    game = GameProgram(X, 8, reach.free(8, 2), Discriminator("linear"), whole * (1 - 5e-10))
    still = game.pack(np.zeros((8, 2)), game.neurons(shifted(game, 0.0)))
    assert game.violation(still) > 0
    assert game.bound(game.neurons(still)) > 0
    assert game.certify(still) == Certificate(0.0, 0.0, Scope.GAN_GAME)
