"""The copositive program's relaxation: positive semidefinite blocks that are non-negative on cones.

    min l(A(sum_i D_i X Z_i), Y) + beta/2 sum_i (tr W_i + tr G_i)
    s.t. [W_i Z_i; Z_i' G_i] >= 0 (positive semidefinite),  K_i W_i K_i' >= 0 (entrywise)

`W_i` should lie in the convex hull of u u' with `K_i u >= 0`, completely positive matrices; doubly
non-negative ones contain them, and are the same for cones of at most four facets. So the optimum
is always a lower bound (Sahiner, Ergen, Pauly, Pilanci: Vector-output ReLU Neural Network Problems
are Copositive Programs, ICLR 2021; THEORY 3.3). The fractional form eliminates the `Z_i`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import nnls

from convexviz.core.dual_norm import ListedNorm, SearchedNorm
from convexviz.core.types import Array
from convexviz.errors import IncompatibleSolver

if TYPE_CHECKING:
    import cvxpy as cp

    from convexviz.core.vector import VectorProgram

MAX_FRACTIONAL = 64  # patterns, and targets: seconds in Clarabel
MAX_BLOCKS = 400  # Clarabel: some 10 s; the blocks of a program written out


def cone_rows(
    rows: Float[np.ndarray, "N r"], pattern: Bool[np.ndarray, " N"]
) -> Float[np.ndarray, "f r"]:
    """`K = (2 D - I) X`, unit rows, each direction once."""
    lengths = np.linalg.norm(rows, axis=1)
    there = lengths > 1e-12 * lengths.max(initial=0.0)
    K = np.where(pattern[there], 1.0, -1.0)[:, None] * rows[there] / lengths[there, None]
    _, first = np.unique(np.round(K, 9), axis=0, return_index=True)
    out: Array = K[np.sort(first)]
    return out


def _patterns(program: VectorProgram) -> Bool[np.ndarray, "N P"]:
    if not isinstance(program.norm, ListedNorm):
        raise IncompatibleSolver(
            f"the patterns of {len(program.X):,} rows of {program.X.shape[1]} columns are too many "
            "to write out; use fewer rows, or arrangements='sampled'"
        )
    return program.norm.patterns()


def block_problem(program: VectorProgram) -> cp.Problem:
    """The relaxation in block form over every pattern, in coordinates of the row space.

    Raises:
        IncompatibleSolver: too many patterns, or a loss that is not written out here.
    """
    import cvxpy as cp

    patterns = _patterns(program)
    if patterns.shape[1] > MAX_BLOCKS:
        raise IncompatibleSolver(
            f"cvxpy takes at most {MAX_BLOCKS} patterns written out, got {patterns.shape[1]}; "
            "use method='exact'"
        )
    rows, k = program.norm.rows, program.outputs
    r = rows.shape[1]
    fit, penalty, constraints = 0, 0, []
    for i, pattern in enumerate(patterns.T):
        block = cp.Variable((r + k, r + k), PSD=True, name=f"block{i}")
        K = cone_rows(rows, pattern)
        a, b = np.tril_indices(len(K), -1)
        if len(a):
            inner = cp.sum(cp.multiply(K[a] @ block[:r, :r], K[b]), axis=1)
            constraints.append(inner >= 0)
        if len(K) == 1:
            constraints.append(K @ block[:r, :r] @ K.T >= 0)
        masked = rows * pattern[:, None]
        fit = fit + readout_matrix(program, masked) @ cp.vec(block[:r, r:], order="C")
        penalty = penalty + 0.5 * cp.trace(block)
    value = _loss(program, fit) + program.weight_decay * penalty
    return cp.Problem(cp.Minimize(value), constraints)


def fractional_problem(program: VectorProgram) -> cp.Problem:
    """The relaxation in the authors' fractional form, of squared loss, for vec(Y):

    min 1/2 y'(I + 2 sum_iq F_iq U_i F_iq')^{-1} y + beta^2 sum_i tr U_i,  F_iq the readout of
    D_i X by output weight q (THEORY 3.3); equal to the block form, and worse conditioned.

    Raises:
        IncompatibleSolver: too many patterns or targets, or another loss.
    """
    import cvxpy as cp

    patterns, y = _patterns(program), program.Y.ravel()
    if program.loss.name != "squared":
        raise IncompatibleSolver(
            f"the fractional form is of squared loss, got {program.loss.name!r}"
        )
    if patterns.shape[1] > MAX_FRACTIONAL or len(y) > MAX_FRACTIONAL:
        raise IncompatibleSolver(
            f"the fractional form takes at most {MAX_FRACTIONAL} patterns and targets, got "
            f"{patterns.shape[1]} and {len(y)}; use the block form"
        )
    rows, k = program.norm.rows, program.outputs
    r = rows.shape[1]
    inner, penalty, constraints = np.eye(len(y)), 0, []
    for i, pattern in enumerate(patterns.T):
        U = cp.Variable((r, r), PSD=True, name=f"U{i}")
        K = cone_rows(rows, pattern)
        constraints.append(K @ U @ K.T >= 0)
        wide = readout_matrix(program, rows * pattern[:, None]).reshape(len(y), r, k)
        for q in range(k):
            inner = inner + 2.0 * wide[:, :, q] @ U @ wide[:, :, q].T
        penalty = penalty + cp.trace(U)
    value = 0.5 * cp.matrix_frac(y, 0.5 * (inner + inner.T))
    return cp.Problem(cp.Minimize(value + program.weight_decay**2 * penalty), constraints)


def fractional_fit(program: VectorProgram, problem: cp.Problem) -> Float[np.ndarray, "n c"]:
    """The prediction of a solved `fractional_problem`: `Y - (I + 2 sum F U F')^{-1} Y`."""
    rows, k = program.norm.rows, program.outputs
    r, y = rows.shape[1], program.Y.ravel()
    inner = np.eye(len(y))
    found = {v.name(): np.asarray(v.value) for v in problem.variables()}
    for i, pattern in enumerate(_patterns(program).T):
        wide = readout_matrix(program, rows * pattern[:, None]).reshape(len(y), r, k)
        inner += 2.0 * sum(wide[:, :, q] @ found[f"U{i}"] @ wide[:, :, q].T for q in range(k))
    out: Array = (y - np.linalg.solve(inner, y)).reshape(program.Y.shape)
    return out


def readout_matrix(
    program: VectorProgram, masked: Float[np.ndarray, "N r"]
) -> Float[np.ndarray, "nc rk"]:
    """The matrix that takes vec(Z), rows first, to vec(A(masked Z)), rows first."""
    N, r = masked.shape
    k = program.outputs
    raw = np.zeros((N, k, r, k))
    raw[:, np.arange(k), :, np.arange(k)] = masked[None]
    out = program.readout.apply(raw.reshape(N, k, r * k))
    return out.reshape(out.shape[0] * out.shape[1], r * k)


def _loss(program: VectorProgram, fit: cp.Expression) -> cp.Expression:
    import cvxpy as cp

    Y = program.Y
    if program.loss.name == "squared":
        return 0.5 * cp.sum_squares(fit - Y.ravel())
    if program.loss.name == "cross_entropy":
        F = cp.reshape(fit, Y.shape, order="C")
        return cp.sum(cp.log_sum_exp(F, axis=1)) - cp.sum(cp.multiply(Y, F))
    raise IncompatibleSolver(f"the reference is written out for no loss {program.loss.name!r}")


def fit_of(program: VectorProgram, problem: cp.Problem) -> Float[np.ndarray, "n c"]:
    """The prediction of a solved `block_problem`."""
    rows, r = program.norm.rows, program.norm.rows.shape[1]
    blocks = {v.name(): np.asarray(v.value) for v in problem.variables()}
    out = np.zeros(program.Y.size)
    for i, pattern in enumerate(_patterns(program).T):
        Z = blocks[f"block{i}"][:r, r:]
        out += readout_matrix(program, rows * pattern[:, None]) @ Z.ravel()
    return out.reshape(program.Y.shape)


def recovered(
    program: VectorProgram, F: Float[np.ndarray, "n c"], near: float = 1e-4
) -> Float[np.ndarray, "m dk"]:
    """Neurons whose network predicts F, or comes nearest to it.

    At an optimum `F = sum_k w_k A(a_k g_k')` over the peaks of the dual norm at `R(F)`, w >= 0. The
    sum exists where the blocks are completely positive, and fails where the relaxation is loose.

    Raises:
        IncompatibleSolver: nothing finds the peaks of this dual norm.
    """
    norm, beta = program.norm, program.weight_decay
    if not isinstance(norm, SearchedNorm):
        raise IncompatibleSolver(
            f"a search must find the neurons of a prediction, and {type(norm).__name__} is a bound "
            "alone; use method='closed_form'"
        )
    G = program.readout.adjoint(program.loss.minus_gradient(F, program.Y))
    found = norm.search(G, beta * (1 - near), 1 - near)
    peaks = norm.peaks(G, found, 500)
    if not len(peaks) or found.largest < beta * (1 - near):
        return np.zeros((0, program.X.shape[1] + program.outputs))
    raw = peaks.hidden[:, :, None] * peaks.outputs[:, None, :]
    atoms = program.readout.apply(np.moveaxis(raw, 0, -1)).reshape(F.size, len(peaks))
    weights, _ = nnls(atoms, F.ravel(), maxiter=50 * len(peaks))
    on = weights > 0
    U = peaks.points[on] @ norm.basis.T
    return np.concatenate([U, weights[on, None] * peaks.outputs[on]], axis=1)
