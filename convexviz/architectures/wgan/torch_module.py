"""The generator as a PyTorch module: source code that needs only torch, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.wgan.network import GameNetwork


def torch_module(network: GameNetwork) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """Python source that defines `Model`, and the state dict that it loads."""
    generator = network.generator
    if generator.samples is not None:
        return FREE.replace("SHAPE", repr(generator.samples.shape)), {"samples": generator.samples}
    widths = [generator.layers[0].shape[0], *(layer.shape[1] for layer in generator.layers)]
    state = {
        f"layers.{i}.weight": np.ascontiguousarray(layer.T)
        for i, layer in enumerate(generator.layers)
    }
    settings = f"WIDTHS = {tuple(widths)!r}\nACTIVATION = {generator.activation!r}"
    return LAYERS.replace("# settings", settings), state


LOAD = '''

def load(path):
    """The trained generator, in float64; `.float()` makes it the usual precision."""
    model = Model()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()
'''

FREE = (
    '''
import torch
from torch import nn


class Model(nn.Module):
    """A free generator: it holds its samples, and the latents only count them."""

    def __init__(self):
        super().__init__()
        self.samples = nn.Parameter(torch.zeros(SHAPE, dtype=torch.float64))

    def forward(self, latents):
        assert len(latents) == len(self.samples)
        return self.samples
'''
    + LOAD
)

LAYERS = (
    '''
import torch
from torch import nn

# settings


class Model(nn.Module):
    """Latents (n, l) in, samples (n, d) out."""

    def __init__(self):
        super().__init__()
        pairs = zip(WIDTHS, WIDTHS[1:])
        self.layers = nn.ModuleList(
            nn.Linear(a, b, bias=False, dtype=torch.float64) for a, b in pairs
        )

    def forward(self, latents):
        out = self.layers[0](latents)
        for layer in self.layers[1:]:
            out = layer(torch.relu(out) if ACTIVATION == "relu" else out.square())
        return out
'''
    + LOAD
)
