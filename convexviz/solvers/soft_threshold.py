"""The closed form of whitened, spike-free data: the soft-thresholded SVD (THEORY 3.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution, Status
from convexviz.core.spike_free import SpikeFree
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, followed, silent

_EQUAL = 1e-9
_NEGATIVE = 1e-9


@dataclass(frozen=True, slots=True)
class Spectrum:
    """`Q'Y = U diag(sigma) V'` for whitened `X = s Q E'`; the columns of `left` are `Q u_k`."""

    size: float
    left: Float[np.ndarray, "n k"]
    sigma: Float[np.ndarray, " k"]
    right: Float[np.ndarray, "k c"]
    first: Float[np.ndarray, "k d"]

    def lower_bound(self, Y: Float[np.ndarray, "n c"], weight_decay: float) -> float:
        """The optimum of the linear network, under that of every ReLU network here."""
        beta = weight_decay / self.size
        h = np.where(self.sigma > beta, beta * self.sigma - beta**2 / 2, self.sigma**2 / 2)
        return float(h.sum() + 0.5 * max(np.sum(Y**2) - np.sum(self.sigma**2), 0.0))


@dataclass(frozen=True, slots=True)
class SoftThreshold(AbstractSolver):
    """Neurons `u_k sqrt(sigma_k - beta)`, `v_k sqrt(sigma_k - beta)`; nothing iterates."""

    tolerance: float = 1e-8

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, VectorProgram) or not isinstance(program.norm, SpikeFree):
            return "it needs a VectorProgram on spike-free rows"
        return why_no_closed_form(program)

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, VectorProgram)
        spectrum = spectrum_of(program.X, program.Y)
        beta = program.weight_decay / spectrum.size
        on = spectrum.sigma > beta
        weight = (spectrum.sigma[on] - beta) / spectrum.size
        variables = np.concatenate([spectrum.first[on], weight[:, None] * spectrum.right[on]], 1)
        certificate = program.certify(variables)
        monitor = Monitor(self.tolerance, on_iteration)
        stop = monitor.record(certificate)
        status = Status.OPTIMAL if stop else Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        return Solution(variables, certificate, status, "SoftThreshold", tuple(monitor.trace))

    def path(
        self,
        program: VectorProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> tuple[Solution, ...]:
        """One solution a weight decay, in the order given. A cancelled path: see `followed`."""

        def solve(at: VectorProgram, _start: Array | None) -> Solution:
            return self._solve(at, on_iteration)

        return followed(program, weight_decays, solve)


def why_no_closed_form(program: VectorProgram) -> str | None:
    """Why the closed form is not the optimum of this program; None where it is."""
    s = np.linalg.svd(program.X, compute_uv=False)
    s = s[s > _EQUAL * s[0]] if len(s) and s[0] > 0 else s[:0]
    if not len(s) or s[-1] < s[0] * (1 - _EQUAL):
        largest = f"{s[0] / s[-1]:.4g} times the smallest" if len(s) else "zero"
        return f"X must be whitened, all singular values equal; the largest is {largest}"
    spectrum = spectrum_of(program.X, program.Y)
    kept = spectrum.left[:, spectrum.sigma > program.weight_decay / spectrum.size]
    if kept.size and kept.min() < -_NEGATIVE:
        bound = spectrum.lower_bound(program.Y, program.weight_decay)
        return (
            "the left singular vectors of Y above the threshold must be non-negative, got "
            f"entries down to {kept.min():.2g}; the soft-thresholded SVD is then only a lower "
            f"bound, {bound:.9g}; use method='exact'"
        )
    return None


def spectrum_of(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n c"]) -> Spectrum:
    """The SVD that the closed form thresholds, its left vectors non-negative where they can be."""
    Q, s, E = np.linalg.svd(X, full_matrices=False)
    rank = int((s > _EQUAL * s[0]).sum())
    Q, E = Q[:, :rank], E[:rank]
    U, sigma, Vt = np.linalg.svd(Q.T @ Y, full_matrices=False)
    left = Q @ U
    turn = _non_negative_turn(left, sigma)
    U, left, Vt = U @ turn, left @ turn, turn.T @ Vt
    return Spectrum(float(s[0]), left, sigma, Vt, (E.T @ U).T)


def _non_negative_turn(left: Array, sigma: Array) -> Array:
    """A rotation among equal singular values, and signs, that make left vectors non-negative.

    Non-negative orthonormal vectors have disjoint supports, so within a group every row of `left`
    is a multiple of one column of the rotation.
    """
    k = len(sigma)
    turn = np.zeros((k, k))
    start = 0
    while start < k:
        stop = start + 1
        while stop < k and sigma[start] - sigma[stop] <= _EQUAL * max(sigma[0], 1e-300):
            stop += 1
        group = left[:, start:stop]
        columns = _directions(group)
        if columns is None:
            signs = np.where(group.sum(axis=0) >= 0, 1.0, -1.0)
            columns = np.diag(signs)
        turn[start:stop, start:stop] = columns
        start = stop
    return turn


def _directions(group: Float[np.ndarray, "n k"]) -> Array | None:
    """The k orthonormal directions that all rows follow, or None."""
    lengths = np.linalg.norm(group, axis=1)
    rows = group[lengths > 1e-7] / lengths[lengths > 1e-7, None]
    found: list[Array] = []
    for row in rows:
        if not any(np.linalg.norm(row - other) < 1e-6 for other in found):
            found.append(row)
        if len(found) > group.shape[1]:
            return None
    if len(found) != group.shape[1]:
        return None
    columns = np.array(found).T
    if np.abs(columns.T @ columns - np.eye(len(found))).max() > 1e-6:
        return None
    return columns
