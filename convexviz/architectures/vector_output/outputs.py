"""Solutions -> arrays and scalars worth keeping, and the same derived again from what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.proofs import replayed_cones, strengthened
from convexviz.architectures.vector_output.build import build
from convexviz.architectures.vector_output.data import is_one_hot
from convexviz.architectures.vector_output.network import VectorNetwork
from convexviz.architectures.vector_output.spec import Spec
from convexviz.core.losses import loss_named
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution

RELAXATION = "relaxation_proof"  # multipliers of the copositive relaxation
AT_ONCE = 300  # small programs beside a solve: a fifth of a second


def outputs(
    spec: Spec,
    data: Arrays,
    programs: tuple[AbstractConvexProgram, ...],
    solutions: tuple[Solution, ...],
) -> tuple[dict[str, Any], dict[str, float]]:
    """The weights, what the solver noted on its way, then all that follows from the weights."""
    program, solution = programs[-1], solutions[-1]
    arrays = weights_of(program, solution.variables) | dict(solution.records)
    pictures, numbers = derived(spec, data, arrays)
    numbers |= of_program(program, arrays)
    arrays |= relaxed_beside(spec, program, solution.variables, AT_ONCE)
    numbers |= bounds(spec, program, solution.certificate, solution.variables, arrays)
    if "n_pruned" in arrays:
        numbers["n_pruned"] = float(arrays["n_pruned"][0])
    return arrays | pictures, numbers


def weights_of(program: Any, variables: np.ndarray) -> dict[str, Any]:
    """The two layers, and for a gated network its gates and whose each neuron has."""
    network = program.to_network(variables)
    kept = {"first_layer": network.first_layer, "second_layer": network.second_layer}
    if network.gates is not None:
        kept |= {"gates": program.arrangements.gates}
        kept |= {"gate_of_neuron": program.neurons(variables)[2]}
    return kept


def of_program(program: Any, arrays: Arrays) -> dict[str, float]:
    """Over how many patterns the program ranges."""
    if "gates" in arrays:
        return {"n_patterns": float(arrays["gates"].shape[1])}
    # Free neurons choose their patterns: each has its own.
    count = program.norm.n_patterns or arrays["first_layer"].shape[1]
    return {"n_patterns": float(count)}


def relaxed_beside(
    spec: Spec, program: Any, variables: np.ndarray, most: int | None = None
) -> dict[str, Any]:
    """What proves the copositive bound beside an exact network of rank 3 or 4, where it may be
    lower and takes no more than `most` small programs."""
    from convexviz.core.copositive_bound import why_exact
    from convexviz.core.dual_norm import AllFaces
    from convexviz.solvers.copositive import beside

    known = spec.method == "exact" and isinstance(program.norm, AllFaces)
    return {} if not known or why_exact(program) else beside(program, variables, most)


def bounds(
    spec: Spec, program: Any, certificate: Certificate, variables: np.ndarray, arrays: Arrays
) -> dict[str, float]:
    """The copositive bound: the certificate's own, or the exact one where the two are the same, or
    what kept multipliers prove.

    Where patterns are sampled it bounds networks on these cones alone, as its scope says.
    Beside a relaxation `exact_bound` is what the exact search proves at the same network.
    """
    from convexviz.core.copositive_bound import why_exact
    from convexviz.core.free_norm import FreeNorm

    if spec.method not in ("exact", "copositive") or isinstance(program.norm, FreeNorm):
        return {}
    if spec.arrangements == "sampled" and spec.method == "exact":
        return {}
    if not program.norm.exact:
        return {"copositive_bound": certificate.dual}
    exact = why_exact(program) is not None
    if spec.method == "copositive":
        return {
            "copositive_bound": certificate.dual,
            "exact_bound": program.certify(variables).dual,
            "relaxation_exact": float(exact),
        }
    if exact:
        return {"copositive_bound": certificate.dual}
    if RELAXATION not in arrays:
        return {}
    from convexviz.solvers.copositive import bound_beside

    return {"copositive_bound": bound_beside(program, variables, arrays[RELAXATION])}


def on_path(spec: Spec, arrays: Arrays, variables: np.ndarray) -> dict[str, Any]:
    """The weights that a row of a path means: neurons, or the blocks of a gated network."""
    from convexviz.core.nuclear import unpacked_neurons
    from convexviz.core.vector import balanced

    if spec.method == "gated":
        U, V, owner = unpacked_neurons(variables, len(arrays["gates"]))
        kept = {"first_layer": np.ascontiguousarray(U.T), "second_layer": V}
        return kept | {"gates": arrays["gates"], "gate_of_neuron": owner}
    d = arrays["first_layer"].shape[0]
    first, second = balanced(variables[:, :d], variables[:, d:])
    return {"first_layer": np.ascontiguousarray(first.T), "second_layer": second}


def revive(spec: Spec, arrays: Arrays) -> VectorNetwork:
    """The network that stored weights describe."""
    gates = arrays["gates"][:, arrays["gate_of_neuron"]] if "gates" in arrays else None
    layers = Network(arrays["first_layer"], arrays["second_layer"], spec.weight_decay, gates)
    return VectorNetwork(layers, spec.loss)


def derived(spec: Spec, data: Arrays, weights: Arrays) -> tuple[dict[str, Any], dict[str, float]]:
    """Everything that the weights and the data determine: predictions, losses and accuracies."""
    network = revive(spec, weights)
    pictures = {"predictions": network.predict(data["X"])}
    numbers = {
        "network_objective": network.objective(data["X"], data["Y"]),
        "n_neurons": float(network.n_neurons),
        "path_norm": path_norm(weights),
    }
    if "test_X" in data:
        pictures["test_predictions"] = network.predict(data["test_X"])
    for part, prefix in (("train", ""), ("test", "test_")):
        if f"{prefix}predictions" in pictures:
            numbers |= quality(spec, part, pictures[f"{prefix}predictions"], data[f"{prefix}Y"])
    return pictures, numbers


def path_norm(weights: Arrays) -> float:
    """`sum_j |u_j| |v_j|`."""
    one = np.linalg.norm(weights["first_layer"], axis=0)
    return float(one @ np.linalg.norm(weights["second_layer"], axis=1))


def quality(spec: Spec, part: str, F: np.ndarray, Y: np.ndarray) -> dict[str, float]:
    """The loss, a sum over rows, and for classes the share of rows that are told right."""
    found = {f"{part}_loss": float(loss_named(spec.loss).value(F, Y))}
    if is_one_hot(Y):
        found[f"{part}_accuracy"] = float((F.argmax(axis=1) == Y.argmax(axis=1)).mean())
    return found


def recompute(
    spec: Spec, data: Arrays, arrays: Arrays
) -> tuple[Certificate, dict[str, Any], dict[str, float]]:
    """Certificate, predictions and scalars derived afresh from stored weights and data alone.

    The patterns are enumerated again.
    """
    program: Any = build(spec, data)
    pictures, numbers = derived(spec, data, arrays)
    if "n_pruned" in arrays:
        numbers["n_pruned"] = float(arrays["n_pruned"][0])
    U, V = arrays["first_layer"].T, arrays["second_layer"]
    variables = np.concatenate([U, V], axis=1)
    if spec.method == "gated":
        pictures["gates"] = program.arrangements.gates
        certificate = program.certify(program.blocks(U, V, arrays["gate_of_neuron"]))
    elif spec.method == "copositive" and RELAXATION in arrays:
        from convexviz.solvers.copositive import relaxation_certificate, replayed

        proof = replayed(program, dict(arrays))
        R = arrays["relaxation_residual"]
        certificate = relaxation_certificate(program, variables, R, proof)
    else:
        kept = replayed_cones(program, variables, arrays)
        certificate = program.certify(variables) if kept is None else kept
        if spec.arrangements == "adaptive":  # a kept proof may say more
            certificate = strengthened(certificate, program, arrays, variables=variables)
    numbers |= of_program(program, arrays)
    numbers |= bounds(spec, program, certificate, variables, arrays)
    return certificate, pictures, numbers
