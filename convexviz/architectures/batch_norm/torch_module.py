"""The network as a PyTorch module: source code that needs only torch, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from convexviz.architectures.batch_norm.network import BatchNormNetwork, Layer


def torch_module(network: BatchNormNetwork) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """Python source that defines `Model`, and the state dict that it loads.

    PyTorch's weight and bias are gamma and alpha over sqrt(n); its running mean and variance are
    those of the training rows, n in the denominator (PyTorch's own updates divide by n - 1).
    """
    layers = [*network.earlier, network.layer]
    state: dict[str, NDArray[Any]] = {}
    for index, layer in enumerate(layers):
        state |= _state(f"hidden.{index}", layer)
    state["second.weight"] = np.ascontiguousarray(network.second_layer.T)
    if network.gates is not None:
        gates = network.gates
        weight, bias = gates.gates, np.zeros(gates.gates.shape[1])
        if gates.lift is not None:
            weight = gates.lift @ gates.gates[:-1]
            bias = gates.gates[-1] * gates.constant - gates.centre @ weight
        state["gate.weight"] = np.ascontiguousarray(weight.T)
        state["gate.bias"] = bias
    settings = {
        "SIZES": (layers[0].weights.shape[0], *(layer.weights.shape[1] for layer in layers)),
        "OUTPUTS": network.second_layer.shape[1],
        "AFTER": network.position == "after",
        "GATED": network.gates is not None,
        "VECTOR": bool(network.vector),
    }
    constants = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    return SOURCE.replace("# settings", constants), state


def module(network: BatchNormNetwork) -> Any:
    """An instance of `Model` in eval mode that holds the network's weights, in float64."""
    import torch

    source, state = torch_module(network)
    space: dict[str, Any] = {}
    exec(compile(source, "batch_norm_network", "exec"), space)
    model = space["Model"]()
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
    return model.eval()


def _state(prefix: str, layer: Layer) -> dict[str, NDArray[Any]]:
    root = np.sqrt(layer.n_rows)
    mean = layer.centre @ layer.weights + layer.running.mean
    return {
        f"{prefix}.0.weight": np.ascontiguousarray(layer.weights.T),
        f"{prefix}.1.weight": layer.gamma / root,
        f"{prefix}.1.bias": layer.alpha / root,
        f"{prefix}.1.running_mean": mean,
        f"{prefix}.1.running_var": (layer.running.norm / root) ** 2,
        f"{prefix}.1.num_batches_tracked": np.array(1),
    }


SOURCE = '''
import torch
from torch import nn

# settings
EPS = 1e-30  # with PyTorch's usual 1e-5 it would be another network


class Linear(nn.Linear):
    """A linear map whose weights are loaded, not drawn."""

    def reset_parameters(self):
        for parameter in self.parameters():
            parameter.data.zero_()


def layer(inputs, outputs):
    """Weights without bias, then batch norm, which has one."""
    return nn.Sequential(
        Linear(inputs, outputs, bias=False, dtype=torch.float64),
        nn.BatchNorm1d(outputs, eps=EPS, dtype=torch.float64),
    )


class Model(nn.Module):
    """Rows (n, d), or patches (n, K, d) whose outputs are summed, in; outputs out."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.ModuleList(layer(a, b) for a, b in zip(SIZES, SIZES[1:]))
        self.second = Linear(SIZES[-1], OUTPUTS, bias=False, dtype=torch.float64)
        if GATED:
            self.gate = Linear(SIZES[-2], SIZES[-1], dtype=torch.float64)
            self.gate.requires_grad_(False)

    def activation(self, rows, values):
        if GATED:  # the boundary counts as active
            return torch.where(self.gate(rows) >= 0, values, 0.0)
        return torch.relu(values)

    def forward(self, X):
        rows = X.reshape(-1, X.shape[-1])
        for earlier in self.hidden[:-1]:
            rows = torch.relu(earlier(rows))
        if not SIZES[-1]:  # no neuron
            outputs = X.new_zeros(X.shape[0], OUTPUTS)
            return outputs if VECTOR else outputs[:, 0]
        linear, norm = self.hidden[-1]
        if AFTER:
            hidden = norm(self.activation(rows, linear(rows)))
        else:
            hidden = self.activation(rows, norm(linear(rows)))
        if X.ndim == 3:
            hidden = hidden.reshape(X.shape[0], X.shape[1], -1).sum(dim=1)
        outputs = self.second(hidden)
        return outputs if VECTOR else outputs[:, 0]


def load(path):
    """The trained network, in float64; `.float()` makes it the usual precision."""
    model = Model()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()
'''
