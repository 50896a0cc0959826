"""Solutions -> arrays and scalars worth keeping, and the same derived again from what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.architectures.base import Arrays, rng_of
from convexviz.architectures.denoiser import quality, taps
from convexviz.architectures.denoiser.build import normalisation, patterns_for, regression
from convexviz.architectures.denoiser.network import DenoiserNetwork
from convexviz.architectures.denoiser.spec import Spec
from convexviz.architectures.proofs import strengthened, witness
from convexviz.core.arrangements import Arrangements, patterns_of
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution

_ESTIMATE = 2  # the generator's stream for the starts of the estimated bound
_ESTIMATE_STARTS = 40


def outputs(
    spec: Spec,
    data: Arrays,
    programs: tuple[AbstractConvexProgram, ...],
    solutions: tuple[Solution, ...],
    *,
    filters: bool = True,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Weights of every block, then all that follows from them; the last block is the result's own.

    Earlier blocks are kept as `block1_first_layer`, … with their primal and dual. Without
    `filters`, those in use are left out, which take half the time of all that follows.
    """
    weights: dict[str, Any] = {"normalisation": np.array(normalisation(spec, data))}
    scalars: dict[str, float] = {}
    for t, (program, solution) in enumerate(zip(programs, solutions, strict=True), 1):
        prefix = "" if t == len(programs) else f"block{t}_"
        kept = _weights(spec, program, solution.variables) | dict(solution.records)
        weights |= {f"{prefix}{name}": array for name, array in kept.items()}
        weights |= witness(solution, prefix)
        if len(programs) > 1:
            scalars[f"block{t}_primal"] = solution.certificate.primal
            scalars[f"block{t}_dual"] = solution.certificate.dual
    pictures, numbers = derived(spec, data, weights, filters=filters)
    numbers |= _patterns_of(spec, programs[-1])
    return weights | pictures, scalars | numbers | network_bounds(spec, data, revive(spec, weights))


def _patterns_of(spec: Spec, program: Any) -> dict[str, float]:
    """Over how many patterns a program with taps ranges; else the weights tell."""
    if spec.output_kernel == 1 or spec.neurons == "gated" or not program.norm.n_patterns:
        return {}
    return {"n_patterns": float(program.norm.n_patterns)}


def _weights(spec: Spec, program: Any, variables: np.ndarray) -> dict[str, np.ndarray]:
    """One block's weights, and for each neuron the gate whose pattern it has."""
    if spec.output_kernel > 1:
        return taps.weights(spec, program, variables)
    network = program.to_network(variables)
    kept = {"first_layer": network.first_layer, "second_layer": network.second_layer}
    if spec.arrangements != "adaptive":
        norms = np.linalg.norm(variables, axis=-1)
        kept["group_norms"] = norms
        kept["gates"] = program.arrangements.gates
        kept["gate_of_neuron"] = np.flatnonzero(norms) % norms.shape[-1]
    else:
        kept["group_norms"] = np.linalg.norm(network.first_layer, axis=0) * np.abs(
            network.second_layer[:, 0]
        )
    return kept


def revive(spec: Spec, arrays: Arrays) -> DenoiserNetwork:
    """The denoiser that stored weights describe."""
    blocks = []
    for t in range(1, spec.blocks + 1):
        prefix = "" if t == spec.blocks else f"block{t}_"
        gates = None
        if spec.neurons == "gated":
            gates = arrays[f"{prefix}gates"][:, arrays[f"{prefix}gate_of_neuron"]]
        first, second = arrays[f"{prefix}first_layer"], arrays[f"{prefix}second_layer"]
        blocks.append(Network(first, second, spec.weight_decay, gates))
    mean, scale = arrays["normalisation"]
    return DenoiserNetwork(
        tuple(blocks),
        spec.kernel_size,
        spec.padding,
        spec.residual,
        spec.bias,
        float(mean),
        float(scale),
        spec.output_kernel,
    )


def derived(
    spec: Spec, data: Arrays, weights: Arrays, *, filters: bool = True
) -> tuple[dict[str, Any], dict[str, float]]:
    """Everything that the weights and the data determine: pictures, filters and qualities."""
    network = revive(spec, weights)
    stages = network.block_inputs(data["noisy"])
    denoised = stages[-1] * network.scale + network.mean
    pictures = {"denoised": denoised}
    if filters:
        pictures |= filters_in_use(network, stages[-2])
    numbers = {
        "network_objective": network.objective_of(stages, data["clean"]),
        "n_neurons": float(network.n_neurons),
        "n_patterns": float(weights["gates"].shape[1] if "gates" in weights else network.n_neurons),
        "psnr_noisy": quality.psnr(data["noisy"], data["clean"]),
        "psnr_denoised": quality.psnr(denoised, data["clean"]),
        "ssim_denoised": quality.ssim(denoised, data["clean"]),
    }
    if "test_noisy" in data:
        test = network.predict(data["test_noisy"])
        pictures["test_denoised"] = test
        numbers["test_psnr_noisy"] = quality.psnr(data["test_noisy"], data["test_clean"])
        numbers["test_psnr_denoised"] = quality.psnr(test, data["test_clean"])
        numbers["test_ssim_denoised"] = quality.ssim(test, data["test_clean"])
    return pictures, numbers


def filters_in_use(network: DenoiserNetwork, stage: np.ndarray) -> dict[str, np.ndarray]:
    """The linear filter of each activation pattern that occurs among the pixels of `stage`.

    `denoised(p) = filters[pattern_map[p]] . patch(p) + filter_offset[pattern_map[p]]`, in
    normalised units and without the identity of a residual network (THEORY 2.4).
    """
    if network.output_kernel > 1:
        return taps.filters_in_use(network, stage)
    block, k = network.blocks[-1], network.kernel_size
    distinct, index = distinct_patterns(active(block, network.rows(stage)))
    paths = (block.first_layer * block.second_layer[:, 0]).T  # (m, d): one linear filter a neuron
    sums = distinct.astype(float) @ paths
    return {
        "filters": np.ascontiguousarray(sums[:, : k * k]).reshape(-1, k, k),
        "filter_offset": sums[:, k * k] if network.bias else np.zeros(len(sums)),
        "pattern_map": index.reshape(stage.shape).astype(np.int32),
        "pattern_bits": distinct.astype(np.uint8),
    }


def active(block: Network, X: np.ndarray) -> np.ndarray:
    """Which neurons are on at each row, (n, m); the boundary counts as active."""
    return patterns_of(X, block.first_layer if block.gates is None else block.gates)


def distinct_patterns(on: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of a boolean (n, m) array, and the row each one equals."""
    width = 8 * max(1, -(-on.shape[1] // 64))
    packed = np.zeros((len(on), width), np.uint8)
    packed[:, : -(-on.shape[1] // 8)] = np.packbits(on, axis=1)
    if width == 8:  # as one number, which sorts much faster and in the same order
        words: np.ndarray = packed.view(">u8")[:, 0].astype(np.uint64)
    else:
        words = packed.view(np.dtype((np.void, width)))[:, 0]
    _, first, index = np.unique(words, return_index=True, return_inverse=True)
    return on[first], index


def network_bounds(spec: Spec, data: Arrays, network: DenoiserNetwork) -> dict[str, float]:
    """Bounds on ReLU networks of any width, for a ReLU result: one proved, one estimated.

    `network_bound` is pattern-free and rigorous. `estimated_bound` rests on the largest
    correlation M that a search found, `estimated_m_over_beta` is that over beta: 1 at an optimum,
    and both prove nothing (THEORY 1.5). A gated network is another
    kind of network, which neither of them bounds.
    """
    if spec.neurons == "gated":
        return {}
    from convexviz.core import bounds

    X, y = regression(spec, data, network.blocks[:-1])
    if spec.output_kernel > 1:
        layers, images = network.blocks[-1], data["noisy"].shape
        return {"network_bound": taps.network_bound(spec, X, y, images, layers)}
    residual = y - network.blocks[-1].predict(X)[:, 0]
    estimate = max(
        bounds.estimate_M(X, residual, rng_of(spec.seed, _ESTIMATE), _ESTIMATE_STARTS),
        float(_correlations(X, residual, network.blocks[-1].first_layer).max(initial=0.0)),
    )
    # The optimum is at most this network's objective, whatever a search or rounding says.
    own, beta = network.blocks[-1].objective(X, y[:, None]), spec.weight_decay
    return {
        "network_bound": min(bounds.network_lower_bound(X, y, residual, beta), own),
        "estimated_bound": min(bounds.estimated_lower_bound(y, residual, estimate, beta), own),
        "estimated_m_over_beta": estimate / beta,
    }


def _correlations(
    X: Float[np.ndarray, "n d"], r: Float[np.ndarray, " n"], U: Float[np.ndarray, "d m"]
) -> Float[np.ndarray, " m"]:
    """`|r'(X u)_+|` at the neurons' own directions: beta at each, once training has ended."""
    lengths = np.linalg.norm(U, axis=0)
    found: np.ndarray = np.abs(r @ np.maximum(X @ U, 0.0))
    return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)


def recompute(
    spec: Spec, data: Arrays, arrays: Arrays
) -> tuple[Certificate, dict[str, Any], dict[str, float]]:
    """Certificate, pictures and scalars derived afresh from stored weights and data alone.

    The gates are drawn or enumerated again: only so is a pattern that nobody uses checked, and
    the claim that they are complete.
    """
    network = revive(spec, arrays)
    numbers: dict[str, float] = {}
    afresh: dict[str, Any] = {"normalisation": np.array(normalisation(spec, data))}
    certificate = None
    for t in range(1, spec.blocks + 1):
        prefix = "" if t == spec.blocks else f"block{t}_"
        X, y = regression(spec, data, network.blocks[: t - 1])
        if spec.output_kernel > 1:
            program: Any = taps.program(spec, X, y, data["noisy"].shape, t - 1)
            certificate, norms = taps.certify(program, arrays, prefix)
            numbers |= _patterns_of(spec, program)
        else:
            certificate, norms = _certify(spec, X, y, arrays, prefix)
        afresh[f"{prefix}group_norms"] = norms
        if f"{prefix}gates" in arrays:
            afresh[f"{prefix}gates"] = patterns_for(spec, X, t - 1).gates
        if spec.blocks > 1:
            numbers[f"block{t}_primal"] = certificate.primal
            numbers[f"block{t}_dual"] = certificate.dual
    assert certificate is not None  # blocks >= 1
    pictures, more = derived(spec, data, arrays)
    bounds = network_bounds(spec, data, network)
    return certificate, afresh | pictures, more | numbers | bounds


def _certify(
    spec: Spec, X: np.ndarray, y: np.ndarray, arrays: Arrays, prefix: str
) -> tuple[Certificate, np.ndarray]:
    """One block's certificate at its stored weights, and the norms of its paths."""
    first, second = arrays[f"{prefix}first_layer"], arrays[f"{prefix}second_layer"][:, 0]
    if spec.arrangements == "adaptive":
        from convexviz.core.neurons import NeuronProgram, join

        neurons = join((first * np.abs(second)).T, np.where(second < 0, -1.0, 1.0))
        norms = np.linalg.norm(first, axis=0) * np.abs(second)
        program = NeuronProgram(X, y, spec.weight_decay)
        return strengthened(program.certify(neurons), program, arrays, prefix), norms
    gates, owner = arrays[f"{prefix}gates"], arrays[f"{prefix}gate_of_neuron"]
    complete = spec.arrangements == "all"
    patterns = Arrangements(gates, patterns_of(X, gates), complete)
    if complete and len(drawn := patterns_for(spec, X, 0)) == len(patterns):
        patterns = drawn  # between nearly parallel rows a gate need not tell
    if spec.neurons == "gated":
        from convexviz.core.gated import GatedProgram

        variables = np.zeros(gates.T.shape)
        variables[owner] = (first * second).T
        norms = np.linalg.norm(variables, axis=-1)
        gated = GatedProgram(X, y, patterns, spec.weight_decay)
        return strengthened(gated.certify(variables), gated, arrays, prefix), norms
    from convexviz.core.relu import ReluProgram

    pair = np.zeros((2, *gates.T.shape))
    pair[(second < 0).astype(int), owner] = (first * np.abs(second)).T
    norms = np.linalg.norm(pair, axis=-1)
    relu = ReluProgram(X, y, patterns, spec.weight_decay)
    return strengthened(relu.certify(pair), relu, arrays, prefix), norms
