"""The hinge loss by an interior point method over the facets of the cones.

    min  sum xi + beta sum |w_g|   s.t.  xi >= 0,  xi >= 1 - y f(w),  w_g in its cone

The multipliers of the margins are the residual that certifies the optimum, which the fit alone
does not tell. Clarabel (Goulart and Chen, 2024) solves it for the patterns in use; others join
while they violate the dual constraint.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float
from scipy import sparse

from convexviz.core.gated import GatedProgram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import Hinge
from convexviz.core.panics import unless_panic
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.errors import SpecError
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration

_TOGETHER = 400  # filters at first, and at a time; an interior point method does not mind so many
_LARGEST = 50_000_000  # entries of the margins' matrix

Group = tuple[int, int]  # sign (0: w, 1: z) and pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class HingeConic(AbstractSolver):
    """Solves a `LossProgram` with hinge loss, gated or with cones, to a certified relative gap."""

    tolerance: float = 1e-6
    max_iterations: int = 50

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise SpecError(f"tolerance must be > 0, got {self.tolerance}")

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, LossProgram) or not isinstance(program.loss, Hinge):
            return "it needs a LossProgram with hinge loss"
        n, d = program.squared.X.shape
        if isinstance(program.squared, GatedProgram) and program.squared.patches > 1:
            return f"it knows no summed patches, got {program.squared.patches} a sample"
        if n * min(_TOGETHER, len(program.squared.arrangements) * d) > _LARGEST:
            return f"its matrices have n P d entries, at most {_LARGEST:,}"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, LossProgram)
        monitor = Monitor(self.tolerance, on_iteration)
        best = np.zeros(program.squared.shape)
        certificate = program.certify(best)
        residual = program.loss.minus_gradient(np.zeros(len(program.y)), program.y)
        groups: list[Group] = []
        witness = residual
        for _ in range(self.max_iterations):
            new = [] if monitor.record(certificate) else _violators(program, residual, groups)
            if not new or program.weight_decay == 0.0:
                break
            groups += new
            variables, residual = _optimum(program, groups, 1e-3 * self.tolerance)
            found = program.certify(variables)
            bound = program.bound(residual)
            if bound > certificate.dual:
                witness = residual
            dual = max(certificate.dual, found.dual, bound)
            if found.primal <= certificate.primal:
                best = variables
            primal = min(found.primal, certificate.primal)
            certificate = Certificate(primal, min(dual, primal), found.scope)
        status = Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        elif certificate.relative_gap <= self.tolerance:
            status = Status.OPTIMAL
        return Solution(best, certificate, status, "HingeConic", tuple(monitor.trace), witness)


def _violators(
    program: LossProgram, residual: Float[np.ndarray, " n"], known: list[Group]
) -> list[Group]:
    """The signed patterns that the residual violates most, without their cones."""
    sizes = np.linalg.norm(program.squared.correlations(residual), axis=1)
    signs = range(2 if len(program.squared.shape) == 3 else 1)
    inside = set(known)
    order = np.argsort(-sizes, kind="stable")
    found = [
        (s, int(i))
        for i, s in product(order[sizes[order] > program.weight_decay], signs)
        if (s, int(i)) not in inside
    ]
    return found[: max(1, _TOGETHER // program.squared.shape[-1])]


def _optimum(
    program: LossProgram, groups: list[Group], tolerance: float
) -> tuple[Array, Float[np.ndarray, " n"]]:
    """The optimum over these groups, and the margins' multipliers as a residual."""
    import clarabel

    squared, y = program.squared, program.y
    n, d = squared.X.shape
    K = len(groups)
    unit = float(np.linalg.norm(squared.X, axis=1).max()) or 1.0  # w = small / unit
    margins, facets = [], []
    for s, i in groups:
        sign = y * (1.0 - 2.0 * s) * squared.arrangements.patterns[:, i]
        margins.append(sign[:, None] * (squared.X / unit))
        if not isinstance(squared, GatedProgram):
            cone = squared.data.cone(i)
            facets.append(cone.signs[:, None] * cone.rows)
    # The variables are w (K d), |w| (K) and xi (n); every row says b - A x in a cone.
    rows = [sparse.hstack([-np.hstack(margins), sparse.csc_matrix((n, K)), -sparse.eye(n)])]
    rows.append(sparse.hstack([sparse.csc_matrix((n, K * d + K)), -sparse.eye(n)]))
    if facets:
        inside = sparse.block_diag(facets)
        rows.append(sparse.hstack([-inside, sparse.csc_matrix((inside.shape[0], K + n))]))
    n_linear = sum(block.shape[0] for block in rows)
    order = np.concatenate([np.r_[K * d + g, g * d : (g + 1) * d] for g in range(K)])
    lengths = sparse.csc_matrix(
        (-np.ones(len(order)), (np.arange(len(order)), order)), (len(order), K * d + K + n)
    )
    A = sparse.vstack([*rows, lengths], format="csc")
    b = np.zeros(A.shape[0])
    b[:n] = -1.0
    cost = np.concatenate([np.zeros(K * d), np.full(K, program.weight_decay / unit), np.ones(n)])
    cones = [clarabel.NonnegativeConeT(n_linear)]
    cones += [clarabel.SecondOrderConeT(d + 1)] * K
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = max(1e-12, tolerance)
    nothing = sparse.csc_matrix((len(cost), len(cost)))
    end = unless_panic(lambda: clarabel.DefaultSolver(nothing, cost, A, b, cones, settings).solve())
    x = np.zeros(len(cost)) if end is None else np.nan_to_num(np.array(end.x))
    z = np.zeros(len(b)) if end is None else np.nan_to_num(np.array(end.z))
    variables = np.zeros(squared.shape)
    flat = variables.reshape(-1, *squared.shape[-2:])
    for g, (s, i) in enumerate(groups):
        flat[s, i] = x[g * d : (g + 1) * d] / unit
    tiny = np.abs(flat).max(axis=2, keepdims=True) <= 1e-9 * np.abs(flat).max(initial=0.0)
    flat[np.broadcast_to(tiny, flat.shape)] = 0.0  # an interior point leaves no group at zero
    point: Array = variables
    if not isinstance(squared, GatedProgram):
        point = squared.feasible(variables)
    return point, y * np.clip(z[:n], 0.0, 1.0)
