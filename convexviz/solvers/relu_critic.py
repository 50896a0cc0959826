"""The best ReLU discriminator of the plane by linear programming, and samples cut from its dual.

Over measures on the circle the game with penalty `|G|^2` is convex: find the shortest zonotope
(half) boundary whose support function stays within beta of that of the data. Its dual is a
discriminator, whose bound is exact once its largest reply is; its primal, cut into pieces of equal
length, is a generator that is nearly allowed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import Neurons
from convexviz.core.ridges import TURN, on_circle, ridge_sum

ATOMS, PER_ATOM = 120, 2
NEGLIGIBLE = 1e-9
ROOM = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1.0)  # of the largest height; zero does at the last


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """Angles and lengths of a zonotope's edges, and the discriminator that proves its length."""

    angles: Float[np.ndarray, " k"]
    lengths: Float[np.ndarray, " k"]
    neurons: Neurons


def shortest(X: Float[np.ndarray, "n 2"], beta: float, atoms: int = ATOMS) -> Measure:
    """The linear program on a grid of angles, by the dual simplex method (some 50 ms).

    Where beta is less than the grid can match, it is solved for the least that it can; what its
    neurons prove holds for any beta.
    """
    from scipy.optimize import linprog

    angles = np.arange(atoms) * TURN / atoms
    seen = np.arange(PER_ATOM * atoms) * TURN / (PER_ATOM * atoms)
    directions = on_circle(seen)
    heights = ridge_sum(X, np.ones(len(X)), directions)
    K = np.maximum(np.cos(seen[:, None] - angles[None]), 0.0)
    for more in ROOM:
        room = beta + more * float(heights.max())
        solved = linprog(
            np.ones(atoms),
            A_ub=np.vstack([K, -K]),
            b_ub=np.concatenate([heights + room, room - heights]),
            method="highs-ds",
        )
        if solved.x is not None:
            break
    lengths, multipliers = solved.x, -solved.ineqlin.marginals
    weights = multipliers[len(seen) :] - multipliers[: len(seen)]
    on = np.abs(weights) > NEGLIGIBLE * max(float(np.abs(weights).max()), 1e-300)
    kept = lengths > NEGLIGIBLE * max(float(lengths.sum()), 1e-300)
    return Measure(angles[kept], lengths[kept], Neurons(directions[on], weights[on]))


def pieces(measure: Measure, count: int, offset: float) -> Float[np.ndarray, "count 2"]:
    """The half boundary, its edges sorted by angle, cut into `count` pieces of equal length."""
    order = np.argsort(measure.angles)
    steps = measure.lengths[order, None] * on_circle(measure.angles[order])
    along = np.concatenate([[0.0], np.cumsum(measure.lengths[order])])
    corners = np.vstack([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    places = (np.arange(count) + offset) * along[-1] / count
    cut = np.stack([np.interp(places, along, corners[:, k]) for k in (0, 1)], axis=1)
    return np.diff(np.vstack([cut, cut[:1] + corners[-1]]), axis=0)


def apportioned(measure: Measure, count: int) -> Float[np.ndarray, "count 2"]:
    """Each edge shared by a number of samples, so that squares are least; small edges merged."""
    edges = measure.lengths[:, None] * on_circle(measure.angles)
    while len(edges) > count:
        edges = edges[np.argsort(np.arctan2(edges[:, 1], edges[:, 0]))]
        after = np.roll(edges, -1, axis=0)
        lost = np.linalg.norm(edges, axis=1) + np.linalg.norm(after, axis=1)
        j = int(np.argmin(lost - np.linalg.norm(edges + after, axis=1)))
        edges[j] = edges[j] + after[j]
        edges = np.delete(edges, (j + 1) % len(edges), axis=0)
    squares, share = np.square(edges).sum(axis=1), np.ones(len(edges), dtype=int)
    for _ in range(count - len(edges)):
        share[int(np.argmax(squares / share - squares / (share + 1)))] += 1
    return np.repeat(edges / share[:, None], share, axis=0)
