"""The Caratheodory step: neurons that others can stand for are dropped, at no cost (THEORY 3.8)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram

_DEPENDENT = 1e-9  # relative: a smaller singular value makes neurons dependent


def pruned(
    program: VectorProgram, variables: Float[np.ndarray, "m dk"]
) -> Float[np.ndarray, "q dk"]:
    """The same predictions and penalty with linearly independent `vec A((Xu_j)_+ g_j')`.

    While they depend on each other, weights move along the dependence until one is zero, in the
    direction in which the penalty does not rise.
    """
    U, V = program.neurons(variables)
    weight = np.linalg.norm(U, axis=1) * np.linalg.norm(V, axis=1)
    on = weight > 0
    U, V, weight = U[on], V[on], weight[on]
    U = U / np.linalg.norm(U, axis=1, keepdims=True)
    V = V / np.linalg.norm(V, axis=1, keepdims=True)
    hidden = np.maximum(program.X @ U.T, 0.0)
    raw = hidden[:, None, :] * V.T[None, :, :]
    columns = program.readout.apply(raw).reshape(program.Y.size, len(U))
    left = _independent(columns, weight)
    chosen = left > 0
    return np.concatenate([U[chosen], left[chosen, None] * V[chosen]], axis=1)


def _independent(columns: Float[np.ndarray, "nc m"], weight: Float[np.ndarray, " m"]) -> Array:
    weight = weight.copy()
    while True:
        on = np.flatnonzero(weight > 0)
        if len(on) <= 1:
            return weight
        lengths = np.linalg.norm(columns[:, on], axis=0)
        safe = np.where(lengths > 0, lengths, 1.0)
        s, Vt = np.linalg.svd(columns[:, on] / safe)[1:]
        if len(s) == len(on) and s[-1] > _DEPENDENT * s[0]:
            return weight
        along = Vt[-1] / safe
        along = along if along.sum() >= 0 else -along  # moving back never raises the penalty
        with np.errstate(divide="ignore"):
            room = np.where(along > 0, weight[on] / np.where(along > 0, along, 1.0), np.inf)
        first = int(room.argmin())
        weight[on] = np.maximum(weight[on] - room[first] * along, 0.0)
        weight[on[first]] = 0.0
