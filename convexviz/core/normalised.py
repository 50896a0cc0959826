"""Batch norm after the ReLU: every neuron's activations are centred and divided by their length.

    min 1/2 |sum_i (C D_i X (w_i - z_i) + 1/sqrt(n) (a_i - b_i)) - y|^2
        + beta sum_i (|(C D_i X w_i, a_i)| + |(C D_i X z_i, b_i)|),   w_i, z_i in the cone K_i

The rank-safe form of the program in Ergen et al., Demystifying Batch Normalization in ReLU
Networks, ICLR 2022 (batch norm after the activation): where `C D_i X` has a null space, moving in
it costs nothing and may be what keeps w_i in its cone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from convexviz.core.arrangements import Arrangements
from convexviz.core.bounds import dual_value
from convexviz.core.network import Network
from convexviz.core.normalised_blocks import Block, Blocks
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array
from convexviz.errors import SpecError

if TYPE_CHECKING:
    import cvxpy as cp

TOLERANCE = 1e-7  # how deep a unit row may be outside a cone; see `violation`


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedProgram(AbstractConvexProgram):
    """Scalar outputs, batch norm after the ReLU; `variables` (2, P, d+1) are `w_i, a_i` above
    `z_i, b_i`, and with `gated` (P, d+1), without cones.

    Raises:
        SpecError: the weight decay is not finite or negative.
    """

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    arrangements: Arrangements
    weight_decay: float
    gated: bool = False
    blocks: Blocks | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.weight_decay < np.inf:
            raise SpecError(f"weight_decay must be in [0, inf), got {self.weight_decay}")
        if self.blocks is None:
            blocks = Blocks(self.X, self.arrangements.patterns)
            object.__setattr__(self, "blocks", blocks)

    @property
    def scope(self) -> Scope:
        """What a lower bound on this program covers."""
        if self.gated:
            return Scope.GATED_NETWORK
        return Scope.RELU_NETWORK if self.arrangements.complete else Scope.SAMPLED_PROGRAM

    @property
    def signs(self) -> tuple[float, ...]:
        """The signs with which a pattern's groups enter."""
        return (1.0,) if self.gated else (1.0, -1.0)

    @property
    def beta_max(self) -> float:
        """From this weight decay on the optimum is zero."""
        return self.largest_correlation(self.y)

    def with_weight_decay(self, weight_decay: float) -> NormalisedProgram:
        """The same data at another weight decay; the blocks are shared."""
        return replace(self, weight_decay=weight_decay)

    def block(self, i: int) -> Block:
        """Pattern i in orthonormal coordinates; found once."""
        assert self.blocks is not None
        return self.blocks[i]

    def weights(self, i: int, e: Float[np.ndarray, " k1"]) -> Float[np.ndarray, " d"]:
        """The weights of (coordinates, a) of block i."""
        assert self.blocks is not None
        w = self.blocks[i].lifted(e)
        return np.asarray(self.blocks.back @ (w if self.gated else self.blocks[i].onto_walls(w, e)))

    def outputs(self, variables: Array) -> Float[np.ndarray, "g P n"]:
        """`C D_i X w_i` and `1/sqrt(n) a_i` together, for every group."""
        groups = variables.reshape(-1, *variables.shape[-2:])
        masks = self.arrangements.patterns.T
        linear = np.where(masks, np.einsum("nd,gpd->gpn", self.X, groups[..., :-1]), 0.0)
        centred = linear - linear.mean(axis=-1, keepdims=True)
        return np.asarray(centred + groups[..., -1:] / np.sqrt(len(self.X)))

    def fit(self, variables: Array) -> Float[np.ndarray, " n"]:
        """The prediction."""
        signs = np.array(self.signs)
        return np.asarray(np.einsum("g,gpn->n", signs, self.outputs(variables)))

    def violation(self, variables: Array) -> float:
        """How much of a group's output the ReLU itself would cut off or add, of its length: what no
        row sees may be as long as it likes.
        """
        if self.gated:
            return 0.0
        inside = np.where(self.arrangements.patterns, 1.0, -1.0)
        depth = inside.T * np.einsum("nd,gpd->gpn", self.X, variables[..., :-1])
        lengths = np.linalg.norm(self.outputs(variables), axis=-1).reshape(depth.shape[:-1])
        worst = np.linalg.norm(np.minimum(depth, 0.0), axis=-1)
        return float((worst / np.where(lengths > 0, lengths, 1.0)).max(initial=0.0))

    def objective(self, variables: Array) -> float:
        if not np.isfinite(variables).all() or self.violation(variables) > TOLERANCE:
            return float("inf")
        outputs = self.outputs(variables)
        residual = np.einsum("g,gpn->n", np.array(self.signs), outputs) - self.y
        penalty = self.weight_decay * float(np.linalg.norm(outputs, axis=-1).sum())
        return float(0.5 * residual @ residual) + penalty

    def certify(self, variables: Array) -> Certificate:
        """The objective, and the dual bound from the residual at `variables`."""
        if not np.isfinite(variables).all():
            return Certificate(float("inf"), 0.0, self.scope)
        primal = self.objective(variables)
        r = self.y - self.fit(variables)
        dual = dual_value(self.y, r, self.largest_correlation(r), self.weight_decay)
        return Certificate(primal, min(dual, primal), self.scope)

    def largest_correlation(self, r: Float[np.ndarray, " n"]) -> float:
        """An upper bound, tight to rounding, on `r` against the unit output of any neuron."""
        largest = 0.0
        for i in range(len(self.arrangements)):
            block = self.block(i)
            longest = block.longest(r)
            if longest > largest and self.gated:
                largest = longest
            elif longest > largest:
                largest = max(largest, block.largest(r), block.largest(-r))
        return largest

    def to_network(self, variables: Array) -> Network:
        """`u = [w; a] / sqrt(rho)`, `v = +-sqrt(rho)` with `rho = |(C D_i X w, a)|`.

        A neuron's length is that of its output; the weights w have any scale.
        """
        sizes = np.linalg.norm(self.outputs(variables), axis=-1)
        groups = variables.reshape(*sizes.shape, -1)
        signs, index = np.nonzero(sizes)
        roots = np.sqrt(sizes[signs, index])
        first = groups[signs, index] / roots[:, None]
        second = (np.array(self.signs)[signs] * roots)[:, None]
        return Network(np.ascontiguousarray(first.T), second, self.weight_decay)

    def to_cvxpy(self) -> cp.Problem:
        """The program as printed above."""
        import cvxpy as cp

        n, d = self.X.shape
        names = ("w", "z")[: len(self.signs)]
        groups = {name: cp.Variable((len(self.arrangements), d + 1), name=name) for name in names}
        prediction, penalty, constraints = 0, 0, []
        for sign, (_, W) in zip(self.signs, groups.items(), strict=True):
            for i, pattern in enumerate(self.arrangements.patterns.T):
                masked = np.where(pattern[:, None], self.X, 0.0)
                F = np.hstack([masked - masked.mean(axis=0), np.full((n, 1), 1 / np.sqrt(n))])
                prediction = prediction + sign * (F @ W[i])
                penalty = penalty + cp.norm(F @ W[i], 2)
                if not self.gated:
                    inside = np.where(pattern, 1.0, -1.0)[:, None] * self.X
                    constraints.append(inside @ W[i][:d] >= 0)
        value = 0.5 * cp.sum_squares(prediction - self.y) + self.weight_decay * penalty
        return cp.Problem(cp.Minimize(value), constraints)

    def from_cvxpy(self, problem: cp.Problem) -> Array:
        """`variables` of a solved `to_cvxpy()`, each group moved into its cone."""
        names = ("w", "z")[: len(self.signs)]
        found = np.stack([np.asarray(problem.var_dict[name].value) for name in names])
        return found[0] if self.gated else self.feasible(found)

    def feasible(self, variables: Float[np.ndarray, "2 P d1"]) -> Float[np.ndarray, "2 P d1"]:
        """The nearest outputs that the cones allow."""
        out = np.zeros_like(variables)
        sizes = np.linalg.norm(self.outputs(variables), axis=-1)
        for g, i in np.argwhere(sizes > 1e-12 * sizes.max(initial=0.0)):
            block = self.block(int(i))
            point, _ = block.project(block.features.T @ self.outputs(variables)[g, i])
            out[g, i, :-1] = self.weights(int(i), point)
            out[g, i, -1] = point[-1]
        return out
