"""F of a ReLU discriminator: how far two sets of samples are apart for every half-space.

`h_X(u) = sum_i (x_i'u)_+` is the support function of the zonotope `sum_i [0, x_i]`, so F, the
largest `|h_X - h_G|` on the unit sphere, is the Hausdorff distance of two zonotopes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core import ridges

CELLS = 4000  # patterns that are visited one by one in four dimensions and more
STARTS = 24


@dataclass(frozen=True, slots=True)
class Distance:
    """F between two numbers: `lower` is attained by a direction, `upper` is proved."""

    lower: float
    upper: float

    @property
    def is_exact(self) -> bool:
        return self.upper <= self.lower * (1 + 1e-12)


def stacked(
    X: Float[np.ndarray, "n s"], G: Float[np.ndarray, "m s"]
) -> tuple[Float[np.ndarray, "k s"], Float[np.ndarray, " k"]]:
    """Rows and signs of the difference `h_X - h_G`."""
    return np.vstack([X, G]), np.concatenate([np.ones(len(X)), -np.ones(len(G))])


def distance(X: Float[np.ndarray, "n s"], G: Float[np.ndarray, "m s"]) -> Distance:
    """F, exactly in up to three dimensions or where all patterns can be visited; else bracketed.

    The upper bound in many dimensions is pattern-free (THEORY 1.5) and holds for every direction;
    the lower one is the best of a few ascents.
    """
    A, w = stacked(X, G)
    if ridges.can_be_exact(A):
        value = float(np.abs(ridges.extremes(A, w)[1]).max())
        return Distance(value, value)
    exact = _by_cells(A, w)
    if exact is not None:
        return Distance(exact, exact)
    from convexviz.core import bounds

    lower = bounds.estimate_M(A, w, np.random.default_rng(0), STARTS)
    upper = min(bounds.pattern_free_bound(A, w), _by_pairs(X, G))
    return Distance(lower, max(upper, lower))


def _by_pairs(X: Float[np.ndarray, "n s"], G: Float[np.ndarray, "m s"]) -> float:
    """`|(x'u)_+ - (g'u)_+| <= |(x - g)'u|` for each pair of rows, as they are given."""
    if len(X) != len(G):
        return np.inf
    apart = X - G
    together = np.sqrt(len(X)) * np.linalg.norm(apart, 2)
    return float(min(together, np.linalg.norm(apart, axis=1).sum())) * (1 + 1e-12)


def _by_cells(A: Float[np.ndarray, "k s"], w: Float[np.ndarray, " k"]) -> float | None:
    """The largest projection onto the cones of all patterns, or None where there are too many."""
    from convexviz.core import arrangements, cones

    rows = A[np.abs(A).max(axis=1) > 0]
    if len(rows) == 0:
        return 0.0
    if arrangements.count_at_most(rows) > CELLS:
        return None
    patterns = arrangements.enumerate_all(A).patterns
    unit, kept = cones.unit_rows(A)
    best = 0.0
    for on in patterns.T:
        c = (w * on) @ A
        if np.linalg.norm(c) > best:  # or no point of the cell is better
            cone = cones.cone_of(unit, kept, on)
            best = max(best, cone.project(c).bound, cone.project(-c).bound)
    return best


def free_bias_distance(x: Float[np.ndarray, " n"], g: Float[np.ndarray, " m"]) -> float:
    """F of samples on a line where the neurons' thresholds cost nothing and |u| = 1.

    The functions are piecewise linear in the threshold, so its largest value is at a sample.
    """
    assert len(x) == len(g)  # otherwise the difference grows with the threshold
    best = 0.0
    for t in np.concatenate([x, g]):
        for sign in (1.0, -1.0):
            real = np.maximum(sign * (x - t), 0.0).sum()
            best = max(best, abs(float(real - np.maximum(sign * (g - t), 0.0).sum())))
    return best
