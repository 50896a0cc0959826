"""Solutions -> arrays and scalars worth keeping, and the same derived again from what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import (
    Setting,
    closed_form_outputs,
    patterns_for,
    setting,
)
from convexviz.architectures.batch_norm.data import target_matrix, whitening_of
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.architectures.batch_norm.weights import fixed, from_neurons, revive, to_neurons
from convexviz.architectures.proofs import strengthened
from convexviz.core.arrangements import Arrangements, patterns_of
from convexviz.core.losses import loss_named
from convexviz.core.orthonormal import OrthonormalProgram, dual_norm
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution


def outputs(
    spec: Spec,
    data: Arrays,
    programs: tuple[AbstractConvexProgram, ...],
    solutions: tuple[Solution, ...],
) -> tuple[dict[str, Any], dict[str, float]]:
    """The weights of the network, then all that follows from them."""
    program: Any = programs[-1]
    variables = solutions[-1].variables
    at = setting(spec, data)
    arrays = fixed(at)
    arrays |= from_neurons(arrays, program.to_network(variables))
    arrays |= _patterns(program, variables)
    pictures, numbers = derived(spec, data, arrays)
    return arrays | pictures, numbers | network_bound(spec, data, at, arrays)


def _patterns(program: Any, variables: np.ndarray) -> dict[str, Any]:
    """Norms of the groups, and for each neuron the gate whose pattern it has."""
    if isinstance(program, OrthonormalProgram):
        norms = np.linalg.norm(variables, axis=1)
        return {"group_norms": norms, "class_outputs": program.T}
    arrangement = getattr(program, "arrangements", None)
    if arrangement is None:
        network = program.to_network(variables)
        lengths = np.linalg.norm(network.first_layer, axis=0)
        return {"group_norms": lengths * np.linalg.norm(network.second_layer, axis=1)}
    norms = np.linalg.norm(variables, axis=-1)
    return {
        "group_norms": norms,
        "gates": arrangement.gates,
        "gate_of_neuron": np.flatnonzero(norms) % norms.shape[-1],
    }


def derived(spec: Spec, data: Arrays, weights: Arrays) -> tuple[dict[str, Any], dict[str, float]]:
    """Everything that the weights and the data determine: predictions, losses and accuracies."""
    network = revive(spec, weights)
    white = whitening_of(data)
    kept = spec.n_directions or white.rank
    pictures = {
        "singular_values": white.singular_values,
        "predictions": network.predict(data["X"]),
    }
    n_patterns = weights["gates"].shape[1] if "gates" in weights else network.n_neurons
    numbers = {
        "network_objective": network.objective(data["X"], data["Y"]),
        "n_neurons": float(network.n_neurons),
        "n_patterns": float(n_patterns),
        "rank": float(white.rank),
        "dropped_directions": float(white.dropped),
        "explained_variance": white.truncated(kept).explained_variance if kept else 1.0,
    }
    if "test_X" in data:
        pictures["test_predictions"] = network.predict(data["test_X"])
    for part, found in (("train", "predictions"), ("test", "test_predictions")):
        if found in pictures:
            Y = data["Y" if part == "train" else "test_Y"]
            numbers |= quality(spec, part, pictures[found], Y)
    return pictures, numbers


def quality(spec: Spec, part: str, F: np.ndarray, Y: np.ndarray) -> dict[str, float]:
    """Loss, and the share of rows whose largest output (or sign, for one output) is the target's.

    The loss is that of the objective: a sum over rows, the squared one with 1/2.
    """
    outputs = F[:, None] if F.ndim == 1 else F
    targets = target_matrix(spec, Y, outputs.shape[1])
    if outputs.shape[1] == 1:
        right = (outputs[:, 0] > 0) == (targets[:, 0] > 0)
    else:
        right = outputs.argmax(axis=1) == targets.argmax(axis=1)
    value = loss_named(spec.loss).value(outputs, targets)
    return {f"{part}_loss": float(value), f"{part}_accuracy": float(right.mean())}


def network_bound(spec: Spec, data: Arrays, at: Setting, arrays: Arrays) -> dict[str, float]:
    """`network_bound`, under which no ReLU network with batch norm can be, whatever its patterns.

    A neuron's activations are at most as long as its weights, `|(U's)_+| <= |s|`, and never
    negative; that alone bounds the dual norm. Tight where U' is square, loose far from it.
    """
    if spec.neurons == "gated" or spec.position == "after" or at.features.ndim > 2:
        return {}
    loss = loss_named(spec.loss)
    F = revive(spec, arrays).predict(data["X"])
    R = loss.minus_gradient(F[:, None] if F.ndim == 1 else F, at.targets)
    largest = dual_norm(R)
    limit = spec.weight_decay / largest if largest > 0 else float("inf")
    dual = loss.dual_value(R, at.targets, loss.best_scale(R, at.targets, limit))
    return {"network_bound": max(0.0, float(dual))}


def recompute(
    spec: Spec, data: Arrays, arrays: Arrays
) -> tuple[Certificate, dict[str, Any], dict[str, float]]:
    """Certificate, predictions and scalars derived afresh from stored weights and data alone.

    Data are whitened again, gates are drawn or enumerated again.
    """
    at = setting(spec, data, arrays["whitening"])
    afresh = fixed(at)
    flat = at.inputs.reshape(-1, at.inputs.shape[-1])
    features = at.features.reshape(-1, at.features.shape[-1])
    U = to_neurons(features, arrays, flat - at.whitening.mean)
    afresh |= {
        "running_mean": np.zeros(U.shape[1]),
        "running_norm": revive(spec, arrays).statistics(flat).norm,
    }
    certificate, found = _certify(spec, at, arrays, U)
    pictures, numbers = derived(spec, data, arrays)
    return certificate, afresh | found | pictures, numbers | network_bound(spec, data, at, arrays)


def _certify(
    spec: Spec, at: Setting, arrays: Arrays, U: np.ndarray
) -> tuple[Certificate, dict[str, Any]]:
    """The certificate at stored weights, and what else it takes from the data."""
    V = arrays["second_layer"]
    lengths = np.linalg.norm(V, axis=1)
    outputs = closed_form_outputs(spec, at)
    if outputs is not None:
        mine = np.argmax(V @ outputs.T, axis=1)
        S = np.zeros((len(outputs), len(U)))
        S[mine] = (U * lengths).T
        loss = loss_named(spec.loss)
        program = OrthonormalProgram(at.features, at.targets, outputs, loss, spec.weight_decay)
        return program.certify(S), {
            "class_outputs": outputs,
            "group_norms": np.linalg.norm(S, axis=1),
        }
    y = np.ascontiguousarray(at.targets[:, 0])
    if spec.arrangements == "adaptive":
        from convexviz.core.neurons import NeuronProgram, join

        neurons = join((U * lengths).T, np.where(V[:, 0] < 0, -1.0, 1.0))
        norms = np.linalg.norm(U, axis=0) * lengths
        free = NeuronProgram(at.features, y, spec.weight_decay)
        return strengthened(free.certify(neurons), free, arrays), {"group_norms": norms}
    gates, owner = patterns_for(spec, at.features).gates, arrays["gate_of_neuron"]
    complete = spec.arrangements == "all"
    stored = Arrangements(arrays["gates"], patterns_of(at.features, arrays["gates"]), complete)
    if spec.neurons == "gated":
        from convexviz.core.gated import GatedProgram

        W = np.zeros(stored.gates.T.shape)
        W[owner] = (U * V[:, 0]).T
        gated = GatedProgram(at.features, y, stored, spec.weight_decay)
        norms = np.linalg.norm(W, axis=-1)
        return gated.certify(W), {"gates": gates, "group_norms": norms}
    from convexviz.core.relu import ReluProgram

    pair = np.zeros((2, *stored.gates.T.shape))
    pair[(V[:, 0] < 0).astype(int), owner] = (U * lengths).T
    relu = ReluProgram(at.features, y, stored, spec.weight_decay)
    norms = np.linalg.norm(pair, axis=-1)
    return relu.certify(pair), {"gates": gates, "group_norms": norms}
