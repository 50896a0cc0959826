"""The denoiser as a PyTorch module: source code that needs only torch, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.denoiser.network import DenoiserNetwork
from convexviz.core.network import Network


def torch_module(network: DenoiserNetwork) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """Python source that defines `Model`, and the state dict that it loads.

    A column of the first layer is a filter in the order of cross-correlation; with `bias`, its
    last entry is the bias of the convolution, because the ones column is never padded.
    """
    state: dict[str, NDArray[Any]] = {}
    for index, block in enumerate(network.blocks):
        state |= _state(f"blocks.{index}", block, network)
    settings = {
        "KERNEL": network.kernel_size,
        "OUTPUT_KERNEL": network.output_kernel,
        "CIRCULAR": network.padding == "circular",
        "RESIDUAL": bool(network.residual),
        "BIAS": bool(network.bias),
        "NEURONS": tuple(block.n_neurons for block in network.blocks),
        "GATED": any(block.gates is not None for block in network.blocks),
        "MEAN": float(network.mean),
        "SCALE": float(network.scale),
    }
    constants = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    return SOURCE.replace("# settings", constants), state


def _state(prefix: str, block: Network, network: DenoiserNetwork) -> dict[str, NDArray[Any]]:
    if not block.n_neurons:
        return {}
    layers = {"first": block.first_layer}
    if block.gates is not None:
        layers["gate"] = block.gates
    state: dict[str, NDArray[Any]] = {}
    k = network.kernel_size
    for name, columns in layers.items():
        filters = np.ascontiguousarray(columns[: k * k].T).reshape(-1, 1, k, k)
        state[f"{prefix}.{name}.weight"] = filters
        if network.bias:
            state[f"{prefix}.{name}.bias"] = columns[k * k].copy()
    q = network.output_kernel
    second = np.ascontiguousarray(block.second_layer).reshape(1, -1, q, q)
    state[f"{prefix}.second.weight"] = second
    return state


SOURCE = '''
import torch
from torch import nn
from torch.nn import functional

# settings


def pad(images, side):
    """The border that keeps the size: offsets a - side // 2, for even kernels too."""
    before, after = side // 2, side - 1 - side // 2
    if not CIRCULAR:
        return functional.pad(images, (before, after, before, after))
    height, width = images.shape[-2:]
    rows = torch.arange(-before, height + after, device=images.device) % height
    columns = torch.arange(-before, width + after, device=images.device) % width
    return images[..., rows, :][..., columns]


class Block(nn.Module):
    """A convolution, ReLU (or fixed gates), and a convolution to one image."""

    def __init__(self, neurons):
        super().__init__()
        self.neurons = neurons
        if neurons:
            self.first = nn.Conv2d(1, neurons, KERNEL, bias=BIAS, dtype=torch.float64)
            self.second = nn.Conv2d(neurons, 1, OUTPUT_KERNEL, bias=False, dtype=torch.float64)
            if GATED:
                self.gate = nn.Conv2d(1, neurons, KERNEL, bias=BIAS, dtype=torch.float64)
                self.gate.requires_grad_(False)

    def forward(self, images):
        if not self.neurons:
            return torch.zeros_like(images)
        padded = pad(images, KERNEL)
        linear = self.first(padded)
        if GATED:  # the boundary counts as active
            hidden = torch.where(self.gate(padded) >= 0, linear, 0.0)
        else:
            hidden = torch.relu(linear)
        return self.second(pad(hidden, OUTPUT_KERNEL))


class Model(nn.Module):
    """Noisy images in, denoised images out, both (N, h, w)."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block(neurons) for neurons in NEURONS)

    def forward(self, noisy):
        images = (noisy[:, None] - MEAN) / SCALE
        for block in self.blocks:
            images = images + block(images) if RESIDUAL else block(images)
        return images[:, 0] * SCALE + MEAN


def load(path):
    """The trained network, in float64; `.float()` makes it the usual precision."""
    model = Model()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()
'''
