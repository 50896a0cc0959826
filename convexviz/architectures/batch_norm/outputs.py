"""Solutions -> arrays and scalars worth keeping, and the same derived again from what is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays, rng_of
from convexviz.architectures.batch_norm.build import Setting, setting
from convexviz.architectures.batch_norm.data import target_matrix, whitening_of
from convexviz.architectures.batch_norm.path import group_norms, weights
from convexviz.architectures.batch_norm.programs import program_of
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.architectures.batch_norm.weights import (
    factors,
    fixed,
    lengths_after,
    neurons_after,
    revive,
    to_neurons,
)
from convexviz.architectures.proofs import replayed_cones, strengthened, witness
from convexviz.core.free_norm import ascend
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import loss_named
from convexviz.core.neurons import NeuronProgram
from convexviz.core.normalised_neurons import NormalisedNeurons
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.orthonormal import OrthonormalProgram, dual_norm
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution
from convexviz.core.vector import VectorProgram

_ULPS = 8 * float(np.finfo(float).eps)
_ESTIMATE = 3  # the generator's stream for the starts of the estimated bound
_STARTS, _STEPS = 300, 100


def outputs(
    spec: Spec,
    data: Arrays,
    programs: tuple[AbstractConvexProgram, ...],
    solutions: tuple[Solution, ...],
) -> tuple[dict[str, Any], dict[str, float]]:
    """The weights of the network, then all that follows from them."""
    program, variables = programs[-1], solutions[-1].variables
    at = setting(spec, data)
    arrays = fixed(spec, at) | of_program(program)
    arrays |= weights(spec, arrays, variables)
    residual = solutions[-1].witness
    arrays |= witness(solutions[-1])
    if residual is not None and residual.ndim < 2:
        arrays["witness"] = residual
    if isinstance(program, VectorProgram | NormalisedNeurons):  # what proves a bound over cones
        arrays |= dict(solutions[-1].records)
    pictures, numbers = derived(spec, data, arrays)
    return arrays | pictures, numbers | network_bound(spec, data, at, arrays)


def of_program(program: AbstractConvexProgram) -> dict[str, Any]:
    """What a program brings beside the data: its gates, or the outputs of its closed form."""
    from convexviz.core.normalised import NormalisedProgram

    if isinstance(program, LossProgram):
        program = program.squared
    if isinstance(program, OrthonormalProgram):
        return {"class_outputs": program.T}
    kept = program.norm if isinstance(program, VectorProgram) else program
    arrangement = getattr(kept, "arrangements", None)
    if arrangement is None:
        return {}
    found = {"gates": arrangement.gates}
    if isinstance(program, NormalisedProgram | NormalisedNeurons):
        found |= factors(program.X, arrangement.patterns)
    return found


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
    own = _objective(spec, data, arrays)  # rounding puts no bound above it
    found = {"network_bound": min(max(0.0, float(dual)), own)}
    if spec.arrangements == "adaptive" and at.targets.shape[1] > 1 and not at.is_orthonormal:
        found["estimated_bound"] = min(_estimated(spec, at, R), own)
    return found


def _estimated(spec: Spec, at: Setting, R: np.ndarray) -> float:
    """The bound if the best of many ascents were the dual norm; it proves nothing."""
    rng = rng_of(spec.seed, _ESTIMATE)
    seeds = np.hstack([rng.standard_normal((at.features.shape[1], _STARTS)), at.features.T @ R])
    largest = float(ascend(at.features, R, seeds, _STEPS)[1].max())
    loss = loss_named(spec.loss)
    limit = spec.weight_decay / largest if largest > 0 else float("inf")
    return float(loss.dual_value(R, at.targets, loss.best_scale(R, at.targets, limit)))


def _objective(spec: Spec, data: Arrays, arrays: Arrays) -> float:
    return revive(spec, arrays).objective(data["X"], data["Y"])


def recompute(
    spec: Spec, data: Arrays, arrays: Arrays
) -> tuple[Certificate, dict[str, Any], dict[str, float]]:
    """Certificate, predictions and scalars derived afresh from stored weights and data alone.

    Data are whitened again, gates are drawn or enumerated again.
    """
    at = setting(spec, data, arrays["whitening"])
    flat = at.inputs.reshape(-1, at.inputs.shape[-1])
    statistics = revive(spec, arrays).statistics(flat)
    # A mean that is zero by centring; and centring leaves the rounding of the rows as they are.
    rounding = 1e-9 * statistics.norm / np.sqrt(len(flat))
    rounding += _ULPS * np.abs(flat).max(axis=0) @ np.abs(arrays["first_layer"])
    afresh = fixed(spec, at) | {
        name: np.where(np.abs(found - arrays[name]) <= reach, arrays[name], found)
        for name, found, reach in (
            ("running_mean", statistics.mean, rounding),
            ("running_norm", statistics.norm, rounding * np.sqrt(len(flat))),
        )
    }
    program = program_of(spec, at)
    afresh |= of_program(program)
    variables = _variables(spec, at, arrays, afresh, program)
    replayed = replayed_cones(program, variables, arrays)
    certificate = program.certify(variables) if replayed is None else replayed
    certificate = strengthened(certificate, program, arrays, variables=variables)
    if "witness" in arrays and isinstance(program, LossProgram):
        dual = max(certificate.dual, program.bound(arrays["witness"]))
        certificate = replace(certificate, dual=min(dual, certificate.primal))
    neurons = isinstance(program, NormalisedNeurons)
    norms = variables if neurons else group_norms(spec, afresh, variables)
    if isinstance(program, NeuronProgram | VectorProgram):
        width = at.features.shape[-1]
        norms = np.linalg.norm(variables[:, :width], axis=1)
        norms = norms * np.linalg.norm(variables[:, width:], axis=1)
    if isinstance(program, NormalisedNeurons):
        owner, U, V = program.parts(variables)
        lengths = lengths_after(afresh["pattern_factors"], owner, U[:, :-1].T)
        norms = np.hypot(lengths, U[:, -1]) * np.linalg.norm(V, axis=1)
    pictures, numbers = derived(spec, data, arrays)
    found = {"group_norms": norms, **pictures}
    return certificate, afresh | found, numbers | network_bound(spec, data, at, arrays)


def restarted(
    spec: Spec, data: Arrays, weights: Arrays, program: AbstractConvexProgram
) -> np.ndarray:
    """The variables of `program`, built on these data, that the weights of a result mean."""
    return _variables(spec, setting(spec, data), weights, of_program(program), program)


def _variables(
    spec: Spec, at: Setting, arrays: Arrays, afresh: Arrays, program: AbstractConvexProgram
) -> np.ndarray:
    """The convex program's variables that stored weights mean, from weights and data alone."""
    V = arrays["second_layer"]
    lengths = np.linalg.norm(V, axis=1)
    after = spec.position == "after"
    U = neurons_after(arrays, afresh["pattern_factors"]) if after else to_neurons(at, arrays)
    groups = (U * lengths).T
    if "class_outputs" in afresh:
        S = np.zeros((len(afresh["class_outputs"]), len(U)))
        if not len(S):  # no class at all: targets of zero
            return S
        S[np.argmax(V @ afresh["class_outputs"].T, axis=1)] = groups
        return S
    if isinstance(program, NeuronProgram):
        return np.hstack([groups, np.where(V < 0, -1.0, 1.0)])
    if isinstance(program, VectorProgram):
        return np.hstack([U.T, V])
    owner, P = arrays["gate_of_neuron"], afresh["gates"].shape[1]
    if isinstance(program, NormalisedNeurons):
        return np.hstack([owner[:, None].astype(np.float64), U.T, V])
    if isinstance(program, NuclearProgram):
        return program.blocks(U.T, V, owner)
    if spec.neurons == "gated":
        W = np.zeros((P, len(U)))
        W[owner] = groups * np.sign(V)
        return W
    pair = np.zeros((2, P, len(U)))
    pair[(V[:, 0] < 0).astype(int), owner] = groups
    return pair
