"""The vector-output ReLU network as a program over its neurons.

    min over m, u_j, v_j    F = l(A(sum_j (X u_j)_+ v_j'), Y) + beta sum_j |u_j| |v_j|

This is `min l(sum_i A(D_i X Z_i), Y) + beta sum_i ||Z_i||_{K_i,*}` with each `Z_i = sum_k u_k v_k'`
factored inside its cone, and weight decay on two balanced layers (Sahiner, Ergen, Pauly, Pilanci:
Vector-output ReLU Neural Network Problems are Copositive Programs, ICLR 2021, Theorem 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from convexviz.core.dual_norm import DualNorm
from convexviz.core.losses import Loss, loss_named
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.readout import Readout, Rows
from convexviz.core.solution import Certificate
from convexviz.core.types import Array
from convexviz.errors import DataError, SpecError

if TYPE_CHECKING:
    import cvxpy as cp


@dataclass(frozen=True, slots=True, eq=False)
class VectorProgram(AbstractConvexProgram):
    """Vector-output training; row j of `variables` (m, d + k) is `u_j`, then `v_j`.

    Any number of rows is a point; rows of zeros say nothing. `norm` says which cones there are,
    and with them what a bound covers.

    Raises:
        DataError: the arrays do not fit together, or the loss refuses Y.
        SpecError: the weight decay is not positive and finite.
    """

    X: Float[np.ndarray, "N d"]
    Y: Float[np.ndarray, "n c"]
    weight_decay: float
    norm: DualNorm
    readout: Readout = field(default_factory=Rows)
    loss: Loss = field(default_factory=lambda: loss_named("squared"))

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight_decay) and self.weight_decay > 0):
            raise SpecError(f"weight_decay must be finite and > 0, got {self.weight_decay}")
        if self.readout.targets(len(self.X)) != len(self.Y):
            raise DataError(
                f"Y must have one row a sample, got {len(self.Y)} rows for "
                f"{self.readout.targets(len(self.X))} samples"
            )
        self.loss.check(self.Y)

    @property
    def outputs(self) -> int:
        """k: how many output weights a neuron has."""
        return self.readout.width(self.Y.shape[1])

    @property
    def beta_max(self) -> float:
        """From this weight decay on the optimum is the zero network."""
        return self.dual_norm(self.loss.minus_gradient(np.zeros_like(self.Y), self.Y))

    def with_weight_decay(self, weight_decay: float) -> VectorProgram:
        """The same program at another weight decay; the faces are shared."""
        return replace(self, weight_decay=weight_decay)

    def neurons(
        self, variables: Float[np.ndarray, "m dk"]
    ) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m k"]]:
        """The first and second layer of `variables`, a row a neuron."""
        d = self.X.shape[1]
        return variables[:, :d], variables[:, d:]

    def fit(self, variables: Float[np.ndarray, "m dk"]) -> Float[np.ndarray, "n c"]:
        """`A(sum_j (X u_j)_+ v_j')`."""
        U, V = self.neurons(variables)
        return self.readout.apply(np.maximum(self.X @ U.T, 0.0) @ V)

    def penalty(self, variables: Float[np.ndarray, "m dk"]) -> float:
        """`sum_j |u_j| |v_j|`: the path norm."""
        U, V = self.neurons(variables)
        return float(np.linalg.norm(U, axis=1) @ np.linalg.norm(V, axis=1))

    def dual_norm(self, R: Float[np.ndarray, "n c"]) -> float:
        """`M(R)`."""
        return self.norm.largest(self.readout.adjoint(R))

    def objective(self, variables: Float[np.ndarray, "m dk"]) -> float:
        """F: the convex objective of the factored blocks; `inf` where it is not finite, or where a
        neuron lies in none of the cones."""
        with np.errstate(over="ignore", invalid="ignore"):
            value = self.loss.value(self.fit(variables), self.Y)
            value += self.weight_decay * self.penalty(variables)
        if not np.isfinite(value) or not self.norm.admits(self.neurons(variables)[0]):
            return float("inf")
        return value

    def certify(self, variables: Float[np.ndarray, "m dk"]) -> Certificate:
        """F, and the dual value of its residual scaled to be feasible (THEORY 1.6, 1.8)."""
        primal = self.objective(variables)
        if not np.isfinite(primal):
            return Certificate(float("inf"), 0.0, self.norm.scope)
        R = self.loss.minus_gradient(self.fit(variables), self.Y)
        return Certificate(primal, min(self.bound(R), primal), self.norm.scope)

    def bound(self, R: Float[np.ndarray, "n c"], largest: float | None = None) -> float:
        """The best dual value along the ray of R; `largest` is M(R) where it is known."""
        M = self.dual_norm(R) if largest is None else largest
        limit = self.weight_decay / M if M > 0 else np.inf
        scale = self.loss.best_scale(R, self.Y, limit)
        return max(0.0, self.loss.dual_value(R, self.Y, scale))

    def to_network(self, variables: Float[np.ndarray, "m dk"]) -> Network:
        """One neuron a nonzero row, balanced: `|u_j| = |v_j|`."""
        first, second = balanced(*self.neurons(variables))
        return Network(np.ascontiguousarray(first.T), second, self.weight_decay)

    def to_cvxpy(self) -> cp.Problem:
        """The block form over every cell, exact where cones have at most four facets."""
        from convexviz.core.copositive import block_problem

        return block_problem(self)

    def from_cvxpy(self, problem: cp.Problem) -> Array:
        """Neurons of a solved `to_cvxpy()`: its blocks factored where that is possible."""
        from convexviz.core.copositive import fit_of, recovered

        return recovered(self, fit_of(self, problem))


def balanced(
    U: Float[np.ndarray, "m d"], V: Float[np.ndarray, "m k"]
) -> tuple[Float[np.ndarray, "q d"], Float[np.ndarray, "q k"]]:
    """The same network with `|u_j| = |v_j|`, without neurons that do nothing."""
    one, two = np.linalg.norm(U, axis=1), np.linalg.norm(V, axis=1)
    on = (one > 0) & (two > 0)
    ratio = np.sqrt(two[on] / one[on])[:, None]
    return U[on] * ratio, V[on] / ratio
