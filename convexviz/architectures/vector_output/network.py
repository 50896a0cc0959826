"""The network in its own terms: rows or patches in, vectors out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.architectures import inputs
from convexviz.core.losses import loss_named
from convexviz.core.network import Network
from convexviz.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class VectorNetwork:
    """`f(X) = sum_j (X u_j)_+ v_j'`, summed over the patches of a sample (P3; THEORY 3.1, 3.6)."""

    layers: Network
    loss: str = "squared"

    @property
    def n_neurons(self) -> int:
        return self.layers.n_neurons

    def predict(self, X: Any) -> Float[np.ndarray, "n c"]:
        """Outputs for rows (n, d) or patches (n, K, h).

        Raises:
            DataError: `X` is no such array.
        """
        rows = inputs.real("X", X, "n K h" if np.ndim(X) == 3 else "n d")
        width = self.layers.first_layer.shape[0]
        if rows.shape[-1] != width:
            raise DataError(
                f"X must have rows of {width} values, as in training, got {rows.shape[-1]}"
            )
        out = self.layers.predict(rows.reshape(-1, width))
        if rows.ndim == 2:
            return out
        return np.asarray(out.reshape(*rows.shape[:2], -1).sum(axis=1))

    def objective(self, X: Any, Y: Any) -> float:
        """`l(f(X), Y) + beta/2 (||U||^2 + ||V||^2)`.

        Raises:
            DataError: the arrays are not real, or do not have as many rows.
        """
        F, target = self.predict(X), inputs.real("Y", Y, "n c")
        inputs.same_shape("the network's outputs", F, "Y", target)
        return loss_named(self.loss).value(F, target) + self.layers.penalty()
