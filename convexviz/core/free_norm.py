"""The dual norm over every pattern of data of any rank: an upper bound, and ascent from below.

`max |G'(Xu)_+|` over unit u cannot be evaluated where the faces are too many. Activations are
never negative and no longer than `|X| |u|`, and that bounds it (THEORY 1.5: a bound from above
certifies, an ascent only estimates).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.dual_norm import DualNorm
from convexviz.core.orthonormal import dual_norm as positive_norm
from convexviz.core.solution import Scope
from convexviz.core.types import Array


class FreeNorm(DualNorm):
    """Every ReLU neuron there is: `largest` is rigorous, and loose where rows are many."""

    def __init__(self, X: Float[np.ndarray, "N d"]) -> None:
        self._X = X
        s = np.linalg.svd(X, compute_uv=False) if len(X) else np.zeros(1)
        self._width = float(s.max(initial=0.0)) * (1.0 + 1e-12)

    @property
    def scope(self) -> Scope:
        return Scope.RELU_NETWORK

    @property
    def n_patterns(self) -> int:
        return 0

    @property
    def rows(self) -> Float[np.ndarray, "N r"]:
        return self._X

    @property
    def basis(self) -> Float[np.ndarray, "d r"]:
        return np.eye(self._X.shape[1])

    def largest(self, G: Float[np.ndarray, "N c"]) -> float:
        return self._width * positive_norm(G)


def ascend(
    X: Float[np.ndarray, "N d"],
    G: Float[np.ndarray, "N c"],
    starts: Float[np.ndarray, "d s"],
    steps: int,
) -> tuple[Float[np.ndarray, "d s"], Float[np.ndarray, " s"]]:
    """Unit directions after `steps` of ascent of `|G'(Xu)_+|`, and the values there.

    Inside a cone the square is a convex form, and `u <- grad / |grad|` never descends. A wall may
    take away what was gained: such a step is halved until it gains.
    """
    U = starts / np.maximum(np.linalg.norm(starts, axis=0), 1e-300)
    part = np.ones(U.shape[1])
    linear = X @ U
    image: Array = G.T @ np.maximum(linear, 0.0)
    values = np.linalg.norm(image, axis=0)
    for _ in range(steps):
        gradient = X.T @ ((linear > 0) * (G @ image))
        length = np.linalg.norm(gradient, axis=0)
        toward = np.where(length > 0, gradient / np.maximum(length, 1e-300), U)
        tried = U + part * (toward - U)
        tried = tried / np.maximum(np.linalg.norm(tried, axis=0), 1e-300)
        there = X @ tried
        seen = G.T @ np.maximum(there, 0.0)
        found = np.linalg.norm(seen, axis=0)
        gained = found >= values
        U, linear = np.where(gained, tried, U), np.where(gained, there, linear)
        image, values = np.where(gained, seen, image), np.maximum(values, found)
        part = np.where(gained, np.minimum(1.0, 2.0 * part), 0.5 * part)
    return U, np.where(values > 0, values, 0.0)
