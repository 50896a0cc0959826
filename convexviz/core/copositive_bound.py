"""A certified lower bound on the copositive relaxation: its own dual norm, from small programs.

In the relaxation a cone's largest value is `max <Q, W>` over `tr W = 1`, W positive semidefinite
and `K W K'` non-negative, with `Q = B'B`. Any `N >= 0` proves that it is at most
`lambda_max(Q + sum N_ab sym(k_a k_b'))`. Cones of at most four facets have the exact value (doubly
non-negative matrices of that order are completely positive), so only others need a program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from convexviz.core.cone_norm import ChosenCones
from convexviz.core.dual_norm import AllFaces
from convexviz.core.panics import unless_panic
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram

FEW = 4  # facets up to which the relaxation of a cone is exact
_BITS = (6, 12, 24, 36)  # of a multiplier that is kept: fewer are enough where a cell has room


@dataclass(frozen=True, slots=True)
class Relaxed:
    """An upper bound on the relaxation's dual norm, and what proves it.

    Attributes:
        value: at least the largest value over all cones.
        multipliers: N for each cell that needed one, a value a pair of facets.
    """

    value: float
    multipliers: Mapping[int, Array] = field(default_factory=dict)


def why_exact(program: VectorProgram) -> str | None:
    """Why the relaxation has the optimum of the network, for any targets; None where it may not."""
    rank = program.norm.rows.shape[1]
    if rank <= 2:
        return "cones in at most two dimensions have two rays"
    if isinstance(program.norm, AllFaces | ChosenCones):
        facets = facet_counts(program.norm)
        if facets.max() <= FEW:
            return f"no cone has more than {FEW} facets"
    return None


def facet_counts(norm: AllFaces | ChosenCones) -> np.ndarray:
    """How many facets each cell has (rank 3 or more)."""
    if isinstance(norm, ChosenCones):
        return np.array([len(norm.cone(cell)) for cell in range(norm.n_patterns)])
    minus, plus, _ = norm.faces.facet_list
    return np.bincount(np.concatenate([minus, plus]), minlength=norm.n_patterns)


def relaxed_norm(
    program: VectorProgram,
    R: Float[np.ndarray, "n c"],
    known: Mapping[int, Array] | None = None,
) -> Relaxed:
    """The relaxation's dual norm at R, from above; values below the weight decay are not told
    apart.

    With `known` multipliers nothing is solved: a cell that has none gets its plain singular value.
    """
    norm = program.norm
    if norm.rows.shape[1] <= 2 or not isinstance(norm, AllFaces | ChosenCones):
        exact = norm.largest(program.readout.adjoint(R))
        return Relaxed(max(exact, _floor(program)))
    asked = _asked(program, norm, R)
    worst, proof = asked.worst, {}
    for cell in asked.cells.tolist():
        Q, K = asked.forms[cell].T @ asked.forms[cell], norm.cone(cell)
        kept = np.zeros(0) if known is None else np.maximum(known.get(cell, np.zeros(0)), 0.0)
        N = _short(Q, K, _multipliers(Q, K), worst) if known is None else kept
        proof[cell] = N
        worst = max(worst, min(_root(Q, K, N), float(asked.tops[cell])))
    return Relaxed(worst, proof)


def programs(program: VectorProgram, R: Float[np.ndarray, "n c"]) -> int:
    """How many small programs `relaxed_norm` solves at R: half a millisecond each."""
    norm = program.norm
    if norm.rows.shape[1] <= 2 or not isinstance(norm, AllFaces | ChosenCones):
        return 0
    return len(_asked(program, norm, R).cells)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The cells whose value is not known yet, largest singular value first."""

    cells: np.ndarray
    forms: Array
    tops: Array
    worst: float


def _asked(program: VectorProgram, norm: AllFaces | ChosenCones, R: Array) -> _Asked:
    G = program.readout.adjoint(R)
    worst = max(norm.largest(G), _floor(program))
    forms = norm.forms(G)
    tops = np.linalg.norm(forms, 2, axis=(1, 2))
    unsure = np.flatnonzero((facet_counts(norm) > FEW) & (tops > worst))
    return _Asked(unsure[np.argsort(-tops[unsure])], forms, tops, worst)


def _floor(program: VectorProgram) -> float:
    return program.weight_decay * (1 - 1e-12)


def _pairs(K: Float[np.ndarray, "f r"]) -> list[Array]:
    """`sym(k_a k_b')` for every pair of different facets."""
    a, b = np.tril_indices(len(K), -1)
    return [0.5 * (np.outer(K[i], K[j]) + np.outer(K[j], K[i])) for i, j in zip(a, b, strict=True)]


def _value(Q: Float[np.ndarray, "r r"], K: Float[np.ndarray, "f r"], N: Array) -> float:
    pairs = _pairs(K)
    if len(N) != len(pairs):
        return float(np.linalg.eigvalsh(Q)[-1])
    return float(np.linalg.eigvalsh(Q + sum(n * S for n, S in zip(N, pairs, strict=True)))[-1])


def _root(Q: Float[np.ndarray, "r r"], K: Float[np.ndarray, "f r"], N: Array) -> float:
    return float(np.sqrt(max(_value(Q, K, N), 0.0)))


def _short(
    Q: Float[np.ndarray, "r r"], K: Float[np.ndarray, "f r"], N: Array, enough: float
) -> Array:
    """The fewest digits of N that still prove `enough`; all of them where none do."""
    top = int(np.frexp(N.max(initial=0.0))[1])
    for bits in _BITS:
        unit = np.ldexp(1.0, top - bits)
        rough: Array = np.round(N / unit) * unit
        if _root(Q, K, rough) <= enough:
            return rough
    return N


def _multipliers(Q: Float[np.ndarray, "r r"], K: Float[np.ndarray, "f r"]) -> Array:
    """N from Clarabel; whatever it is, `_value` makes a true bound of it."""
    import clarabel
    from scipy import sparse

    scale = float(np.trace(Q))
    pairs = _pairs(K)
    rows = np.array([_packed(np.eye(len(Q))), *(-_packed(S) for S in pairs)])
    size = rows.shape[1]
    A = np.vstack([rows, -np.eye(size)])
    b = np.concatenate([[1.0], np.zeros(len(A) - 1)])
    cones = [
        clarabel.ZeroConeT(1),
        clarabel.NonnegativeConeT(len(pairs)),
        clarabel.PSDTriangleConeT(len(Q)),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    nothing = sparse.csc_matrix((size, size))
    end = unless_panic(
        lambda: clarabel.DefaultSolver(
            nothing, -_packed(Q / scale), sparse.csc_matrix(A), b, cones, settings
        ).solve()
    )
    found = np.zeros(len(pairs)) if end is None else np.array(end.z)[1 : 1 + len(pairs)]
    return scale * np.maximum(np.nan_to_num(found), 0.0)


def _packed(M: Float[np.ndarray, "r r"]) -> Array:
    """The upper triangle, column by column, off-diagonal entries times the root of two."""
    r = len(M)
    return np.array(
        [M[i, j] * (1.0 if i == j else np.sqrt(2.0)) for j in range(r) for i in range(j + 1)]
    )
