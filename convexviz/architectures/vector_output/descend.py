"""The same network for gradient descent: pooled patches and either loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.vector_output.build import patterns_for, rows_of
from convexviz.architectures.vector_output.network import VectorNetwork
from convexviz.architectures.vector_output.spec import Spec
from convexviz.core.network import Network
from convexviz.solvers.descent import OnRecord, Options, Run, descend
from convexviz.solvers.descent_problem import Objective, Weights

_SCALE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class VectorProblem:
    """Rows or patches, targets, loss and weight decay of a two-layer ReLU network."""

    spec: Spec
    data: Arrays
    gates: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        return len(self.data["X"])

    @property
    def entries(self) -> int:
        return int(self.data["X"].size)

    def start(self, width: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
        """Gaussian weights at half the usual size."""
        d, c = self.data["X"].shape[-1], self.data["Y"].shape[1]
        U = _SCALE * rng.standard_normal((d, width)) / np.sqrt(d)
        return U, _SCALE * rng.standard_normal((width, c)) / np.sqrt(width)

    def objective(self, width: int, to: Callable[[np.ndarray], Any]) -> Objective:
        import torch

        X, Y = to(self.data["X"]), to(self.data["Y"])
        classes = self.spec.loss == "cross_entropy"
        gates = self._gates(width)
        on = None if gates is None else (X @ to(gates) >= 0).to(X.dtype)

        def value(weights: Weights, rows: Any) -> Any:
            U, V = weights
            some = slice(None) if rows is None else rows
            linear = X[some] @ U
            hidden = torch.relu(linear) if on is None else linear * on[some]
            if hidden.ndim == 3:
                hidden = hidden.sum(dim=1)
            F = hidden @ V
            fit = 0.5 * (F - Y[some]).square().sum()
            if classes:
                fit = (F.logsumexp(dim=1) - (F * Y[some]).sum(dim=1)).sum()
            share = 1.0 if rows is None else len(X) / len(rows)
            penalty = U.square().sum() + V.square().sum()
            return share * fit + 0.5 * self.spec.weight_decay * penalty

        return value

    def network(self, weights: Sequence[np.ndarray]) -> VectorNetwork:
        U, V = weights
        layers = Network(U, V, self.spec.weight_decay, self._gates(U.shape[1]))
        return VectorNetwork(layers, self.spec.loss)

    def value(self, network: VectorNetwork) -> float:
        return network.objective(self.data["X"], self.data["Y"])

    def measured(self, network: VectorNetwork) -> Mapping[str, float]:  # noqa: ARG002
        return {}

    def train(self, options: Options, seed: int, on_record: OnRecord) -> Run:
        """Train from one random start; see `descend`."""
        return descend(self, options, seed, on_record)

    def finish(self, network: VectorNetwork) -> VectorNetwork:
        return network

    def _gates(self, width: int) -> np.ndarray | None:
        """One gate a neuron, in turn."""
        if self.gates is None:
            return None
        return self.gates[:, np.arange(width) % self.gates.shape[1]]


def problem(spec: Spec, data: Arrays) -> VectorProblem:
    """The network that `solve` describes."""
    gates = patterns_for(spec, rows_of(data["X"])).gates if spec.method == "gated" else None
    return VectorProblem(spec, data, gates)
