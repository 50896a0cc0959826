"""Batch norm after the ReLU with several outputs, summed patches and any loss.

    min l(A(sum_j h_j v_j'), Y) + beta sum_j |(C D_j X w_j, a_j)| |v_j|,
    h_j = C D_j X w_j + 1/sqrt(N) a_j,   w_j in the cone of its pattern D_j

Rows are patches, N of them, and batch norm's statistics are over all. In coordinates in which
`[C D_i X, 1/sqrt(N)]` is orthonormal this is `sum_i ||Z_i||_{K_i,*}` over the features of each
pattern (THEORY 4.3, 4.5, 4.6 together), with the dual norm `max_i max |A*(R)'F_i u|` over unit u of
the cone; where `C D_i X` has a null space, moving in it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.arrangements import Arrangements
from convexviz.core.losses import Loss, loss_named
from convexviz.core.network import Network
from convexviz.core.normalised import TOLERANCE
from convexviz.core.normalised_cones import NormalisedCones
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.readout import Readout, Rows
from convexviz.core.solution import Certificate
from convexviz.core.types import Array
from convexviz.errors import IncompatibleSolver, SpecError

if TYPE_CHECKING:
    import cvxpy as cp

_SOLVED = 1e-6  # of the largest group: below, it is a solver's zero


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedNeurons(AbstractConvexProgram):
    """Row j of `variables` (m, d + 2 + c): the number of its pattern, `w_j`, `a_j` and `v_j`.

    Any number of rows is a point; rows whose weights are zeros say nothing.

    Raises:
        SpecError: the weight decay is not positive and finite.
        DataError: the loss refuses Y.
    """

    X: Float[np.ndarray, "N d"]
    Y: Float[np.ndarray, "n c"]
    weight_decay: float
    norm: NormalisedCones
    readout: Readout = field(default_factory=Rows)
    loss: Loss = field(default_factory=lambda: loss_named("squared"))

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight_decay) and self.weight_decay > 0):
            raise SpecError(f"weight_decay must be finite and > 0, got {self.weight_decay}")
        self.loss.check(self.Y)

    @property
    def arrangements(self) -> Arrangements:
        """The patterns, and their gates."""
        return self.norm.arrangements

    @property
    def beta_max(self) -> float:
        """At least the weight decay from which on the optimum is zero."""
        R = self.loss.minus_gradient(np.zeros_like(self.Y), self.Y)
        return self.norm.prove(self.readout.adjoint(R)).value

    def with_weight_decay(self, weight_decay: float) -> NormalisedNeurons:
        """The same data and patterns at another weight decay."""
        return replace(self, weight_decay=weight_decay)

    def parts(
        self, variables: Float[np.ndarray, "m r"]
    ) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m d1"], Float[np.ndarray, "m c"]]:
        """Pattern, `(w, a)` and `v` of every neuron."""
        d = self.X.shape[1]
        return variables[:, 0].astype(np.int64), variables[:, 1 : d + 2], variables[:, d + 2 :]

    def hidden(self, variables: Float[np.ndarray, "m r"]) -> Float[np.ndarray, "N m"]:
        """`C D_j X w_j + 1/sqrt(N) a_j`."""
        owner, U, _ = self.parts(variables)
        linear = np.where(self.arrangements.patterns[:, owner], self.X @ U[:, :-1].T, 0.0)
        centred = linear - linear.mean(axis=0)
        return np.asarray(centred + U[:, -1] / np.sqrt(len(self.X)))

    def fit(self, variables: Float[np.ndarray, "m r"]) -> Float[np.ndarray, "n c"]:
        """`A(sum_j h_j v_j')`."""
        return self.readout.apply(self.hidden(variables) @ self.parts(variables)[2])

    def objective(self, variables: Float[np.ndarray, "m r"]) -> float:
        if not np.isfinite(variables).all() or not np.isin(variables[:, 0], self._numbers).all():
            return float("inf")
        if self.violation(variables) > TOLERANCE:
            return float("inf")
        lengths = np.linalg.norm(self.hidden(variables), axis=0)
        penalty = float(lengths @ np.linalg.norm(self.parts(variables)[2], axis=1))
        value = self.loss.value(self.fit(variables), self.Y) + self.weight_decay * penalty
        return value if np.isfinite(value) else float("inf")

    def violation(self, variables: Float[np.ndarray, "m r"]) -> float:
        """How much of a neuron's output the ReLU itself would cut off or add, of its length: what
        no row sees may be as long as it likes.
        """
        owner, U, _ = self.parts(variables)
        if self.norm.gated or not len(owner):
            return 0.0
        inside = np.where(self.arrangements.patterns[:, owner], 1.0, -1.0)
        depth = np.linalg.norm(np.minimum(inside * (self.X @ U[:, :-1].T), 0.0), axis=0)
        lengths = np.linalg.norm(self.hidden(variables), axis=0)
        return float((depth / np.where(lengths > 0, lengths, 1.0)).max(initial=0.0))

    def certify(self, variables: Float[np.ndarray, "m r"]) -> Certificate:
        """The objective, and the dual value of its residual scaled to be feasible."""
        primal = self.objective(variables)
        if not np.isfinite(primal):
            return Certificate(float("inf"), 0.0, self.norm.scope)
        R = self.loss.minus_gradient(self.fit(variables), self.Y)
        return Certificate(primal, min(self.bound(R), primal), self.norm.scope)

    def bound(self, R: Float[np.ndarray, "n c"], largest: float | None = None) -> float:
        """The best dual value along the ray of R; `largest` is its dual norm where known."""
        M = self.norm.prove(self.readout.adjoint(R)).value if largest is None else largest
        limit = self.weight_decay / M if M > 0 else np.inf
        return max(self.loss.dual_value(R, self.Y, self.loss.best_scale(R, self.Y, limit)), 0.0)

    def to_network(self, variables: Float[np.ndarray, "m r"]) -> Network:
        """Neurons `u = [w; a]`, `v`, balanced: the length of a neuron is that of its output."""
        _, U, V = self.parts(variables)
        one, two = np.linalg.norm(self.hidden(variables), axis=0), np.linalg.norm(V, axis=1)
        on = (one > 0) & (two > 0)
        ratio = np.sqrt(two[on] / one[on])[:, None]
        first = np.ascontiguousarray((U[on] * ratio).T)
        return Network(first, V[on] / ratio, self.weight_decay)

    def to_cvxpy(self) -> cp.Problem:
        """The program with a group of weights for each pattern: gated, or of one output.

        Raises:
            IncompatibleSolver: a nuclear norm within a cone has no plain form.
        """
        import cvxpy as cp

        c = self.Y.shape[1]
        if c > 1 and not self.norm.gated:
            raise IncompatibleSolver("cvxpy takes one output, or gated neurons, after the ReLU")
        fit, penalty, constraints = 0, 0, []
        for i, sign, name in self._groups():
            F = self.norm.features(i)
            Z = cp.Variable((F.shape[1], c), name=name)
            pooled = self.readout.apply(F)
            fit = fit + sign * (pooled @ Z)
            seen = np.r_[np.arange(self.norm.blocks[i].rank), F.shape[1] - 1]
            length = cp.normNuc(Z[seen]) if self.norm.gated else cp.norm(Z[seen], "fro")
            penalty = penalty + length
            if len(self.norm.normals(i)):
                constraints.append(self.norm.normals(i) @ Z >= 0)
        value = self.loss.to_cvxpy(fit, self.Y) + self.weight_decay * penalty
        return cp.Problem(cp.Minimize(value), constraints)

    def from_cvxpy(self, problem: cp.Problem) -> Array:
        return self.rows(*self.neurons_of(problem))

    def neurons_of(
        self, problem: cp.Problem
    ) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m d1"], Float[np.ndarray, "m c"]]:
        """Patterns, coordinates in them and outputs of the neurons of a solved `to_cvxpy()`."""
        owners: list[int] = []
        points, outputs = [], []
        # A null space costs nothing and does nothing: what a solver leaves there is dropped.
        values = {}
        for i, _, name in self._groups():
            Z, rank = np.asarray(problem.var_dict[name].value), self.norm.blocks[i].rank
            values[name] = np.vstack([Z[:rank], Z[-1:]])
        least = _SOLVED * max(float(np.linalg.norm(Z)) for Z in values.values())
        for i, sign, name in self._groups():
            Z = values[name]
            if np.linalg.norm(Z) <= least:  # an interior point leaves nothing at zero
                continue
            U, s, Vt = np.linalg.svd(Z, full_matrices=False)
            for u, size, v in zip(U.T, s, Vt, strict=True):
                if self.norm.gated:
                    E, V = np.zeros(problem.var_dict[name].shape[0]), size * v
                    E[: len(u) - 1], E[-1] = u[:-1], u[-1]
                else:  # one output: the nearest that the cone allows
                    E, V = self.norm.blocks[i].project(Z[:, 0])[0], np.array([sign])
                owners.append(i)
                points.append(E)
                outputs.append(V)
        width = self.norm.features(0).shape[1] if len(self.norm.blocks) else 1
        shape, c = (len(owners), width), self.Y.shape[1]
        E, V = np.array(points).reshape(shape), np.array(outputs).reshape(len(owners), c)
        return np.array(owners, dtype=np.int64), E, V

    def rows(
        self,
        owner: Int[np.ndarray, " m"],
        E: Float[np.ndarray, "m d1"],
        V: Float[np.ndarray, "m c"],
    ) -> Float[np.ndarray, "m r"]:
        """`variables` of neurons in the coordinates of their patterns."""
        lifted = [self.norm.weights(i, e) for i, e in zip(owner.tolist(), E, strict=True)]
        W = np.array(lifted).reshape(len(E), self.X.shape[1])
        return np.hstack([owner[:, None].astype(np.float64), W, E[:, -1:], V])

    @property
    def _numbers(self) -> Int[np.ndarray, " P"]:
        return np.arange(len(self.arrangements))

    def _groups(self) -> Iterator[tuple[int, float, str]]:
        signs = ((1.0, "Z"),) if self.norm.gated else ((1.0, "w"), (-1.0, "z"))
        for i in range(len(self.norm.blocks)):
            for sign, letter in signs:
                yield i, sign, f"{letter}{i}"
