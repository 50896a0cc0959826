"""Ways to train by first-order steps: the network's weights, whitened weights, the convex program.

With `q = S V'w` a step of gradient descent on w moves q by `-rate S^2 grad_q`, one on q by
`-rate grad_q`: the first learns large directions first, the second has no order (THEORY 4.7). The
records hold `learned`, the share of the target learned in every direction of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import Setting, setting
from convexviz.architectures.batch_norm.descend import BatchNormProblem, quality_of, torch_loss
from convexviz.architectures.batch_norm.patterns import patterns_for
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.core.arrangements import patterns_of
from convexviz.core.whitening import Whitening
from convexviz.errors import SpecError
from convexviz.solvers.descent import OnRecord, Options, Run, descend
from convexviz.solvers.descent_problem import Objective, Weights


def whitened(spec: Spec, data: Arrays) -> BatchNormProblem:
    """The network on whitened rows `sqrt(n) U`: gradient descent on q in the place of w.

    Raises:
        SpecError: batch norm is not before the ReLU, where nothing is whitened.
    """
    at = _flat(spec, data)
    U = np.sqrt(at.whitening.n_rows) * at.features[:, :-1]
    identity = Whitening(
        mean=np.zeros(U.shape[1]),
        lift=np.eye(U.shape[1]) / np.sqrt(at.whitening.n_rows),
        singular_values=np.full(U.shape[1], np.sqrt(at.whitening.n_rows)),
        n_rows=at.whitening.n_rows,
        dropped=0,
    )
    inside = replace(at, inputs=U, whitening=identity)
    return BatchNormProblem(spec, data, inside, at.whitening)


@dataclass(frozen=True, slots=True, eq=False)
class GatedSteps:
    """The gated convex program on whitened rows, by first-order steps from zero.

    Weights are the groups (P, k+1, c) of `sqrt(n) U'` over `sqrt(P)`, so that one rate serves any
    number of gates.
    """

    spec: Spec
    data: Arrays
    at: Setting
    gates: Float[np.ndarray, "k1 P"]

    @property
    def n_rows(self) -> int:
        return len(self.at.inputs)

    @property
    def entries(self) -> int:
        return int(self.at.features.size)

    @property
    def scale(self) -> float:
        """From the groups as they are stepped to those of the program."""
        return float(np.sqrt(self.n_rows / self.gates.shape[1]))

    def start(self, width: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
        del width, rng  # a convex program has one optimum: zero is as good a start as any
        P, c = self.gates.shape[1], self.at.targets.shape[1]
        return (np.zeros((P, len(self.gates), c)),)

    def objective(self, width: int, to: Callable[[np.ndarray], Any]) -> Objective:
        import torch

        del width
        Z, Y = to(self.scale * self.at.features), to(self.at.targets)
        on = to(patterns_of(self.at.features, self.gates).astype(float))
        loss, decay = torch_loss(self.spec.loss), self.spec.weight_decay * self.scale

        def value(weights: Weights, rows: Any) -> Any:
            (S,) = weights
            some = slice(None) if rows is None else rows
            linear = torch.einsum("nk,pkc->npc", Z[some], S)
            F = torch.einsum("np,npc->nc", on[some], linear)
            share = 1.0 if rows is None else len(Z) / len(rows)
            # The gradient of a norm at zero is taken to be zero.
            squares = S.square().sum(dim=(1, 2))
            penalty = torch.sqrt(squares + (squares == 0)).sum() - (squares == 0).sum()
            return share * loss(F, Y[some]) + decay * penalty

        return value

    def network(self, weights: Sequence[np.ndarray]) -> Float[np.ndarray, "P k1 c"]:
        return self.scale * np.asarray(weights[0])

    def value(self, network: Float[np.ndarray, "P k1 c"]) -> float:
        from convexviz.core.losses import loss_named

        F = self._outputs(network, self.at.features)
        penalty = float(np.linalg.norm(network, axis=(1, 2)).sum())
        loss = loss_named(self.spec.loss).value(F, self.at.targets)
        return loss + self.spec.weight_decay * penalty

    def measured(self, network: Float[np.ndarray, "P k1 c"]) -> Mapping[str, Any]:
        outputs = {"X": self._outputs(network, self.at.features)}
        if "test_X" in self.data:
            rows = self.at.whitening.features(self.data["test_X"])
            outputs["test_X"] = self._outputs(network, rows)
        return quality_of(self.spec, self.data, self.at, outputs)

    def finish(self, network: Float[np.ndarray, "P k1 c"]) -> Float[np.ndarray, "P k1 c"]:
        """The groups themselves; a network is what `solve` makes of them."""
        return network

    def train(self, options: Options, seed: int, on_record: OnRecord) -> Run:
        """Train from zero; see `descend`."""
        return descend(self, options, seed, on_record)

    def _outputs(
        self, groups: Float[np.ndarray, "P k1 c"], features: Float[np.ndarray, "m k1"]
    ) -> Float[np.ndarray, "m c"]:
        on = patterns_of(features, self.gates)
        out = np.zeros((len(features), groups.shape[2]))
        for i in np.flatnonzero(groups.any(axis=(1, 2))):
            out += on[:, i, None] * (features @ groups[i])
        return out


def convex(spec: Spec, data: Arrays) -> GatedSteps:
    """The convex program with the gates of `spec`, cones dropped.

    Raises:
        SpecError: batch norm is not before the ReLU.
    """
    at = _flat(spec, data)
    return GatedSteps(spec, data, at, patterns_for(spec, at).gates)


def _flat(spec: Spec, data: Arrays) -> Setting:
    at = setting(spec, data)
    if spec.position == "after" or at.inputs.ndim > 2:
        raise SpecError(
            "only batch norm before the ReLU, on rows X (n, d), whitens the data; use "
            "parametrisation='weights'"
        )
    return at


PARAMETRISATIONS = {"whitened": whitened, "convex": convex}
