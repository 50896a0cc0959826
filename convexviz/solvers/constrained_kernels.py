"""Machine code of the active-set solver: Newton systems on faces, steps to walls, releases.

The K groups v_a of a working set lie in cones `F_a v_a >= 0`, rows `F[ends[a]:ends[a+1]]`; on the
face `faces[a, :sizes[a]]` (row numbers within the cone) they hold with equality.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled, compiled_sums
from convexviz.core.cones_kernels import orthonormal, project_on_rows
from convexviz.core.types import Array

TIGHT = 1e-12  # a wall holds where its slack is below this times |v|
SMALL = 1e-2  # groups below this share of the largest are turned at once, not by Newton


@compiled
def _inner(x: Array, y: Array) -> float:  # pragma: no cover - compiled
    s = 0.0
    for t in range(len(x)):
        s += x[t] * y[t]
    return s


@compiled_sums
def _product(gram: Array, V: Array, out: Array) -> None:  # pragma: no cover - compiled
    """`out = gram V`, V and out (K, d); zero groups cost nothing."""
    K, d = V.shape
    for a in range(K):
        for t in range(d):
            out[a, t] = 0.0
    for e in range(K):
        for j in range(d):
            v = V[e, j]
            if v != 0.0:
                row = gram[e * d + j]
                for a in range(K):
                    for t in range(d):
                        out[a, t] += v * row[a * d + t]


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
        if _inner(V[a], V[a]) == 0.0:
            sizes[a] = 0
            continue
        k = sizes[a]
        while True:
            for i in range(k):
                for t in range(d):
                    A[i, t] = F[ends[a] + faces[a, i], t]
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
            for t in range(d):
                Q[i, t] = 0.0
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
            for t in range(d):
                bases[a, i, t] = Q[k + i, t]
        for i in range(d - k, d):
            for t in range(d):
                bases[a, i, t] = 0.0


@compiled_sums
def newton_system(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    gram: Array,
    slope: Array,
    units: Array,
    bends: Array,
    bases: Array,
    starts: Array,
    H: Array,
    right: Array,
) -> None:  # pragma: no cover - compiled
    """Hessian and negative gradient on the faces: `N'G N + bends (I - u u')`, `-N'slope`."""
    K, d = units.shape
    along, half = np.empty(d), np.empty((d, K * d))
    for a in range(K):
        at, k = starts[a], starts[a + 1] - starts[a]
        for i in range(k):
            for j in range((a + 1) * d):
                half[i, j] = 0.0
            for t in range(d):
                n, row = bases[a, i, t], gram[a * d + t]
                for j in range((a + 1) * d):
                    half[i, j] += n * row[j]
        for e in range(a + 1):
            for i in range(k):
                for j in range(starts[e + 1] - starts[e]):
                    s = 0.0
                    for t in range(d):
                        s += half[i, e * d + t] * bases[e, j, t]
                    H[at + i, starts[e] + j] = s
                    H[starts[e] + j, at + i] = s
        for i in range(k):
            s, u = 0.0, 0.0
            for t in range(d):
                s += bases[a, i, t] * slope[a, t]
                u += bases[a, i, t] * units[a, t]
            right[at + i] = -s
            along[i] = u
        for i in range(k):
            H[at + i, at + i] += bends[a]
            for j in range(k):
                H[at + i, at + j] -= bends[a] * along[i] * along[j]


@compiled
def spread(x: Array, bases: Array, dims: Array, step: Array) -> None:  # pragma: no cover - compiled
    """The step of every group from its coordinates on its face."""
    at = 0
    for a in range(len(dims)):
        for t in range(step.shape[1]):
            s = 0.0
            for i in range(dims[a]):
                s += x[at + i] * bases[a, i, t]
            step[a, t] = s
        at += dims[a]


@compiled
def _reach(  # noqa: PLR0913 - a compiled loop
    F: Array, first: int, last: int, v: Array, step: Array, face: Array, size: int
) -> tuple[float, int]:  # pragma: no cover - compiled
    """How far `v + t step`, t <= 1, stays in the cone, and the wall that it meets (-1: none)."""
    d = len(v)
    length, norm = np.sqrt(_inner(step, step)), np.sqrt(_inner(v, v))
    best, wall = 1.0, -1
    for r in range(last - first):
        speed, slack = 0.0, 0.0
        for t in range(d):
            speed += F[first + r, t] * step[t]
            slack += F[first + r, t] * v[t]
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
        along[a] = _inner(V[a], step[a])
        square[a] = _inner(step[a], step[a])
        norm[a] = _inner(V[a], V[a])
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
def _try(  # noqa: PLR0913 - a compiled loop
    gram: Array, V: Array, slope: Array, trial: Array, beta: float, push: Array
) -> tuple[float, float]:  # pragma: no cover - compiled
    """The best part t of a step, and the objective's change; `push` becomes `gram trial`."""
    _product(gram, trial, push)
    linear, curve = 0.0, 0.0
    for a in range(len(V)):
        linear += _inner(slope[a], trial[a])
        curve += _inner(push[a], trial[a])
    t = best_step(V, trial, linear, curve, beta)
    return t, t * linear + 0.5 * t * t * curve + beta * _longer(V, trial, t)


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
    least, vanishing, alike = 1.0, False, True
    for a in range(K):
        if _inner(step[a], step[a]) > 0.0:
            limits[a], walls[a] = _reach(F, ends[a], ends[a + 1], V[a], step[a], faces[a], sizes[a])
            inward, length = _inner(V[a], step[a]), _inner(V[a], V[a])
            # Newton closes in on a vanishing group without reaching zero: try zero from 90 % on.
            vanish[a] = inward < 0 and 0.9 * length <= -inward * limits[a]
            vanishing = vanishing or vanish[a]
        least = min(least, limits[a])
        alike = alike and limits[a] == limits[0]
    best, used, part = 0.0, -1, 0.0
    push, pushed, trial = np.zeros((K, d)), np.zeros((K, d)), np.zeros((K, d))
    for kind in range(3):
        if (kind == 1 and not vanishing) or (kind == 2 and alike):
            continue
        for a in range(K):
            size = least if kind == 2 else limits[a]
            for t in range(d):
                trial[a, t] = -V[a, t] if kind == 0 and vanish[a] else size * step[a, t]
        taken, gain = _try(gram, V, slope, trial, beta, push)
        if gain < best:
            best, used, part = gain, kind, taken
            pushed, push = push, pushed
    full = part == 1.0
    for a in range(K):
        gone = used == 0 and vanish[a]
        size = least if used == 2 else limits[a]
        for t in range(d):
            if gone:
                V[a, t] = 0.0 if full else (1.0 - part) * V[a, t]
            elif used >= 0:
                V[a, t] += part * (size * step[a, t])
            if used >= 0:
                slope[a, t] += part * pushed[a, t]
        if gone and full:
            sizes[a] = 0
            continue
        on_wall = used >= 0 and full and not gone and (used != 2 or limits[a] == least)
        if walls[a] >= 0 and sizes[a] < d and (limits[a] == 0.0 or on_wall):
            faces[a, sizes[a]] = walls[a]
            sizes[a] += 1
    return best


@compiled
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
        largest = max(largest, np.sqrt(_inner(V[a], V[a])))
    point, multipliers, rows = np.empty(d), np.empty(d + 1), np.empty(d + 1, np.int64)
    pull, new = np.empty(d), np.empty(d)
    changed = False
    for a in range(K):
        norm = np.sqrt(_inner(V[a], V[a]))
        if norm == 0.0:
            continue
        for i in range(d):
            pull[i] = -slope[a, i]
            for j in range(d):
                pull[i] += gram[a * d + i, a * d + j] * V[a, j]
        for i in range(sizes[a]):
            rows[i] = faces[a, i]
        m = ends[a + 1] - ends[a]
        k, _ = project_on_rows(F, ends[a], m, pull, rows, sizes[a], 0.0, multipliers, point)
        size = np.sqrt(_inner(point, point))
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
            length = max(0.0, (_inner(pull, point) / size - beta) / (curve / size**2))
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


@compiled
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
        norm = np.sqrt(_inner(V[a], V[a]))
        if norm == 0.0:
            continue
        for r in range(ends[a + 1] - ends[a]):
            if _inner(F[ends[a] + r], V[a]) <= TIGHT * norm:
                for t in range(d):
                    tight[held[a], t] = F[ends[a] + r, t]
                walls[a, held[a]] = r
                held[a] += 1
        for t in range(d):
            down[t] = -(slope[a, t] + beta * V[a, t] / norm)
        k, _ = project_on_rows(tight, 0, held[a], down, rows, 0, 0.0, multipliers, point)
        square = _inner(point, point)
        if np.sqrt(square) <= 1e-14 * scale:
            continue
        squares += square
        bend += square / norm
        for t in range(d):
            directions[a, t] = point[t]
        counts[a] = min(k, d)
        for i in range(counts[a]):
            found[a, i] = walls[a, rows[i]]
    _product(gram, directions, push)
    curve = beta * bend
    for a in range(K):
        curve += _inner(push[a], directions[a])
    if not curve > 0:
        return False
    for a in range(K):
        for t in range(d):
            directions[a, t] *= squares / curve
        if _inner(directions[a], directions[a]) > 0.0:
            limit, _ = _reach(F, ends[a], ends[a + 1], V[a], directions[a], walls[a], held[a])
            for t in range(d):
                directions[a, t] *= limit
    taken, gain = _try(gram, V, slope, directions, beta, push)
    if not gain < 0:
        return False
    for a in range(K):
        sizes[a] = counts[a]
        for t in range(d):
            V[a, t] += taken * directions[a, t]
            slope[a, t] += taken * push[a, t]
            faces[a, t] = found[a, t]
    return True
