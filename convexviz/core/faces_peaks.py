"""Which stationary points of `|G'(Xu)_+|` on the unit sphere are local maxima."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.core.compiled import compiled
from convexviz.core.cone_ascent import within
from convexviz.core.types import Array

_ON = 1e-9  # nearer to a hyperplane, a unit direction lies on it
_SLACK = 1e-7  # of the value: slopes below it are none


@compiled
def _added(v: Array, base: Array, count: int) -> float:  # pragma: no cover - compiled
    """v without its part in the first `count` rows of `base`, in place; its length."""
    for _ in range(2):  # twice is enough
        within(v, base, count)
    size = 0.0
    for i in range(len(v)):
        size += v[i] * v[i]
    return float(np.sqrt(size))


@compiled
def _split(H: Array, on: Array, basis: Array, along: Array) -> int:  # pragma: no cover - compiled
    """Orthonormal rows that span the normals in `on` into `basis`, the complement into `along`.

    Returns the rank of the normals.
    """
    r = H.shape[1]
    v = np.empty(r)
    rank = 0
    for k in on:
        v[:] = H[k]
        length = _added(v, basis, rank)
        if length > 1e-8 and rank < r:
            basis[rank] = v / length
            rank += 1
    count = rank
    for axis in range(r):
        v[:] = 0.0
        v[axis] = 1.0
        length = _added(v, basis, count)
        if count < r and length > 0.3 / r:
            basis[count] = v / length
            along[count - rank] = basis[count]
            count += 1
    return rank


@compiled
def _hidden(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rows: Array, owner: Array, touching: Array, u: Array, G: Array, hidden: Array, image: Array
) -> None:  # pragma: no cover - compiled
    """`(Xu)_+` with exact zeros on the hyperplanes that u touches, and `G'(Xu)_+`."""
    linear = rows @ u  # one product: a dot a row costs ten times as much
    for i in range(len(rows)):
        if owner[i] >= 0 and linear[i] > 0.0 and not touching[owner[i]]:
            hidden[i] = linear[i]
            for a in range(len(image)):
                image[a] += hidden[i] * G[i, a]


@compiled
def _bends_down(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    slopes: Array, across: Array, H: Array, on: Array, gamma: Array, slack: float
) -> bool:  # pragma: no cover - compiled
    """Whether `slopes = -sum tau_l h_l` with `gamma_l <= tau_l <= 0`, for independent h_l.

    `across` is orthonormal in the order of the normals, so its products with them are triangular.
    """
    rank = len(on)
    tau = np.empty(rank)
    for i in range(rank - 1, -1, -1):
        t = 0.0
        for k in range(len(slopes)):
            t -= across[i, k] * slopes[k]
        for j in range(i + 1, rank):
            s = 0.0
            for k in range(len(slopes)):
                s += across[i, k] * H[on[j], k]
            t -= s * tau[j]
        s = 0.0
        for k in range(len(slopes)):
            s += across[i, k] * H[on[i], k]
        tau[i] = t / s
        if tau[i] > slack or tau[i] < gamma[i] - slack:
            return False
    return True


@compiled
def _slopes(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rows: Array, owner: Array, scale: Array, touching: Array, hidden: Array, G: Array, g: Array
) -> Array:  # pragma: no cover - compiled
    """The linear part of the slope of `|G'(Xu)_+|`, in every direction."""
    w = np.zeros(rows.shape[1])
    for i in range(len(rows)):
        if owner[i] < 0:
            continue
        if hidden[i] > 0.0 or (touching[owner[i]] and scale[i] < 0.0):
            s = 0.0
            for a in range(len(g)):
                s += G[i, a] * g[a]
            for t in range(len(w)):
                w[t] += s * rows[i, t]
    return w


@compiled
def local_maxima(  # noqa: PLR0913 - a compiled loop takes arrays, not objects
    rows: Array,
    H: Array,
    owner: Array,
    scale: Array,
    G: Array,
    rho: Array,
    points: Array,
) -> tuple[Any, ...]:  # pragma: no cover - compiled
    """For every point: is it a local maximum, its hidden rows, `G'(Xu)_+`, and its face's span.

    Along a tangent t the slope is `w't + sum_l gamma_l (h_l't)_+` over the hyperplanes through the
    point: none is positive where all gamma_l <= 0 and `w = -sum tau_l h_l`, gamma_l <= tau_l <= 0.
    Where more hyperplanes meet than the rank needs, tau is not unique and the point is kept.
    """
    K, r = points.shape
    keep = np.ones(K, np.bool_)
    hidden = np.zeros((K, len(rows)))
    images = np.zeros((K, G.shape[1]))
    spans = np.zeros((K, r, r))
    dims = np.full(K, r)
    touching = np.zeros(len(H), np.bool_)
    basis, gamma = np.zeros((r, r)), np.empty(len(H))
    for k in range(K):
        distance = H @ points[k]
        for row in range(len(H)):
            touching[row] = abs(distance[row]) <= _ON
        on = np.flatnonzero(touching)
        _hidden(rows, owner, touching, points[k], G, hidden[k], images[k])
        phi = np.sqrt(images[k] @ images[k])
        if phi == 0.0:
            keep[k] = False
            continue
        g = images[k] / phi
        for i in range(len(on)):
            gamma[i] = rho[on[i]] @ g
            keep[k] = keep[k] and gamma[i] <= _SLACK * phi
        rank = _split(H, on, basis, spans[k])
        dims[k] = r - rank
        if keep[k] and len(on) == rank:
            w = _slopes(rows, owner, scale, touching, hidden[k], G, g)
            keep[k] = _bends_down(w, basis, H, on, gamma, _SLACK * phi)
    return keep, hidden, images, spans, dims
