"""Stationary values on the circles of an arrangement, and the buffer that all values go to.

Thresholds and values are squares, of `|B u|^2 = |G'(Xu)_+|^2` at unit u. `limits` holds the
threshold, the best value so far, and the share of the best that the threshold rises to. A point
from which a step leads up is no maximum, and is not kept: across a hyperplane the slope changes
by `rho . Bu`, so where that is positive one of the two sides leads up.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.types import Array

LEVEL = 2e-7  # of the value: slopes below it are none


@compiled
def push(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    value: float, u: Array, limits: Array, values: Array, points: Array, count: int
) -> int:  # pragma: no cover - compiled
    """Keep a value and its point where they are above the threshold; returns the new count."""
    if value > limits[1]:
        limits[1] = value
        limits[0] = max(limits[0], limits[2] * value)
    if value > limits[0]:
        if count == len(values):  # full: drop what the raised threshold excludes
            kept = 0
            for i in range(count):
                if values[i] > limits[0]:
                    values[kept] = values[i]
                    points[kept] = points[i]
                    kept += 1
            count = kept if kept < len(values) else kept // 2
        values[count] = value
        points[count] = u
        count += 1
    return count


@compiled
def _plane_form(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rho: Array, B0: Array, H: Array, plane: Array, active: Array, a: Array, B: Array
) -> None:  # pragma: no cover - compiled
    """The hyperplanes in coordinates of a plane into `a`, the form on its last arc into `B`."""
    a[:] = H @ plane
    B[:] = B0 @ plane
    for row in range(len(H)):
        if active[row]:
            for i in range(len(B)):
                B[i, 0] += rho[row, i] * a[row, 0]
                B[i, 1] += rho[row, i] * a[row, 1]


@compiled
def _top_direction(p: float, w: float, s: float) -> tuple[float, float]:  # pragma: no cover
    """Top eigenvector of [[p, w], [w, s]], (0, 0) where it is any."""
    h = np.hypot(0.5 * (p - s), w)
    x, y = (0.5 * (p - s) + h, w) if p >= s else (w, 0.5 * (s - p) + h)
    length = np.hypot(x, y)
    if length == 0:
        return 0.0, 0.0
    return x / length, y / length


@compiled
def _kinks_up(
    g: Array, rho: Array, rows: Array, slack: float
) -> bool:  # pragma: no cover - compiled
    """Whether the slope rises across one of these hyperplanes; g is `B u`."""
    for row in rows:
        t = 0.0
        for i in range(len(g)):
            t += g[i] * rho[row, i]
        if t > slack:
            return True
    return False


@compiled
def _image(B: Array, x: float, y: float, g: Array) -> None:  # pragma: no cover - compiled
    for i in range(len(B)):
        g[i] = B[i, 0] * x + B[i, 1] * y


@compiled
def _normal_form(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rho: Array, B0: Array, H: Array, j: int, active: Array, tilt: Array, b: Array
) -> None:  # pragma: no cover - compiled
    """`B h_j` on the last arc's side where `h_j'u` is negative, into `b`, and all `h'h_j`."""
    tilt[:] = H @ H[j]
    b[:] = B0 @ H[j]
    for row in range(len(H)):
        if active[row] and row != j:
            for i in range(len(b)):
                b[i] += rho[row, i] * tilt[row]


@compiled
def _ridge(g: Array, b: Array, kink: Array, slack: float) -> bool:  # pragma: no cover - compiled
    """Whether both sides of a hyperplane lead down; b is `B h` on its negative side."""
    below, change = 0.0, 0.0
    for i in range(len(g)):
        below += g[i] * b[i]
        change += g[i] * kink[i]
    return below >= -slack and below + change <= slack


@compiled
def sweep(  # noqa: C901, PLR0913 - a compiled loop takes arrays, not objects
    rho: Array,
    B0: Array,
    H: Array,
    planes: Array,
    starts: Array,
    line: Array,
    sign: Array,
    t2: Array,
    has_arc: Array,
    active: Array,
    on_starts: Array,
    on: Array,
    limits: Array,
    values: Array,
    points: Array,
) -> int:  # pragma: no cover - compiled
    """Stationary values on every circle: rays, and arcs by the 2 by 2 eigenproblem.

    The hyperplanes `on[on_starts[q]:on_starts[q + 1]]` contain circle q.
    """
    a = np.empty((len(H), 2))
    B = np.empty((rho.shape[1], 2))
    g, b, tilt = np.empty(len(B)), np.zeros(len(B)), np.empty(len(H))
    count = 0
    for q in range(len(planes)):
        _plane_form(rho, B0, H, planes[q], active[q], a, B)
        around = on[on_starts[q] : on_starts[q + 1]]
        alone = len(around) == 1
        if alone:
            _normal_form(rho, B0, H, around[0], active[q], tilt, b)
        first, last = starts[q], starts[q + 1]
        p, w, s = 0.0, 0.0, 0.0
        for i in range(len(B)):
            p += B[i, 0] * B[i, 0]
            w += B[i, 0] * B[i, 1]
            s += B[i, 1] * B[i, 1]
        for e in range(first, last):
            row = line[e]
            x, y = t2[e, 0], t2[e, 1]
            before = (s - p) * x * y + w * (x * x - y * y)
            for i in range(len(B)):
                B[i, 0] += sign[e] * rho[row, i] * a[row, 0]
                B[i, 1] += sign[e] * rho[row, i] * a[row, 1]
                if alone:
                    b[i] += sign[e] * rho[row, i] * tilt[row]
            p, w, s = 0.0, 0.0, 0.0
            for i in range(len(B)):
                p += B[i, 0] * B[i, 0]
                w += B[i, 0] * B[i, 1]
                s += B[i, 1] * B[i, 1]
            v = p * x * x + 2 * w * x * y + s * y * y  # at the ray
            if v > limits[0]:
                after = (s - p) * x * y + w * (x * x - y * y)
                slack = LEVEL * v
                _image(B, x, y, g)
                down = before >= -slack and after <= slack
                if v > limits[1] or (down and not _kinks_up(g, rho, around, slack)):
                    count = push(v, planes[q] @ t2[e], limits, values, points, count)
            top = 0.5 * (p + s) + np.hypot(0.5 * (p - s), w)
            if not has_arc[e] or top <= limits[0]:
                continue
            tx, ty = _top_direction(p, w, s)
            f = e + 1 if e + 1 < last else first
            c0 = x * ty - y * tx
            c1 = tx * t2[f, 1] - ty * t2[f, 0]
            side = -1.0 if c0 < 0 and c1 < 0 else 1.0
            if side * c0 >= 0 and side * c1 >= 0 and (tx != 0 or ty != 0):
                _image(B, side * tx, side * ty, g)
                slack = LEVEL * top
                keep = _ridge(g, b, rho[around[0]], slack) if alone else True
                if top > limits[1] or (keep and not _kinks_up(g, rho, around, slack)):
                    point = planes[q] @ np.array([side * tx, side * ty])
                    count = push(top, point, limits, values, points, count)
    return count
