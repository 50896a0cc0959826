"""Machine code of the active-set solver: groups that start, turn or leave a wall.

Groups, cones and faces are laid out as in `constrained_steps`.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled_sums
from convexviz.core.cones_kernels import project_on_rows
from convexviz.core.types import Array
from convexviz.solvers.constrained_steps import TIGHT, attempt, inner, product, reach

SMALL = 1e-2  # groups below this share of the largest are turned at once, not by Newton


@compiled_sums
def restart(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    gram: Array,
    V: Array,
    slope: Array,
    beta: float,
    F: Array,
    ends: Array,
    faces: Array,
    sizes: Array,
) -> bool:  # pragma: no cover - compiled
    """Zero the groups that are better at zero; turn small ones to where they are pulled.

    A small group cannot turn by Newton steps: its penalty's curvature is beta/|v|.
    """
    K, d = V.shape
    largest = 0.0
    for a in range(K):
        largest = max(largest, np.sqrt(inner(V[a], V[a])))
    point, multipliers, rows = np.empty(d), np.empty(d + 1), np.empty(d + 1, np.int64)
    pull, new = np.empty(d), np.empty(d)
    changed = False
    for a in range(K):
        norm = np.sqrt(inner(V[a], V[a]))
        if norm == 0.0:
            continue
        for i in range(d):
            pull[i] = -slope[a, i]
            for j in range(d):
                pull[i] += gram[a * d + i, a * d + j] * V[a, j]
        # The projection of the pull is at least as long as its part along V.
        if norm >= SMALL * largest and inner(pull, V[a]) > beta * norm:
            continue
        for i in range(sizes[a]):
            rows[i] = faces[a, i]
        m = ends[a + 1] - ends[a]
        k, _ = project_on_rows(F, ends[a], m, pull, rows, sizes[a], 0.0, multipliers, point)
        size = np.sqrt(inner(point, point))
        zero = size <= beta
        if not zero and norm >= SMALL * largest:
            continue
        length = 0.0
        if not zero:
            curve = 0.0
            for i in range(d):
                for j in range(d):
                    curve += point[i] * gram[a * d + i, a * d + j] * point[j]
            if not curve > 0:
                continue
            length = max(0.0, (inner(pull, point) / size - beta) / (curve / size**2))
        gain = beta * (length - norm)
        for i in range(d):
            new[i] = 0.0 if zero else length * (point[i] / size)
        for i in range(d):
            gain += slope[a, i] * (new[i] - V[a, i])
            for j in range(d):
                block = gram[a * d + i, a * d + j]
                gain += 0.5 * (new[i] - V[a, i]) * block * (new[j] - V[a, j])
        if not zero and gain >= -1e-12 * beta * norm:
            continue
        for i in range(d):
            moved = new[i] - V[a, i]
            for e in range(K):
                for t in range(d):
                    slope[e, t] += moved * gram[a * d + i, e * d + t]
            V[a, i] = new[i]
        changed = True
        sizes[a] = 0
        if length > 0.0:
            sizes[a] = min(k, d)
            for i in range(sizes[a]):
                faces[a, i] = rows[i]
    return changed


@compiled_sums
def leave(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    gram: Array,
    V: Array,
    slope: Array,
    scale: float,
    beta: float,
    F: Array,
    ends: Array,
    faces: Array,
    sizes: Array,
) -> bool:  # pragma: no cover - compiled
    """One step of steepest feasible descent: which walls it leaves, and whether it gained.

    Each group's direction is the projection of its negative gradient onto its tangent cone.
    """
    K, d = V.shape
    most = 0
    for a in range(K):
        most = max(most, ends[a + 1] - ends[a])
    directions, push = np.zeros((K, d)), np.empty((K, d))
    found, counts = faces.copy(), sizes.copy()
    point, multipliers, rows = np.empty(d), np.empty(d + 1), np.empty(d + 1, np.int64)
    down, tight, walls = np.empty(d), np.empty((most, d)), np.empty((K, most), np.int64)
    held = np.zeros(K, np.int64)
    squares, bend = 0.0, 0.0
    for a in range(K):
        norm = np.sqrt(inner(V[a], V[a]))
        if norm == 0.0:
            continue
        for r in range(ends[a + 1] - ends[a]):
            if inner(F[ends[a] + r], V[a]) <= TIGHT * norm:
                for t in range(d):
                    tight[held[a], t] = F[ends[a] + r, t]
                walls[a, held[a]] = r
                held[a] += 1
        for t in range(d):
            down[t] = -(slope[a, t] + beta * V[a, t] / norm)
        k, _ = project_on_rows(tight, 0, held[a], down, rows, 0, 0.0, multipliers, point)
        square = inner(point, point)
        if np.sqrt(square) <= 1e-14 * scale:
            continue
        squares += square
        bend += square / norm
        for t in range(d):
            directions[a, t] = point[t]
        counts[a] = min(k, d)
        for i in range(counts[a]):
            found[a, i] = walls[a, rows[i]]
    product(gram, directions, push)
    curve = beta * bend
    for a in range(K):
        curve += inner(push[a], directions[a])
    if not curve > 0:
        return False
    for a in range(K):
        for t in range(d):
            directions[a, t] *= squares / curve
        if inner(directions[a], directions[a]) > 0.0:
            limit, _ = reach(F, ends[a], ends[a + 1], V[a], directions[a], walls[a], held[a])
            for t in range(d):
                directions[a, t] *= limit
    product(gram, directions, push)
    taken, gain = attempt(V, slope, directions, beta, push)
    if not gain < 0:
        return False
    for a in range(K):
        sizes[a] = counts[a]
        for t in range(d):
            V[a, t] += taken * directions[a, t]
            slope[a, t] += taken * push[a, t]
            faces[a, t] = found[a, t]
    return True
