"""The program where the features are a square orthogonal matrix: hidden layers are free.

Every `h >= 0` is `(U's)_+` of an `s` as long as `h`, so the neurons are their activations:

    min over H >= 0    l(H'T, Y) + beta sum_j |h_j|,    row j of T the unit output of neuron j.

Ergen et al., Demystifying Batch Normalization in ReLU Networks, ICLR 2022, the closed forms of the
high-dimensional case; the same program for whitened data, Sahiner et al., Vector-output ReLU
Neural Network Problems are Copositive Programs, ICLR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from convexviz.core.losses import Loss
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array

if TYPE_CHECKING:
    import cvxpy as cp

_SQUARE = 3_000  # distinct rows up to which the matrix of their products is formed


@dataclass(frozen=True, slots=True, eq=False)
class OrthonormalProgram(AbstractConvexProgram):
    """Row j of `variables` (m, n) is `s_j = U'h_j`, the weights of the neuron with output `T[j]`.

    The dual norm `max |R'h|` over unit `h >= 0` is at most the root of the largest eigenvalue of
    the positive part of `R R'`, entry by entry; with one class a row this is attained. So the
    bound covers every ReLU network, of any width and with any outputs.
    """

    U: Float[np.ndarray, "n n"]
    Y: Float[np.ndarray, "n c"]
    T: Float[np.ndarray, "m c"]
    loss: Loss
    weight_decay: float

    @property
    def beta_max(self) -> float:
        """From this weight decay on the optimum is zero."""
        return dual_norm(self.loss.minus_gradient(np.zeros_like(self.Y), self.Y))

    def with_weight_decay(self, weight_decay: float) -> OrthonormalProgram:
        """The same data at another weight decay."""
        return replace(self, weight_decay=weight_decay)

    def activations(self, variables: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "m n"]:
        """H, row j `(U s_j)_+`."""
        return np.maximum(variables @ self.U.T, 0.0)

    def fit(self, variables: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "n c"]:
        """The prediction `H'T`."""
        return self.activations(variables).T @ self.T

    def objective(self, variables: Array) -> float:
        penalty = self.weight_decay * float(np.linalg.norm(variables, axis=1).sum())
        value = self.loss.value(self.fit(variables), self.Y) + penalty
        return value if np.isfinite(value) else float("inf")

    def certify(self, variables: Array) -> Certificate:
        primal = self.objective(variables)
        dual = self._bound(self.loss.minus_gradient(self.fit(np.nan_to_num(variables)), self.Y))
        if self.loss.name == "hinge":  # at the kink, where its solution is, it has no gradient
            _, label, counts = np.unique(self.Y, return_inverse=True, return_counts=True)
            share = np.minimum(1.0, self.weight_decay / np.sqrt(counts))
            dual = max(dual, self._bound(self.Y * share[label].reshape(self.Y.shape)))
        return Certificate(primal, min(max(dual, 0.0), primal), Scope.RELU_NETWORK)

    def _bound(self, R: Float[np.ndarray, "n c"]) -> float:
        largest = dual_norm(R)
        limit = self.weight_decay / largest if largest > 0 else float("inf")
        return self.loss.dual_value(R, self.Y, self.loss.best_scale(R, self.Y, limit))

    def to_network(self, variables: Array) -> Network:
        """`u_j = s_j / sqrt|s_j|`, `v_j = sqrt|s_j| T_j`; a zero row makes no neuron."""
        return neurons_of(variables, self.T, self.weight_decay)

    def to_cvxpy(self) -> cp.Problem:
        """The program as printed above."""
        import cvxpy as cp

        H = cp.Variable((len(self.T), len(self.Y)), name="H", nonneg=True)
        F = H.T @ self.T
        losses = {
            "squared": lambda: 0.5 * cp.sum_squares(F - self.Y),
            "hinge": lambda: cp.sum(cp.pos(1 - cp.multiply(self.Y, F))),
            "logistic": lambda: cp.sum(cp.logistic(-cp.multiply(self.Y, F))),
            "cross_entropy": lambda: cp.sum(
                cp.log_sum_exp(F, axis=1) - cp.sum(cp.multiply(F, self.Y), axis=1)
            ),
        }
        penalty = self.weight_decay * cp.sum(cp.norm(H, 2, axis=1))
        return cp.Problem(cp.Minimize(losses[self.loss.name]() + penalty))

    def from_cvxpy(self, problem: cp.Problem) -> Float[np.ndarray, "m n"]:
        H = np.maximum(np.asarray(problem.var_dict["H"].value, dtype=np.float64), 0.0)
        return H @ self.U


def neurons_of(
    S: Float[np.ndarray, "m d"], T: Float[np.ndarray, "m c"], weight_decay: float
) -> Network:
    """Balanced neurons of the rows of S that are not zero, with unit outputs T."""
    norms = np.linalg.norm(S, axis=1)
    on = norms > 0
    roots = np.sqrt(norms[on])[:, None]
    return Network(np.ascontiguousarray((S[on] / roots).T), roots * T[on], weight_decay)


def dual_norm(R: Float[np.ndarray, "n c"]) -> float:
    """At least `max |R'h|` over unit `h >= 0`, and equal where no row of R mixes two classes.

    `h'R R'h` only grows when the negative entries of `R R'` are taken away. Beyond 3,000 distinct
    rows that matrix would not fit: then the less of `|R|` and what columns allow one by one.
    """
    size = float(np.abs(R).max(initial=0.0))
    if size == 0.0:
        return 0.0
    R = R / size
    if R.shape[1] == 1:
        r = R[:, 0]
        largest = max(np.linalg.norm(np.maximum(r, 0.0)), np.linalg.norm(np.minimum(r, 0.0)))
        return size * float(largest)
    if len(R) > _SQUARE and len(np.unique(R, axis=0)) > _SQUARE:
        above, below = np.maximum(R, 0.0), np.minimum(R, 0.0)
        columns = np.maximum((above**2).sum(axis=0), (below**2).sum(axis=0))
        squares = min(float(columns.sum()), float(np.linalg.eigvalsh(R.T @ R)[-1]))
        return size * float(np.sqrt(squares)) * (1.0 + 1e-12 * len(R))
    # Equal rows make equal activations: one row a class, weighted by the root of its count.
    distinct, counts = np.unique(R, axis=0, return_counts=True)
    weighted = distinct * np.sqrt(counts)[:, None]
    gram = np.maximum(weighted @ weighted.T, 0.0)
    return size * float(np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0)))


def class_outputs(Y: Float[np.ndarray, "n c"], loss: Loss) -> Float[np.ndarray, "m c"] | None:
    """The unit outputs of the closed form's neurons, or None where there is no closed form.

    Squared loss: every row of Y has at most one entry that is not zero, and each sign of each
    column in use is a neuron. Logistic and hinge: one column of signs. Cross-entropy: one-hot
    rows; the outputs are the corners of a simplex about its centre.
    """
    c = Y.shape[1]
    if loss.name == "cross_entropy":
        corners = (np.eye(c) - 1.0 / c) / np.sqrt(1.0 - 1.0 / c)
        return corners[Y.any(axis=0)]
    if loss.name in ("logistic", "hinge"):
        return np.array([[s] for s in (1.0, -1.0) if np.any(s == Y)]) if c == 1 else None
    if np.any(np.count_nonzero(Y, axis=1) > 1):
        return None
    signed = [
        sign * np.eye(c)[j] for j in range(c) for sign in (1.0, -1.0) if (sign * Y[:, j] > 0).any()
    ]
    return np.array(signed).reshape(-1, c)
