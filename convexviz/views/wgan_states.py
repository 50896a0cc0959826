"""A game at each weight decay of its path: samples, critic, certificate, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.architectures.wgan.build import discriminator_of
from convexviz.architectures.wgan.quiz import in_hole
from convexviz.architectures.wgan.spec import Spec
from convexviz.core.discriminator import Discriminator, Neurons
from convexviz.core.solution import Certificate
from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.figures import numbers

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class State:
    """One weight decay."""

    beta: float
    generated: Array
    critic: Neurons
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Game:
    """What a lab draws of a result: the same real samples against the same kind of critic."""

    real: Array
    start: Array | None
    discriminator: Discriminator
    states: Sequence[State]
    result: Result

    @property
    def betas(self) -> tuple[float, ...]:
        """The weight decays, in the path's order."""
        return tuple(state.beta for state in self.states)

    @property
    def kind(self) -> str:
        return self.discriminator.kind

    @property
    def has_path(self) -> bool:
        """Whether there is another weight decay to go to without a solve."""
        return len(self.states) > 1


def game_of(result: Result) -> Game:
    """The game of a result, at every weight decay that it holds."""
    arch = architectures.get(result.architecture)
    spec: Any = arch.spec.of(result.spec)
    assert isinstance(spec, Spec)
    start = result.data["G0"] if spec.penalty == "displacement" else None
    certificates = path.certificates(result)
    betas = result.arrays.get("path_weight_decay")
    if betas is None:
        found = [_state(spec.weight_decay, result.arrays, certificates[0])]
    else:
        rows = result.arrays["path_variables"]
        found = [
            _state(float(beta), arch.on_path(spec, result.arrays, rows[i]), certificates[i])
            for i, beta in enumerate(betas)
        ]
    return Game(result.data["X"], start, discriminator_of(spec), found, result)


def _state(beta: float, arrays: Any, certificate: Certificate) -> State:
    critic = Neurons(
        np.ascontiguousarray(arrays["discriminator_directions"].T), arrays["discriminator_weights"]
    )
    return State(beta, arrays["generated"], critic, certificate)


def words(game: Game, state: State) -> str:
    """In a sentence or two: how far the samples went, and what agrees there."""
    if not len(state.critic) or not state.generated.any():
        return _still(game, state)
    X, G = game.real, state.generated
    apart = float(np.linalg.norm(X.mean(axis=0) - G.mean(axis=0)))
    second = _second(X, G)
    if game.start is None:
        size = float(np.linalg.norm(G, axis=1).mean())
        text = f"The smallest samples that this critic allows are **{size:.2f}** long on average. "
    else:
        moved = float(np.linalg.norm(G - game.start, axis=1).mean())
        text = f"Moving the noise by **{moved:.2f}** on average is all that this critic asks. "
    means = "agree" if apart < 0.005 else f"are **{apart:.2f}** apart"
    text += f"The means {means}, the second moments are **{_share(second)}** apart"
    hole = in_hole(game.result, G)
    if hole is None:
        return text + "."
    return text + f"; **{hole[0]} of {len(G)}** samples lie in the ring's hole."


def _still(game: Game, state: State) -> str:
    if game.start is not None:
        return (
            f"At β = {state.beta:.3g} the critic sees no difference: the noise stays where it is."
        )
    return f"β = {state.beta:.3g} is above all that this critic sees: **G = 0** is optimal."


def _second(X: Array, G: Array) -> float:
    """How far the second moments about the origin are apart, over the larger."""
    real, made = X.T @ X / len(X), G.T @ G / len(G)
    both = max(float(np.linalg.norm(real, 2)), float(np.linalg.norm(made, 2)))
    return float(np.linalg.norm(real - made, 2)) / both if both else 0.0


def _share(value: float) -> str:
    return "< 1 %" if value < 0.01 else numbers.share(value)
