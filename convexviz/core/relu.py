"""The convex program of the scalar-output ReLU network, cone constraints kept.

    min  1/2 |sum_i D_i X (w_i - z_i) - y|^2 + beta sum_i (|w_i| + |z_i|)
    s.t. (2 D_i - I) X w_i >= 0,  (2 D_i - I) X z_i >= 0

Pilanci and Ergen, Neural Networks are Convex Regularizers, ICML 2020, Theorem 1; Sahiner et al.,
Convex Regularization behind Neural Reconstruction, ICLR 2021, Theorem 1 (whose text prints the
second layer of the z-neurons with the wrong sign).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from convexviz.core.arrangements import Arrangements
from convexviz.core.bounds import dual_value
from convexviz.core.cones import cone_of, unit_rows
from convexviz.core.masked import adjoint, predict
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.relu_data import ReluData, lengths_of
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array
from convexviz.errors import IncompatibleSolver, SpecError

if TYPE_CHECKING:
    import cvxpy as cp

# A point is a solver's answer to a feasible one where no row of X is violated by more than this,
# relative to the row's length and the largest group; `certify` then moves it into the cones.
TOLERANCE = 1e-7
# Below this a violation is rounding and the point is used as it is.
EXACT = 1e-13
REFERENCE_ENTRIES = 10_000_000  # of the dense constraint matrices: 80 MB, minutes in Clarabel


@dataclass(frozen=True, slots=True, eq=False)
class ReluProgram(AbstractConvexProgram):
    """Scalar-output ReLU training on given patterns; `variables` (2, P, d) are `w` and `z`.

    The optimum is the network's where the arrangements are complete, else an upper bound on it.
    """

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    arrangements: Arrangements
    weight_decay: float
    _data: ReluData | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.weight_decay < np.inf:
            raise SpecError(f"weight_decay must be in [0, inf), got {self.weight_decay}")
        if self._data is not None and self._data.describes(self.X, self.y, self.arrangements):
            return
        n = len(self.X)
        if len(self.y) != n or len(self.arrangements.patterns) != n:
            raise SpecError(
                f"X, y and the patterns must have one row a sample: got {n}, {len(self.y)} "
                f"and {len(self.arrangements.patterns)}"
            )
        if not (np.isfinite(self.X).all() and np.isfinite(self.y).all()):
            raise SpecError("X and y must be finite, got NaN or inf; remove those samples")
        object.__setattr__(self, "_data", ReluData(self.X, self.y, self.arrangements))

    @property
    def data(self) -> ReluData:
        """Unit rows, row space and cones; built once, shared by `with_weight_decay`."""
        assert self._data is not None
        return self._data

    @property
    def beta_max(self) -> float:
        """From this weight decay on, and not before, the optimum is exactly zero."""
        fresh = self.afresh()
        found: float = self.data.once("beta max", lambda: fresh.largest_correlation(self.y))
        return found

    @property
    def scope(self) -> Scope:
        """What a lower bound on this program covers."""
        return Scope.RELU_NETWORK if self.arrangements.complete else Scope.SAMPLED_PROGRAM

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of `variables`: two signs, P patterns, d inputs."""
        return (2, len(self.arrangements), self.X.shape[1])

    def with_weight_decay(self, weight_decay: float) -> ReluProgram:
        """The same program at another weight decay; what is known of the data is shared."""
        return replace(self, weight_decay=weight_decay)

    def afresh(self) -> ReluProgram:
        """The same program, whose answers depend on no call before, to the last digit."""
        return replace(self, _data=self.data.afresh())

    def fit(self, variables: Float[np.ndarray, "2 P d"]) -> Float[np.ndarray, " n"]:
        """The prediction `sum_i D_i X (w_i - z_i)`."""
        return predict(self.X, self.arrangements.patterns, variables[0] - variables[1])

    def penalty(self, variables: Float[np.ndarray, "2 P d"]) -> float:
        """`beta sum_i (|w_i| + |z_i|)`."""
        return float(self.weight_decay * lengths_of(variables).sum())

    def reweighted(
        self, weights: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
    ) -> ReluProgram:
        """Squared loss with `weights` > 0 on the rows and targets `y`: same patterns, same cones.

        Rows of X are scaled by the roots of the weights, which moves no hyperplane.
        """
        roots = np.sqrt(weights)
        X = roots[:, None] * self.X
        data = self.data.with_rows_scaled(X, roots * y)
        return replace(self, X=X, y=data.y, _data=data)

    def correlations(self, r: Float[np.ndarray, " n"]) -> Float[np.ndarray, "P d"]:
        """`X'D_i r` for every pattern."""
        return adjoint(self.X, self.arrangements.patterns, r)

    def violation(self, variables: Float[np.ndarray, "2 P d"]) -> Float[np.ndarray, "2 P"]:
        """How far each group is outside its cone: the deepest unit row over the largest norm."""
        deepest = np.zeros(variables.shape[:2])
        norms = lengths_of(variables)
        if not norms.any():
            return deepest
        signs, groups = np.nonzero(norms)
        directions = (variables[signs, groups] / norms.max()).T
        deepest[signs, groups] = self.data.depths(groups, directions)
        return deepest

    def feasible(self, variables: Float[np.ndarray, "2 P d"]) -> Float[np.ndarray, "2 P d"]:
        """The nearest point that meets every cone: each group projected onto its own."""
        unit = float(np.abs(variables).max(initial=0.0)) or 1.0
        small = variables / unit  # squares of 1e200 would overflow
        out = small.copy()
        signs, groups = np.nonzero(self.violation(small) > EXACT)
        out[signs, groups] = self.data.project(small[signs, groups], groups)[0]
        for sign, group in np.argwhere(self.violation(out) > EXACT):  # not enough: onto all rows
            cone = cone_of(*unit_rows(self.X), self.arrangements.patterns[:, group])
            out[sign, group] = cone.project(small[sign, group]).point
        return np.where(out == small, variables, unit * out)

    def objective(self, variables: Array) -> float:
        """The convex objective; `inf` where a cone is violated by more than TOLERANCE."""
        point = self.as_feasible(variables)
        return np.inf if point is None else self._value(point, self.fit(point) - self.y)

    def certify(self, variables: Array) -> Certificate:
        """The objective, and the dual bound from the residual at `variables`.

        The dual constraint `|projection of +-X'D_i r onto K_i| <= beta` is evaluated exactly for
        every pattern that could be the largest, so the bound holds whatever the solver did.
        """
        return self.afresh().certified(variables)[1]

    def certified(self, variables: Array) -> tuple[Array, Certificate]:
        """The point moved into its cones, where it can be, and the certificate that is its own."""
        point = self.as_feasible(variables)
        r = self.y - self.fit(np.nan_to_num(variables) if point is None else point)
        primal = np.inf if point is None else self._value(point, r)
        unneeded = self.unneeded(float(r @ r), float(self.y @ r))
        dual = dual_value(self.y, r, self.largest_correlation(r, unneeded), self.weight_decay)
        found = Certificate(primal, min(dual, primal), self.scope)
        return variables if point is None else point, found

    def unneeded(self, squares: float, along: float) -> float:
        """Up to here the dual norm of a residual with `r'r` and `y'r` does not lower its bound."""
        return self.weight_decay * (squares / abs(along)) if along else np.inf

    def largest_correlation(self, r: Float[np.ndarray, " n"], unneeded: float = 0.0) -> float:
        """An upper bound, tight to rounding, on `max |r'D_i X u|` over the cones and `|u| <= 1`.

        Values below `unneeded` are not told apart, and then `unneeded` is returned.
        """
        return self.longest_projection(self.correlations(r), unneeded)

    def longest_projection(self, c: Float[np.ndarray, "P d"], unneeded: float = 0.0) -> float:
        """The same from the correlations `c = X'D_i r`."""
        unit = float(np.abs(c).max(initial=0.0))  # squares of 1e-200 would be zero
        if unit == 0.0:
            return 0.0
        c = c / unit
        sizes = np.linalg.norm(c, axis=1)
        largest = min(unneeded / unit, float(sizes.max(initial=0.0)))
        order = np.argsort(-sizes)
        order = order[sizes[order] > largest]
        count = 8  # the longest first: they may make the others unneeded
        while len(order):
            chosen, order = order[:count], order[count:]
            largest = self.data.largest_projection(c[chosen], chosen, largest)
            order, count = order[sizes[order] > largest], 2 * count
        return largest * unit

    def to_network(self, variables: Array) -> Network:
        """`w_i -> (w_i/sqrt|w_i|, +sqrt|w_i|)`, `z_i -> (z_i/sqrt|z_i|, -sqrt|z_i|)`.

        First the w-neurons, then the z-neurons; a zero group makes no neuron.
        """
        groups = variables.reshape(-1, variables.shape[2])
        signs = np.repeat([1.0, -1.0], variables.shape[1])
        norms = lengths_of(groups)
        roots = np.sqrt(norms[norms > 0])
        first = groups[norms > 0] / roots[:, None]
        second = (signs[norms > 0] * roots)[:, None]
        return Network(np.ascontiguousarray(first.T), second, self.weight_decay)

    def to_cvxpy(self) -> cp.Problem:
        """The program as printed above, variables `w` and `z` (P, d).

        Raises:
            IncompatibleSolver: the dense constraints would not fit.
        """
        import cvxpy as cp

        entries = self.X.size * max(1, len(self.arrangements))
        if entries > REFERENCE_ENTRIES:
            raise IncompatibleSolver(
                f"cvxpy takes at most {REFERENCE_ENTRIES:,} constraint entries n d P, "
                f"got {entries:,}; use ActiveSet"
            )
        _, P, d = self.shape
        w, z = cp.Variable((P, d), name="w"), cp.Variable((P, d), name="z")
        active = self.arrangements.patterns.astype(np.float64)
        prediction = cp.sum(cp.multiply(active, self.X @ (w - z).T), axis=1)
        inside = 2 * active - 1
        constraints = [cp.multiply(inside, self.X @ v.T) >= 0 for v in (w, z)]
        lengths = cp.sum(cp.norm(w, 2, axis=1)) + cp.sum(cp.norm(z, 2, axis=1))
        value = 0.5 * cp.sum_squares(prediction - self.y) + self.weight_decay * lengths
        return cp.Problem(cp.Minimize(value), constraints)

    def from_cvxpy(self, problem: cp.Problem) -> Array:
        """`variables` of a solved `to_cvxpy()`, each group moved into its cone."""
        by_name = {v.name(): v.value for v in problem.variables()}
        found = np.stack([np.asarray(by_name["w"]), np.asarray(by_name["z"])])
        return self.feasible(found.astype(np.float64))

    def _value(self, point: Float[np.ndarray, "2 P d"], r: Float[np.ndarray, " n"]) -> float:
        return float(0.5 * (r @ r) + self.penalty(point))

    def as_feasible(
        self, variables: Float[np.ndarray, "2 P d"]
    ) -> Float[np.ndarray, "2 P d"] | None:
        """The point, moved into its cones where it is within TOLERANCE of them; else None."""
        if not np.isfinite(variables).all():
            return None
        worst = self.violation(variables).max(initial=0.0)
        if worst > TOLERANCE:
            return None
        return self.feasible(variables) if worst > EXACT else variables
