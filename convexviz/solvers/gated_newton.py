"""Newton on the nonzero groups of a small group lasso, where its objective is smooth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from convexviz.core.types import Array
from convexviz.solvers.gated_blocks import sweep_groups
from convexviz.solvers.gated_factor import LARGE, Factor, Indices, submatrix

_SWEEPS = 16  # between Newton steps: they settle which groups are zero
_SWEEPS_LARGE = 5  # where a sweep reads more than the caches hold
_NEARLY_ZERO = 0.03  # of the largest norm; such groups cut Newton steps short


@dataclass(slots=True, kw_only=True, eq=False)
class WorkingSet:
    """The program restricted to k groups; the solver changes `W` and `gradient` in place.

    Attributes:
        G: the Gram of these groups.
        gradient: `G w - b`, restricted.
        W: the variables of these groups.
        eigenvalues: of the diagonal blocks, made positive.
        eigenvectors: of the diagonal blocks.
        beta: the weight decay.
        rounding: of the objective: a decrease below it cannot be seen, a Newton step can be right.
        ids: which groups of the program these are.
        factor: what a program with many groups keeps of earlier Newton systems.
    """

    G: Float[np.ndarray, "m m"]
    gradient: Float[np.ndarray, " m"]
    W: Float[np.ndarray, "k d"]
    eigenvalues: Float[np.ndarray, "k d"]
    eigenvectors: Float[np.ndarray, "k d d"]
    beta: float
    rounding: float
    ids: Indices
    factor: Factor

    def sweep(self) -> None:
        """Exact block coordinate descent over all groups."""
        sweep_groups(
            self.G,
            self.gradient,
            self.W,
            self.eigenvalues,
            self.eigenvectors,
            self.beta,
            _SWEEPS if len(self.gradient) < LARGE else _SWEEPS_LARGE,
        )

    def newton(self) -> bool:
        """The best step on the support; False where none decreases the objective.

        Where a group near zero cuts the step short, the step without such groups is tried
        too: the sweeps move those.
        """
        norms = np.linalg.norm(self.W, axis=1)
        if not norms.any():
            return False
        support, large = norms > 0, norms > _NEARLY_ZERO * norms.max()
        best = _newton_step(self, support)
        if best.length < 0.5 and np.count_nonzero(large) < np.count_nonzero(support):
            best = min(best, _newton_step(self, large), key=lambda step: step.change)
        if best.length == 0.0 and best.change >= 0:
            return False
        self.W += best.direction
        self.gradient += best.product
        return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Step:
    direction: Float[np.ndarray, "k d"]
    product: Float[np.ndarray, " m"]  # G times the direction
    change: float  # of the objective
    length: float  # share of the full Newton step that a decrease allowed


def _newton_step(problem: WorkingSet, chosen: NDArray[np.bool_]) -> _Step:
    k, d = problem.W.shape
    nothing = _Step(direction=np.zeros((k, d)), product=np.zeros(k * d), change=0.0, length=0.0)
    groups = np.flatnonzero(chosen)
    w = problem.W[groups]
    norms = np.linalg.norm(w, axis=1)
    units = w / norms[:, None]
    slope_all = problem.gradient.reshape(k, d)[groups] + problem.beta * units
    step = None
    if len(groups) * d >= LARGE and problem.beta > 0:
        step = problem.factor.solve(
            problem.G, problem.ids, groups, (units, norms / problem.beta), slope_all
        )
    if step is None:
        step = _solve_newton_system(problem, groups, units, norms, slope_all)
    if step is None:
        return nothing
    best = nothing
    for candidate in _zeroing_candidates(w, step, norms):
        tried = _try(problem, groups, candidate, 0.0)
        best = min(best, tried, key=lambda s: s.change)
    slope = float(np.vdot(slope_all, step))
    length = 1.0
    whole = _try(problem, groups, step, 1.0)
    for _ in range(20):
        tried = _shorten(problem, whole, length)
        if tried.change <= 1e-4 * length * slope + problem.rounding:
            best = tried if tried.change < best.change or best is nothing else best
            break
        length *= 0.5
    else:
        length = 0.0
    return _Step(direction=best.direction, product=best.product, change=best.change, length=length)


def _solve_newton_system(
    problem: WorkingSet, groups: Indices, units: Array, norms: Array, slope: Array
) -> Array | None:
    """`-(G + beta/|w| (I - uu'))^-1 slope` on the support; a ridge where G is singular."""
    k, d = units.shape
    curvature = np.eye(d) - units[:, :, None] * units[:, None, :]
    curvature *= (problem.beta / norms)[:, None, None]
    diagonal = np.arange(k * d)
    for ridge in (0.0, 1e-13, 1e-10):
        hessian = submatrix(problem.G, groups, d)
        hessian.reshape(k, d, k, d)[np.arange(k), :, np.arange(k), :] += curvature
        hessian[diagonal, diagonal] *= 1.0 + ridge
        # The transpose is in Fortran order, which LAPACK overwrites without a copy.
        _, step, info = dposv(hessian.T, -slope.ravel(), lower=1, overwrite_a=1)
        if info == 0 and np.isfinite(step).all():
            return np.asarray(step).reshape(k, d)
    return None


def _zeroing_candidates(w: Array, step: Array, norms: Array) -> list[Array]:
    """The step with groups that it flips (or nearly removes) sent to exactly zero."""
    candidates: list[Array] = []
    along = np.einsum("ij,ij->i", w + step, w)
    fewer = 0
    for share in (0.05, 0.6):
        crossed = along <= share * norms**2
        if np.count_nonzero(crossed) > fewer:
            fewer = int(np.count_nonzero(crossed))
            candidate = step.copy()
            candidate[crossed] = -w[crossed]
            candidates.append(candidate)
    return candidates


def _try(problem: WorkingSet, groups: Indices, step: Array, length: float) -> _Step:
    direction = np.zeros_like(problem.W)
    direction[groups] = step
    flat = direction.ravel()
    product = problem.G @ flat
    w = problem.W[groups]
    norms = np.linalg.norm(w + step, axis=1) - np.linalg.norm(w, axis=1)
    change = float(flat @ problem.gradient + 0.5 * flat @ product + problem.beta * norms.sum())
    return _Step(direction=direction, product=product, change=change, length=length)


def _shorten(problem: WorkingSet, whole: _Step, length: float) -> _Step:
    direction, product = length * whole.direction, length * whole.product
    flat = direction.ravel()
    norms = np.linalg.norm(problem.W + direction, axis=1) - np.linalg.norm(problem.W, axis=1)
    change = float(flat @ problem.gradient + 0.5 * flat @ product + problem.beta * norms.sum())
    return _Step(direction=direction, product=product, change=change, length=length)
