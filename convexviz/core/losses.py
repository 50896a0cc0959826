"""The convex losses of a network's fit, with the conjugates that certify them.

`min_f l(f, Y) + beta Omega` has the dual `max_R -l*(-R)` over the residuals whose dual norm is at
most beta. At an optimum `R = -grad l(f)`, so any fit gives a bound: `-l*(-s R)` for every scale
`0 <= s <= beta / M(R)`, where M(R) is the dual norm (THEORY: loss, conjugate and certificate).
Outputs are a vector (n,) or a matrix (n, c); every loss is a sum over rows, without 1/n.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import brentq
from scipy.special import entr, expit, logsumexp, softmax

from convexviz.errors import DataError, SpecError

if TYPE_CHECKING:
    import cvxpy as cp

Outputs: TypeAlias = Float[np.ndarray, "*shape"]
Where: TypeAlias = Bool[np.ndarray, "*shape"]
_SLACK = 64 * np.finfo(float).eps  # how far rounding may carry a residual out of its domain


class Loss(ABC):
    """A convex loss `l(F, Y)` of outputs `F`; subclasses are final and without state."""

    name: str
    smoothness: float  # Lipschitz constant of the gradient; infinite where there are kinks

    @abstractmethod
    def check(self, Y: Outputs) -> None:
        """Refuse targets that this loss is not defined for.

        Raises:
            DataError: naming the rule, the first offending value and the way out.
        """

    @abstractmethod
    def value(self, F: Outputs, Y: Outputs) -> float:
        """`l(F, Y)`."""

    @abstractmethod
    def minus_gradient(self, F: Outputs, Y: Outputs) -> Outputs:
        """The residual `R = -grad l(F, Y)`; at a kink, one of its values."""

    @abstractmethod
    def dual_value(self, R: Outputs, Y: Outputs, scale: float = 1.0) -> float:
        """`-l*(-scale R)`: by weak duality below the optimum wherever `scale M(R) <= beta`.

        `-inf` outside the domain of the conjugate.
        """

    @abstractmethod
    def best_scale(self, R: Outputs, Y: Outputs, limit: float) -> float:
        """The s in `[0, limit]` with the largest `dual_value(R, Y, s)`; `limit` is beta / M(R).

        `limit` may be infinite. R must be in the domain at some s > 0, as `minus_gradient` is.
        """

    @abstractmethod
    def to_cvxpy(self, F: cp.Expression, Y: Outputs) -> cp.Expression:
        """`l(F, Y)` as cvxpy writes it."""

    def ties(self, F: Outputs, Y: Outputs, tolerance: float) -> Where:
        """Outputs within `tolerance` of a kink, where they do not tell the residual: none here."""
        del Y, tolerance
        return np.zeros(F.shape, dtype=bool)


class Squared(Loss):
    """`1/2 ||F - Y||^2`."""

    name = "squared"
    smoothness = 1.0

    def check(self, Y: Outputs) -> None:
        _check_finite(Y)

    def value(self, F: Outputs, Y: Outputs) -> float:
        return 0.5 * float(np.sum((F - Y) ** 2))

    def minus_gradient(self, F: Outputs, Y: Outputs) -> Outputs:
        return Y - F

    def dual_value(self, R: Outputs, Y: Outputs, scale: float = 1.0) -> float:
        return scale * float(np.vdot(R, Y)) - 0.5 * scale**2 * float(np.vdot(R, R))

    def best_scale(self, R: Outputs, Y: Outputs, limit: float) -> float:
        inner, squares = float(np.vdot(R, Y)), float(np.vdot(R, R))
        return min(inner / squares, limit) if inner > 0.0 and squares > 0.0 else 0.0

    def to_cvxpy(self, F: cp.Expression, Y: Outputs) -> cp.Expression:
        import cvxpy as cp

        return 0.5 * cp.sum_squares(F - Y)


class Logistic(Loss):
    """`sum log(1 + exp(-y f))` over labels y = +1 or -1, each output on its own."""

    name = "logistic"
    smoothness = 0.25

    def check(self, Y: Outputs) -> None:
        _check_signs(Y, self.name)

    def value(self, F: Outputs, Y: Outputs) -> float:
        return float(np.sum(np.logaddexp(0.0, -Y * F)))

    def minus_gradient(self, F: Outputs, Y: Outputs) -> Outputs:
        return Y * expit(-Y * F)

    def dual_value(self, R: Outputs, Y: Outputs, scale: float = 1.0) -> float:
        p = _in_unit_interval(scale * (Y * R))
        return float(np.sum(entr(p) + entr(1.0 - p))) if p is not None else -np.inf

    def best_scale(self, R: Outputs, Y: Outputs, limit: float) -> float:
        p = Y * R

        def slope(s: float) -> float:
            here = p[p > 0]
            return float(np.sum(here * (np.log1p(-s * here) - np.log(s * here))))

        return _root(slope, min(limit, _largest_scale(p)))

    def to_cvxpy(self, F: cp.Expression, Y: Outputs) -> cp.Expression:
        import cvxpy as cp

        return cp.sum(cp.logistic(-cp.multiply(Y, F)))


class Hinge(Loss):
    """`sum (1 - y f)_+` over labels y = +1 or -1, each output on its own."""

    name = "hinge"
    smoothness = np.inf

    def check(self, Y: Outputs) -> None:
        _check_signs(Y, self.name)

    def value(self, F: Outputs, Y: Outputs) -> float:
        return float(np.sum(np.maximum(1.0 - Y * F, 0.0)))

    def minus_gradient(self, F: Outputs, Y: Outputs) -> Outputs:
        return np.where(Y * F < 1.0, Y, 0.0)

    def dual_value(self, R: Outputs, Y: Outputs, scale: float = 1.0) -> float:
        p = _in_unit_interval(scale * (Y * R))
        return float(np.sum(p)) if p is not None else -np.inf

    def best_scale(self, R: Outputs, Y: Outputs, limit: float) -> float:
        p = Y * R  # the dual value is linear in s
        return min(limit, _largest_scale(p)) if float(np.sum(p)) > 0.0 else 0.0

    def to_cvxpy(self, F: cp.Expression, Y: Outputs) -> cp.Expression:
        import cvxpy as cp

        return cp.sum(cp.pos(1 - cp.multiply(Y, F)))

    def ties(self, F: Outputs, Y: Outputs, tolerance: float) -> Where:
        return np.abs(1.0 - Y * F) <= tolerance


class CrossEntropy(Loss):
    """`sum_i (logsumexp(f_i) - <y_i, f_i>)` over one-hot rows y_i."""

    name = "cross_entropy"
    smoothness = 0.5  # the Hessian diag(p) - p p' of a row

    def check(self, Y: Outputs) -> None:
        _check_finite(Y)
        if Y.ndim != 2 or Y.shape[1] < 2:
            raise DataError(
                "cross_entropy needs Y (n, c) with a column for each of c >= 2 classes, got shape "
                f"{Y.shape}; give each class a column of its own"
            )
        wrong = np.flatnonzero(((Y != 0) & (Y != 1)).any(axis=1) | (Y.sum(axis=1) != 1))
        if len(wrong):
            raise DataError(
                "cross_entropy needs one-hot rows in Y (a single 1, else 0), got row "
                f"{wrong[0]} = {np.array2string(Y[wrong[0]], threshold=6, max_line_width=10**6)}"
            )

    def value(self, F: Outputs, Y: Outputs) -> float:
        # Relative to the label's own output: no cancellation where a row is fitted well.
        return float(np.sum(logsumexp(F - np.sum(F * Y, axis=1, keepdims=True), axis=1)))

    def minus_gradient(self, F: Outputs, Y: Outputs) -> Outputs:
        others = -softmax(F, axis=1) * (1.0 - Y)
        # Rows sum to zero exactly as the other entries do: 1 - p would lose a small residual.
        return others - Y * np.sum(others, axis=1, keepdims=True)

    def dual_value(self, R: Outputs, Y: Outputs, scale: float = 1.0) -> float:
        p = _in_unit_interval(Y - scale * R)
        if p is None or np.any(np.abs(scale * R.sum(axis=1)) > _SLACK * R.shape[1]):
            return -np.inf
        return float(np.sum(entr(p)))

    def best_scale(self, R: Outputs, Y: Outputs, limit: float) -> float:
        toward = R * (2.0 * Y - 1.0)  # what s takes from a label and gives to the others

        def slope(s: float) -> float:
            moving = R != 0
            p = (Y - s * R)[moving]
            return float(np.sum(R[moving] * np.log(np.maximum(p, np.finfo(float).tiny))))

        return _root(slope, min(limit, _largest_scale(toward)))

    def to_cvxpy(self, F: cp.Expression, Y: Outputs) -> cp.Expression:
        import cvxpy as cp

        return cp.sum(cp.log_sum_exp(F, axis=1)) - cp.sum(cp.multiply(Y, F))


LOSSES = MappingProxyType(
    {loss.name: loss for loss in (Squared(), Logistic(), Hinge(), CrossEntropy())}
)


def loss_named(name: str) -> Loss:
    """The loss of that name.

    Raises:
        SpecError: there is none.
    """
    if name not in LOSSES:
        raise SpecError(f"loss must be one of {', '.join(LOSSES)}, got {name!r}")
    return LOSSES[name]


def _check_finite(Y: Outputs) -> None:
    if not np.isfinite(Y).all():
        raise DataError("Y must be finite, got NaN or infinity")


def _check_signs(Y: Outputs, name: str) -> None:
    _check_finite(Y)
    wrong = Y[np.abs(Y) != 1.0]
    if wrong.size:
        raise DataError(
            f"{name} needs labels +1 and -1 in Y, got {wrong.flat[0]:g}; "
            "map classes 0 and 1 by 2 y - 1"
        )


def _in_unit_interval(p: Outputs) -> Outputs | None:
    if np.any(p < -_SLACK) or np.any(p > 1.0 + _SLACK) or np.isnan(p).any():
        return None
    return np.clip(p, 0.0, 1.0)


def _largest_scale(p: Outputs) -> float:
    """The largest s with `0 <= s p <= 1`; 0 where an entry has the wrong sign."""
    if np.any(p < -_SLACK):
        return 0.0
    largest = float(p.max(initial=0.0))
    return 1.0 / largest if largest > np.finfo(float).tiny else np.inf


def _root(slope: Callable[[float], float], upper: float) -> float:
    """Where a concave function of `[0, upper]`, rising at 0 from 0, has its maximum."""
    if upper == 0.0 or not np.isfinite(upper):  # infinite: R vanishes, and every s says the same
        return 0.0
    inside = upper * (1.0 - 1e-9)  # the slope is minus infinity where an entry reaches its end
    if slope(inside) >= 0.0:
        return upper
    low = inside
    while slope(low) <= 0.0:
        low *= 1e-2
        if low < 1e-300:
            return 0.0
    return float(brentq(slope, low, inside, xtol=1e-15 * inside, rtol=1e-12))
