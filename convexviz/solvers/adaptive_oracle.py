"""Estimate of `M(r) = max {|r'(X u)_+| : |u| = 1}` by ascent from many starts: the next neurons.

The estimate is from below: it stops a search, it certifies nothing (THEORY 1.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.neurons import directions
from convexviz.core.neurons_kernels import boundary_curvature, correlations, unpack
from convexviz.core.types import Array
from convexviz.solvers.adaptive_seeds import cosine_filters, random_directions

_LEVELS = (16_384, 65_536)  # rows of the coarse stages
_CURVATURE_ROWS = 16_384  # a step needs its gradient exact, not its Hessian
_SEEDS = 100
_SAME = 0.99  # cosine above which two maxima are one


@dataclass(frozen=True, slots=True)
class Maxima:
    """Local maxima of `s r'(X u)_+`, the largest first."""

    values: Float[np.ndarray, " k"]
    U: Float[np.ndarray, "k d"]
    signs: Float[np.ndarray, " k"]

    @property
    def largest(self) -> float:
        return float(self.values[0]) if len(self.values) else 0.0

    def best(self, count: int, cosine: float = _SAME) -> Maxima:
        """The `count` largest that differ from each other."""
        order = np.argsort(-self.values, kind="stable")
        cosines = self.U @ self.U.T
        similar = (cosines > cosine) & (self.signs[:, None] == self.signs)
        kept: list[int] = []
        for i in order:
            if len(kept) == count:
                break
            if not similar[i, kept].any():
                kept.append(int(i))
        return Maxima(self.values[kept], self.U[kept], self.signs[kept])


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of X, and which they are."""

    X: Float[np.ndarray, "k d"]
    index: np.ndarray | None  # None: all of them

    def of(self, r: Float[np.ndarray, " n"]) -> Float[np.ndarray, " k"]:
        return r if self.index is None else np.ascontiguousarray(r[self.index])


@dataclass(frozen=True, slots=True)
class _Effort:
    """Newton steps, and the kernel's width as a multiple of the spread of `X u`."""

    steps: int
    width: float


class Oracle:
    """Ascent in stages of more rows and fewer starts; remembers the maxima it found."""

    def __init__(self, X: Float[np.ndarray, "n d"], rng: np.random.Generator) -> None:
        self._rng = rng
        order = rng.permutation(len(X))
        self._levels = [
            Rows(np.ascontiguousarray(X[part]), part)
            for part in (np.sort(order[:k]) for k in _LEVELS if 2 * k < len(X))
        ]
        self._levels.append(Rows(X, None))
        seeds = [cosine_filters(X.shape[1]), random_directions(X, _SEEDS, rng)]
        self.seeds: Array = np.concatenate(seeds)
        self._memory: Array = np.zeros((0, X.shape[1]))

    def __call__(
        self,
        r: Float[np.ndarray, " n"],
        neurons: Float[np.ndarray, "m d"],
        signs: Float[np.ndarray, " m"],
        *,
        fresh: int,
        top: int = 12,
    ) -> Maxima:
        """The maxima found from the seeds, the `neurons` and `fresh` new random starts."""
        everything = self._levels[-1].X
        starts = [
            self.seeds,
            self._memory,
            neurons,
            random_directions(everything, fresh, self._rng),
        ]
        U: Array = np.concatenate(starts)
        found = _uphill(self._levels[0], r, U)
        found = _climb_by_gradient(self._levels[0], r, found, 10).best(10 * top)
        for stage, level in enumerate(self._levels):
            last = stage == len(self._levels) - 1
            if last:  # the neurons themselves are always judged on every row
                found = Maxima(
                    np.concatenate([found.values, np.zeros(len(signs))]),
                    np.concatenate([found.U, neurons]),
                    np.concatenate([found.signs, signs]),
                )
            effort = _Effort(5, 0.2) if stage == 0 else _Effort(3, 0.06)
            found = _climb_by_newton(level, self._curvature_rows(stage), r, found, effort)
            found = found.best(top * (2 if last else max(1, 3 - stage)))
        self._memory = found.U
        return found

    def _curvature_rows(self, stage: int) -> Rows:
        for level in self._levels[: stage + 1][::-1]:
            if len(level.X) <= _CURVATURE_ROWS:
                return level
        return self._levels[0]


def _uphill(rows: Rows, r: Array, U: Array) -> Maxima:
    """The starts, each with the sign that makes it positive: of the two, the one worth a climb."""
    values = np.einsum("kd,kd->k", correlations(rows.X, rows.of(r), U), U)
    return Maxima(np.abs(values), U, np.where(values >= 0, 1.0, -1.0))


def _evaluate(rows: Rows, r: Array, found: Maxima) -> tuple[Array, Array]:
    C: Array = found.signs[:, None] * correlations(rows.X, rows.of(r), found.U)
    return np.einsum("kd,kd->k", C, found.U), C


def _climb_by_gradient(rows: Rows, r: Array, found: Maxima, steps: int) -> Maxima:
    """Steps along great circles; each start keeps its own angle, and its best point."""
    best, C = _evaluate(rows, r, found)
    U, signs = found.U.copy(), found.signs
    angle = np.full(len(U), 0.5)
    for _ in range(steps):
        tangent = directions(C - best[:, None] * U)
        trial = np.cos(angle)[:, None] * U + np.sin(angle)[:, None] * tangent
        trial = directions(trial)
        values, at_trial = _evaluate(rows, r, Maxima(best, trial, signs))
        up = values > best
        U[up], C[up], best[up] = trial[up], at_trial[up], values[up]
        angle = np.where(up, np.minimum(1.4 * angle, 1.2), 0.3 * angle)
    return Maxima(best, U, signs)


def _climb_by_newton(rows: Rows, few: Rows, r: Array, found: Maxima, effort: _Effort) -> Maxima:
    """Newton ascent on the sphere: `(h I - B + shift) delta = C - h u`, B smoothed.

    The fixed-point iteration `u <- C/|C|` stalls where residuals change sign: at small weight
    decay it reported M/beta = 0.96 where 9.8 exists.
    """
    sample = few.X[:: max(1, len(few.X) // 4096)]
    best, C = _evaluate(rows, r, found)
    U, signs = found.U.copy(), found.signs
    shift = np.full(len(U), 0.1)
    ratio = len(rows.X) / len(few.X)
    for step in range(effort.steps):
        Z = sample @ U.T
        spread = effort.width * 0.8**step * Z.std(axis=0) + 1e-4 * np.abs(Z).max(axis=0) + 1e-12
        packed = boundary_curvature(few.X, few.of(r), U, spread)
        B: Array = ratio * signs[:, None, None] * unpack(packed, U.shape[1])
        h = np.maximum(best, 1e-3 * np.linalg.norm(C, axis=1)) + 1e-300
        values, vectors = np.linalg.eigh(h[:, None, None] * np.eye(U.shape[1]) - B)
        curvature = np.maximum(np.abs(values), 0.05 * h[:, None])
        curvature += (shift * np.maximum(h, 0.05 * curvature.max(axis=1)))[:, None]
        gradient = np.einsum("kab,ka->kb", vectors, C - best[:, None] * U)
        trial = directions(U + np.einsum("kab,kb->ka", vectors, gradient / curvature))
        at, C_at = _evaluate(rows, r, Maxima(best, trial, signs))
        up = at > best
        U[up], C[up], best[up] = trial[up], C_at[up], at[up]
        shift = np.where(up, 0.4 * shift, 6.0 * shift)
    return Maxima(best, U, signs)
