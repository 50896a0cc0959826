"""Machine code of the active-set solver: Newton systems on the faces of cones.

Groups, cones and faces are laid out as in `constrained_steps`.
"""

from __future__ import annotations

import numpy as np

from convexviz.core.compiled import compiled, compiled_sums
from convexviz.core.cones_kernels import orthonormal
from convexviz.core.types import Array
from convexviz.solvers.constrained_steps import inner


@compiled_sums
def frames(  # noqa: C901, PLR0912, PLR0913 - a compiled loop
    gram: Array,
    V: Array,
    F: Array,
    ends: Array,
    faces: Array,
    sizes: Array,
    bases: Array,
    images: Array,
    dims: Array,
    known: Array,
) -> None:  # pragma: no cover - compiled
    """Rows `bases[a, :dims[a]]`: an orthonormal basis of the face of group a, none at zero.

    `images[a, i]` is `gram` times that vector: with it, a step costs what its faces have
    dimensions. Dependent walls leave the face. `known[a]` are the number of walls and the walls
    that the basis is of (at first -1): most steps meet no new wall, and a basis costs d^3.
    """
    K, d = V.shape
    A, Q, R = np.empty((d + 1, d)), np.empty((d + 1, d)), np.empty((d + 1, d + 1))
    left = np.empty(d)
    for a in range(K):
        dims[a] = 0
        if inner(V[a], V[a]) == 0.0:
            sizes[a], known[a, 0] = 0, -1
            continue
        k = sizes[a]
        same = known[a, 0] == k
        for i in range(k):
            same = same and known[a, i + 1] == faces[a, i]
        if same:
            dims[a] = d - k
            continue
        while True:
            for i in range(k):
                for t in range(d):
                    A[i, t] = F[ends[a] + faces[a, i], t]
            rank = orthonormal(A, 0, k, Q, R)
            if rank == k:
                break
            for i in range(rank, k - 1):
                faces[a, i] = faces[a, i + 1]
            k -= 1
        sizes[a], known[a, 0] = k, k
        known[a, 1 : k + 1] = faces[a, :k]
        left[:] = 1.0  # of each axis, outside the rows of Q so far
        for i in range(k):
            for j in range(d):
                left[j] -= Q[i, j] * Q[i, j]
        for i in range(k, d):
            axis = np.argmax(left)
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
            for j in range(d):
                left[j] -= Q[i, j] * Q[i, j]
        dims[a] = d - k
        for i in range(d - k):
            for t in range(d):
                bases[a, i, t] = Q[k + i, t]
            image = images[a, i]
            image[:] = 0.0
            for t in range(d):
                n, row = Q[k + i, t], gram[a * d + t]
                for j in range(K * d):
                    image[j] += n * row[j]
        for i in range(d - k, d):
            for t in range(d):
                bases[a, i, t] = 0.0


@compiled_sums
def newton_system(  # noqa: PLR0913 - a compiled loop
    slope: Array,
    units: Array,
    bends: Array,
    bases: Array,
    images: Array,
    starts: Array,
    H: Array,
    right: Array,
) -> None:  # pragma: no cover - compiled
    """Hessian and negative gradient on the faces: `N'G N + bends (I - u u')`, `-N'slope`."""
    K, d = units.shape
    along = np.empty(d)
    for a in range(K):
        at, k = starts[a], starts[a + 1] - starts[a]
        for e in range(a + 1):
            for i in range(k):
                for j in range(starts[e + 1] - starts[e]):
                    s = 0.0
                    for t in range(d):
                        s += images[a, i, e * d + t] * bases[e, j, t]
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
