"""The copositive relaxation of the dual norm at any rank, solved for the multipliers that prove."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.neuron_bound import MOST_ROWS, Multipliers
from convexviz.core.solution import Certificate
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram
from convexviz.errors import SpecError
from convexviz.solvers.reference import clarabel


def tightened(program: VectorProgram, variables: Array) -> tuple[Certificate, Multipliers]:
    """The certificate at `variables` with the bound of the relaxation, and what proves it.

    Raises:
        SpecError: there are too many rows.
    """
    plain = program.certify(variables)
    R = program.loss.minus_gradient(program.fit(variables), program.Y)
    G = program.readout.adjoint(R)
    found = relax(program.X, G)
    dual = max(plain.dual, program.bound(R, found.bound(program.X, G)))
    return Certificate(plain.primal, min(dual, plain.primal), plain.scope), found


def relax(Z: Float[np.ndarray, "n d"], G: Float[np.ndarray, "n c"]) -> Multipliers:
    """The multipliers of the relaxation's optimum, by Clarabel.

    Raises:
        SpecError: there are too many rows.
    """
    import cvxpy as cp

    n, d = Z.shape
    if n > MOST_ROWS:
        raise SpecError(f"the relaxed bound takes at most {MOST_ROWS} rows, got {n}")
    unit = float(np.abs(G).max(initial=0.0)) or 1.0
    S = cp.Variable((d + n, d + n), PSD=True)
    A, B, H = S[:d, :d], S[d:, :d], S[d:, d:]
    linear = B @ Z.T
    constraints = [cp.trace(A) <= 1, cp.diag(H) == cp.diag(linear), linear <= H, H >= 0]
    C = (G / unit) @ (G / unit).T
    problem = cp.Problem(cp.Maximize(cp.trace(C @ H)), constraints)
    clarabel(problem, 1e-7)
    D, L, N = (np.asarray(constraint.dual_value) for constraint in constraints[1:])
    return Multipliers(-D, L, N)
