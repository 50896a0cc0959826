"""The network as a PyTorch module: source code that needs only torch, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.vector_output.network import VectorNetwork


def torch_module(network: VectorNetwork) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """Python source that defines `Model`, and the state dict that it loads."""
    layers = network.layers
    d, m = layers.first_layer.shape
    c = layers.second_layer.shape[1]
    state: dict[str, NDArray[Any]] = {}
    if m:
        state["first.weight"] = np.ascontiguousarray(layers.first_layer.T)
        state["second.weight"] = np.ascontiguousarray(layers.second_layer.T)
        if layers.gates is not None:
            state["gate.weight"] = np.ascontiguousarray(layers.gates.T)
    sizes = f"INPUTS, NEURONS, OUTPUTS = {d}, {m}, {c}\nGATED = {layers.gates is not None}"
    return SOURCE.replace("# settings", sizes), state


SOURCE = '''
import torch
from torch import nn

# settings


class Model(nn.Module):
    """Rows (n, d), or patches (n, K, h) whose outputs are summed; vectors (n, c) out."""

    def __init__(self):
        super().__init__()
        if NEURONS:
            self.first = nn.Linear(INPUTS, NEURONS, bias=False, dtype=torch.float64)
            self.second = nn.Linear(NEURONS, OUTPUTS, bias=False, dtype=torch.float64)
            if GATED:
                self.gate = nn.Linear(INPUTS, NEURONS, bias=False, dtype=torch.float64)
                self.gate.requires_grad_(False)

    def forward(self, rows):
        if not NEURONS:
            return rows.new_zeros(len(rows), OUTPUTS)
        linear = self.first(rows)
        if GATED:  # the boundary counts as active
            hidden = torch.where(self.gate(rows) >= 0, linear, 0.0)
        else:
            hidden = torch.relu(linear)
        if hidden.ndim == 3:
            hidden = hidden.sum(dim=1)
        return self.second(hidden)


def load(path):
    """The trained network, in float64; `.float()` makes it the usual precision."""
    model = Model()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()
'''
