"""The trained generator in its own terms: latents in, samples out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.architectures import inputs
from convexviz.core.generator import Generator


@dataclass(frozen=True, slots=True, eq=False)
class GameNetwork:
    """A generator; the discriminator is kept beside it as the certificate's evidence."""

    generator: Generator
    penalty: str

    @property
    def n_neurons(self) -> int:
        return self.generator.n_neurons

    def predict(self, Z: Any) -> Float[np.ndarray, "m d"]:
        """The samples of these latents, any real (m, l); a free generator gives its own.

        Raises:
            DataError: `Z` is no such array.
        """
        return self.generator.predict(inputs.real("Z", Z, "m l"))

    def regulariser(self, Z: Any, start: Any = None) -> float:
        """R_g: squares of the samples, of the weights, or of how far `start` was moved.

        Raises:
            DataError: the arrays are not what the penalty needs.
        """
        if self.penalty == "weights":
            return float(sum(np.square(layer).sum() for layer in self.generator.layers))
        G = self.predict(Z)
        if self.penalty == "samples":
            return float(np.square(G).sum())
        start = inputs.real("G0", start, "m d")
        inputs.same_shape("G0", start, "the samples", G)
        return float(np.square(G - start).sum())
