"""Generators as they are used: latents in, samples out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """A free generator (its samples), a linear one, or a two-layer one.

    Attributes:
        samples: what a free generator holds; None for the others.
        layers: W, or the first and the second layer.
        activation: of two layers: `"relu"`, or `"square"` (the quadratic without cross terms).
    """

    samples: Float[np.ndarray, "n d"] | None = None
    layers: tuple[Float[np.ndarray, "_ _"], ...] = ()
    activation: str = "relu"

    @property
    def n_neurons(self) -> int:
        """Hidden neurons; 0 for a free or a linear generator."""
        return self.layers[0].shape[1] if len(self.layers) > 1 else 0

    def predict(self, Z: Float[np.ndarray, "n l"]) -> Float[np.ndarray, "n d"]:
        """The samples of these latents.

        Raises:
            DataError: a free generator is asked for other than its own number of samples, or the
                latents have another width than the generator takes.
        """
        Z = np.asarray(Z, dtype=np.float64)
        if self.samples is not None:
            if len(Z) != len(self.samples):
                raise DataError(
                    f"Z must have {len(self.samples)} rows, got {len(Z)}: a free generator holds "
                    "its own samples; use generator='linear' to draw new ones"
                )
            return self.samples
        if Z.ndim != 2 or Z.shape[1] != self.layers[0].shape[0]:
            raise DataError(
                f"Z must have shape (n, {self.layers[0].shape[0]}), got {Z.shape}; give the "
                "latents that the generator was trained on, or others of that width"
            )
        linear = Z @ self.layers[0]
        if len(self.layers) == 1:
            return linear
        hidden = np.maximum(linear, 0.0) if self.activation == "relu" else np.square(linear)
        return hidden @ self.layers[1]
