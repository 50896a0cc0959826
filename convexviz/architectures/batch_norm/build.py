"""Spec and data -> what the last hidden layer sees, whitened (P2, Thm 2.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.architectures.base import Arrays, rng_of
from convexviz.architectures.batch_norm.data import target_matrix, whitening_of
from convexviz.architectures.batch_norm.network import Layer, Statistics
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.core.whitening import Whitening, whiten

_LAYERS = 2  # the streams of an experiment's generator; 0 draws the data
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
