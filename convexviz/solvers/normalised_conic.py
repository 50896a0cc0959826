"""Batch norm after the ReLU on few patterns: the whole program as one second-order cone program.

    min 1/2 |z|^2 + beta sum_j t_j   s.t.   z = sum_j +-F_j u_j - y,   |R_j u_j| <= t_j,
        (2 D_j - I) X w_j >= 0,   u_j = (w_j, a_j)

with `F_j = [C D_j X, 1/sqrt(n)]` and R_j its triangular factor. It is `NormalisedProgram.to_cvxpy`
handed to Clarabel as it is, without the fifth of a second in which cvxpy would arrive at it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import sparse

from convexviz.core.normalised import NormalisedProgram
from convexviz.core.panics import unless_panic
from convexviz.core.types import Array

_LEAST = 1e-12


def solved(program: NormalisedProgram, tolerance: float) -> Float[np.ndarray, "g P d1"]:
    """`variables` as Clarabel has them at `tolerance`, not moved into their cones; zeros where it
    finds nothing."""
    import clarabel

    n, d = program.X.shape
    signs, P, width = program.signs, len(program.arrangements), d + 1
    out = np.zeros((len(signs), P, width))
    groups = [(g, i) for g in range(len(signs)) for i in range(P)]
    if not groups:
        return out
    features = {i: _features(program, i) for i in range(P)}
    factors: dict[int, Array] = {
        i: np.asarray(np.linalg.qr(features[i], mode="r")) for i in range(P)
    }
    k = len(groups)
    fit = np.hstack([-signs[g] * features[i] for g, i in groups])
    rows = [sparse.hstack([sparse.eye(n), fit, sparse.csr_matrix((n, k))])]
    offsets, cones = [-program.y], [clarabel.ZeroConeT(n)]
    if not program.gated:
        inside = [-_inside(program, i) for _, i in groups]
        walls = sparse.block_diag(inside)
        rows.append(sparse.hstack([_none(n * k, n), walls, _none(n * k, k)]))
        offsets.append(np.zeros(n * k))
        cones.append(clarabel.NonnegativeConeT(n * k))
    lengths = [np.vstack([np.zeros(width), -factors[i]]) for _, i in groups]
    sizes = [len(block) for block in lengths]
    first = np.cumsum([0, *sizes[:-1]])  # where each cone's row of t is
    t = sparse.coo_matrix((-np.ones(k), (first, np.arange(k))), shape=(sum(sizes), k))
    rows.append(sparse.hstack([_none(sum(sizes), n), sparse.block_diag(lengths), t]))
    offsets.append(np.zeros(sum(sizes)))
    cones += [clarabel.SecondOrderConeT(size) for size in sizes]
    A, b = sparse.vstack(rows).tocsc(), np.concatenate(offsets)
    cost = np.concatenate([np.zeros(n + k * width), np.full(k, program.weight_decay)])
    squares = sparse.diags(np.r_[np.ones(n), np.zeros(k * width + k)]).tocsc()
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    asked = max(tolerance, _LEAST)
    settings.tol_gap_rel = settings.tol_gap_abs = asked
    settings.tol_feas = min(asked, 1e-9)
    end = unless_panic(lambda: clarabel.DefaultSolver(squares, cost, A, b, cones, settings).solve())
    x = np.zeros(0) if end is None else np.array(end.x)
    if x.shape != cost.shape or not np.isfinite(x).all():
        return out
    for (g, i), u in zip(groups, x[n : n + k * width].reshape(k, width), strict=True):
        out[g, i] = u
    return out


def _features(program: NormalisedProgram, i: int) -> Array:
    """`[C D_i X, 1/sqrt(n)]`."""
    masked = np.where(program.arrangements.patterns[:, i, None], program.X, 0.0)
    ones = np.full((len(masked), 1), 1.0 / np.sqrt(len(masked)))
    return np.hstack([masked - masked.mean(axis=0), ones])


def _inside(program: NormalisedProgram, i: int) -> Array:
    """`(2 D_i - I) X` and a column of zeros for a."""
    sides = np.where(program.arrangements.patterns[:, i], 1.0, -1.0)
    return np.hstack([sides[:, None] * program.X, np.zeros((len(sides), 1))])


def _none(rows: int, columns: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((rows, columns))
