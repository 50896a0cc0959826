"""The network with batch normalisation in its own terms: rows in, outputs out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from convexviz.architectures import inputs
from convexviz.core.losses import loss_named
from convexviz.errors import DataError

Array = np.ndarray[Any, np.dtype[np.float64]]
ROWS_AT_A_TIME = 2**22  # entries of the hidden layer


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """What batch norm has learned of its inputs: their mean, and the length of `C X w`."""

    mean: Float[np.ndarray, " m"]
    norm: Float[np.ndarray, " m"]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """`BN(x W) = (x W - mean) / norm * gamma + alpha / sqrt(n)`, with running statistics.

    Attributes:
        centre: subtracted from rows before `weights`; zeros, or the mean row, which keeps digits.
    """

    weights: Float[np.ndarray, "d m"]
    gamma: Float[np.ndarray, " m"]
    alpha: Float[np.ndarray, " m"]
    centre: Float[np.ndarray, " d"]
    running: Statistics
    n_rows: int

    def normalised(
        self, linear: Float[np.ndarray, "n m"], statistics: Statistics, n: int
    ) -> Float[np.ndarray, "n m"]:
        """Batch norm of what it is given, by these statistics over n rows."""
        scaled = (linear - statistics.mean) * (self.gamma / statistics.norm)
        return scaled + self.alpha / np.sqrt(n)


@dataclass(frozen=True, slots=True, eq=False)
class Gates:
    """Fixed gates: a neuron is on where `(x - centre) lift g[:k] + g[k] constant >= 0`; where
    batch norm comes after the ReLU there is no lift, and it is on where `x g >= 0`.
    """

    gates: Float[np.ndarray, "k1 m"]
    centre: Float[np.ndarray, " d"]
    lift: Float[np.ndarray, "d k"] | None
    constant: float

    def on(self, rows: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "n m"]:
        """Which neurons are active at which rows; the boundary counts as active."""
        if self.lift is None:
            return rows @ self.gates >= 0
        white = np.empty((len(rows), len(self.gates)))
        np.matmul(rows - self.centre, self.lift, out=white[:, :-1])
        white[:, -1] = self.constant
        return white @ self.gates >= 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchNormNetwork:
    """`f(X) = sum_j (BN_j(X w_j))_+ v_j'`, or BN after the ReLU; patches are summed (THEORY 4).

    Attributes:
        earlier: hidden layers before the last, fixed; each `(BN(x W))_+`.
        gates: one fixed gate a neuron for a gated network, None for ReLU.
        vector: whether outputs are (n, c), or (n,) as the targets were.
    """

    layer: Layer
    second_layer: Float[np.ndarray, "m c"]
    weight_decay: float
    loss: str = "squared"
    position: str = "before"
    earlier: tuple[Layer, ...] = ()
    gates: Gates | None = None
    vector: bool = False

    @property
    def n_neurons(self) -> int:
        return len(self.layer.gamma)

    def predict(self, X: Any) -> Array:
        """Outputs for new rows (n, d) or patches (n, K, h), by running statistics.

        Raises:
            DataError: `X` is no such array.
        """
        rows = self._rows(X)
        out = np.empty((len(rows), self.second_layer.shape[1]))
        per_row = max(1, self.n_neurons * rows[0, ..., 0].size)
        step = max(1, ROWS_AT_A_TIME // per_row)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            flat = self.features(some.reshape(-1, some.shape[-1]))
            hidden = self._hidden(flat, self.layer.running, self.layer.n_rows)
            out[start : start + step] = self._pooled(hidden, some) @ self.second_layer
        return out if self.vector else out[:, 0]

    def objective(self, X: Any, Y: Any) -> float:
        """`l(f(X), Y) + beta/2 (|gamma|^2 + |alpha|^2 + |V|^2)` as in training: the statistics
        are those of the rows of `X` themselves.

        Raises:
            DataError: the arrays are not real, or do not have as many rows.
        """
        rows = self._rows(X)
        target = inputs.real("Y", Y, "n c" if np.ndim(Y) == 2 else "n")
        if len(rows) != len(target):
            raise DataError(f"X and Y must have as many rows, got {len(rows)} and {len(target)}")
        target = target[:, None] if target.ndim == 1 else target
        flat = self.features(rows.reshape(-1, rows.shape[-1]))
        here = self.statistics(flat)
        F = self._pooled(self._hidden(flat, here, len(flat)), rows) @ self.second_layer
        if self.loss == "cross_entropy" and np.ndim(Y) == 1:
            target = np.eye(F.shape[1])[target[:, 0].astype(int)]
        return loss_named(self.loss).value(F, target) + self.penalty()

    def penalty(self) -> float:
        """`beta/2` on gamma, alpha and the second layer; the scale of w does not matter."""
        squares = np.sum(self.layer.gamma**2) + np.sum(self.layer.alpha**2)
        return float(0.5 * self.weight_decay * (squares + np.sum(self.second_layer**2)))

    def features(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n h"]:
        """What the last hidden layer sees: the rows, or the earlier layers' activations."""
        for layer in self.earlier:
            linear = (rows - layer.centre) @ layer.weights
            rows = np.maximum(layer.normalised(linear, layer.running, layer.n_rows), 0.0)
        return rows

    def statistics(self, rows: Float[np.ndarray, "n h"]) -> Statistics:
        """Batch statistics of the last hidden layer over `rows`."""
        linear = self._before_norm(rows)
        mean = linear.mean(axis=0)
        norm = np.linalg.norm(linear - mean, axis=0)
        return Statistics(mean, np.where(norm > 0.0, norm, 1.0))

    def trained_on(self, inputs: Float[np.ndarray, "*shape"]) -> BatchNormNetwork:
        """The same weights with the running statistics of what the last hidden layer sees."""
        flat = inputs.reshape(-1, inputs.shape[-1])
        layer = replace(self.layer, running=self.statistics(flat), n_rows=len(flat))
        return replace(self, layer=layer)

    def to_torch(self) -> Any:
        """The same network as a `torch.nn.Module` in eval mode, in float64."""
        from convexviz.architectures.batch_norm.torch_module import module

        return module(self)

    def _rows(self, X: Any) -> Array:
        rows = inputs.real("X", X, "n K h" if np.ndim(X) == 3 else "n d")
        first = self.earlier[0] if self.earlier else self.layer
        if rows.shape[-1] != len(first.centre):
            raise DataError(
                f"X must have rows of {len(first.centre)} values, as in training, "
                f"got {rows.shape[-1]}"
            )
        return rows

    def _before_norm(self, rows: Float[np.ndarray, "n h"]) -> Float[np.ndarray, "n m"]:
        linear = (rows - self.layer.centre) @ self.layer.weights
        if self.position == "before":
            return linear
        return np.where(self._on(rows, linear), linear, 0.0)

    def _on(self, rows: Array, linear: Array) -> Bool[np.ndarray, "n m"]:
        return linear >= 0 if self.gates is None else self.gates.on(rows)

    def _hidden(self, rows: Array, statistics: Statistics, n: int) -> Float[np.ndarray, "n m"]:
        normalised = self.layer.normalised(self._before_norm(rows), statistics, n)
        if self.position == "after":
            return normalised
        return np.where(self._on(rows, normalised), normalised, 0.0)

    @staticmethod
    def _pooled(hidden: Array, rows: Array) -> Array:
        if rows.ndim == 2:
            return hidden
        return np.asarray(hidden.reshape(*rows.shape[:2], -1).sum(axis=1))
