"""The non-convex network that a convex solution maps to, re-evaluated from its own weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.masked import ENTRIES_AT_A_TIME, FEWEST_ROWS


@dataclass(frozen=True, slots=True)
class Network:
    """Two layers without bias: `f(X) = sum_j s(X u_j) v_j'`, weight decay `beta/2` on squares.

    Attributes:
        first_layer: column j is `u_j`.
        second_layer: row j is `v_j`.
        weight_decay: beta.
        gates: None for a ReLU network, `s(X u) = (X u)_+`; else one fixed gate a neuron and
            `s(X u_j) = diag(X g_j >= 0) X u_j` (gated ReLU).
    """

    first_layer: Float[np.ndarray, "d m"]
    second_layer: Float[np.ndarray, "m c"]
    weight_decay: float
    gates: Float[np.ndarray, "d m"] | None = None

    def __post_init__(self) -> None:
        # Products sum in the order of the memory: the same weights, read back, give the same.
        for name in ("first_layer", "second_layer", "gates"):
            array = getattr(self, name)
            object.__setattr__(self, name, array if array is None else np.ascontiguousarray(array))

    @property
    def n_neurons(self) -> int:
        return self.first_layer.shape[1]

    def hidden(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n m"]:
        """The activations of the hidden layer."""
        linear = X @ self.first_layer
        if self.gates is None:
            return np.maximum(linear, 0.0, out=linear)
        np.copyto(linear, 0.0, where=X @ self.gates < 0)
        return linear

    def predict(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n c"]:
        """`f(X)`, a row a sample; streamed, so that n may be large."""
        out = np.empty((len(X), self.second_layer.shape[1]))
        step = max(FEWEST_ROWS, ENTRIES_AT_A_TIME // max(1, self.n_neurons))
        for start in range(0, len(X), step):
            rows = slice(start, start + step)
            out[rows] = self.hidden(X[rows]) @ self.second_layer
        return out

    def penalty(self) -> float:
        """`beta/2 (||U||_F^2 + ||V||_F^2)`."""
        squares = np.sum(self.first_layer**2) + np.sum(self.second_layer**2)
        return float(0.5 * self.weight_decay * squares)

    def objective(self, X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n c"]) -> float:
        """`1/2 ||f(X) - Y||_F^2` plus the penalty."""
        return float(0.5 * np.sum((self.predict(X) - Y) ** 2)) + self.penalty()
