"""The ReLU program in the row space of X, at unit scale, with the Gram blocks met so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.arrangements import Arrangements
from convexviz.core.cones import Cone, Projection, cone_of, unit_rows
from convexviz.core.relu import ReluProgram

RANK = 1e-11  # directions of X below this share of the largest singular value are left out


@dataclass(frozen=True, slots=True)
class Reduced:
    """`program` on unit-scale data, and the map back: `w = scale * basis w_reduced`.

    Filters outside the row space of X change nothing but the penalty, so none is lost.
    """

    program: ReluProgram
    basis: Float[np.ndarray, "d k"]
    scale: float
    loss_scale: float

    def restore(self, V: Float[np.ndarray, "2 P k"]) -> Float[np.ndarray, "2 P d"]:
        """The point of the original program."""
        return self.scale * (V @ self.basis.T)

    def reduce(self, variables: Float[np.ndarray, "2 P d"]) -> Float[np.ndarray, "2 P k"]:
        """The point of the reduced program."""
        return (variables @ self.basis) / self.scale


def reduced(program: ReluProgram) -> Reduced | None:
    """The reduced program; None where X or y is zero, and zero is optimal."""
    height, width = np.abs(program.y).max(initial=0.0), np.abs(program.X).max(initial=0.0)
    if height == 0 or width == 0:
        return None
    _, values, right = np.linalg.svd(np.linalg.qr(program.X / width, mode="r"))
    rank = int(np.sum(values > RANK * values[0]))
    basis, width = np.ascontiguousarray(right[:rank].T), width * values[0]
    tall = height * float(np.linalg.norm(program.y / height))
    a = program.arrangements
    small = ReluProgram(
        X=np.ascontiguousarray((program.X / width) @ basis),
        y=program.y / tall,
        arrangements=Arrangements(basis.T @ a.gates, a.patterns, a.complete),
        weight_decay=program.weight_decay / width / tall,
    )
    return Reduced(small, basis, tall / width, tall**2)


@dataclass(slots=True)
class Workspace:
    """The cones and Gram blocks of one reduced program; grows with the patterns asked for.

    Independent of the weight decay, so a path shares one.
    """

    program: ReluProgram
    known: list[int] = field(default_factory=list)
    gram: Float[np.ndarray, "m m"] = field(default_factory=lambda: np.zeros((0, 0)))
    _units: tuple[np.ndarray, np.ndarray] | None = None
    _cones: dict[int, Cone] = field(default_factory=dict)
    _near: dict[int, Int[np.ndarray, " m"]] = field(default_factory=dict)

    def cone(self, group: int) -> Cone:
        """The cone of one pattern."""
        if group not in self._cones:
            if self._units is None:
                self._units = unit_rows(self.program.X)
            patterns = self.program.arrangements.patterns
            self._cones[group] = cone_of(*self._units, patterns[:, group])
        return self._cones[group]

    def project(self, group: int, c: Float[np.ndarray, " d"]) -> Projection:
        """Project onto the cone of one pattern, starting from the walls met there before."""
        found = self.cone(group).project(c, self._near.get(group))
        self._near[group] = found.considered
        return found

    def signed_gram(
        self, signs: Float[np.ndarray, " K"], groups: list[int]
    ) -> Float[np.ndarray, "m m"]:
        """`s_a s_b X'D_a D_b X` over the signed groups."""
        self._extend([g for g in dict.fromkeys(groups) if g not in self.known])
        d = self.program.X.shape[1]
        at = np.array([self.known.index(g) for g in groups], dtype=np.int64)
        index = (at[:, None] * d + np.arange(d)).ravel()
        weights = np.repeat(signs, d)
        return self.gram[np.ix_(index, index)] * weights[:, None] * weights

    def _extend(self, new: list[int]) -> None:
        if not new:
            return
        X, patterns = self.program.X, self.program.arrangements.patterns
        n, d = X.shape
        groups = [*self.known, *new]
        rows = np.zeros((len(new) * d, len(groups) * d))
        step = max(1, 2_000_000 // (len(groups) * d))
        for start in range(0, n, step):
            block = slice(start, start + step)
            active = patterns[block][:, groups]
            features = (active[:, :, None] * X[block][:, None, :]).reshape(len(active), -1)
            rows += features[:, len(self.known) * d :].T @ features
        old = len(self.gram)
        gram = np.zeros((len(groups) * d, len(groups) * d))
        gram[:old, :old] = self.gram
        gram[old:], gram[:old, old:] = rows, rows[:, :old].T
        self.gram, self.known = gram, groups


def with_weight_decay(problem: Reduced, weight_decay: float) -> Reduced:
    """The same reduced data at another weight decay (in original units)."""
    scaled = weight_decay * problem.scale / problem.loss_scale
    return replace(problem, program=replace(problem.program, weight_decay=scaled))
