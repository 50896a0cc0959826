"""The same game, as gradient descent-ascent plays it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexviz.architectures.base import Arrays
from convexviz.architectures.wgan.build import build
from convexviz.architectures.wgan.network import GameNetwork
from convexviz.architectures.wgan.spec import ACTIVATIONS, Spec
from convexviz.architectures.wgan.stages import latents
from convexviz.core.generator import Generator
from convexviz.solvers.game_descent import GameDescent

LARGE = 10**5  # entries of X from which a step takes long

ALTERNATING: Mapping[str, Any] = {
    "width": 8, "steps": 3000, "seeds": 2, "optimizer": "adam", "scheme": "alternating",
}  # fmt: skip
EXTRAGRADIENT: Mapping[str, Any] = {**ALTERNATING, "optimizer": "sgd", "scheme": "extragradient"}


def races(spec: Spec, data: Arrays) -> tuple[Mapping[str, Any], ...]:
    """The setting that circles in plain sight and the one that converges (labs, by measurement);
    on images none was found that does.
    """
    if data["X"].size < LARGE:
        if spec.discriminator == "relu" and spec.bias:  # F over three columns: a second a record
            return {**ALTERNATING, "seeds": 1}, {**EXTRAGRADIENT, "seeds": 1}
        return ALTERNATING, EXTRAGRADIENT
    few = {"width": 96, "steps": 60, "seeds": 1}
    return {**ALTERNATING, **few}, {**EXTRAGRADIENT, **few}


def problem(spec: Spec, data: Arrays) -> GameDescent:
    """The game, the latents, and what turns trained weights into a network."""

    def finish(generator: Generator) -> GameNetwork:
        return GameNetwork(generator, spec.penalty)

    return GameDescent(
        build(spec, data), latents(spec, data), ACTIVATIONS.get(spec.generator), finish
    )
