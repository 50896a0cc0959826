"""The same game, as gradient descent-ascent plays it."""

from __future__ import annotations

from convexviz.architectures.base import Arrays
from convexviz.architectures.wgan.build import build
from convexviz.architectures.wgan.network import GameNetwork
from convexviz.architectures.wgan.spec import ACTIVATIONS, Spec
from convexviz.core.generator import Generator
from convexviz.solvers.game_descent import GameDescent


def problem(spec: Spec, data: Arrays) -> GameDescent:
    """The game, the latents, and what turns trained weights into a network."""

    def finish(generator: Generator) -> GameNetwork:
        return GameNetwork(generator, spec.penalty)

    return GameDescent(build(spec, data), data["Z"], ACTIVATIONS.get(spec.generator), finish)
