"""The ReLU network itself as a program over neurons: no pattern is fixed in advance.

    min over m, w_j, s_j = +-1    F = 1/2 |y - sum_j s_j (X w_j)_+|^2 + beta sum_j |w_j|

With `w_j = |v_j| u_j` and `s_j = sign v_j` this is weight decay on the network's two layers
(balanced weights, THEORY 1.1); over all m it is the convex program on every pattern (Pilanci and
Ergen, Neural Networks are Convex Regularizers, ICML 2020, Theorem 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from convexviz.core.arrangements import count_at_most, enumerate_all
from convexviz.core.bounds import dual_value, network_lower_bound
from convexviz.core.network import Network
from convexviz.core.neurons_kernels import residual_and_correlations, squared_loss
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array
from convexviz.errors import DataError, IncompatibleSolver, SpecError

if TYPE_CHECKING:
    import cvxpy as cp

    from convexviz.core.relu import ReluProgram

FEW_ROWS, FEW_PATTERNS = 2000, 1000  # up to here every pattern is visited, in well under a second
REFERENCE_ROWS = 12  # every pattern is enumerated for the reference; beyond, minutes


@dataclass(frozen=True, slots=True, eq=False)
class NeuronProgram(AbstractConvexProgram):
    """ReLU training over the neurons; row j of `variables` (m, d+1) is `w_j`, then its sign `s_j`.

    Any number of rows is a point, none at all the zero network.

    Raises:
        DataError: the arrays do not fit together, are not finite, or `|y|^2` overflows.
        SpecError: the weight decay is negative or not finite.
    """

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    weight_decay: float
    _all: list[ReluProgram | None] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise SpecError(f"weight_decay must be finite and >= 0, got {self.weight_decay}")
        if self.X.ndim != 2 or self.y.shape != (len(self.X),) or self.X.size == 0:
            raise DataError(
                "X (n, d) and y (n,) must share n >= 1 rows, and d >= 1, "
                f"got X {self.X.shape}, y {self.y.shape}"
            )
        for name, array in (("X", self.X), ("y", self.y)):
            if not np.isfinite(array).all():
                raise DataError(f"{name} must be finite, got NaN or infinity")
        largest = float(np.abs(self.y).max())
        if largest > 1e150:
            raise DataError(f"|y|^2 must be finite, got entries of {largest:.1e}; rescale y")
        object.__setattr__(self, "X", np.ascontiguousarray(self.X, dtype=np.float64))
        object.__setattr__(self, "y", np.ascontiguousarray(self.y, dtype=np.float64))

    def with_weight_decay(self, weight_decay: float) -> NeuronProgram:
        """The same data at another weight decay."""
        return replace(self, weight_decay=weight_decay)

    @property
    def on_all_patterns(self) -> ReluProgram | None:
        """The convex program with the same optimum, where all patterns of X are few enough."""
        if not self._all:
            self._all.append(self._enumerated())
        known = self._all[0]
        return known and known.with_weight_decay(self.weight_decay)

    def _enumerated(self) -> ReluProgram | None:
        from convexviz.core.relu import ReluProgram

        if len(self.X) > FEW_ROWS or count_at_most(self.X) > FEW_PATTERNS:
            return None
        return ReluProgram(self.X, self.y, enumerate_all(self.X), self.weight_decay)

    def objective(self, variables: Float[np.ndarray, "m d1"]) -> float:
        """F; `inf` where a sign is not +-1 or a value is not finite."""
        W, signs = split(variables)
        if not (np.abs(signs) == 1.0).all() or not np.isfinite(W).all():
            return float("inf")
        loss = float(squared_loss(self.X, self.y, W, signs))
        value = loss + self.weight_decay * float(lengths(W).sum())
        return value if np.isfinite(value) else float("inf")

    def residual(self, variables: Float[np.ndarray, "m d1"]) -> Float[np.ndarray, " n"]:
        """`y - f(X)`, the dual variable that certificates and oracles start from."""
        W, signs = split(variables)
        out = np.empty(len(self.y))
        residual_and_correlations(self.X, self.y, W, signs, out)
        return out

    def gradient(self, variables: Float[np.ndarray, "m d1"]) -> Float[np.ndarray, "m d"]:
        """Row j is `dF/dw_j = beta w_j/|w_j| - s_j X' D_j r`; rows on the boundary are active."""
        W, signs = split(variables)
        _, correlations = residual_and_correlations(self.X, self.y, W, signs, np.empty(len(self.y)))
        out: Array = self.weight_decay * directions(W) - signs[:, None] * correlations
        return out

    def certify(self, variables: Float[np.ndarray, "m d1"]) -> Certificate:
        """F, and a lower bound on every ReLU network's F from its residual.

        Where the patterns are few each is visited, and the bound is the best for this residual;
        elsewhere it is the pattern-free one.
        """
        primal = self.objective(variables)
        if not np.isfinite(primal):
            return Certificate(primal, 0.0, Scope.RELU_NETWORK)
        r, every = self.residual(variables), self.on_all_patterns
        if every is None:
            dual = network_lower_bound(self.X, self.y, r, self.weight_decay)
        else:
            dual = dual_value(self.y, r, every.largest_correlation(r), self.weight_decay)
        # Every objective is at least 0, so 0 is a bound; a true bound is never above F.
        return Certificate(primal, min(max(dual, 0.0), primal), Scope.RELU_NETWORK)

    def unpadded(self, variables: Float[np.ndarray, "m d1"]) -> Float[np.ndarray, "k d1"]:
        """The neurons that are not zero."""
        return variables[np.linalg.norm(variables[:, :-1], axis=1) > 0]

    def to_network(self, variables: Float[np.ndarray, "m d1"]) -> Network:
        """One neuron a nonzero row: `u = w / sqrt|w|`, `v = s sqrt|w|`."""
        W, signs = split(variables)
        roots = np.sqrt(lengths(W))
        active = roots > 0
        return Network(
            first_layer=(W[active] / roots[active, None]).T,
            second_layer=(signs[active] * roots[active])[:, None],
            weight_decay=self.weight_decay,
        )

    def to_cvxpy(self) -> cp.Problem:
        """The convex program over every pattern of X: the same optimum, for a dozen rows or fewer.

        Raises:
            IncompatibleSolver: X has too many rows to enumerate its patterns.
        """
        import cvxpy as cp

        n, d = self.X.shape
        if n > REFERENCE_ROWS:
            raise IncompatibleSolver(
                f"cvxpy needs every pattern of X written out, at most {REFERENCE_ROWS} rows, "
                f"got {n}; use the Adaptive solver, or a ReluProgram on sampled patterns"
            )
        patterns = enumerate_all(self.X).patterns.T
        blocks = [cp.Variable((len(patterns), d), name=name) for name in ("w", "z")]
        masked = np.hstack([pattern[:, None] * self.X for pattern in patterns])
        fit = masked @ cp.vec(blocks[0] - blocks[1], order="C")
        penalty = sum(cp.sum(cp.norm(block, 2, axis=1)) for block in blocks)
        cones = [
            cp.multiply(np.where(patterns, 1.0, -1.0), block @ self.X.T) >= 0 for block in blocks
        ]
        objective = 0.5 * cp.sum_squares(fit - self.y) + self.weight_decay * penalty
        return cp.Problem(cp.Minimize(objective), cones)

    def from_cvxpy(self, problem: cp.Problem) -> Float[np.ndarray, "m d1"]:
        """One neuron a nonzero group of a solved `to_cvxpy()` problem."""
        rows = []
        for name, sign in (("w", 1.0), ("z", -1.0)):
            block = np.asarray(problem.var_dict[name].value, dtype=np.float64)
            rows.append(join(block, np.full(len(block), sign)))
        stacked = np.concatenate(rows)
        return stacked[lengths(stacked[:, :-1]) > 0]


def split(
    variables: Float[np.ndarray, "m d1"],
) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, " m"]]:
    """The weights `w_j` and the signs `s_j`, contiguous."""
    return np.ascontiguousarray(variables[:, :-1]), np.ascontiguousarray(variables[:, -1])


def join(W: Float[np.ndarray, "m d"], signs: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m d1"]:
    """`variables` from weights and signs."""
    return np.concatenate([W, signs[:, None]], axis=1)


def lengths(W: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
    """`|w_j|`, without overflow or underflow of the squares."""
    scale = np.abs(W).max(axis=1, initial=0.0)
    safe = np.where(scale > 0, scale, 1.0)[:, None]
    out: Array = scale * np.sqrt(np.sum((W / safe) ** 2, axis=1))
    return out


def directions(W: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
    """`w_j / |w_j|`, zero where `w_j` is."""
    size = lengths(W)
    out: Array = W / np.where(size > 0, size, 1.0)[:, None]
    return out
