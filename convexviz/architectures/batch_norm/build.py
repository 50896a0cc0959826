"""Spec and data -> convex program: that of a plain ReLU network on whitened rows (P2, Thm 2.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.architectures.base import Arrays, rng_of
from convexviz.architectures.batch_norm.data import target_matrix, whitening_of
from convexviz.architectures.batch_norm.network import Layer, Statistics
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.core import arrangements
from convexviz.core.arrangements import Arrangements
from convexviz.core.losses import loss_named
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.whitening import Whitening, whiten
from convexviz.errors import SpecError

MAX_PATTERNS = 20_000  # about what the exact certificate visits in a minute
_GATES, _LAYERS = 1, 2  # the streams of an experiment's generator; 0 draws the data
MAX_AFTER = 50_000_000  # P d^2 numbers of factors: 400 MB
WIDTH = 2  # of a random hidden layer, in rows of the data: generic ones have rank n


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """The last hidden layer's problem: whitened features, targets, and the layers before it.

    Attributes:
        inputs: what the last hidden layer sees, (n, h), or (n, K, h) patches.
        features: U', the shape of `inputs` but for its last axis, k + 1.
        vector: whether outputs are (n, c), even where c = 1.
    """

    inputs: np.ndarray
    whitening: Whitening
    features: np.ndarray
    targets: Float[np.ndarray, "n c"]
    earlier: tuple[Layer, ...] = ()
    vector: bool = False

    @property
    def is_orthonormal(self) -> bool:
        """Whether U' is square and orthogonal: rank(CX) = n - 1, and every direction kept."""
        n, width = self.features.shape[0], self.features.shape[-1]
        return self.features.ndim == 2 and width == n


def setting(spec: Spec, data: Arrays, basis: np.ndarray | None = None) -> Setting:
    """The features and targets that a spec means, in the basis that singular vectors happen to
    have, or as near to the `whitening` given as `basis` as they can be turned.

    Raises:
        SpecError: more directions than the rank, or a deep network outside the closed form.
    """
    earlier: tuple[Layer, ...] = ()
    X = data["X"]
    whitening = whitening_of(data)
    for depth in range(1, spec.hidden_layers):
        earlier = (*earlier, random_layer(spec, X, depth))
        X = activations(earlier[-1], X)
        whitening = whiten(X)
    targets = target_matrix(spec, data["Y"])
    if spec.n_directions:
        whitening = whitening.truncated(spec.n_directions)
    rows = X.reshape(-1, X.shape[-1])
    whitening = whitening.corrected(rows)
    if basis is not None:
        whitening = whitening.along(rows, basis)
    flat = whitening.features(rows)
    features = flat.reshape(*X.shape[:-1], -1)
    vector = data["Y"].ndim == 2 or spec.loss == "cross_entropy"
    return Setting(X, whitening, features, targets, earlier, vector)


def random_layer(spec: Spec, X: Float[np.ndarray, "n d"], depth: int) -> Layer:
    """A Gaussian hidden layer with batch norm, wide enough to make the rows independent."""
    rng = rng_of(spec.seed, _LAYERS, depth)
    n, d = X.shape
    weights = rng.standard_normal((d, WIDTH * n)) / np.sqrt(d)
    gamma = np.full(WIDTH * n, np.sqrt(n))  # outputs of deviation 1, as PyTorch starts
    alpha = np.sqrt(n) * rng.standard_normal(WIDTH * n)
    centre = X.mean(axis=0)
    linear = (X - centre) @ weights
    mean = linear.mean(axis=0)
    norm = np.linalg.norm(linear - mean, axis=0)
    return Layer(weights, gamma, alpha, centre, Statistics(mean, np.where(norm > 0, norm, 1.0)), n)


def activations(layer: Layer, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n m"]:
    """`(BN(X W))_+` by the layer's own statistics."""
    linear = (X - layer.centre) @ layer.weights
    return np.maximum(layer.normalised(linear, layer.running, layer.n_rows), 0.0)


def build(spec: Spec, data: Arrays, networks: tuple[Network, ...] = ()) -> AbstractConvexProgram:
    """The closed form's program where it applies, else that of all, sampled or free patterns."""
    del networks  # one program, however deep
    return program_of(spec, setting(spec, data))


def program_of(spec: Spec, at: Setting) -> AbstractConvexProgram:
    """The program of a setting.

    Raises:
        SpecError: this combination of outputs, loss, position and depth has no program here.
    """
    from convexviz.core.gated import GatedProgram
    from convexviz.core.loss_program import LossProgram
    from convexviz.core.neurons import NeuronProgram
    from convexviz.core.orthonormal import OrthonormalProgram
    from convexviz.core.relu import ReluProgram

    loss = loss_named(spec.loss)
    outputs = closed_form_outputs(spec, at)
    if outputs is not None:
        return OrthonormalProgram(at.features, at.targets, outputs, loss, spec.weight_decay)
    if spec.hidden_layers > 1:
        raise SpecError(f"hidden_layers={spec.hidden_layers} {why_no_closed_form(spec, at)}")
    if spec.position == "after":
        return _after(spec, at)
    free = spec.arrangements == "adaptive"
    other_loss = spec.loss != "squared"
    if at.targets.shape[1] > 1 or at.features.ndim > 2 or (free and other_loss):
        return _vector(spec, at)
    y = np.ascontiguousarray(at.targets[:, 0])
    if free:
        return NeuronProgram(at.features, y, spec.weight_decay)
    kind = GatedProgram if spec.neurons == "gated" else ReluProgram
    program = kind(at.features, y, patterns_for(spec, at), spec.weight_decay)
    return program if spec.loss == "squared" else LossProgram(program, loss)


def _vector(spec: Spec, at: Setting) -> AbstractConvexProgram:
    """Several outputs, or patches: a program over neurons on the whitened rows (THEORY 4.3, 4.5).

    The dual norm is exact over all faces up to rank 4, and bounded from above beyond.
    """
    from convexviz.core.dual_norm import AllFaces
    from convexviz.core.faces import MAX_RANK
    from convexviz.core.free_norm import FreeNorm
    from convexviz.core.nuclear import NuclearProgram
    from convexviz.core.readout import Pooled, Rows
    from convexviz.core.vector import VectorProgram

    width = at.features.shape[-1]
    rows = at.features.reshape(-1, width)
    readout = Pooled(at.features.shape[1]) if at.features.ndim > 2 else Rows()
    loss = loss_named(spec.loss)
    if spec.neurons == "gated":
        return NuclearProgram(
            rows, at.targets, patterns_for(spec, at), spec.weight_decay, readout, loss
        )
    if spec.arrangements == "sampled":
        raise SpecError(
            "arrangements='sampled' takes one output and rows X (n, d); for several outputs or "
            "patches use 'adaptive', or 'all' with at most 3 directions"
        )
    if spec.arrangements == "all" and width > MAX_RANK:
        raise SpecError(
            f"arrangements='all' with several outputs or patches enumerates faces up to "
            f"{MAX_RANK - 1} directions, got {width - 1}; use n_directions={MAX_RANK - 1} or "
            "arrangements='adaptive'"
        )
    norm = AllFaces(rows) if spec.arrangements == "all" else FreeNorm(rows)
    return VectorProgram(rows, at.targets, spec.weight_decay, norm, readout, loss)


def _after(spec: Spec, at: Setting) -> AbstractConvexProgram:
    """The program of batch norm after the ReLU, on the rows as they are."""
    from convexviz.core.normalised import NormalisedProgram

    for what, refused in (
        (f"Y with {at.targets.shape[1]} outputs", at.targets.shape[1] > 1),
        ("patches", at.inputs.ndim > 2),
        (f"loss={spec.loss!r}", spec.loss != "squared"),
        ("arrangements='adaptive'", spec.arrangements == "adaptive"),
    ):
        if refused:
            raise SpecError(
                "position='after' takes one output, rows X (n, d), the squared loss and all or "
                f"sampled patterns, got {what}; use position='before'"
            )
    patterns = patterns_for(spec, at)
    if len(patterns) * at.inputs.shape[1] ** 2 > MAX_AFTER:
        raise SpecError(
            f"position='after' factors every pattern's features, {len(patterns):,} of width "
            f"{at.inputs.shape[1]}: use fewer n_gates or a narrower X"
        )
    y = np.ascontiguousarray(at.targets[:, 0])
    gated = spec.neurons == "gated"
    return NormalisedProgram(at.inputs, y, patterns, spec.weight_decay, gated)


def closed_form_outputs(spec: Spec, at: Setting) -> np.ndarray | None:
    """Unit outputs of the closed form's neurons where it is the optimum, else None."""
    from convexviz.core.orthonormal import class_outputs

    if spec.position == "after" or spec.neurons == "gated" or not at.is_orthonormal:
        return None
    return class_outputs(at.targets, loss_named(spec.loss))


def why_no_closed_form(spec: Spec, at: Setting) -> str:
    """Why there is none, for a deep network."""
    n = len(at.inputs)
    if not at.is_orthonormal:
        return (
            f"needs features of rank n - 1 = {n - 1} before the last hidden layer, got rank "
            f"{at.whitening.rank}; use hidden_layers=1, or fewer or other rows"
        )
    return (
        f"has a closed form for targets with one class a row, not for these with "
        f"loss={spec.loss!r}; use hidden_layers=1"
    )


def patterns_for(spec: Spec, at: Setting) -> Arrangements:
    """All patterns of the whitened rows, or those of `n_gates` Gaussian gates; of the rows as they
    are where batch norm comes after the ReLU. Adaptive neurons have none: where patterns are
    asked for all the same (steps on the convex program), they are sampled.

    Raises:
        SpecError: `arrangements="all"` where the count of patterns is out of reach.
    """
    features = at.inputs if spec.position == "after" else at.features
    rows = features.reshape(-1, features.shape[-1])
    if spec.arrangements != "all":
        return arrangements.sample(rows, spec.n_gates, rng_of(spec.seed, _GATES))
    count = arrangements.count_generic(*rows.shape)
    if count > MAX_PATTERNS and len(rows) <= 2000:
        count = arrangements.count_at_most(rows)  # equal rows, and opposite ones, count once
    if count > MAX_PATTERNS:
        shown = f"{count:,}" if count < 10**9 else f"1e{int(math.log10(count))}"
        raise SpecError(
            f"arrangements='all' enumerates at most {MAX_PATTERNS:,} patterns, these "
            f"{len(rows):,} rows of {rows.shape[1]} values have up to {shown}; "
            "use arrangements='sampled' or fewer n_directions"
        )
    return arrangements.enumerate_all(rows)
