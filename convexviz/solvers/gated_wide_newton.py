"""One Newton step on the nonzero groups through an n x n system.

On the support the objective is smooth with Hessian `A'A + M`, where `M` has the blocks
`beta/|w_i| (I - u_i u_i')`, `u_i = w_i/|w_i|`: singular along the lengths, so Woodbury's identity
is applied across them only. With `q = A p` and the lengths' changes `a`,

    K q - B a = -A M^+ g,   B'q = -u'g,   p = -M^+ (g + A'q) + a u,
    K = I + A M^+ A' = I + 1/beta (X X' o (D diag|w| D') - B diag|w| B'),   B_i = D_i X u_i:

two rank-k updates and one Cholesky factorisation of size n, whatever P d is. K is built and
factored in float32 (float64 where that fails): a direction needs no more, and the decrease that
it brings is computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg.blas import dsyrk, dtrsm, ssyrk, strsm
from scipy.linalg.lapack import dposv, dpotrf, spotrf

from convexviz.core.masked_rows import MaskedRows
from convexviz.core.types import Array

_NEARLY_ZERO = 0.03  # of the largest norm; such groups cut Newton steps short


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Support:
    """The nonzero groups at a point, and what a Newton step needs of them."""

    data: MaskedRows
    beta: float
    groups: np.ndarray
    masks: Float[np.ndarray, "n k"]
    W: Float[np.ndarray, "k d"]
    residual: Float[np.ndarray, " n"]
    norms: Float[np.ndarray, " k"]
    units: Float[np.ndarray, "k d"]
    radial: Float[np.ndarray, "n k"]  # B: the predictions of the units

    def forward(self, step: Array) -> Array:
        """`A p` on the support."""
        out: Array = np.einsum("nk,nk->n", self.data.X @ step.T, self.masks)
        return out

    def adjoint(self, r: Array) -> Array:
        """`A'r` on the support."""
        out: Array = (self.masks * r[:, None]).T @ self.data.X
        return out

    def across(self, z: Array) -> Array:
        """`M^+ z`: the part of z across the lengths, over the curvature there."""
        along = np.einsum("ij,ij->i", self.units, z)[:, None] * self.units
        out: Array = (self.norms / self.beta)[:, None] * (z - along)
        return out

    def change(self, step: Array, product: Array) -> float:
        """Of the objective."""
        lengths = np.linalg.norm(self.W + step, axis=1) - self.norms
        quadratic = 0.5 * float(product @ product) - float(self.residual @ product)
        return quadratic + self.beta * float(lengths.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Step:
    groups: np.ndarray
    change: float  # of the objective
    length: float  # share of the full Newton step that a decrease allowed
    direction: Float[np.ndarray, "k d"]
    product: Float[np.ndarray, " n"]  # A times the direction


def newton(data: MaskedRows, W: Array, residual: Array, beta: float) -> None:
    """Move W and its residual by the best step found, if any decreases the objective.

    Where a group near zero cuts the step short, the step without such groups is tried too: the
    sweeps move those. What single precision cannot decrease, double may.
    """
    norms = np.linalg.norm(W, axis=1)
    if beta == 0.0 or not norms.any():
        return
    support = norms > 0
    best = _step(_restrict(data, W, residual, beta, support), np.float32)
    large = norms > _NEARLY_ZERO * norms.max()
    if best.length < 0.1 and np.count_nonzero(large) < np.count_nonzero(support):
        fewer = _step(_restrict(data, W, residual, beta, large), np.float32)
        best = min(best, fewer, key=lambda step: step.change)
    if best.length < 0.1:
        exact = _step(_restrict(data, W, residual, beta, support), np.float64)
        best = min(best, exact, key=lambda step: step.change)
    if best.length > 0.0:
        W[best.groups] += best.direction
        residual -= best.product


def _restrict(
    data: MaskedRows, W: Array, residual: Array, beta: float, chosen: np.ndarray
) -> Support:
    groups = np.flatnonzero(chosen)
    masks = data.masks if len(groups) == len(W) else np.ascontiguousarray(data.masks[:, groups])
    norms = np.linalg.norm(W[groups], axis=1)
    units = W[groups] / norms[:, None]
    return Support(
        data=data,
        beta=beta,
        groups=groups,
        masks=masks,
        W=W[groups],
        residual=residual,
        norms=norms,
        units=units,
        radial=(data.X @ units.T) * masks,
    )


def _step(here: Support, precision: Any) -> _Step:
    none = _Step(
        groups=here.groups,
        change=np.inf,
        length=0.0,
        direction=np.zeros_like(here.W),
        product=np.zeros_like(here.residual),
    )
    slope = here.beta * here.units - here.adjoint(here.residual)
    newton_step = _direction(here, slope, precision)
    if newton_step is None:
        return none
    product, decrease = here.forward(newton_step), float(np.vdot(slope, newton_step))
    squares = float(here.residual @ here.residual)
    rounding = 1e-15 * (0.5 * squares + here.beta * float(here.norms.sum()))
    length, best = 1.0, none
    for _ in range(12):
        change = here.change(length * newton_step, length * product)
        if change <= 1e-4 * length * decrease + rounding:
            best = replace(
                none,
                change=change,
                length=length,
                direction=length * newton_step,
                product=length * product,
            )
            break
        length *= 0.5
    for candidate in _zeroing_candidates(here, newton_step):
        product = here.forward(candidate)
        change = here.change(candidate, product)
        if change < min(best.change, 0.0):
            length = max(best.length, 0.1)
            best = replace(none, change=change, length=length, direction=candidate, product=product)
    return best


def _zeroing_candidates(here: Support, step: Array) -> list[Array]:
    """The step with groups that it flips (or nearly removes) sent to exactly zero."""
    radial = np.einsum("ij,ij->i", step, here.units) / here.norms
    candidates: list[Array] = []
    fewer = 0
    for share in (0.05, 0.5):
        crossed = radial <= share - 1.0
        if np.count_nonzero(crossed) > fewer:
            fewer = int(np.count_nonzero(crossed))
            candidate = step.copy()
            candidate[crossed] = -here.W[crossed]
            candidates.append(candidate)
    if radial.min() < -1.0:  # as far as the first group that vanishes
        first = int(radial.argmin())
        candidate = step / -radial[first]
        candidate[first] = -here.W[first]
        candidates.append(candidate)
    return candidates


def _direction(here: Support, slope: Array, precision: Any) -> Array | None:
    rhs = here.forward(here.across(slope))
    solved = _solve(here, rhs, np.einsum("ij,ij->i", here.units, slope), precision)
    if solved is None:
        return None
    q, lengths = solved
    step: Array = lengths[:, None] * here.units - here.across(slope + here.adjoint(q))
    descends = np.isfinite(step).all() and float(np.vdot(slope, step)) < 0.0
    return step if descends else None


@np.errstate(over="ignore", invalid="ignore")  # numbers beyond `precision` give no step
def _solve(
    here: Support, rhs: Array, radial_slope: Array, precision: Any
) -> tuple[Array, Array] | None:
    """`q` and the changes of the lengths; None where K is not positive definite in `precision`."""
    single = precision is np.float32
    syrk, trsm, potrf = (ssyrk, strsm, spotrf) if single else (dsyrk, dtrsm, dpotrf)
    n, k = here.radial.shape
    roots = np.sqrt(here.norms / here.beta)
    K = syrk(1.0, np.asfortranarray(here.masks * roots, dtype=precision), lower=1)
    K *= here.data.kernel if single else here.data.X @ here.data.X.T
    scaled = np.asfortranarray(here.radial * roots, dtype=precision)
    K = syrk(-1.0, scaled, beta=1.0, c=K, lower=1, overwrite_c=1)
    K.ravel(order="K")[:: n + 1] += 1.0
    if not np.isfinite(K.trace()):  # the largest entry is on the diagonal
        return None
    L, info = potrf(K, lower=1, overwrite_a=1, clean=0)
    if info:
        return None
    sides = np.empty((n, k + 1), dtype=precision, order="F")
    sides[:, :k], sides[:, k] = here.radial, rhs
    sides = trsm(1.0, L, sides, lower=1, overwrite_b=1)
    inner = sides.T.astype(np.float64) @ sides
    S, b = inner[:k, :k], inner[:k, k] - radial_slope
    # A little curvature along the lengths: more groups than rows leave some of them free.
    S[np.diag_indices(k)] += (1e-6 if single else 1e-12) * (S.trace() / k)
    _, lengths, info = dposv(S, b, lower=1)
    if info:
        return None
    mixed = (sides[:, :k] @ lengths - sides[:, k]).astype(precision)
    q = trsm(1.0, L, mixed[:, None], lower=1, trans_a=1)[:, 0]
    return q.astype(np.float64), lengths
