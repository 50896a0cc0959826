"""The figure of F over one latent: islands, their border, and what is proved."""

import numpy as np
import pytest

import convexviz
from convexviz.architectures.wgan import figures_landscape as figure_of
from convexviz.core.discriminator import Discriminator
from convexviz.figures.picture import Theme

X22 = np.random.default_rng(22).standard_normal((4, 2))
Z22 = np.array([[1.5, 0.5, -0.5, -1]]).T


def game(X: np.ndarray, Z: np.ndarray, beta: float):
    return convexviz.solve(
        "wgan", data={"X": X, "Z": Z}, discriminator="quadratic", weight_decay=beta
    )


def test_both_islands_of_the_golden_game_are_drawn_with_their_border() -> None:
    result = game(X22, Z22, 2.5)
    found, least = figure_of.of(result)
    assert (found.islands, least) == (2, 0.0)
    figure = figure_of.draw(result, Theme())
    islands = [trace for trace in figure.select_traces({"type": "scatter"}) if trace.fill]
    assert len(islands) >= 2  # one may lie across 360 degrees
    relu = Discriminator("relu")
    for trace in islands:
        for angle, length in list(zip(trace.x, trace.y, strict=True))[::7]:
            w = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
            assert relu.value(X22, Z22 @ w[None]) == pytest.approx(2.5, rel=1e-6)
    caption = figure_of.caption(result)
    assert "2 islands" in caption
    assert "0.574" in caption  # the root of p1.D2
    assert "2 separate sets" in figure_of.alt(result)


def test_where_nothing_is_allowed_it_says_so_and_draws_another_beta() -> None:
    result = convexviz.solve("wgan", dataset="moons", n_samples=20, weight_decay=0.1)
    found, least = figure_of.of(result)
    assert least > 0.1
    assert least < found.beta < float(found.value[0, 0])
    assert "no generator of one latent is allowed" in figure_of.caption(result)
    assert figure_of.draw(result, Theme()).data


def test_images_and_latents_of_zeros_have_no_landscape() -> None:
    wide = game(np.random.default_rng(0).standard_normal((6, 3)), np.ones((6, 1)), 0.5)
    none = game(X22, np.zeros((4, 1)), 0.5)
    for result in (wide, none):
        assert figure_of.caption(result) == figure_of.WHY_NOT
        assert not figure_of.draw(result, Theme()).data
