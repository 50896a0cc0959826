"""The network itself for gradient descent: batch statistics in every step, as PyTorch has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import Setting, setting
from convexviz.architectures.batch_norm.network import (
    BatchNormNetwork,
    Gates,
    Layer,
    Statistics,
)
from convexviz.architectures.batch_norm.outputs import quality
from convexviz.architectures.batch_norm.patterns import patterns_for
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.core.whitening import Whitening
from convexviz.solvers.descent import OnRecord, Options, Run, descend
from convexviz.solvers.descent_problem import Objective, Weights

_OUTPUTS = 0.1
_TINY = 1e-30  # PyTorch's eps; its usual 1e-5 would be another network


@dataclass(frozen=True, slots=True, eq=False)
class BatchNormProblem:
    """Weights `W`, `gamma`, `alpha` and `V` in PyTorch's scale: batch norm of deviation gamma.

    The objective is that of `solve`: with `n` rows, gamma and alpha are PyTorch's times n^(1/4),
    and so is V, which leaves outputs and penalty as they are (THEORY 4.1).

    Attributes:
        behind: the whitening whose rows `at` has for inputs, where q is trained in w's place.
        onto: the directions kept (d, k), orthonormal, where `at` has the rows' part along them.
    """

    spec: Spec
    data: Arrays
    at: Setting
    behind: Whitening | None = None
    onto: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        return len(self.at.inputs)

    @property
    def entries(self) -> int:
        return int(self.at.inputs.size)

    @property
    def scale(self) -> float:
        """The fourth root of the number of rows that statistics are taken over."""
        return float(self.at.whitening.n_rows**0.25)

    def start(self, width: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
        """Gamma 1, alpha 0, Gaussian W and V of variance 1 over their inputs, V at a tenth: on
        fifty digits Adam ends 0.15 % above the optimum, and from the usual size 1.1 %.
        """
        h, c = self.at.inputs.shape[-1], self.at.targets.shape[1]
        W = rng.standard_normal((h, width)) / np.sqrt(h)
        V = _OUTPUTS * rng.standard_normal((width, c)) / np.sqrt(width)
        return W, np.ones(width), np.zeros(width), V

    def objective(self, width: int, to: Callable[[np.ndarray], Any]) -> Objective:
        import torch

        X = to(self.at.inputs - self.at.whitening.mean)
        Y = to(self.at.targets)
        on = None
        if self.spec.neurons == "gated":
            flat = self.at.inputs.reshape(-1, self.at.inputs.shape[-1])
            mask = self._gates(width).on(flat).reshape(*self.at.inputs.shape[:-1], width)
            on = to(mask.astype(float))
        decay = self.spec.weight_decay * self.scale**2
        after = self.spec.position == "after"
        raw = to(self.at.inputs) if after else X
        loss = torch_loss(self.spec.loss)

        def value(weights: Weights, rows: Any) -> Any:
            W, gamma, alpha, V = weights
            some = slice(None) if rows is None else rows
            mask = None if on is None else on[some]
            linear = raw[some] @ W
            if after:
                linear = torch.relu(linear) if mask is None else linear * mask
            hidden = _normalised(linear) * gamma + alpha
            if not after:
                hidden = torch.relu(hidden) if mask is None else hidden * mask
            if hidden.ndim == 3:
                hidden = hidden.sum(dim=1)
            share = 1.0 if rows is None else len(X) / len(rows)
            penalty = sum(w.square().sum() for w in (gamma, alpha, V))
            return share * loss(hidden @ V, Y[some]) + 0.5 * decay * penalty

        return value

    def network(self, weights: Sequence[np.ndarray]) -> BatchNormNetwork:
        W, gamma, alpha, V = weights
        if self.onto is not None:  # on rows as they are, as on their part along the directions
            W = self.onto @ (self.onto.T @ W)
        centre = self.at.whitening.mean
        if self.spec.position == "after":
            centre = np.zeros_like(centre)
        n, width = self.at.whitening.n_rows, W.shape[1]
        unknown = Statistics(np.zeros(width), np.ones(width))
        layer = Layer(W, self.scale * gamma, self.scale * alpha, centre, unknown, n)
        bare = BatchNormNetwork(
            layer=layer,
            second_layer=self.scale * V,
            weight_decay=self.spec.weight_decay,
            loss=self.spec.loss,
            position=self.spec.position,
            earlier=self.at.earlier,
            gates=self._gates(width) if self.spec.neurons == "gated" else None,
            vector=self.at.vector,
        )
        return bare.trained_on(self.at.inputs) if self.behind is None else self._on_rows(bare)

    def _on_rows(self, bare: BatchNormNetwork) -> BatchNormNetwork:
        """The network on the rows themselves, for weights that were trained on whitened ones."""
        assert self.behind is not None
        root = np.sqrt(self.behind.n_rows)
        weights = root * self.behind.lift @ bare.layer.weights
        layer = replace(bare.layer, weights=weights, centre=self.behind.mean)
        return replace(bare, layer=layer).trained_on(self.data["X"])

    def value(self, network: BatchNormNetwork) -> float:
        return network.objective(self.data["X"], self.data["Y"])

    def measured(self, network: BatchNormNetwork) -> Mapping[str, Any]:
        """Loss and accuracy, of training and of what is held out, and what is learned where."""
        names = [name for name in ("X", "test_X") if name in self.data]
        outputs = {name: network.predict(self.data[name]) for name in names}
        return quality_of(self.spec, self.data, self.at, outputs)

    def train(self, options: Options, seed: int, on_record: OnRecord) -> Run:
        """Train from one random start; see `descend`."""
        return descend(self, options, seed, on_record)

    def finish(self, network: BatchNormNetwork) -> BatchNormNetwork:
        return network

    def _gates(self, width: int) -> Gates:
        """One gate a neuron, in turn."""
        gates = patterns_for(self.spec, self.at).gates
        white = self.at.whitening
        mine = gates[:, np.arange(width) % gates.shape[1]]
        lift = None if self.spec.position == "after" else white.lift
        return Gates(mine, white.mean, lift, white.constant)


def problem(spec: Spec, data: Arrays) -> BatchNormProblem:
    """The network that `solve` describes; of a deep one, the last two layers.

    With `n_directions` it is trained on the rows' part along the directions kept.
    """
    at = setting(spec, data)
    if not spec.n_directions:
        return BatchNormProblem(spec, data, at)
    white = at.whitening
    onto = white.lift * white.singular_values[: white.n_directions]
    flat = at.inputs.reshape(-1, at.inputs.shape[-1]) - white.mean
    part = (white.mean + (flat @ onto) @ onto.T).reshape(at.inputs.shape)
    return BatchNormProblem(spec, data, replace(at, inputs=part), onto=onto)


def quality_of(
    spec: Spec, data: Arrays, at: Setting, outputs: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Losses and accuracies of `outputs` for `X` and `test_X`, and `learned`, a share a direction.

    The share is `1 - |u_i'(Y - F)|^2 / |u_i'Y|^2`; below 0 where the outputs are further from
    the target than zero is.
    """
    found: dict[str, Any] = quality(spec, "train", outputs["X"], data["Y"])
    if "test_X" in outputs:
        found |= quality(spec, "test", outputs["test_X"], data["test_Y"])
    if at.features.ndim == 2:
        U, F = at.features[:, :-1], outputs["X"].reshape(at.targets.shape)
        left = np.sum((U.T @ (at.targets - F)) ** 2, axis=1)
        there = np.sum((U.T @ at.targets) ** 2, axis=1)
        found["learned"] = 1.0 - left / np.maximum(there, np.finfo(float).tiny)
    return found


def _normalised(linear: Any) -> Any:
    """Deviation 1 over all axes but the last."""
    axes = tuple(range(linear.ndim - 1))
    centred = linear - linear.mean(dim=axes)
    return centred / (centred.square().mean(dim=axes) + _TINY).sqrt()


def torch_loss(name: str) -> Callable[[Any, Any], Any]:
    """The loss of `core.losses` for tensors (n, c), a sum over rows."""
    from torch.nn import functional

    losses: dict[str, Any] = {
        "squared": lambda F, Y: 0.5 * (F - Y).square().sum(),
        "logistic": lambda F, Y: functional.softplus(-Y * F).sum(),
        "hinge": lambda F, Y: functional.relu(1.0 - Y * F).sum(),
        "cross_entropy": lambda F, Y: (F.logsumexp(dim=1) - (F * Y).sum(dim=1)).sum(),
    }
    chosen: Callable[[Any, Any], Any] = losses[name]
    return chosen
