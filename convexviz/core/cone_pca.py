"""Cone-constrained PCA by recursion over the facets: short, exact, and slow.

    max u'Qu  subject to  Ku >= 0, |u| <= 1

Where a top eigenvector is feasible it is the answer, else the maximum lies on a facet (Sahiner,
Ergen, Pauly, Pilanci: Vector-output ReLU Neural Network Problems are Copositive Programs, ICLR
2021, Algorithm 1, whose oracle follows Asteris, Papailiopoulos, Dimakis 2014; THEORY 3.4).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.types import Array

_INSIDE = 1e-10  # of unit rows: a direction this far outside is inside
_EQUAL = 1e-12


def cone_pca(
    Q: Float[np.ndarray, "r r"], K: Float[np.ndarray, "f r"]
) -> tuple[float, Float[np.ndarray, " r"]]:
    """The value and a maximiser; (0, 0) where the cone is {0}."""
    best, u = 0.0, np.zeros(len(Q))
    for value, point in _candidates(Q, K, np.eye(len(Q))):
        if value > best:
            best, u = value, point
    return best, u


def stationary_points(
    B: Float[np.ndarray, "c r"], K: Float[np.ndarray, "f r"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k r"]]:
    """Values `|B u|` and points u of every face whose top eigenvector lies in it."""
    found = _candidates(B.T @ B, K, np.eye(B.shape[1]), every=True)
    values = np.sqrt(np.maximum(np.array([value for value, _ in found]), 0.0))
    return values, np.array([point for _, point in found]).reshape(-1, B.shape[1])


def _candidates(
    Q: Array, K: Array, basis: Array, *, every: bool = False
) -> list[tuple[float, Array]]:
    """Feasible top eigenvectors: of the cone itself, or else of all its facets, and so on down."""
    lengths = np.linalg.norm(K, axis=1)
    K = K[lengths > _EQUAL] / lengths[lengths > _EQUAL, None]
    values, vectors = np.linalg.eigh(Q)
    top = vectors[:, -1]
    for u in (top, -top):
        if (K @ u >= -_INSIDE).all():
            found = [(float(values[-1]), basis @ u)]
            if not every or len(Q) == 1:
                return found
            break
    else:
        found = []
    if len(Q) == 1:
        return found
    for row in K:
        across = np.linalg.svd(row[None])[2][1:].T
        found += _candidates(across.T @ Q @ across, K @ across, basis @ across, every=every)
    return found
