"""Descent-ascent: its gradients are the game's, its bounds hold, and its records tell the truth."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.core.generator import Generator
from convexviz.errors import SpecError

FIELDS: dict[str, Any] = {
    "dataset": "gaussians", "n_samples": 20, "generator": "linear", "weight_decay": 3.0,
}  # fmt: skip
GAME: dict[str, Any] = {"width": 6, "steps": 200, "seeds": 2}


@pytest.fixture(scope="module")
def value() -> float:
    return convexviz.solve("wgan", **FIELDS).certificate.primal


@pytest.mark.parametrize("scheme", ["simultaneous", "alternating", "extragradient"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_record_brackets_the_value(value: float, scheme: str, optimizer: str) -> None:
    run = convexviz.descend("wgan", **FIELDS, **GAME, optimizer=optimizer, scheme=scheme)
    known = np.isfinite(run.objectives)
    assert known[:, 0].all()
    assert run.objectives[known].min() >= value * (1 - 1e-9)
    assert run.records["lower_bound"][known].max() <= value * (1 + 1e-9)
    assert set(run.records) == {"regulariser", "violation", "lower_bound"}
    assert all(array.shape == run.objectives.shape for array in run.records.values())


def test_extragradient_converges_where_adam_circles(value: float) -> None:
    steps = {**GAME, "steps": 2500, "seeds": 1}
    calm = convexviz.descend("wgan", **FIELDS, **steps, optimizer="sgd", scheme="extragradient")
    wild = convexviz.descend("wgan", **FIELDS, **steps, optimizer="adam", scheme="alternating")
    assert calm.objectives[0, -1] <= 1.001 * value
    assert calm.records["lower_bound"][0, -1] >= 0.999 * value
    assert abs(calm.records["violation"][0, -1]) < 0.01 * 3.0
    assert wild.records["violation"][0].max() > 10 * abs(calm.records["violation"][0, -1])


def test_the_trained_generator_is_the_one_recorded() -> None:
    run = convexviz.descend("wgan", **FIELDS, **GAME, optimizer="sgd", scheme="extragradient")
    result = convexviz.solve("wgan", **FIELDS)
    best = int(np.argmin(run.objectives[:, -1]))
    paid = run.best.regulariser(result.data["Z"])
    assert paid == pytest.approx(run.records["regulariser"][best, -1], rel=1e-9)
    assert isinstance(run.best.generator, Generator)


@pytest.mark.parametrize("discriminator", ["linear", "quadratic", "polynomial"])
@pytest.mark.parametrize("bias", [False, True])
def test_gradients_are_those_of_finite_differences(discriminator: str, bias: bool) -> None:
    from convexviz.architectures.wgan import descend
    from convexviz.experiments.run import request
    from convexviz.solvers.descent import Options
    from convexviz.solvers.game_descent import Match

    fields = {**FIELDS, "discriminator": discriminator, "bias": bias, "penalty": "displacement"}
    asked = request("wgan", None, fields)
    match = Match(descend.problem(asked.spec, asked.arrays), Options(width=3), 0)
    generator, (U, v) = match.players
    unit, game = match.unit, match.game

    def value(C: np.ndarray, v: np.ndarray) -> float:
        G = game.reach.samples(C * unit)
        gain = game.discriminator.totals(game.X, U.T) - game.discriminator.totals(G, U.T)
        penalty = game.reach.penalty(C * unit) - game.reach.beyond
        return float(penalty + v @ gain - game.weight_decay * np.abs(v).sum()) / unit**2

    rng, h = np.random.default_rng(0), 1e-6
    step = rng.standard_normal(generator[0].shape)
    slope = (value(generator[0] + h * step, v) - value(generator[0] - h * step, v)) / (2 * h)
    assert np.sum(match.descent(match.players)[0] * step) == pytest.approx(slope, rel=1e-6)
    step = rng.standard_normal(v.shape)
    slope = (value(generator[0], v + h * step) - value(generator[0], v - h * step)) / (2 * h)
    assert np.sum(match.ascent(match.players)[1] * step) == pytest.approx(slope, rel=1e-6)


def test_options_of_games_and_of_networks_are_kept_apart() -> None:
    with pytest.raises(SpecError, match="optimizer must be one of adam, sgd for a game"):
        convexviz.descend("wgan", **FIELDS, optimizer="lbfgs")
    with pytest.raises(SpecError, match="scheme must be one of simultaneous"):
        convexviz.descend("wgan", **FIELDS, scheme="both")
    with pytest.raises(SpecError, match="learning_rate must be a positive"):
        convexviz.descend("wgan", **FIELDS, learning_rate=(0.1, -1.0))
    tiny = {"dataset": "tiny", "kernel_size": 2, "n_gates": 4}
    with pytest.raises(SpecError, match="are for games of two players"):
        convexviz.descend("denoiser", **tiny, scheme="alternating", steps=1)
