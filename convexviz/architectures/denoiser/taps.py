"""An output kernel larger than 1 x 1: the denoiser whose programs have vector outputs.

`f = sum_j sum_q v_jq S_q (Y' u_j)_+` with a shift S_q a tap (THEORY 2.3): one target a pixel, one
output weight a tap, and so a nuclear norm on the cones of the patterns instead of a group lasso.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays, rng_of
from convexviz.architectures.denoiser.network import DenoiserNetwork
from convexviz.architectures.denoiser.spec import Spec
from convexviz.core import arrangements
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate
from convexviz.core.types import Array
from convexviz.errors import SpecError

MAX_CONE_ENTRIES = 100_000  # rows times sampled patterns, whose cones are climbed in each round
MAX_BLOCKS = 2000  # patterns of a gated program that enumerates them all
_GATES = 1  # the stream of the generator that the other denoisers draw their gates from
_ENTRIES = 2**22  # of neurons' linear filters gathered at a time


def program(
    spec: Spec, X: Array, y: Array, images: tuple[int, int, int], block: int
) -> AbstractConvexProgram:
    """The program of a block with these rows and targets, for images of this shape.

    Raises:
        SpecError: the patterns or their cones are out of reach.
    """
    from convexviz.core.readout import Taps
    from convexviz.core.vector import VectorProgram

    kernel = (spec.output_kernel,) * 2
    readout = Taps(images, kernel, spec.padding)
    Y = y[:, None]
    if spec.neurons == "gated":
        from convexviz.core.nuclear import NuclearProgram

        patterns = _patterns(spec, X, block)
        return NuclearProgram(X, Y, patterns, spec.weight_decay, readout)
    return VectorProgram(X, Y, spec.weight_decay, _norm(spec, X, block), readout)


def _patterns(spec: Spec, X: Array, block: int) -> arrangements.Arrangements:
    if spec.arrangements == "sampled":
        return arrangements.sample(X, spec.n_gates, rng_of(spec.seed, _GATES, block))
    from convexviz.architectures.denoiser.build import count_patterns

    if (count := count_patterns(X)) > MAX_BLOCKS:
        raise SpecError(
            f"arrangements='all' with output_kernel={spec.output_kernel} enumerates at most "
            f"{MAX_BLOCKS:,} gates, these {len(X):,} rows have up to {count:.2g}; "
            "use arrangements='sampled'"
        )
    return arrangements.decided(arrangements.enumerate_all(X), X)  # of a gated network


def _norm(spec: Spec, X: Array, block: int) -> Any:
    from convexviz.core.cone_norm import ChosenCones, every_cone
    from convexviz.core.free_norm import FreeNorm

    if spec.arrangements == "sampled":
        patterns = _patterns(spec, X, block)
        if X.shape[0] * len(patterns) > MAX_CONE_ENTRIES:
            raise SpecError(
                f"arrangements='sampled' with output_kernel={spec.output_kernel} keeps cones of "
                f"at most {MAX_CONE_ENTRIES:,} rows in all, got {len(patterns)} patterns of "
                f"{len(X):,} rows; use neurons='gated', arrangements='adaptive', or fewer gates"
            )
        return ChosenCones(X, patterns)
    try:
        return every_cone(X)
    except SpecError as refused:
        if spec.arrangements == "adaptive":
            return FreeNorm(X)
        raise SpecError(f"{refused}, or neurons='gated'") from None


def weights(spec: Spec, made: Any, variables: Array) -> dict[str, Array]:
    """One block's weights, their path norms, and for gated neurons the gate of each."""
    network = made.to_network(variables)
    kept = {"first_layer": network.first_layer, "second_layer": network.second_layer}
    kept["group_norms"] = path_norms(network)
    if spec.neurons == "gated":
        kept["gates"] = made.arrangements.gates
        kept["gate_of_neuron"] = made.neurons(variables)[2]
    return kept


def path_norms(network: Network) -> Array:
    """`|u_j| |v_j|`."""
    out: Array = np.linalg.norm(network.first_layer, axis=0) * np.linalg.norm(
        network.second_layer, axis=1
    )
    return out


def on_path(spec: Spec, arrays: Arrays, variables: Array) -> dict[str, Any]:
    """The weights that a row of a path means: neurons, or the blocks of a gated network."""
    from convexviz.core.nuclear import unpacked_neurons
    from convexviz.core.vector import balanced

    kept: dict[str, Any] = {"normalisation": arrays["normalisation"]}
    if spec.neurons == "gated":
        U, V, owner = unpacked_neurons(variables, len(arrays["gates"]))
        kept |= {"gates": arrays["gates"], "gate_of_neuron": owner}
    else:
        d = arrays["first_layer"].shape[0]
        U, V = balanced(variables[:, :d], variables[:, d:])
    network = Network(np.ascontiguousarray(U.T), V, spec.weight_decay)
    kept |= {"first_layer": network.first_layer, "second_layer": V}
    return kept | {"group_norms": path_norms(network)}


def certify(made: Any, arrays: Arrays, prefix: str) -> tuple[Certificate, Array]:
    """The certificate at one block's stored weights, its kept proof replayed; and path norms."""
    from convexviz.architectures.proofs import replayed_cones, strengthened

    first, second = arrays[f"{prefix}first_layer"], arrays[f"{prefix}second_layer"]
    norms = path_norms(Network(first, second, made.weight_decay))
    U, V = np.ascontiguousarray(first.T), second
    if f"{prefix}gates" in arrays:
        variables = made.blocks(U, V, arrays[f"{prefix}gate_of_neuron"])
        return made.certify(variables), norms
    variables = np.concatenate([U, V], axis=1)
    kept = replayed_cones(made, variables, arrays, prefix)
    found = made.certify(variables) if kept is None else kept
    return strengthened(found, made, arrays, prefix, variables), norms


def network_bound(
    spec: Spec, X: Array, y: Array, images: tuple[int, int, int], layers: Network
) -> float:
    """A rigorous lower bound on ReLU networks of any width, at the residual of these; loose."""
    from convexviz.core.free_norm import FreeNorm
    from convexviz.core.readout import Taps
    from convexviz.core.vector import VectorProgram

    readout = Taps(images, (spec.output_kernel,) * 2, spec.padding)
    every = VectorProgram(X, y[:, None], spec.weight_decay, FreeNorm(X), readout)
    return every.certify(np.concatenate([layers.first_layer.T, layers.second_layer], axis=1)).dual


def filters_in_use(network: DenoiserNetwork, stage: Array) -> dict[str, Array]:
    """The linear filter of each pattern: a pattern now is which neurons are on at every tap.

    `denoised(p) = filters[pattern_map[p]] . patch(p)` with patches of k + q - 1 pixels a side.
    """
    from convexviz.architectures.denoiser.outputs import active, distinct_patterns
    from convexviz.core.patches import patches

    block, k, q = network.blocks[-1], network.kernel_size, network.output_kernel
    side, m = k + q - 1, block.n_neurons
    on = active(block, network.rows(stage)).astype(np.float64)
    around = np.concatenate(
        [
            patches(on[:, j].reshape(stage.shape), (q, q), network.padding)[:, :, None]
            for j in range(m)
        ],
        axis=2,
    ) if m else np.zeros((len(on), q * q, 0))  # fmt: skip
    distinct, index = distinct_patterns(around.reshape(len(on), -1) > 0)
    bits = distinct.reshape(len(distinct), q * q, m).astype(np.float64)
    filters, offset = np.zeros((len(bits), side, side)), np.zeros(len(bits))
    step = max(1, _ENTRIES // max(1, m * k * k))
    for start in range(0, len(bits), step):
        part = slice(start, start + step)
        for tap in range(q * q):
            i, j = divmod(tap, q)
            sums = (bits[part, tap] * block.second_layer[:, tap]) @ block.first_layer.T
            filters[part, i : i + k, j : j + k] += sums[:, : k * k].reshape(-1, k, k)
            if network.bias:
                offset[part] += sums[:, k * k]
    return {
        "filters": filters,
        "filter_offset": offset,
        "pattern_map": index.reshape(stage.shape).astype(np.int32),
        "pattern_bits": distinct.astype(np.uint8),
    }
