"""The gated ReLU network's convex program: a group lasso over masked features.

Sahiner, Mardani, Ozturkler, Pilanci, Pauly: Convex Regularization Behind Neural Reconstruction,
ICLR 2021, eq. (4) with the cone constraints dropped, which fixes the gates (Mishkin, Sahiner,
Pilanci: Fast Convex Optimization for Two-Layer ReLU Networks, ICML 2022).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from convexviz.core.arrangements import Arrangements
from convexviz.core.gram import MaskedGram, masked_gram
from convexviz.core.gram_certificate import Columns
from convexviz.core.gram_device import masked_gram_on
from convexviz.core.masked import adjoint, predict
from convexviz.core.network import Network
from convexviz.core.pooled import pooled_features, pooled_gram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array
from convexviz.errors import DataError, SpecError

if TYPE_CHECKING:
    import cvxpy as cp

Pattern: TypeAlias = NDArray[np.bool_]


GRAM_COLUMNS = 16_384  # 2 GiB


class _DataSummary:
    """What depends on the data alone, computed at the first request and shared by weight decays."""

    def __init__(self, X: Array, patterns: Pattern, y: Array, patches: int) -> None:
        self.X, self.patterns, self.y, self.patches = X, patterns, y, patches
        self._gram: MaskedGram | None = None
        self._beta_max: float | None = None
        self._columns: Columns | None = None
        self._lock = Lock()

    def describes(self, X: Array, patterns: Pattern, y: Array, patches: int) -> bool:
        same = self.X is X and self.patterns is patterns and self.y is y
        return same and self.patches == patches

    def gram(self, threads: int, device: str) -> MaskedGram:
        with self._lock:
            if self._gram is None and self.patches > 1:
                self._gram = pooled_gram(self.X, self.patterns, self.y, self.patches)
            elif self._gram is None and device == "cpu":
                self._gram = masked_gram(self.X, self.patterns, self.y, threads=threads)
            elif self._gram is None:
                self._gram = masked_gram_on(device, self.X, self.patterns, self.y)
            return self._gram

    def columns(self) -> Columns:
        with self._lock:
            if self._columns is None:
                self._columns = Columns.of(self.X)
            return self._columns

    def beta_max(self) -> float:
        with self._lock:
            if self._beta_max is None:
                # Not `gram.b`: this sums as `certify` does, so that at beta_max the gap is 0.
                each = np.repeat(self.y, self.patches)
                correlations = adjoint(self.X, self.patterns, each)
                self._beta_max = float(_row_norms(correlations).max(initial=0.0))
            return self._beta_max

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())


@dataclass(frozen=True, slots=True, eq=False)
class GatedProgram(AbstractConvexProgram):
    """`min 1/2 ||sum_i D_i X w_i - y||^2 + beta sum_i ||w_i||` over `W` (P, d), no cones.

    With `patches` K > 1 a sample is K consecutive rows of X, whose outputs are summed (a CNN).

    Raises:
        DataError: the arrays do not fit together or are not finite.
        SpecError: the weight decay is negative or not finite.
    """

    X: Float[np.ndarray, "N d"]
    y: Float[np.ndarray, " n"]
    arrangements: Arrangements
    weight_decay: float
    patches: int = 1
    _summary: _DataSummary | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise SpecError(f"weight_decay must be finite and >= 0, got {self.weight_decay}")
        object.__setattr__(self, "weight_decay", float(self.weight_decay))
        patterns = self.arrangements.patterns
        parts = (self.X, patterns, self.y, self.patches)
        if self._summary is None or not self._summary.describes(*parts):
            _check_data(self.X, self.y, self.arrangements, self.patches)
            object.__setattr__(self, "_summary", _DataSummary(*parts))

    @property
    def gram(self) -> MaskedGram:
        """The Gram of the masked features; built once, shared by `with_weight_decay`."""
        return self.summarise()

    @property
    def gram_fits(self) -> bool:
        """Whether the Gram is small enough to be made."""
        return len(self.arrangements) * self.X.shape[1] <= GRAM_COLUMNS

    def summarise(self, *, threads: int = 1, device: str = "cpu") -> MaskedGram:
        """The Gram, built now on `threads` threads, or on a torch `device`, unless it exists."""
        assert self._summary is not None
        return self._summary.gram(threads, device)

    @property
    def columns(self) -> Columns:
        """The lengths of X's columns: what a certificate from the Gram asks of the data."""
        assert self._summary is not None
        return self._summary.columns()

    @property
    def beta_max(self) -> float:
        """`max_i ||X' D_i y||`: from this weight decay on, the optimum is exactly zero."""
        assert self._summary is not None
        return self._summary.beta_max()

    def with_weight_decay(self, weight_decay: float) -> GatedProgram:
        """The same data and gates at another weight decay; the Gram is shared, not rebuilt."""
        return replace(self, weight_decay=weight_decay)

    @property
    def scope(self) -> Scope:
        """What a lower bound on this program covers."""
        return Scope.GATED_NETWORK

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of `variables`: P patterns, d inputs."""
        return (len(self.arrangements), self.X.shape[1])

    def reweighted(
        self, weights: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
    ) -> GatedProgram:
        """Squared loss with `weights` on the rows and targets `y`; the same patterns."""
        roots = np.sqrt(weights)
        return replace(self, X=np.repeat(roots, self.patches)[:, None] * self.X, y=roots * y)

    def fit(self, variables: Float[np.ndarray, "P d"]) -> Float[np.ndarray, " n"]:
        """The prediction `sum_i D_i X w_i`."""
        rows = predict(self.X, self.arrangements.patterns, variables)
        return rows if self.patches == 1 else rows.reshape(-1, self.patches).sum(axis=1)

    def correlations(self, r: Float[np.ndarray, " n"]) -> Float[np.ndarray, "P d"]:
        """`X' D_i r` for every pattern."""
        each = r if self.patches == 1 else np.repeat(r, self.patches)
        return adjoint(self.X, self.arrangements.patterns, each)

    def penalty(self, variables: Float[np.ndarray, "P d"]) -> float:
        """`beta sum_i ||w_i||`."""
        return self.weight_decay * float(_row_norms(variables).sum())

    def as_feasible(self, variables: Float[np.ndarray, "P d"]) -> Float[np.ndarray, "P d"] | None:
        """The point itself: there are no constraints; None where it is not finite."""
        return variables if np.isfinite(variables).all() else None

    def largest_correlation(self, r: Float[np.ndarray, " n"]) -> float:
        """`max_i ||X' D_i r||`, the dual norm of a residual."""
        return float(_row_norms(self.correlations(r)).max(initial=0.0))

    def objective(self, variables: Float[np.ndarray, "P d"]) -> float:
        residual = self.y - self.fit(variables)
        return _finite_or_inf(0.5 * float(residual @ residual) + self.penalty(variables))

    def certify(self, variables: Float[np.ndarray, "P d"]) -> Certificate:
        """Primal value at `variables` and the dual value of its residual, scaled to be feasible.

        `s r` is dual feasible for `|s| max_i ||X' D_i r|| <= beta`; the best such s is taken
        (THEORY 1.6). Computed from the data, so the rounding of the Gram is not in it.
        """
        residual = self.y - self.fit(variables)
        correlations = self.correlations(residual)
        squares = float(residual @ residual)
        return gated_certificate(variables, correlations, squares, self.weight_decay)

    def to_network(self, variables: Float[np.ndarray, "P d"]) -> Network:
        """One gated neuron a nonzero group: `u = w / sqrt||w||`, `v = sqrt||w||`, gate `g_i`."""
        norms = _row_norms(variables)
        active = np.flatnonzero(norms)
        roots = np.sqrt(norms[active])
        return Network(
            first_layer=(variables[active] / roots[:, None]).T,
            second_layer=roots[:, None],
            weight_decay=self.weight_decay,
            gates=self.arrangements.gates[:, active],
        )

    def to_cvxpy(self) -> cp.Problem:
        import cvxpy as cp

        features = pooled_features(self.X, self.arrangements.patterns, self.patches)
        W = cp.Variable(self.shape, name="W")
        residual = features @ cp.vec(W, order="C") - self.y
        penalty = cp.sum(cp.norm(W, 2, axis=1))
        return cp.Problem(cp.Minimize(0.5 * cp.sum_squares(residual) + self.weight_decay * penalty))

    def from_cvxpy(self, problem: cp.Problem) -> Float[np.ndarray, "P d"]:
        return np.asarray(problem.var_dict["W"].value, dtype=np.float64)


def gated_certificate(
    W: Float[np.ndarray, "P d"],
    correlations: Float[np.ndarray, "P d"],
    squares: float,
    weight_decay: float,
) -> Certificate:
    """Weak duality at `W` from `A'r` and `|r|^2` of its residual r.

    With `y'r = |r|^2 + <W, A'r>` the gap is `(1-s)^2 |r|^2 / 2 + beta sum ||w_i|| - s <W, A'r>`:
    no difference of numbers as large as `|y|^2` enters it.
    """
    penalty = weight_decay * float(_row_norms(W).sum())
    primal = 0.5 * squares + penalty
    if not np.isfinite(primal):
        return Certificate(float("inf"), 0.0, Scope.GATED_NETWORK)  # s = 0 is always feasible
    if squares == 0.0:
        return Certificate(primal, 0.0, Scope.GATED_NETWORK)
    largest = float(_row_norms(correlations).max(initial=0.0))
    inner = float(np.vdot(W, correlations))
    s = 1.0 + inner / squares
    if largest * abs(s) > weight_decay:
        s = float(np.copysign(weight_decay / largest, s))
    gap = 0.5 * (1.0 - s) ** 2 * squares + penalty - s * inner
    dual = primal - max(gap, 0.0) if np.isfinite(gap) else 0.0
    return Certificate(primal, max(dual, 0.0), Scope.GATED_NETWORK)


def _row_norms(W: Array) -> Array:
    """Euclidean norms of the rows, without overflow or underflow of the squares."""
    scale = float(np.abs(W).max(initial=0.0))
    if scale == 0.0 or not np.isfinite(scale):
        return np.zeros(len(W)) if scale == 0.0 else np.full(len(W), np.inf)
    return scale * np.sqrt(np.einsum("ij,ij->i", W / scale, W / scale))


def _finite_or_inf(value: float) -> float:
    return value if np.isfinite(value) else float("inf")


def _check_data(
    X: Float[np.ndarray, "N d"],
    y: Float[np.ndarray, " n"],
    arrangements: Arrangements,
    patches: int,
) -> None:
    patterns: Bool[np.ndarray, "N P"] = arrangements.patterns
    if patches < 1:
        raise SpecError(f"patches must be at least 1, got {patches}")
    if patches > 1 and len(X) != patches * len(y):
        raise DataError(
            f"X must have {patches} rows (patches) for each of the {len(y)} samples, got {len(X)}"
        )
    if X.ndim != 2 or y.shape != (len(X) // patches,) or len(patterns) != len(X):
        raise DataError(
            "X (n, d), y (n,) and patterns (n, P) must share n, "
            f"got X {X.shape}, y {y.shape}, patterns {patterns.shape}"
        )
    for name, array in (("X", X), ("y", y)):
        if not np.isfinite(array).all():
            raise DataError(f"{name} must be finite, got NaN or infinity")
