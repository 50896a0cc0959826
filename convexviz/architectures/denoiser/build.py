"""Spec and data -> convex program: a pixel is a row, a filter is a column (P4, Theorem 1)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convexviz import datasets
from convexviz.architectures import inputs
from convexviz.architectures.base import Arrays, Input, rng_of
from convexviz.architectures.denoiser.network import DenoiserNetwork
from convexviz.architectures.denoiser.spec import DATASETS, GIVEN, Spec
from convexviz.core import arrangements
from convexviz.core.arrangements import Arrangements
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.datasets.base import Images
from convexviz.errors import DataError, SpecError

INPUTS = (
    Input("noisy", "N h w", "noisy images to train on"),
    Input("clean", "N h w", "their clean targets"),
    Input("test_noisy", "M a b", "noisy images held out", required=False),
    Input("test_clean", "M a b", "their clean targets", required=False),
)
MAX_PATTERNS = 20_000  # about what the exact certificate visits in a minute
MAX_BYTES = 4 * 2**30

_NOISE, _GATES = 0, 1  # the streams of an experiment's generator


def load(spec: Spec) -> Arrays:
    """The images of `spec.dataset` with noise N(0, noise_std^2) added, drawn from the seed."""
    if spec.dataset == GIVEN:
        raise SpecError(
            f"dataset={GIVEN!r} needs data; pass data={{'noisy': ..., 'clean': ...}} "
            f"or choose one of: {', '.join(name for name in DATASETS if name != GIVEN)}"
        )
    return from_images(spec, datasets.get(spec.dataset).load())


def from_images(spec: Spec, images: Images) -> Arrays:
    """Clean images, and the same with noise N(0, noise_std^2) drawn from the seed."""
    arrays = {}
    rng = rng_of(spec.seed, _NOISE)
    for prefix, clean in (("", images.train), ("test_", images.test)):
        if not len(clean):
            continue
        arrays[f"{prefix}clean"] = clean
        arrays[f"{prefix}noisy"] = clean + spec.noise_std * rng.standard_normal(clean.shape)
    return arrays


def check(spec: Spec, data: Any) -> Arrays:
    """Validated copies of the images.

    Raises:
        DataError: an array is missing, unknown, misshapen, not finite, or all of one value where
            `normalise="standard"` must divide by its deviation.
    """
    required = [field.name for field in INPUTS if field.required]
    optional = [field.name for field in INPUTS if not field.required]
    inputs.names(data, required, optional)
    shapes = {field.name: field.shape for field in INPUTS}
    arrays = {name: inputs.real(name, data[name], shapes[name]) for name in shapes if name in data}
    for prefix in ("", "test_"):
        if f"{prefix}noisy" in arrays or f"{prefix}clean" in arrays:
            inputs.names(arrays, [f"{prefix}noisy", f"{prefix}clean"], arrays)
            noisy, clean = arrays[f"{prefix}noisy"], arrays[f"{prefix}clean"]
            inputs.same_shape(f"{prefix}noisy", noisy, f"{prefix}clean", clean)
    if spec.normalise == "standard" and not np.ptp(arrays["noisy"]) > 0:
        raise DataError(
            "normalise='standard' divides by the deviation of the noisy pixels, which is 0; "
            "use normalise='none'"
        )
    needed = arrays["noisy"].size * (spec.kernel_size**2 * 8 + spec.n_gates)
    if spec.output_kernel > 1:  # the outputs of every tap, for some neurons at a time
        needed += arrays["noisy"].size * spec.output_kernel**2 * 8 * 8
    if needed > MAX_BYTES:
        raise DataError(
            f"{arrays['noisy'].size:,} pixels with {spec.kernel_size}x{spec.kernel_size} patches "
            f"need {needed / 2**30:.1f} GiB, the limit is {MAX_BYTES / 2**30:.0f} GiB; "
            "use fewer images, a crop or a smaller kernel_size"
        )
    return arrays


def network_of(spec: Spec, data: Arrays, blocks: tuple[Network, ...]) -> DenoiserNetwork:
    """The blocks as one denoiser, with the normalisation that the training pixels define."""
    mean, scale = normalisation(spec, data)
    return DenoiserNetwork(
        blocks, spec.kernel_size, spec.padding, spec.residual, spec.bias, mean, scale,
        spec.output_kernel,
    )  # fmt: skip


def normalisation(spec: Spec, data: Arrays) -> tuple[float, float]:
    """Mean and standard deviation of the noisy training pixels, or (0, 1)."""
    if spec.normalise == "none":
        return 0.0, 1.0
    return float(data["noisy"].mean()), float(data["noisy"].std())


def regression(
    spec: Spec, data: Arrays, blocks: tuple[Network, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The rows X (n, d) and targets y (n,) of the block that follows `blocks`."""
    so_far = network_of(spec, data, blocks)
    stage = so_far.block_inputs(data["noisy"])[-1]
    return so_far.rows(stage), so_far.target(stage, so_far.normalised(data["clean"]))


def patterns_for(spec: Spec, X: np.ndarray, block: int) -> Arrangements:
    """All patterns of the rows, or those of `n_gates` Gaussian filters.

    Raises:
        SpecError: `arrangements="all"` where the count of patterns is out of reach.
    """
    if spec.arrangements == "sampled":
        return arrangements.sample(X, spec.n_gates, rng_of(spec.seed, _GATES, block))
    count = count_patterns(X)
    if count > MAX_PATTERNS:
        shown = f"{count:,}" if count < 10**9 else f"1e{int(math.log10(count))}"
        raise SpecError(
            f"arrangements='all' enumerates at most {MAX_PATTERNS:,} patterns, these {len(X):,} "
            f"rows of {X.shape[1]} values have up to {shown}; use arrangements='sampled'"
        )
    found = arrangements.enumerate_all(X)
    return arrangements.decided(found, X) if spec.neurons == "gated" else found


def count_patterns(X: np.ndarray) -> int:
    """Cover's count, without looking for parallel rows where it could not matter."""
    if len(X) > 2000:
        few = X[:: len(X) // (2 * X.shape[1]) or 1]  # a full rank shows in a few rows
        rank = int(np.linalg.matrix_rank(few))
        if rank < X.shape[1]:
            rank = int(np.linalg.matrix_rank(X.T @ X, hermitian=True))
        return arrangements.count_generic(len(X), rank) if rank > 1 else 2
    return arrangements.count_at_most(X)


def build(spec: Spec, data: Arrays, blocks: tuple[Network, ...] = ()) -> AbstractConvexProgram:
    """The program of the next block (THEORY 1.4 and 1.6; greedy depth: THEORY 2.4)."""
    from convexviz.core.gated import GatedProgram
    from convexviz.core.relu import ReluProgram

    X, y = regression(spec, data, blocks)
    if spec.output_kernel > 1:
        from convexviz.architectures.denoiser import taps

        n, height, width = data["noisy"].shape
        return taps.program(spec, X, y, (n, height, width), len(blocks))
    if spec.arrangements == "adaptive":
        from convexviz.core.neurons import NeuronProgram

        return NeuronProgram(X, y, spec.weight_decay)
    kind = GatedProgram if spec.neurons == "gated" else ReluProgram
    return kind(X, y, patterns_for(spec, X, len(blocks)), spec.weight_decay)
