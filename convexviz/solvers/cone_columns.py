"""Vector-output ReLU networks on chosen patterns at any size: columns first, then Newton, a proof.

Neurons that climbing finds in the cones become columns; the best network of those columns is a
group lasso in their output weights, whose residual says which neurons are missing (THEORY 1.7).
Newton's method on the dual moves the neurons themselves, where that is affordable. Climbing
certifies nothing: the bound is that of multipliers, found once, for the residual that promises
most, and kept with the solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from convexviz.core.cone_norm import ChosenCones
from convexviz.core.cone_search import Proved
from convexviz.core.normalised_cones import NormalisedCones
from convexviz.core.normalised_neurons import NormalisedNeurons
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.prune import pruned
from convexviz.core.solution import Certificate, Progress, Solution, Status
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram
from convexviz.errors import Cancelled
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, followed, silent
from convexviz.solvers.dual_newton import DualNewton

_ROUNDS = 60
_ADDED = 60  # columns a round
_SHARE = 0.3  # of the largest value: what becomes a column
_NEGLIGIBLE = 1e-6  # of the largest column
_SAME_WAY = 0.98  # cosine of output weights: neurons of one cone that agree so far become one
_STEPS = 400  # of the group lasso
_PATIENCE, _PROGRESS = 5, 0.9  # rounds, and what the gap must fall to in them
_ROOM = 0.1  # of the tolerance: what may be missing of the optimum; the rest is for the proof
_NEWTON_SIZE = 600  # outputs times rows: beyond, a Newton step takes seconds
_NEWTON_STEPS = 40


@dataclass(frozen=True, slots=True)
class ConeColumns(AbstractSolver):
    """Solves a `VectorProgram` over `ChosenCones`; its records hold what proves the bound."""

    tolerance: float = 1e-3
    prune: bool = False

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, VectorProgram) or not isinstance(program.norm, ChosenCones):
            return "it needs a VectorProgram over chosen cones"
        if not np.isfinite(program.loss.smoothness):
            return f"it needs a smooth loss, got {program.loss.name}"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, VectorProgram)
        return _Run(program, self, Monitor(self.tolerance, on_iteration)).go()

    def path(
        self,
        program: VectorProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> tuple[Solution, ...]:
        """One solution a weight decay, in the order given; each starts from the next larger one.

        What a cancelled path holds: see `followed`.
        """

        def solve(at: VectorProgram, warm: Array | None) -> Solution:
            return _Run(at, self, Monitor(self.tolerance, on_iteration), warm).go()

        return followed(program, weight_decays, solve)


@dataclass(slots=True)
class _Run:
    program: VectorProgram
    options: ConeColumns
    monitor: Monitor
    warm: Array | None = None
    best: Array = field(init=False)
    found: Array = field(init=False)
    residual: Array = field(init=False)
    bound: float = -1.0

    @property
    def norm(self) -> ChosenCones:
        assert isinstance(self.program.norm, ChosenCones)  # `why_not` refuses others
        return self.program.norm

    def go(self) -> Solution:
        program = self.program
        self.found = np.zeros((0, program.X.shape[1] + program.outputs))
        self.best = self.found if self.warm is None else self.warm
        columns, close = self.best, False
        gaps: list[float] = []
        for _ in range(_ROUNDS):
            gap = self._look(columns)
            self.monitor.record(Certificate(program.objective(self.best), 0.0, program.norm.scope))
            close = gap <= _ROOM * self.options.tolerance
            gaps.append(gap)
            slow = len(gaps) > _PATIENCE and gap > _PROGRESS * gaps[-1 - _PATIENCE]
            if self.monitor.cancelled or close or slow or not len(self.found):
                break
            columns = self._grown(columns)
        if not close and self._newton and not self.monitor.cancelled and len(self.best):
            newton = DualNewton(_ROOM * self.options.tolerance, _NEWTON_STEPS)
            self.best, self.residual = newton.refined(
                program, self.best, on_iteration=self._passed_on
            )
        return self._finish()

    @property
    def _newton(self) -> bool:
        return self.program.Y.size <= _NEWTON_SIZE

    def _passed_on(self, progress: Progress) -> None:
        """Newton's own records, in this run's count and clock."""
        self.monitor.record(Certificate(progress.primal, 0.0, self.program.norm.scope))
        if self.monitor.cancelled:
            raise Cancelled

    def _look(self, columns: Array) -> float:
        """The estimated relative gap at the columns' network; `found` is what climbing found."""
        program = self.program
        if program.objective(columns) <= program.objective(self.best):
            self.best = columns
        R = program.loss.minus_gradient(program.fit(columns), program.Y)
        G = program.readout.adjoint(R)
        there = self.norm.search(G, program.weight_decay * (1 + 1e-9), _SHARE)
        self.found = there.points[:_ADDED] @ self.norm.basis.T
        bound = program.bound(R, max(there.largest, 1e-300))
        if there.largest <= program.weight_decay:  # nothing above it was climbed to
            bound = program.bound(R, program.weight_decay)
        if bound > self.bound:
            self.bound, self.residual = bound, R
        primal = program.objective(self.best)
        return (primal - self.bound) / primal if primal > 0 else 0.0

    def _grown(self, columns: Array) -> Array:
        """The group lasso over these columns and what was found."""
        program = self.program
        d = program.X.shape[1]
        lengths = np.linalg.norm(columns[:, :d], axis=1, keepdims=True)
        U = columns[:, :d] / lengths
        new = np.array([u for u in self.found if not len(U) or (U @ u).max() < 1 - 1e-12])
        if not len(new):
            self.found = new.reshape(0, d)
            return columns
        V = np.concatenate([lengths * columns[:, d:], np.zeros((len(new), program.outputs))])
        grown = self._weighed(np.concatenate([U, new]), V)
        fewer = merged(program, grown)
        if len(fewer) < len(grown):
            fewer = self._weighed(fewer[:, :d], fewer[:, d:])
            if program.objective(fewer) <= program.objective(grown):
                return fewer
        return grown

    def _weighed(self, U: Array, V: Array) -> Array:
        V = group_lasso(self.program, np.maximum(self.program.X @ U.T, 0.0), V)
        lengths = np.linalg.norm(V, axis=1)
        on = lengths > _NEGLIGIBLE * lengths.max(initial=0.0)
        return np.concatenate([U[on], V[on]], axis=1)

    def _finish(self) -> Solution:
        program = self.program
        records: dict[str, Array] = {}
        if self.options.prune:
            fewer = pruned(program, self.best)
            records["n_pruned"] = np.array([float(len(self.best) - len(fewer))])
            self.best = fewer
        primal = program.objective(self.best)
        # Who cancels does not wait for a proof: the cones are then dropped, which bounds as well.
        known = np.zeros((0, 4)) if self.monitor.cancelled else None
        proof, dual = proved_bound(program, self.residual, known)
        certificate = Certificate(primal, min(dual, primal), program.norm.scope)
        met = self.monitor.record(certificate)
        status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        records |= {"cone_residual": self.residual, "cone_multipliers": proof.table}
        trace = tuple(self.monitor.trace)
        return Solution(self.best, certificate, status, "ConeColumns", trace, records=records)


def proved_bound(
    program: VectorProgram | NormalisedNeurons,
    R: Array,
    known: Float[np.ndarray, "q 4"] | None = None,
) -> tuple[Proved, float]:
    """The dual value of R scaled to be feasible, and what proves it; `known` is replayed."""
    assert isinstance(program.norm, ChosenCones | NormalisedCones)
    proof = program.norm.prove(program.readout.adjoint(R), known)
    return proof, program.bound(R, proof.value)


def _largest(program: VectorProgram | NormalisedNeurons, hidden: Float[np.ndarray, "N m"]) -> float:
    """The largest eigenvalue of the square of V -> A(hidden V), by power iteration."""
    outputs = program.readout.width(program.Y.shape[1])
    V = np.random.default_rng(0).standard_normal((hidden.shape[1], outputs))
    value = 0.0
    for _ in range(40):
        V = V / max(float(np.linalg.norm(V)), 1e-300)
        V = hidden.T @ program.readout.adjoint(program.readout.apply(hidden @ V))
        before, value = value, float(np.linalg.norm(V))
        if abs(value - before) <= 1e-3 * value:
            break
    return max(1.02 * value, 1e-300)


def merged(program: VectorProgram, columns: Float[np.ndarray, "m dk"]) -> Array:
    """Fewer columns: those of one cone and nearly one direction of the outputs are added up.

    In a cone `(X(u + w))_+ = (Xu)_+ + (Xw)_+`, and `|u + w| <= |u| + |w|`.
    """
    U, V = program.neurons(columns)
    sizes = np.linalg.norm(V, axis=1)
    ways = V / np.where(sizes > 0, sizes, 1.0)[:, None]
    linear = program.X @ U.T
    floor = 1e-9 * np.linalg.norm(program.X, axis=1)[:, None]
    on, off = (linear > floor).astype(float), (linear < -floor).astype(float)
    apart = (on.T @ off + off.T @ on) > 0
    left = np.ones(len(U), dtype=bool)
    out = []
    for j in np.argsort(-sizes):
        if not left[j]:
            continue
        alike = left & (ways @ ways[j] > _SAME_WAY) & ~apart[j]
        members = [int(j)]
        for i in np.flatnonzero(alike):
            if i != j and not apart[i, members].any():
                members.append(int(i))
        left[members] = False
        u = sizes[members] @ U[members]
        length = float(np.linalg.norm(u))
        out.append(np.concatenate([u / length, length * ways[j]]))
    return np.array(out).reshape(-1, columns.shape[1])


def group_lasso(
    program: VectorProgram | NormalisedNeurons,
    hidden: Float[np.ndarray, "N m"],
    V: Float[np.ndarray, "m k"],
) -> Float[np.ndarray, "m k"]:
    """Output weights of unit neurons from what they give, `hidden`: accelerated proximal steps with
    restarts, from V."""
    step = 1.0 / (1.02 * program.loss.smoothness * _largest(program, hidden))
    momentum, ahead = 1.0, V
    for _ in range(_STEPS):
        R = program.loss.minus_gradient(program.readout.apply(hidden @ ahead), program.Y)
        moved = ahead + step * (hidden.T @ program.readout.adjoint(R))
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        shrunk = np.maximum(lengths - step * program.weight_decay, 0.0)
        new = moved * (shrunk / np.where(lengths > 0, lengths, 1.0))
        if np.abs(new - V).max() <= 1e-9 * np.abs(new).max(initial=1e-300):
            return new
        if np.vdot(ahead - new, new - V) > 0:
            momentum, ahead = 1.0, V
            continue
        after = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
        ahead = new + (momentum - 1) / after * (new - V)
        V, momentum = new, after
    return V
