"""Batch norm after the ReLU, several outputs: columns, then the neurons themselves, then a proof.

Neurons that climbing finds in the cones become columns, whose group lasso says which others are
missing. What the columns find is then trained itself, each neuron on the face of its cone where it
lies (quasi-Newton on both layers, facets that are met are kept), which ends at the accuracy of
float64 where columns alone would crawl.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from convexviz.core.cone_ascent import ON
from convexviz.core.cone_climb import span_of
from convexviz.core.dual_norm import power_of_two
from convexviz.core.normalised_neurons import NormalisedNeurons
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Solution, Status
from convexviz.core.types import Array
from convexviz.solvers.base import (
    AbstractSolver,
    Monitor,
    OnIteration,
    asking,
    scaled_progress,
    scaled_reports,
)
from convexviz.solvers.cone_columns import group_lasso, proved_bound
from convexviz.solvers.reference import clarabel

Numbers = NDArray[np.int64]

_ROUNDS = 40
_ADDED, _SHARE = 60, 0.3  # columns a round, and of the largest value: what becomes one
_NEGLIGIBLE = 1e-9  # of the largest column
_ABOVE = 1e-9  # of beta: what is that little above it is its rounding
_STEPS, _FACETS = 300, 8  # of training; how often it goes on after it met facets
_STALLED = 6
_PLAIN = 4000  # patterns times rows, up to where the conic program takes a second or so
_SHARPER = 1e-11  # what Clarabel is asked for


@dataclass(frozen=True, slots=True)
class NormalisedColumns(AbstractSolver):
    """Solves `NormalisedNeurons` with a smooth loss; its records hold what proves the bound."""

    tolerance: float = 1e-6

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, NormalisedNeurons):
            return f"it needs NormalisedNeurons, got {type(program).__name__}"
        if not np.isfinite(program.loss.smoothness):
            return f"it needs a smooth loss, got {program.loss.name}"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, NormalisedNeurons)
        unit = power_of_two(program.Y) if program.loss.name == "squared" else 1.0
        small = replace(program, Y=program.Y / unit, weight_decay=program.weight_decay / unit)
        monitor = Monitor(self.tolerance, scaled_reports(on_iteration, unit**2))
        return _scaled(_Run(small, self, monitor).go(), unit)


def _scaled(solution: Solution, unit: float) -> Solution:
    """The solution for targets and weight decay `unit` times as large."""
    found = solution.certificate
    certificate = Certificate(unit**2 * found.primal, unit**2 * found.dual, found.scope)
    records = dict(solution.records)
    if "cone_residual" in records:
        records["cone_residual"] = unit * records["cone_residual"]
        outputs = records["cone_residual"].shape[1]
        solution.variables[:, -outputs:] *= unit
    trace = tuple(scaled_progress(p, unit**2) for p in solution.objectives)
    return replace(solution, certificate=certificate, objectives=trace, records=records)


@dataclass(slots=True)
class _Run:
    """Neurons in the unit coordinates of their patterns, and the best point and bound so far."""

    program: NormalisedNeurons
    options: NormalisedColumns
    monitor: Monitor
    owner: Numbers = field(init=False)
    E: Array = field(init=False)
    V: Array = field(init=False)
    best: Array = field(init=False)
    primal: float = np.inf
    bound: float = -1.0
    residual: Array = field(init=False)
    records: dict[str, Array] = field(default_factory=dict)

    def go(self) -> Solution:
        program = self.program
        width, c = program.norm.width, program.Y.shape[1]
        self.owner, self.E, self.V = np.zeros(0, np.int64), np.zeros((0, width)), np.zeros((0, c))
        self.best = program.rows(self.owner, self.E, self.V)
        scope, stalled, plain = program.norm.scope, 0, self._is_plain
        for _ in range(_ROUNDS):
            before = self._gap()
            self._look()
            known = self.bound if program.norm.exact else 0.0
            stop = self.monitor.record(Certificate(self.primal, max(known, 0.0), scope))
            stop = stop or self._gap() <= 0.5 * self.options.tolerance
            stalled = 0 if self._gap() < 0.9 * before else stalled + 1
            if stop or not len(self.E) or (stalled >= _STALLED and not plain):
                break
            if stalled >= _STALLED:  # columns crawl: the conic program has it whole
                stalled, plain = 0, False
                problem = program.to_cvxpy()
                clarabel(problem, _SHARPER)
                self.owner, self.E, self.V = program.neurons_of(problem)
                continue
            self._weigh()
            self._train()
            if self.monitor.cancelled:
                self._keep()
                break
        if not program.norm.exact:
            # Who cancels does not wait for a proof: the cones are then dropped.
            without = np.zeros((0, 4)) if self.monitor.cancelled else None
            proof, self.bound = proved_bound(program, self.records["cone_residual"], without)
            self.records["cone_multipliers"] = proof.table
        dual = min(max(self.bound, 0.0), self.primal)
        certificate = Certificate(self.primal, dual, scope)
        status = Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        elif certificate.relative_gap <= self.options.tolerance:
            status = Status.OPTIMAL
        trace = tuple(self.monitor.trace)
        return Solution(
            self.best, certificate, status, "NormalisedColumns", trace, records=self.records
        )

    @property
    def _is_plain(self) -> bool:
        """Whether the program is a conic one, and a small one: of one output, without patterns'
        cones to factor in."""
        program = self.program
        size = len(program.norm.blocks) * len(program.X)
        return program.Y.shape[1] == 1 and not program.norm.gated and size <= _PLAIN

    def _gap(self) -> float:
        whole = self.primal if np.isfinite(self.primal) and self.primal > 0 else 1.0
        return (self.primal - self.bound) / whole

    def _keep(self) -> Array:
        """The neurons as variables, kept where no better ones are known."""
        variables = self.program.rows(self.owner, self.E, self.V)
        value = self.program.objective(variables)
        if value <= self.primal:
            self.best, self.primal = variables, value
        return variables

    def _look(self) -> None:
        """Keep what is better of point and bound; new neurons join."""
        program, beta = self.program, self.program.weight_decay
        variables = self._keep()
        R = program.loss.minus_gradient(program.fit(variables), program.Y)
        G = program.readout.adjoint(R)
        found = program.norm.climb(G, beta * (1 + _ABOVE), _SHARE)
        if program.norm.exact:
            proof, bound = proved_bound(program, R)
            table = proof.table
        else:  # an estimate until the end: multipliers of many facets take a while
            table, bound = np.zeros((0, 4)), program.bound(R, max(found.largest, beta))
        if bound > self.bound:
            self.bound = bound
            self.records = {"cone_residual": R, "cone_multipliers": table}
        unit = self.E / np.maximum(np.linalg.norm(self.E, axis=1), 1e-300)[:, None]
        new = [
            (i, e)
            for i, e in zip(found.owners[:_ADDED], found.points[:_ADDED], strict=True)
            if not (unit[self.owner == i] @ e > 1 - 1e-13).any()
        ]
        if new:
            owners, points = zip(*new, strict=True)
            self.owner = np.concatenate([self.owner, np.array(owners, dtype=np.int64)])
            self.E = np.concatenate([self.E, np.array(points)])
            self.V = np.concatenate([self.V, np.zeros((len(new), program.Y.shape[1]))])

    def _images(self) -> Array:
        """What the neurons give, (N, m)."""
        features = [self.program.norm.features(i) @ e for i, e in self._neurons()]
        return np.array(features).reshape(len(self.E), len(self.program.X)).T

    def _neurons(self) -> list[tuple[int, Array]]:
        return [(int(i), e) for i, e in zip(self.owner, self.E, strict=True)]

    def _weigh(self) -> None:
        """The group lasso; neurons are of unit length in what they give."""
        hidden = self._images()
        lengths = np.linalg.norm(hidden, axis=0)
        there = lengths > 0
        self.owner, self.E, self.V = self.owner[there], self.E[there], self.V[there]
        self.E = self.E / lengths[there, None]
        hidden, V = hidden[:, there] / lengths[there], self.V * lengths[there, None]
        self.V = group_lasso(self.program, hidden, V)
        self._prune()

    def _prune(self) -> None:
        sizes = np.linalg.norm(self.V, axis=1) * np.linalg.norm(self._images(), axis=0)
        on = sizes > _NEGLIGIBLE * sizes.max(initial=0.0)
        self.owner, self.E, self.V = self.owner[on], self.E[on], self.V[on]

    def _train(self) -> None:
        """Both layers together, every neuron on its face, again with each facet that is met.

        The step goes as far as the cones allow; `_keep` says whether it led to anything better.
        """
        held = [self._facets(i, e) for i, e in self._neurons()]
        for _ in range(_FACETS if len(self.E) else 0):
            faces = [
                span_of(self.program.norm.normals(i)[on])
                for (i, _), on in zip(self._neurons(), held, strict=True)
            ]
            E, V = self._trained(faces)
            share, met = self._inside(E, held)
            if share > 0.0:
                self.E, self.V = self.E + share * (E - self.E), self.V + share * (V - self.V)
            for j, facet in met:
                held[j] = np.append(held[j], facet)
            if not met or self.monitor.cancelled:
                break
        self._prune()

    def _facets(self, i: int, e: Array) -> Numbers:
        return np.flatnonzero(np.abs(self.program.norm.normals(i) @ e) <= ON * np.linalg.norm(e))

    def _inside(self, E: Array, held: Sequence[Numbers]) -> tuple[float, list[tuple[int, int]]]:
        """How far the step to E may go, and the facets (neuron, number) that it meets there."""
        share, met = 1.0, []
        for j, (i, e) in enumerate(self._neurons()):
            K = self.program.norm.normals(i)
            now, then = K @ e, K @ E[j]
            then[held[j]] = 0.0
            for f in np.flatnonzero(then < -1e-12 * np.linalg.norm(E[j])):
                reach = max(now[f], 0.0) / (max(now[f], 0.0) - then[f])
                met.append((reach, j, int(f)))
                share = min(share, reach)
        near = [(j, f) for reach, j, f in met if reach <= share + 1e-9]
        return share, near

    def _trained(self, faces: Sequence[Array]) -> tuple[Array, Array]:
        """L-BFGS on the neurons in coordinates of their faces, and their output weights, until it
        ends or Cancel is pressed."""
        program, beta = self.program, self.program.weight_decay
        features = [
            program.norm.features(i) @ P.T for (i, _), P in zip(self._neurons(), faces, strict=True)
        ]
        ends = np.cumsum([P.shape[0] for P in faces])
        m, shape = len(faces), self.V.shape
        lengths = np.sqrt(np.linalg.norm(self.V, axis=1) / np.linalg.norm(self._images(), axis=0))
        x = [P @ e * s for P, e, s in zip(faces, self.E, lengths, strict=True)]
        start = np.concatenate([*x, (self.V / lengths[:, None]).ravel()])

        def value(w: Array) -> tuple[float, Array]:
            parts, V = np.split(w[: ends[-1]], ends[:-1]), w[ends[-1] :].reshape(shape)
            hidden = np.stack([F @ p for F, p in zip(features, parts, strict=True)], axis=1)
            F = program.readout.apply(hidden @ V)
            G = program.readout.adjoint(program.loss.minus_gradient(F, program.Y))
            back = beta * hidden - G @ V.T  # |h| is the length that is decayed
            gradient = [features[j].T @ back[:, j] for j in range(m)]
            total = program.loss.value(F, program.Y)
            total += 0.5 * beta * (float(np.sum(hidden**2)) + float(np.sum(V**2)))
            return total, np.concatenate([*gradient, (beta * V - hidden.T @ G).ravel()])

        options = {"maxiter": _STEPS, "maxcor": 30, "ftol": 1e-16, "gtol": 1e-12}
        known = Certificate(self.primal, 0.0, program.norm.scope)
        found = minimize(
            value,
            start,
            jac=True,
            method="L-BFGS-B",
            options=options,
            callback=asking(self.monitor, known),
        ).x
        parts, V = np.split(found[: ends[-1]], ends[:-1]), found[ends[-1] :].reshape(shape)
        E = np.array([p @ P / s for p, P, s in zip(parts, faces, lengths, strict=True)])
        return E.reshape(self.E.shape), V * lengths[:, None]
