"""A network's convex program with any loss of `core.losses` in the place of the squared one.

    min  l(f(v), y) + beta Omega(v)   over the same variables, constraints and penalty

The dual is `max_R -l*(-R)` under the same constraint on R as for squared loss, so patterns, cones
and the dual norm are those of the program it is made of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import lsq_linear

from convexviz.core.gated import GatedProgram
from convexviz.core.losses import Loss
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.relu_data import lengths_of
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array

if TYPE_CHECKING:
    import cvxpy as cp

# How near an output is to a kink of its loss, and a unit filter to a facet, to be on it: the
# solver's accuracy is not known here, so each is tried.
_NEAR = (1e-7, 1e-5, 1e-3)
_UNKNOWNS = 2000  # rows at kinks whose residuals are looked for together


@dataclass(frozen=True, slots=True, eq=False)
class LossProgram(AbstractConvexProgram):
    """`squared` with `loss` in the place of its squared loss; `y` are its targets, scalar outputs.

    Raises:
        DataError: the targets are not what the loss is defined for.
    """

    squared: GatedProgram | ReluProgram
    loss: Loss

    def __post_init__(self) -> None:
        self.loss.check(self.squared.y)

    # A slot of the base class is an attribute there, hence a property here.
    @property
    def weight_decay(self) -> float:  # type: ignore[override]
        """beta."""
        return self.squared.weight_decay

    @property
    def y(self) -> Float[np.ndarray, " n"]:
        """The targets."""
        return self.squared.y

    @property
    def scope(self) -> Scope:
        """What a lower bound on this program covers."""
        return self.squared.scope

    @property
    def beta_max(self) -> float:
        """From this weight decay on the optimum is exactly zero: the dual norm of `-grad l(0)`."""
        zero = np.zeros(len(self.y))
        return self.squared.largest_correlation(self.loss.minus_gradient(zero, self.y))

    def with_weight_decay(self, weight_decay: float) -> LossProgram:
        """The same program at another weight decay; what is known of the data is shared."""
        return replace(self, squared=self.squared.with_weight_decay(weight_decay))

    def objective(self, variables: Array) -> float:
        point = self.squared.as_feasible(variables)
        return np.inf if point is None else self._value(point, self.squared.fit(point))

    def certify(self, variables: Array) -> Certificate:
        """The objective, and the best dual value that the fit's residual tells.

        At a kink of the loss the fit does not tell the residual; there the one that comes nearest
        to the optimality conditions is looked for, and any is valid.
        """
        point = self.squared.as_feasible(variables)
        F = self.squared.fit(np.nan_to_num(variables) if point is None else point)
        primal = np.inf if point is None else self._value(point, F)
        residual = self.loss.minus_gradient(F, self.y)
        dual = self.bound(residual)
        for near in _NEAR:
            ties = self.loss.ties(F, self.y, near)
            plain = len(self.squared.X) == len(self.y)  # summed patches: not looked for
            if point is not None and plain and 0 < ties.sum() <= _UNKNOWNS:
                dual = max(dual, self.bound(self._resolve(point, residual, ties, near)))
        return Certificate(primal, min(dual, primal), self.scope)

    def bound(self, residual: Float[np.ndarray, " n"]) -> float:
        """A lower bound on the optimum from any `residual` in the domain of the conjugate."""
        largest = self.squared.largest_correlation(residual)
        limit = self.weight_decay / largest if largest > 0.0 else np.inf
        scale = self.loss.best_scale(residual, self.y, limit)
        return max(0.0, self.loss.dual_value(residual, self.y, scale))

    def to_network(self, variables: Array) -> Network:
        return self.squared.to_network(variables)

    def to_cvxpy(self) -> cp.Problem:
        import cvxpy as cp

        problem = self.squared.to_cvxpy()
        named = problem.var_dict
        masks = self.squared.arrangements.patterns.astype(np.float64)
        weights = named["W"] if "W" in named else named["w"] - named["z"]
        rows = cp.sum(cp.multiply(masks, self.squared.X @ weights.T), axis=1)
        n = len(self.y)
        F = rows if len(masks) == n else np.kron(np.eye(n), np.ones(len(masks) // n)) @ rows
        blocks = [named[name] for name in ("W", "w", "z") if name in named]
        penalty = sum(cp.sum(cp.norm(block, 2, axis=1)) for block in blocks)
        value = self.loss.to_cvxpy(F, self.y) + self.weight_decay * penalty
        return cp.Problem(cp.Minimize(value), problem.constraints)

    def from_cvxpy(self, problem: cp.Problem) -> Array:
        return self.squared.from_cvxpy(problem)

    def _value(self, point: Array, F: Float[np.ndarray, " n"]) -> float:
        value = self.loss.value(F, self.y) + self.squared.penalty(point)
        return value if np.isfinite(value) else np.inf

    def _resolve(
        self,
        point: Array,
        residual: Float[np.ndarray, " n"],
        ties: Bool[np.ndarray, " n"],
        near: float,
    ) -> Float[np.ndarray, " n"]:
        """The residual with those at kinks chosen to meet the conditions of the active groups.

        With `u = w/|w|` they are `s X'D_i R + N'lambda = beta u`, `lambda >= 0` on the facets N
        that w lies on: least squares under bounds, longer groups first.
        """
        groups = point.reshape(-1, *self.squared.shape[-2:])
        sizes = lengths_of(groups)
        signs, active = np.nonzero(sizes)
        rest = self.squared.correlations(np.where(ties, 0.0, residual))
        X, patterns = self.squared.X[ties], self.squared.arrangements.patterns[ties]
        blocks, targets, facets = [], [], []
        for s, i in zip(signs, active, strict=True):
            u, sign = groups[s, i] / sizes[s, i], 1.0 - 2.0 * s
            weight = np.sqrt(sizes[s, i] / sizes.max())  # a group's share of the gap
            blocks.append(weight * sign * (patterns[:, i, None] * X * self.y[ties, None]).T)
            targets.append(weight * (self.weight_decay * u - sign * rest[i]))
            facets.append(weight * _touched(self.squared, int(i), u, near))
        if not blocks:
            return residual
        n_facets = sum(len(rows) for rows in facets)
        A = np.zeros((sum(len(t) for t in targets), int(ties.sum()) + n_facets))
        A[:, : -n_facets or None] = np.concatenate(blocks)
        at, column = 0, A.shape[1] - n_facets
        for rows in facets:
            A[at : at + rows.shape[1], column : column + len(rows)] = rows.T
            at, column = at + rows.shape[1], column + len(rows)
        upper = np.concatenate([np.ones(int(ties.sum())), np.full(n_facets, np.inf)])
        unit = float(np.abs(A).max()) or 1.0
        found = lsq_linear(A / unit, np.concatenate(targets) / unit, (0.0, upper), tol=1e-14)
        out = residual.copy()
        out[ties] = self.y[ties] * np.clip(found.x[: int(ties.sum())], 0.0, 1.0)
        return out


def _touched(
    program: GatedProgram | ReluProgram, group: int, u: Float[np.ndarray, " d"], near: float
) -> Float[np.ndarray, "_ d"]:
    """The inward normals of the facets that the unit vector u of a pattern's cone lies on."""
    if isinstance(program, GatedProgram):
        return np.zeros((0, len(u)))
    cone = program.data.cone(group)
    normals: Array = cone.signs[:, None] * cone.rows
    return normals[normals @ u <= near]
