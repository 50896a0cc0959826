"""Solutions -> arrays and scalars worth keeping, and the same derived again from what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.wgan.build import build
from convexviz.architectures.wgan.network import GameNetwork
from convexviz.architectures.wgan.spec import ACTIVATIONS, Spec
from convexviz.architectures.wgan.stages import checked, latents, means
from convexviz.core.discriminator import Neurons
from convexviz.core.game import GameProgram
from convexviz.core.generator import Generator
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution
from convexviz.solvers.game_closed import above


def outputs(
    spec: Spec,
    data: Arrays,
    programs: tuple[AbstractConvexProgram, ...],
    solutions: tuple[Solution, ...],
) -> tuple[dict[str, Any], dict[str, float]]:
    """The generator and the discriminator's neurons, and all that follows from them."""
    (game,), (solution,) = programs, solutions
    assert isinstance(game, GameProgram)
    weights = weights_of(spec, data, game, solution.variables) | dict(solution.records)
    if spec.stages > 1:
        weights |= means(spec, data)
    pictures, numbers = derived(spec, data, weights, game)
    return weights | pictures, numbers


def weights_of(
    spec: Spec, data: Arrays, game: GameProgram, variables: np.ndarray
) -> dict[str, Any]:
    """What a point of the game is made of; a generator of two layers is fitted to its samples."""
    neurons = game.neurons(variables).unit()
    kept: dict[str, Any] = {
        "discriminator_directions": np.array(neurons.directions.T),
        "discriminator_weights": np.array(neurons.weights),
    }
    if spec.generator in ACTIVATIONS:
        from convexviz.solvers.generator_fit import fit

        fitted = fit(data["Z"], game.samples(variables), ACTIVATIONS[spec.generator])
        first, second = fitted.generator.layers
        kept["generator_bound"] = np.array([fitted.bound])
        return kept | {"generator_first_layer": first, "generator_second_layer": second}
    generator = game.to_network(variables)
    if generator.samples is not None:
        return kept | {"generated": np.array(generator.samples)}
    return kept | {"generator_weights": np.array(generator.layers[0])}


def on_path(spec: Spec, arrays: Arrays, variables: np.ndarray) -> dict[str, Any]:
    """The weights that a row of a path means: of a free generator, whose samples they are."""
    del spec
    count, width = np.shape(arrays["generated"])
    neurons = variables[count:]
    on = neurons[:, -1] != 0.0
    return {
        "discriminator_directions": np.ascontiguousarray(neurons[on, :-1].T),
        "discriminator_weights": neurons[on, -1].copy(),
        "generated": variables[:count, :width].copy(),
    }


def revive(spec: Spec, arrays: Arrays) -> GameNetwork:
    """The generator that stored weights describe."""
    if spec.generator in ACTIVATIONS:
        names = ("generator_first_layer", "generator_second_layer")
        layers = tuple(np.asarray(arrays[name]) for name in names)
        generator = Generator(layers=layers, activation=ACTIVATIONS[spec.generator])
    elif spec.generator == "free":
        generator = Generator(samples=np.asarray(arrays["generated"]))
    else:
        generator = Generator(layers=(np.asarray(arrays["generator_weights"]),))
    return GameNetwork(generator, spec.penalty)


def point(game: GameProgram, network: GameNetwork, Z: np.ndarray, arrays: Arrays) -> np.ndarray:
    """Stored weights as the variables of the game."""
    directions, weights = arrays["discriminator_directions"], arrays["discriminator_weights"]
    neurons = Neurons(np.ascontiguousarray(directions.T), np.asarray(weights))
    return game.pack(network.predict(Z), neurons)


def derived(
    spec: Spec, data: Arrays, weights: Arrays, game: GameProgram | None = None
) -> tuple[dict[str, Any], dict[str, float]]:
    """Everything that the weights and the data determine."""
    game = game or build(spec, data)
    network = revive(spec, weights)
    Z = latents(spec, data)
    variables = point(game, network, Z, weights)
    singular = np.linalg.svd(game.X, compute_uv=False)
    pictures: dict[str, Any] = {
        "singular_values": singular,
        "kept": above(singular, game.weight_decay).astype(np.uint8),
    }
    if spec.stages > 1:
        pictures |= checked(spec, data, weights)
        if not np.allclose(Z, data["Z"], rtol=0, atol=1e-9 * np.abs(Z).max()):
            pictures["latents"] = Z  # what the generator was trained on in place of Z
    if spec.generator != "free":
        pictures["generated"] = game.samples(variables).copy()
    violation = game.violation(variables)
    numbers = {
        "network_objective": game.objective(variables),
        "n_neurons": float(network.n_neurons + np.count_nonzero(weights["discriminator_weights"])),
        "n_patterns": float(np.count_nonzero(weights["discriminator_weights"])),
        "n_kept": float(pictures["kept"].sum()),
        "discriminator_value": violation + game.weight_decay,
        "violation": violation,
        "regulariser": game.regulariser(variables),
    }
    if spec.stages > 1:
        numbers["last_weight_decay"] = game.weight_decay
    if spec.generator == "relu":
        squares = sum(float(np.square(layer).sum()) for layer in network.generator.layers)
        numbers["generator_penalty"] = 0.5 * squares
    elif spec.generator == "polynomial":
        numbers["generator_penalty"] = float(np.abs(network.generator.layers[1]).sum())
    return pictures, numbers


def recompute(
    spec: Spec, data: Arrays, arrays: Arrays
) -> tuple[Certificate, dict[str, Any], dict[str, float]]:
    """Certificate, pictures and scalars derived afresh from stored weights and data alone."""
    game = build(spec, data)
    network = revive(spec, arrays)
    certificate = game.certify(point(game, network, latents(spec, data), arrays))
    pictures, numbers = derived(spec, data, arrays, game)
    return certificate, pictures, numbers
