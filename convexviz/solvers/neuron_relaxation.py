"""The copositive relaxation of the dual norm at any rank, solved for the multipliers that prove."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from convexviz.core.neuron_bound import MOST_ROWS, Multipliers
from convexviz.core.readout import Pooled, Rows
from convexviz.core.solution import Certificate
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram
from convexviz.errors import SpecError
from convexviz.solvers.reference import clarabel

if TYPE_CHECKING:
    import cvxpy as cp


def tightened(program: VectorProgram, variables: Array) -> tuple[Certificate, Multipliers]:
    """The certificate at `variables` with the bound of the relaxation, and what proves it.

    The best residual for the relaxed bound is looked for first (minutes become seconds where the
    solver fails, and then that of the network is taken).

    Raises:
        SpecError: there are too many rows.
    """
    plain = program.certify(variables)
    found = relax_jointly(program)
    R = program.loss.minus_gradient(program.fit(variables), program.Y)
    if found is None:
        found = relax(program.X, program.readout.adjoint(R))
    elif found.R is not None:
        R = found.R
    dual = max(plain.dual, program.bound(R, found.bound(program.X, program.readout.adjoint(R))))
    return Certificate(plain.primal, min(dual, plain.primal), plain.scope), found


def relax(Z: Float[np.ndarray, "n d"], G: Float[np.ndarray, "n c"]) -> Multipliers:
    """The multipliers of the relaxation's optimum for one residual, by Clarabel.

    Raises:
        SpecError: there are too many rows.
    """
    import cvxpy as cp

    n, d = _few(Z)
    unit = float(np.abs(G).max(initial=0.0)) or 1.0
    S = cp.Variable((d + n, d + n), PSD=True)
    A, B, H = S[:d, :d], S[d:, :d], S[d:, d:]
    linear = B @ Z.T
    negative = H - linear - linear.T + Z @ A @ Z.T
    constraints = [
        cp.trace(A) <= 1, cp.diag(H) == cp.diag(linear), linear <= H, H >= 0, negative >= 0,
    ]  # fmt: skip
    C = (G / unit) @ (G / unit).T
    problem = cp.Problem(cp.Maximize(cp.trace(C @ H)), constraints)
    clarabel(problem, 1e-7)
    D, L, N, T = (np.asarray(constraint.dual_value) for constraint in constraints[1:])
    return Multipliers(-D, L, N, T)


def relax_jointly(program: VectorProgram) -> Multipliers | None:
    """The residual with the best relaxed bound, and its multipliers, in one semidefinite program.

    `max_R -l*(-R)` where multipliers prove `M(R) <= beta`: by a Schur complement linear in R and
    the multipliers together. None where the solver finds nothing.

    Raises:
        SpecError: there are too many rows.
    """
    import cvxpy as cp

    n, d = _few(program.X)
    if not isinstance(program.readout, Rows | Pooled):
        return None
    pooled = program.readout.adjoint(np.eye(len(program.Y)))
    squared = program.loss.name == "squared"
    unit = float(np.abs(program.Y).max(initial=0.0)) if squared else 1.0
    width = float(np.linalg.norm(program.X, 2))
    if not (unit > 0 and width > 0):
        return None
    Z, Y, beta = program.X / width, program.Y / unit, program.weight_decay / unit / width
    m, c = Y.shape
    R, D = cp.Variable((m, c)), cp.Variable(n)
    L, N, T = cp.Variable((n, n)), *(cp.Variable((n, n), symmetric=True) for _ in range(2))
    inner = cp.diag(D) + 0.5 * (L + L.T) + N + T
    cross = 0.5 * (cp.diag(D) + L) @ Z + T @ Z
    G = pooled @ R
    whole = cp.bmat(
        [
            [beta**2 * np.eye(d) - Z.T @ T @ Z, cross.T, np.zeros((d, c))],
            [cross, -inner, G],
            [np.zeros((c, d)), G.T, np.eye(c)],
        ]
    )
    S = cp.Variable((d + n + c, d + n + c), PSD=True)
    domain, value = _conjugate(program.loss.name, R, Y)
    problem = cp.Problem(cp.Maximize(value), [L >= 0, N >= 0, T >= 0, whole == S, *domain])
    clarabel(problem, 1e-7)
    size = float(np.abs(pooled @ R.value).max(initial=0.0))
    if not size > 0:
        return None
    scaled = (np.asarray(A.value) / size**2 for A in (D, L, N, T))
    return replace(Multipliers(*scaled), R=_inside(program, unit * np.asarray(R.value)))


def _conjugate(name: str, R: cp.Variable, Y: Array) -> tuple[list[Any], cp.Expression]:
    """The domain of the loss's conjugate, and `-l*(-R)` in it."""
    import cvxpy as cp

    if name == "squared":
        return [], cp.sum(cp.multiply(R, Y)) - 0.5 * cp.sum_squares(R)
    if name == "cross_entropy":
        return [cp.sum(R, axis=1) == 0], cp.sum(cp.entr(Y - R))
    p = cp.multiply(R, Y)
    if name == "hinge":
        return [p >= 0, p <= 1], cp.sum(p)
    return [], cp.sum(cp.entr(p) + cp.entr(1 - p))


def _inside(program: VectorProgram, R: Array) -> Array:
    """R moved by rounding into the domain of the conjugate."""
    Y, name = program.Y, program.loss.name
    if name == "squared":
        return R
    if name == "cross_entropy":
        p = np.maximum(Y - R, 0.0)
        return np.asarray(Y - p / p.sum(axis=1, keepdims=True))
    return np.asarray(Y * np.clip(Y * R, 0.0, 1.0))


def _few(Z: Float[np.ndarray, "n d"]) -> tuple[int, int]:
    if len(Z) > MOST_ROWS:
        raise SpecError(f"the relaxed bound takes at most {MOST_ROWS} rows, got {len(Z)}")
    return Z.shape
