"""What gradient descent needs to know of an architecture, and the plain two-layer network's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float

from convexviz.core.network import Network
from convexviz.solvers.descent_options import OnRecord, Options, Run

_SCALE = 0.1

Tensor: TypeAlias = Any  # torch is imported where it is needed, and named nowhere else
Weights: TypeAlias = Sequence[Tensor]
Objective: TypeAlias = Callable[[Weights, Tensor], Tensor]


@runtime_checkable
class Problem(Protocol):
    """What descent needs of an architecture; `Regression` is that of a plain two-layer network."""

    @property
    def n_rows(self) -> int:
        """Rows that the objective sums over; what a mini-batch is drawn from."""

    @property
    def entries(self) -> int:
        """Numbers in the inputs: a large problem is trained in float32."""

    def start(self, width: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
        """The weights of a random network of `width` neurons."""

    def objective(self, width: int, to: Callable[[np.ndarray], Tensor]) -> Objective:
        """(weights, rows or None) -> the objective; on some rows, an estimate of it.

        `to` moves an array to where the weights are.
        """

    def network(self, weights: Sequence[np.ndarray]) -> Any:
        """The network with these weights."""

    def value(self, network: Any) -> float:
        """Its objective, re-evaluated in float64."""

    def measured(self, network: Any) -> Mapping[str, Any]:
        """What else is recorded of it on the way: numbers, or arrays of one shape."""

    def finish(self, network: Any) -> Any:
        """The trained network in the architecture's own terms."""


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Rows, targets, weight decay and gates of a two-layer network.

    Attributes:
        gates: one gate a column for a gated ReLU network, None for ReLU.
        finish: the trained two-layer network in the architecture's own terms.
    """

    X: Float[np.ndarray, "n d"]
    Y: Float[np.ndarray, "n c"]
    weight_decay: float
    gates: Float[np.ndarray, "d P"] | None
    finish: Callable[[Network], Any]

    @property
    def n_rows(self) -> int:
        return len(self.X)

    @property
    def entries(self) -> int:
        return self.X.size

    def start(self, width: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
        """Gaussian weights at a tenth of the usual size, which is descent at its best: on the MRI
        slice Adam ends at a quarter of the objective that it reaches from the usual size.
        """
        d, c = self.X.shape[1], self.Y.shape[1]
        U = _SCALE * rng.standard_normal((d, width)) / np.sqrt(d)
        return U, _SCALE * rng.standard_normal((width, c)) / np.sqrt(width)

    def objective(self, width: int, to: Callable[[np.ndarray], Tensor]) -> Objective:
        import torch

        X, Y = to(self.X), to(self.Y)
        gates = self._gates(width)
        on = None if gates is None else (X @ to(gates) >= 0).to(X.dtype)

        def value(weights: Weights, rows: Tensor) -> Tensor:
            U, V = weights
            some = slice(None) if rows is None else rows
            linear = X[some] @ U
            hidden = torch.relu(linear) if on is None else linear * on[some]
            fit = (hidden @ V - Y[some]).square().sum()
            share = 1.0 if rows is None else len(X) / len(rows)
            penalty = U.square().sum() + V.square().sum()
            return 0.5 * share * fit + 0.5 * self.weight_decay * penalty

        return value

    def network(self, weights: Sequence[np.ndarray]) -> Network:
        U, V = weights
        return Network(U, V, self.weight_decay, self._gates(U.shape[1]))

    def value(self, network: Network) -> float:
        return network.objective(self.X, self.Y)

    def measured(self, network: Network) -> Mapping[str, float]:  # noqa: ARG002
        return {}

    def train(self, options: Options, seed: int, on_record: OnRecord) -> Run:
        """Train from one random start; see `descend`."""
        from convexviz.solvers.descent import descend

        return descend(self, options, seed, on_record)

    def _gates(self, width: int) -> np.ndarray | None:
        """One gate a neuron, in turn."""
        if self.gates is None:
            return None
        return self.gates[:, np.arange(width) % self.gates.shape[1]]
