"""Newton's method on the neurons themselves, each inside its own face: the last digits.

Where a block has rank two or more, two singular values meet in the dual, which is then not smooth;
the weights `(u_j, v_j)` have no such trouble, and near the optimum no walls to cross.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram, balanced
from convexviz.solvers.dual_newton_steps import factor, root_hessian, solved

_ENTRIES = 20_000_000  # of the Jacobian: beyond, polishing is left out
_UNKNOWNS = 2500  # of the Hessian
_STEPS = 30
_ON = 1e-9


@dataclass(frozen=True, slots=True)
class _Point:
    """Balanced neurons: T (m, r) in the row space, V (m, k)."""

    T: Array
    V: Array


def polished(
    program: VectorProgram, variables: Float[np.ndarray, "m dk"]
) -> Float[np.ndarray, "m dk"]:
    """The neurons after a few damped Newton steps; as they are where that is too large.

    A step is cut where a neuron would leave its cell.
    """
    U, V = balanced(*program.neurons(variables))
    basis, rows = program.norm.basis, program.norm.rows
    size = U.shape[0] * (basis.shape[1] + V.shape[1])
    if not len(U) or size > _UNKNOWNS or size * rows.shape[0] * V.shape[1] > _ENTRIES:
        return variables
    point = _Point(U @ basis, V)
    faces = [_span(rows, t) for t in point.T]
    value, damping = _value(program, point), 1e-10
    for _ in range(_STEPS):
        gradient, H, columns = _model(program, point, faces)
        if np.abs(gradient).max() <= 1e-13 * program.weight_decay * np.abs(point.V).max():
            break
        for _ in range(8):
            move = _solve(H, gradient, damping)
            trial = _moved(rows, point, faces, columns, move)
            lower = _value(program, trial)
            if lower < value:
                break
            damping = max(100.0 * damping, 1e-10)
        else:
            break
        done = value - lower <= 1e-15 * value
        point, value, damping = trial, lower, max(0.01 * damping, 1e-14)
        if done:
            break
    return np.concatenate([point.T @ basis.T, point.V], axis=1)


def _value(program: VectorProgram, point: _Point) -> float:
    F = program.readout.apply(np.maximum(program.norm.rows @ point.T.T, 0.0) @ point.V)
    squares = float(np.sum(point.T**2) + np.sum(point.V**2))
    return program.loss.value(F, program.Y) + 0.5 * program.weight_decay * squares


def _span(rows: Float[np.ndarray, "N r"], t: Float[np.ndarray, " r"]) -> Float[np.ndarray, "r _"]:
    """A basis of the span of the face on which t lies."""
    lengths = np.linalg.norm(rows, axis=1)
    on = (np.abs(rows @ t) <= _ON * lengths * np.linalg.norm(t)) & (lengths > 0)
    if not on.any():
        return np.eye(len(t))
    s, Vt = np.linalg.svd(rows[on] / lengths[on, None], full_matrices=True)[1:]
    return np.ascontiguousarray(Vt[int((s > 1e-8).sum()) :].T)


def _active(rows: Array, t: Array) -> Bool[np.ndarray, " N"]:
    floor = _ON * np.linalg.norm(rows, axis=1) * np.linalg.norm(t)
    return rows @ t > floor


def _model(
    program: VectorProgram, point: _Point, faces: list[Array]
) -> tuple[Array, Array, list[slice]]:
    """Gradient and Hessian of the objective in the coordinates of all faces, then of V."""
    rows, beta = program.norm.rows, program.weight_decay
    hidden = np.maximum(rows @ point.T.T, 0.0)
    F = program.readout.apply(hidden @ point.V)
    R = program.loss.minus_gradient(F, program.Y)
    G = program.readout.adjoint(R)
    m, k = point.V.shape
    N = len(rows)
    sizes = [face.shape[1] for face in faces]
    first, columns = int(sum(sizes)), []
    raw = np.zeros((N, k, first + m * k))
    H = np.zeros((first + m * k,) * 2)
    gradient, start, each = np.zeros(first + m * k), 0, np.arange(k)
    for j, face in enumerate(faces):
        masked = (rows * _active(rows, point.T[j])[:, None]) @ face  # (N, q)
        here = slice(start, start + sizes[j])
        there = slice(first + j * k, first + (j + 1) * k)
        raw[:, :, here] = masked[:, None, :] * point.V[j][None, :, None]
        raw[:, each, first + j * k + each] = hidden[:, j][:, None]
        cross = -masked.T @ G
        H[here, there] += cross
        H[there, here] += cross.T
        gradient[here] = cross @ point.V[j] + beta * (face.T @ point.T[j])
        gradient[there] = -hidden[:, j] @ G + beta * point.V[j]
        columns.append(here)
        start += sizes[j]
    J = program.readout.apply(raw)
    root = root_hessian(program.loss.name, F)
    if root is not None:
        J = np.einsum("nab,nbp->nap", root, J)
    J = J.reshape(-1, J.shape[-1])
    H += J.T @ J
    H[np.diag_indices(len(H))] += beta
    return gradient, H, columns


def _solve(H: Array, gradient: Array, damping: float) -> Array:
    scale, diagonal = float(np.trace(H)) / len(H), H.diagonal().copy()
    damped = H.copy()
    while True:
        np.fill_diagonal(damped, diagonal + damping * scale)
        try:
            return -solved(factor(damped), gradient)
        except np.linalg.LinAlgError:
            damping = max(30.0 * damping, 1e-12)


def _moved(
    rows: Array,
    point: _Point,
    faces: list[Array],
    columns: list[slice],
    move: Array,
) -> _Point:
    """The point after the step, which is cut where a neuron meets a wall of its cell."""
    first = sum(here.stop - here.start for here in columns)
    dT = np.array([face @ move[here] for face, here in zip(faces, columns, strict=True)])
    dV = move[first:].reshape(point.V.shape)
    before, change = rows @ point.T.T, rows @ dT.T
    inside = np.abs(before) > _ON * np.linalg.norm(rows, axis=1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(inside & (before * change < 0), -before / change, np.inf)
    t = min(1.0, 0.99 * float(room.min(initial=np.inf)))
    return _Point(point.T + t * dT, point.V + t * dV)
