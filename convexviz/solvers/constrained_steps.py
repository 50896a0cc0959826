"""Machine code of the active-set solver: steps along faces, up to the next wall.

The K groups v_a of a working set lie in cones `F_a v_a >= 0`, rows `F[ends[a]:ends[a+1]]`; on the
face `faces[a, :sizes[a]]` (row numbers within the cone) they hold with equality.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled, compiled_sums
from convexviz.core.types import Array

TIGHT = 1e-12  # a wall holds where its slack is below this times |v|


@compiled
def inner(x: Array, y: Array) -> float:  # pragma: no cover - compiled
    """`x . y`; a call to BLAS costs more than the few terms."""
    s = 0.0
    for t in range(len(x)):
        s += x[t] * y[t]
    return s


@compiled_sums
def product(gram: Array, V: Array, out: Array) -> None:  # pragma: no cover - compiled
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


@compiled_sums
def product_on_faces(  # noqa: PLR0913 - a compiled loop
    gram: Array,
    V: Array,
    x: Array,
    shares: Array,
    images: Array,
    dims: Array,
    out: Array,
) -> None:  # pragma: no cover - compiled
    """`out = gram W`: W_a is the step with coordinates x on its face, times its share.

    Where that is negative, W_a is -V_a.
    """
    K, d = V.shape
    flat, at = out.reshape(K * d), 0
    flat[:] = 0.0
    for a in range(K):
        if shares[a] < 0.0:
            for t in range(d):
                v, row = -V[a, t], gram[a * d + t]
                for j in range(K * d):
                    flat[j] += v * row[j]
        elif shares[a] > 0.0:
            for i in range(dims[a]):
                v, image = shares[a] * x[at + i], images[a, i]
                for j in range(K * d):
                    flat[j] += v * image[j]
        at += dims[a]


@compiled
def reach(  # noqa: PLR0913 - a compiled loop
    F: Array, first: int, last: int, v: Array, step: Array, face: Array, size: int
) -> tuple[float, int]:  # pragma: no cover - compiled
    """How far `v + t step`, t <= 1, stays in the cone, and the wall that it meets (-1: none)."""
    d = len(v)
    length, norm = np.sqrt(inner(step, step)), np.sqrt(inner(v, v))
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
        along[a] = inner(V[a], step[a])
        square[a] = inner(step[a], step[a])
        norm[a] = inner(V[a], V[a])
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
def attempt(
    V: Array, slope: Array, trial: Array, beta: float, push: Array
) -> tuple[float, float]:  # pragma: no cover - compiled
    """The best part t of a step, and the objective's change; `push` is `gram trial`."""
    linear, curve = 0.0, 0.0
    for a in range(len(V)):
        linear += inner(slope[a], trial[a])
        curve += inner(push[a], trial[a])
    t = best_step(V, trial, linear, curve, beta)
    return t, t * linear + 0.5 * t * t * curve + beta * _longer(V, trial, t)


@compiled
def advance(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    gram: Array,
    V: Array,
    slope: Array,
    x: Array,
    step: Array,
    beta: float,
    images: Array,
    dims: Array,
    F: Array,
    ends: Array,
    faces: Array,
    sizes: Array,
) -> float:  # pragma: no cover - compiled
    """The better of: every group to its own wall or zero; all groups by one common step.

    The step has coordinates x on the faces, whose `images` and `dims` are those of `frames`.
    Updates the point, the loss's `slope` and the faces; returns the objective's change, <= 0.
    """
    K, d = V.shape
    limits, walls, vanish = np.ones(K), np.full(K, -1), np.zeros(K, np.bool_)
    least, vanishing, alike = 1.0, False, True
    for a in range(K):
        if inner(step[a], step[a]) > 0.0:
            limits[a], walls[a] = reach(F, ends[a], ends[a + 1], V[a], step[a], faces[a], sizes[a])
            inward, length = inner(V[a], step[a]), inner(V[a], V[a])
            # Newton closes in on a vanishing group without reaching zero: try zero from 90 % on.
            vanish[a] = inward < 0 and 0.9 * length <= -inward * limits[a]
            vanishing = vanishing or vanish[a]
        least = min(least, limits[a])
        alike = alike and limits[a] == limits[0]
    best, used, part = 0.0, -1, 0.0
    push, pushed, trial = np.zeros((K, d)), np.zeros((K, d)), np.zeros((K, d))
    shares = np.empty(K)
    for kind in range(3):
        if (kind == 1 and not vanishing) or (kind == 2 and alike):
            continue
        for a in range(K):
            shares[a] = least if kind == 2 else limits[a]
            if kind == 0 and vanish[a]:
                shares[a] = -1.0
            for t in range(d):
                trial[a, t] = -V[a, t] if shares[a] < 0.0 else shares[a] * step[a, t]
        product_on_faces(gram, V, x, shares, images, dims, push)
        taken, gain = attempt(V, slope, trial, beta, push)
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
