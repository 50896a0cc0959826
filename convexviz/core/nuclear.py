"""The gated vector-output network: cones dropped, a plain nuclear norm a pattern.

    min  l(A(sum_i D_i X Z_i), Y) + beta sum_i ||Z_i||_*

Gates are fixed, so each `Z_i` is free; its singular vectors are neurons (Sahiner, Ergen, Ozturkler,
Pauly, Mardani, Pilanci: Scaling Convex Neural Networks with Burer-Monteiro Factorization, eq. (6);
THEORY 3.8). The optimum is that of the gated network and bounds no ReLU network.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.arrangements import Arrangements
from convexviz.core.losses import Loss, loss_named
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.readout import Readout, Rows
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array
from convexviz.errors import DataError, IncompatibleSolver, SpecError

if TYPE_CHECKING:
    import cvxpy as cp

_ENTRIES = 2**22  # of rows times patterns times outputs at a time: 32 MB
_RANK = 1e-12  # of the largest singular value of a block: below, it is no neuron
REFERENCE_ENTRIES = 20_000_000


@dataclass(frozen=True, slots=True, eq=False)
class NuclearProgram(AbstractConvexProgram):
    """Gated vector-output training; `variables` (P, d, k) are the blocks `Z_i`.

    Raises:
        DataError: the arrays do not fit together, or the loss refuses Y.
        SpecError: the weight decay is not positive and finite.
    """

    X: Float[np.ndarray, "N d"]
    Y: Float[np.ndarray, "n c"]
    arrangements: Arrangements
    weight_decay: float
    readout: Readout = field(default_factory=Rows)
    loss: Loss = field(default_factory=lambda: loss_named("squared"))

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight_decay) and self.weight_decay > 0):
            raise SpecError(f"weight_decay must be finite and > 0, got {self.weight_decay}")
        rows = self.readout.targets(len(self.X))
        if rows != len(self.Y) or len(self.arrangements.patterns) != len(self.X):
            raise DataError(
                f"Y must have one row a sample and patterns one a row of X, got {len(self.Y)} "
                f"for {rows} samples and {len(self.arrangements.patterns)} for {len(self.X)} rows"
            )
        self.loss.check(self.Y)

    @property
    def shape(self) -> tuple[int, int, int]:
        """P, d and k: the shape of `variables`."""
        k = self.readout.width(self.Y.shape[1])
        return len(self.arrangements), self.X.shape[1], k

    @property
    def beta_max(self) -> float:
        """From this weight decay on the optimum is the zero network."""
        return self.dual_norm(self.loss.minus_gradient(np.zeros_like(self.Y), self.Y))

    def with_weight_decay(self, weight_decay: float) -> NuclearProgram:
        """The same data and gates at another weight decay."""
        return replace(self, weight_decay=weight_decay)

    def fit(self, Z: Float[np.ndarray, "P d k"]) -> Float[np.ndarray, "n c"]:
        """`A(sum_i D_i X Z_i)`; blocks of zeros cost nothing."""
        on = np.flatnonzero(Z.any(axis=(1, 2)))
        hidden = np.zeros((len(self.X), Z.shape[2]))
        if len(on):
            weights = np.ascontiguousarray(Z[on].transpose(1, 0, 2)).reshape(Z.shape[1], -1)
            for rows in self._blocks(len(on) * Z.shape[2]):
                linear = (self.X[rows] @ weights).reshape(-1, len(on), Z.shape[2])
                masks = self.arrangements.patterns[rows][:, on].astype(np.float64)
                hidden[rows] = np.einsum("np,npk->nk", masks, linear)
        return self.readout.apply(hidden)

    def correlations(self, R: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "P d k"]:
        """`X' D_i A*(R)` for every pattern."""
        G = self.readout.adjoint(R)
        P, d, k = self.shape
        out = np.zeros((P, d * k))
        for rows in self._blocks(d * k):
            outer = (self.X[rows][:, :, None] * G[rows][:, None, :]).reshape(-1, d * k)
            out += self.arrangements.patterns[rows].T.astype(np.float64) @ outer
        return out.reshape(P, d, k)

    def dual_norm(self, R: Float[np.ndarray, "n c"]) -> float:
        """`max_i sigma_1(X' D_i A*(R))`."""
        C = self.correlations(R)
        return float(np.linalg.norm(C, 2, axis=(1, 2)).max(initial=0.0))

    def penalty(self, Z: Float[np.ndarray, "P d k"]) -> float:
        """`sum_i ||Z_i||_*`."""
        on = Z.any(axis=(1, 2))
        return float(np.linalg.svd(Z[on], compute_uv=False).sum()) if on.any() else 0.0

    def objective(self, variables: Float[np.ndarray, "P d k"]) -> float:
        if not np.isfinite(variables).all():
            return float("inf")
        value = self.loss.value(self.fit(variables), self.Y)
        return value + self.weight_decay * self.penalty(variables)

    def certify(self, variables: Float[np.ndarray, "P d k"]) -> Certificate:
        """The objective, and the dual value of its residual scaled to be feasible."""
        primal = self.objective(variables)
        if not np.isfinite(primal):
            return Certificate(float("inf"), 0.0, Scope.GATED_NETWORK)
        R = self.loss.minus_gradient(self.fit(variables), self.Y)
        M = self.dual_norm(R)
        limit = self.weight_decay / M if M > 0 else np.inf
        dual = self.loss.dual_value(R, self.Y, self.loss.best_scale(R, self.Y, limit))
        return Certificate(primal, min(max(dual, 0.0), primal), Scope.GATED_NETWORK)

    def neurons(
        self, variables: Float[np.ndarray, "P d k"]
    ) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m k"], Int[np.ndarray, " m"]]:
        """Balanced neurons from the singular vectors of each block, and whose gate each has."""
        return singular_neurons(variables)

    def blocks(
        self,
        U: Float[np.ndarray, "m d"],
        V: Float[np.ndarray, "m k"],
        owner: Int[np.ndarray, " m"],
    ) -> Float[np.ndarray, "P d k"]:
        """`Z_i = sum u_j v_j'` over the neurons of gate i."""
        Z = np.zeros(self.shape)
        np.add.at(Z, owner, U[:, :, None] * V[:, None, :])
        return Z

    def packed(self, variables: Array) -> Float[np.ndarray, "m d1k"]:
        """A row a neuron: the number of its gate, `u_j` and `v_j`."""
        U, V, owner = self.neurons(variables)
        return np.hstack([owner[:, None].astype(np.float64), U, V])

    def unpadded(self, variables: Array) -> Float[np.ndarray, "P d k"]:
        """The blocks that rows of neurons add up to."""
        return self.blocks(*unpacked_neurons(variables, self.shape[1]))

    def to_network(self, variables: Array) -> Network:
        """One gated neuron a singular value: `u sqrt(s)`, `v sqrt(s)`, gate `g_i`."""
        U, V, owner = self.neurons(variables)
        gates = self.arrangements.gates[:, owner]
        return Network(np.ascontiguousarray(U.T), V, self.weight_decay, gates)

    def to_cvxpy(self) -> cp.Problem:
        """The program as printed above.

        Raises:
            IncompatibleSolver: the dense features would not fit.
        """
        import cvxpy as cp

        P, d, k = self.shape
        if self.Y.size * P * d * k > REFERENCE_ENTRIES:
            raise IncompatibleSolver("cvxpy takes small gated programs only; use NuclearDescent")
        fit, penalty = 0, 0
        for i in range(P):
            Z = cp.Variable((d, k), name=f"Z{i}")
            masked = self.arrangements.patterns[:, i][:, None] * self.X
            raw = np.zeros((len(self.X), k, d, k))
            raw[:, np.arange(k), :, np.arange(k)] = masked[None]
            matrix = self.readout.apply(raw.reshape(len(self.X), k, d * k)).reshape(-1, d * k)
            fit = fit + matrix @ cp.vec(Z, order="C")
            penalty = penalty + cp.normNuc(Z)
        if self.loss.name == "squared":
            value = 0.5 * cp.sum_squares(fit - self.Y.ravel())
        else:
            F = cp.reshape(fit, self.Y.shape, order="C")
            value = cp.sum(cp.log_sum_exp(F, axis=1)) - cp.sum(cp.multiply(self.Y, F))
        return cp.Problem(cp.Minimize(value + self.weight_decay * penalty))

    def from_cvxpy(self, problem: cp.Problem) -> Array:
        names = problem.var_dict
        found = [np.asarray(names[f"Z{i}"].value, dtype=np.float64) for i in range(self.shape[0])]
        return np.stack(found)

    def _blocks(self, width: int) -> list[slice]:
        step = max(1, _ENTRIES // max(1, width))
        return [slice(start, start + step) for start in range(0, len(self.X), step)]


def unpacked_neurons(
    variables: Array, d: int
) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m k"], Int[np.ndarray, " m"]]:
    """The neurons of a row of a path, `NuclearProgram.packed`, or of whole blocks (P, d, k).

    Raises:
        DataError: the number of a gate is none.
    """
    if variables.ndim == 3:
        return singular_neurons(variables)
    rows = variables[variables[:, 1:].any(axis=1)]
    numbers = rows[:, 0]
    odd = numbers[~((numbers == np.floor(numbers)) & (numbers >= 0))]
    if len(odd):
        raise DataError(f"variables must number gates from 0 on in column 0, got {odd[0]}")
    return rows[:, 1 : d + 1], rows[:, d + 1 :], rows[:, 0].astype(np.int64)


def singular_neurons(
    Z: Float[np.ndarray, "P d k"],
) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m k"], Int[np.ndarray, " m"]]:
    """Balanced neurons from the singular vectors of each block, and whose block each is of."""
    first, second = [np.zeros((0, Z.shape[1]))], [np.zeros((0, Z.shape[2]))]
    owners: list[int] = []
    for i in np.flatnonzero(Z.any(axis=(1, 2))):
        U, s, Vt = np.linalg.svd(Z[i], full_matrices=False)
        keep = s > _RANK * s[0]
        roots = np.sqrt(s[keep])[:, None]
        first.append(roots * U.T[keep])
        second.append(roots * Vt[keep])
        owners += [int(i)] * int(keep.sum())
    return np.concatenate(first), np.concatenate(second), np.array(owners, dtype=np.int64)
