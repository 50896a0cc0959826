"""The denoising network in its own terms: images in, images out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.architectures import inputs
from convexviz.core.network import Network
from convexviz.core.patches import patches
from convexviz.core.readout import Taps

Image = Float[np.ndarray, "N h w"]


@dataclass(frozen=True, slots=True)
class DenoiserNetwork:
    """`f(Y) = sum_j (Y * u_j)_+ v_j`, block after block (P4, eq. 1-3; THEORY 2.1).

    Attributes:
        blocks: the two-layer networks on patches, in the order in which they are applied.
        output_kernel: side of the second layer's kernel; its taps are row-major in a row of V.
        mean, scale: of the noisy training pixels; pixels are `(value - mean) / scale` inside.
    """

    blocks: tuple[Network, ...]
    kernel_size: int
    padding: str
    residual: bool
    bias: bool
    mean: float = 0.0
    scale: float = 1.0
    output_kernel: int = 1

    @property
    def n_neurons(self) -> int:
        return sum(block.n_neurons for block in self.blocks)

    def rows(self, images: Image) -> Float[np.ndarray, "n d"]:
        """The patches that a block sees, for images in its own (normalised) units."""
        return patches(images, (self.kernel_size,) * 2, self.padding, ones=self.bias)

    def normalised(self, images: Image) -> Image:
        return (np.asarray(images, dtype=np.float64) - self.mean) / self.scale

    def target(self, block_input: Image, clean: Image) -> Float[np.ndarray, " n"]:
        """What a block's two layers must produce, one value a pixel: clean, or clean - input."""
        return (clean - block_input if self.residual else clean).reshape(-1)

    def block_inputs(self, noisy: Image) -> list[Image]:
        """The input of every block and, last, the output of the network; normalised units."""
        stages = [self.normalised(noisy)]
        for block in self.blocks:
            out = self.read(block, stages[-1]).reshape(stages[-1].shape)
            stages.append(stages[-1] + out if self.residual else out)
        return stages

    def read(self, block: Network, stage: Image) -> Float[np.ndarray, "n 1"]:
        """What a block's two layers make of its input, a value a pixel."""
        out = block.predict(self.rows(stage))
        if self.output_kernel == 1:
            return out
        n, height, width = stage.shape
        taps = Taps((n, height, width), (self.output_kernel,) * 2, self.padding)
        return taps.apply(out)

    def predict(self, noisy: Any) -> Image:
        """The denoised images, in the units of the noisy ones; any real (N, h, w).

        Raises:
            DataError: `noisy` is no such array.
        """
        images = inputs.real("noisy", noisy, "N h w")
        return self.block_inputs(images)[-1] * self.scale + self.mean

    def objective(self, noisy: Any, clean: Any) -> float:
        """The last block's `1/2 ||f - clean||^2 + beta/2 (||U||^2 + ||V||^2)`, its input given.

        Raises:
            DataError: the arrays are not real (N, h, w) of one shape.
        """
        images, target = inputs.real("noisy", noisy, "N h w"), inputs.real("clean", clean, "N h w")
        inputs.same_shape("noisy", images, "clean", target)
        return self.objective_of(self.block_inputs(images), target)

    def objective_of(self, stages: list[Image], clean: Image) -> float:
        """The same from `block_inputs`, which has every output already."""
        stage, out = stages[-2:]
        y = self.target(stage, self.normalised(clean))
        given = self.target(stage, out)
        return float(0.5 * np.sum((given - y) ** 2)) + self.blocks[-1].penalty()
