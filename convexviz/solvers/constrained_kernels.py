"""Machine code of the active-set solver: Newton systems on faces, steps to walls, releases.

The K groups v_a of a working set lie in cones `F_a v_a >= 0`, rows `F[ends[a]:ends[a+1]]`; on the
face `faces[a, :sizes[a]]` (row numbers within the cone) they hold with equality.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.cones_kernels import orthonormal, project_on_rows
from convexviz.core.types import Array

TIGHT = 1e-12  # a wall holds where its slack is below this times |v|
SMALL = 1e-2  # groups below this share of the largest are turned at once, not by Newton


@compiled
def frames(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    V: Array, F: Array, ends: Array, faces: Array, sizes: Array, bases: Array, dims: Array
) -> None:  # pragma: no cover - compiled
    """Rows `bases[a, :dims[a]]`: an orthonormal basis of the face of group a, none at zero.

    Dependent walls leave the face.
    """
    K, d = V.shape
    A, Q, R = np.empty((d + 1, d)), np.empty((d + 1, d)), np.empty((d + 1, d + 1))
    for a in range(K):
        dims[a] = 0
        if not np.any(V[a]):
            sizes[a] = 0
            continue
        k = sizes[a]
        while True:
            for i in range(k):
                A[i] = F[ends[a] + faces[a, i]]
            rank = orthonormal(A, k, Q, R)
            if rank == k:
                break
            for i in range(rank, k - 1):
                faces[a, i] = faces[a, i + 1]
            k -= 1
        sizes[a] = k
        for i in range(k, d):
            best, axis = -1.0, 0
            for j in range(d):
                left = 1.0
                for t in range(i):
                    left -= Q[t, j] * Q[t, j]
                if left > best:
                    best, axis = left, j
            Q[i, :] = 0.0
            Q[i, axis] = 1.0
            for _ in range(2):
                for j in range(i):
                    s = 0.0
                    for t in range(d):
                        s += Q[j, t] * Q[i, t]
                    for t in range(d):
                        Q[i, t] -= s * Q[j, t]
                s = 0.0
                for t in range(d):
                    s += Q[i, t] * Q[i, t]
                s = np.sqrt(s)
                for t in range(d):
                    Q[i, t] /= s
        dims[a] = d - k
        for i in range(d - k):
            bases[a, i] = Q[k + i]


@compiled
def newton_system(  # noqa: C901, PLR0913 - a compiled loop
    gram: Array, V: Array, slope: Array, beta: float, bases: Array, dims: Array
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Hessian and negative gradient of the objective on the faces; `slope` is the loss's."""
    K, d = V.shape
    starts = np.zeros(K + 1, np.int64)
    for a in range(K):
        starts[a + 1] = starts[a] + dims[a]
    M = starts[K]
    half, H, right = np.empty((M, K * d)), np.empty((M, M)), np.empty(M)
    for a in range(K):
        if dims[a]:
            N = bases[a, : dims[a]]
            np.dot(N, gram[a * d : (a + 1) * d], half[starts[a] : starts[a + 1]])
    for e in range(K):
        k = dims[e]
        if not k:
            continue
        columns = np.ascontiguousarray(half[:, e * d : (e + 1) * d])
        H[:, starts[e] : starts[e + 1]] = np.dot(columns, np.ascontiguousarray(bases[e, :k].T))
    for a in range(K):
        k = dims[a]
        if not k:
            continue
        norm = np.sqrt(np.sum(V[a] * V[a]))
        along = np.empty(k)
        for i in range(k):
            s, u = 0.0, 0.0
            for t in range(d):
                s += bases[a, i, t] * (slope[a, t] + beta * V[a, t] / norm)
                u += bases[a, i, t] * V[a, t] / norm
            right[starts[a] + i] = -s
            along[i] = u
        for i in range(k):
            for j in range(k):
                bend = (1.0 if i == j else 0.0) - along[i] * along[j]
                H[starts[a] + i, starts[a] + j] += beta / norm * bend
    return H, right


@compiled
def spread(x: Array, bases: Array, dims: Array, step: Array) -> None:  # pragma: no cover - compiled
    """The step of every group from its coordinates on its face."""
    at = 0
    step[:] = 0.0
    for a in range(len(dims)):
        for i in range(dims[a]):
            step[a] += x[at + i] * bases[a, i]
        at += dims[a]


@compiled
def _reach(
    F: Array, v: Array, step: Array, face: Array, size: int
) -> tuple[float, int]:  # pragma: no cover - compiled
    """How far `v + t step`, t <= 1, stays in the cone, and the wall that it meets (-1: none)."""
    d = len(v)
    length, norm = np.sqrt(np.sum(step * step)), np.sqrt(np.sum(v * v))
    best, wall = 1.0, -1
    for r in range(len(F)):
        speed, slack = 0.0, 0.0
        for t in range(d):
            speed += F[r, t] * step[t]
            slack += F[r, t] * v[t]
        if speed >= -TIGHT * length:
            continue
        held = False
        for i in range(size):
            held = held or face[i] == r
        if held:
            continue
        if slack <= TIGHT * norm:
            slack = 0.0
        if slack <= best * -speed:
            best, wall = slack / -speed, r
    return best, wall


@compiled
def _longer(V: Array, step: Array, t: float) -> float:  # pragma: no cover - compiled
    """The change of `sum |v_a|` along `t step`, without cancellation."""
    total = 0.0
    for a in range(len(V)):
        before, after, both = 0.0, 0.0, 0.0
        for k in range(V.shape[1]):
            moved = V[a, k] + t * step[a, k]
            before += V[a, k] * V[a, k]
            after += moved * moved
            both += (2 * V[a, k] + t * step[a, k]) * t * step[a, k]
        both_norms = np.sqrt(before) + np.sqrt(after)
        if both_norms > 0:
            total += both / both_norms
    return total


@compiled
def best_step(  # noqa: C901 - a compiled loop
    V: Array, step: Array, linear: float, curve: float, beta: float
) -> float:  # pragma: no cover - compiled
    """The t in [0, 1] that minimises `linear t + curve t^2/2 + beta sum |v_a + t step_a|`."""
    K, d = V.shape
    along, square, norm = np.empty(K), np.empty(K), np.empty(K)
    for a in range(K):
        along[a] = np.sum(V[a] * step[a])
        square[a] = np.sum(step[a] * step[a])
        norm[a] = np.sum(V[a] * V[a])
    low, high = 0.0, 1.0
    for trial in range(31):
        t = 1.0 if trial == 0 else 0.5 * (low + high)
        slope = linear + t * curve
        for a in range(K):
            if square[a] == 0.0:
                continue
            left = norm[a] + t * (2 * along[a] + t * square[a])
            if left <= 1e-6 * (norm[a] + square[a]):  # cancelled: sum the squares instead
                left = 0.0
                for k in range(d):
                    left += (V[a, k] + t * step[a, k]) ** 2
            if left > 0:
                slope += beta * (along[a] + t * square[a]) / np.sqrt(left)
        if trial == 0:
            if slope <= 0:
                return 1.0
        elif slope < 0:
            low = t
        else:
            high = t
    return low


@compiled
def advance(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    gram: Array,
    V: Array,
    slope: Array,
    step: Array,
    beta: float,
    F: Array,
    ends: Array,
    faces: Array,
    sizes: Array,
) -> float:  # pragma: no cover - compiled
    """The better of: every group to its own wall or zero; all groups by one common step.

    Updates the point, the loss's `slope` and the faces; returns the objective's change, <= 0.
    """
    K, d = V.shape
    limits, walls, vanish = np.ones(K), np.full(K, -1), np.zeros(K, np.bool_)
    own = np.zeros((K, d))
    for a in range(K):
        if np.any(step[a]):
            cone = F[ends[a] : ends[a + 1]]
            limits[a], walls[a] = _reach(cone, V[a], step[a], faces[a], sizes[a])
            inward, length = np.sum(V[a] * step[a]), np.sum(V[a] * V[a])
            # Newton closes in on a vanishing group without reaching zero: try zero from 90 % on.
            vanish[a] = inward < 0 and 0.9 * length <= -inward * limits[a]
            own[a] = -V[a] if vanish[a] else limits[a] * step[a]
    least = np.min(limits)
    best, used, part = 0.0, -1, 0.0
    pushed, trial = np.zeros(K * d), np.zeros((K, d))
    for kind in range(3):
        if kind == 1 and not np.any(vanish):
            continue
        if kind == 2 and np.all(limits == least):
            continue
        for a in range(K):
            if kind == 0:
                trial[a] = own[a]
            else:
                trial[a] = (limits[a] if kind == 1 else least) * step[a]
        push = np.dot(gram, trial.ravel())
        linear, curve = np.sum(slope * trial), np.sum(push * trial.ravel())
        t = best_step(V, trial, linear, curve, beta)
        gain = t * linear + 0.5 * t * t * curve + beta * _longer(V, trial, t)
        if gain < best:
            best, used, part = gain, kind, t
            pushed[:] = push
    for a in range(K):
        full = part == 1.0 or used < 0
        if used == 0 and full and vanish[a]:
            V[a] = 0.0
            sizes[a] = 0
            continue
        if used >= 0:
            size = part * (least if used == 2 else limits[a])
            if used == 0 and vanish[a]:
                V[a] -= part * V[a]
            else:
                V[a] += size * step[a]
        on_wall = used >= 0 and full and not (used == 0 and vanish[a])
        on_wall = on_wall and (used != 2 or limits[a] == least)
        if walls[a] >= 0 and sizes[a] < d and (limits[a] == 0.0 or on_wall):
            faces[a, sizes[a]] = walls[a]
            sizes[a] += 1
    if used >= 0:
        slope += part * pushed.reshape((K, d))
    return best


@compiled
def restart(  # noqa: PLR0913 - a compiled loop
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
        largest = max(largest, np.sqrt(np.sum(V[a] * V[a])))
    point, multipliers, rows = np.empty(d), np.empty(d + 1), np.empty(d + 1, np.int64)
    changed = False
    for a in range(K):
        norm = np.sqrt(np.sum(V[a] * V[a]))
        if norm == 0.0:
            continue
        block = np.ascontiguousarray(gram[a * d : (a + 1) * d, a * d : (a + 1) * d])
        pull = np.dot(block, V[a]) - slope[a]
        k = sizes[a]
        rows[:k] = faces[a, :k]
        k, _ = project_on_rows(F[ends[a] : ends[a + 1]], pull, rows, k, multipliers, point)
        size = np.sqrt(np.sum(point * point))
        new, zero = np.zeros(d), size <= beta
        if not zero:
            if norm >= SMALL * largest:
                continue
            unit = point / size
            curve = np.sum(unit * np.dot(block, unit))
            if not curve > 0:
                continue
            new = (np.sum(pull * unit) - beta) / curve * unit
            if np.sum(pull * unit) <= beta:
                new[:] = 0.0
        step = new - V[a]
        gain = np.sum(slope[a] * step) + 0.5 * np.sum(step * np.dot(block, step))
        gain += beta * (np.sqrt(np.sum(new * new)) - norm)
        if not zero and gain >= -1e-12 * beta * norm:
            continue
        columns = gram[a * d : (a + 1) * d]
        slope += np.dot(step, columns).reshape((K, d))
        V[a] = new
        changed = True
        sizes[a] = 0
        if np.any(new):
            sizes[a] = min(k, d)
            faces[a, : sizes[a]] = rows[: sizes[a]]
    return changed


@compiled
def leave(  # noqa: PLR0913 - a compiled loop
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
    directions, limits = np.zeros((K, d)), np.ones(K)
    found, counts = faces.copy(), sizes.copy()
    point, multipliers, rows = np.empty(d), np.empty(d + 1), np.empty(d + 1, np.int64)
    squares, bend = 0.0, 0.0
    for a in range(K):
        norm = np.sqrt(np.sum(V[a] * V[a]))
        if norm == 0.0:
            continue
        cone = F[ends[a] : ends[a + 1]]
        slack = np.dot(cone, V[a])
        walls = np.flatnonzero(slack <= TIGHT * norm)
        down = -(slope[a] + beta * V[a] / norm)
        k, _ = project_on_rows(cone[walls], down, rows, 0, multipliers, point)
        square = np.sum(point * point)
        if np.sqrt(square) <= 1e-14 * scale:
            continue
        directions[a] = point
        squares += square
        bend += square / norm
        counts[a] = min(k, d)
        for i in range(counts[a]):
            found[a, i] = walls[rows[i]]
    push = np.dot(gram, directions.ravel())
    curve = np.sum(push * directions.ravel()) + beta * bend
    if not curve > 0:
        return False
    length = squares / curve
    for a in range(K):
        if np.any(directions[a]):
            directions[a] *= length
            cone = F[ends[a] : ends[a + 1]]
            norm = np.sqrt(np.sum(V[a] * V[a]))
            walls = np.flatnonzero(np.dot(cone, V[a]) <= TIGHT * norm)
            limits[a], _ = _reach(cone, V[a], directions[a], walls, len(walls))
            directions[a] *= limits[a]
    push = np.dot(gram, directions.ravel())
    linear, curve = np.sum(slope * directions), np.sum(push * directions.ravel())
    t = best_step(V, directions, linear, curve, beta)
    gain = t * linear + 0.5 * t * t * curve + beta * _longer(V, directions, t)
    if not gain < 0:
        return False
    V += t * directions
    slope += t * push.reshape((K, d))
    faces[:] = found
    sizes[:] = counts
    return True
