"""The search of the active-set solver: which patterns are used, and what still violates.

Everything is in the row space of X and at unit scale. Where the workspace has the Gram of all
patterns, rounds cost nothing that grows with the rows; `exact` turns back to the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.arrangements import Arrangements
from convexviz.core.cone_rows import ConeRows
from convexviz.core.gram_certificate import rounding
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Certificate
from convexviz.core.types import Array
from convexviz.solvers.constrained_newton import Restricted, entry, minimise
from convexviz.solvers.constrained_workspace import Workspace
from convexviz.solvers.reference import clarabel

ROUNDS = 50  # of rows that were not known, within one minimisation
NONE: Int[np.ndarray, " _"] = np.zeros(0, dtype=np.int64)
SIGNS = np.array([1.0, -1.0])
# Of the Gram's trace. Its rounding, 1e-16 times squared steps, is below what the least one adds.
PROXIMAL = (0.0, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
WORSE = 1e-6  # of the objective: an increase on the data that is not their own rounding

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Walls:
    """Which rows of its cone hold a group (on) or its correlation's projection (near).

    Guesses, and good ones for the next weight decay of a path. Rows count within `cones`, which
    are the program's in the row space of X.
    """

    cones: ConeRows
    on: dict[Key, Array] = field(default_factory=dict)
    near: dict[Key, Array] = field(default_factory=dict)


@dataclass(slots=True)
class Search:
    """The state of one solve: the point, its residual, and the patterns it violates."""

    program: ReluProgram
    workspace: Workspace
    V: Float[np.ndarray, "2 P d"]
    walls: Walls
    exact: bool
    correlations: Float[np.ndarray, "P d"] = field(init=False)
    value: float = np.inf
    dual: float = 0.0
    largest: float = np.inf
    entering: list[tuple[float, int, int, np.ndarray]] = field(default_factory=list)
    residual: Float[np.ndarray, " n"] | None = None
    proximal: int = 0

    def certificate(self) -> Certificate:
        """Evaluate the point: objective, dual bound, and the groups that should enter."""
        beta = self.program.weight_decay
        squares, along = self._residual()
        lengths = np.linalg.norm(self.V, axis=2)
        self.value = 0.5 * squares + beta * float(lengths.sum())
        sizes = np.linalg.norm(self.correlations, axis=1)
        largest, self.entering = min(beta, float(sizes.max(initial=0.0))), []
        above = np.flatnonzero(sizes > beta)
        for bound, k, group, point in self._projections([int(g) for g in above]):
            largest = max(largest, bound)
            if bound > beta * (1 + 1e-13) and not lengths[k, group]:
                self.entering.append((bound, k, group, point))
        self.entering.sort(key=lambda item: -item[0])
        self.largest = largest
        self.dual = max(self.dual, scaled_dual(along, squares, largest, beta))
        return Certificate(self.value, min(self.dual, self.value), self.program.scope)

    def advance(self, iterations: int) -> float:
        """Let violated groups in and minimise over the working set; the objective's decrease.

        Nearly dependent columns lose their digits in the Gram: where its decrease is an increase
        on the data, the step is taken again with a penalty on its own length, which outweighs
        what the Gram lost (a proximal step; its minimum has the same optimality conditions).
        """
        first = self.proximal
        for self.proximal in range(max(0, first - 1), len(PROXIMAL)):
            gain, V, faces = self._step(iterations, PROXIMAL[self.proximal])
            if self.residual is None or gain == 0.0:
                break
            if self.proximal:  # long filters: what their cones allow is part of the change
                inside = self.program.as_feasible(V)
                if inside is None:
                    continue
                V = inside
            if gain > -WORSE * self.value and self._change(V) <= WORSE * self.value:
                break
        else:
            return 0.0
        if gain > 0:
            self.V = V
            self.walls.on.update(faces)
        return gain

    def _change(self, V: Float[np.ndarray, "2 P d"]) -> float:
        """The objective at V minus that at the point, from the data."""
        assert self.residual is not None
        moved = self.program.fit(V - self.V)
        lengths = np.linalg.norm(V, axis=2).sum() - np.linalg.norm(self.V, axis=2).sum()
        loss = 0.5 * float(moved @ moved) - float(self.residual @ moved)
        return loss + self.program.weight_decay * float(lengths)

    def _step(
        self, iterations: int, proximal: float
    ) -> tuple[float, Float[np.ndarray, "2 P d"], dict[Key, Int[np.ndarray, " _"]]]:
        """The decrease that the Gram sees, the point and the walls on which its groups are."""
        working = [(int(k), int(i)) for k, i in np.argwhere(self.V.any(axis=2))]
        room = max(4, len(working) // 4)
        points = {(k, i): point for _, k, i, point in self.entering[:room]}
        working += list(points)
        if not working:
            return 0.0, self.V, {}
        groups, signs = [i for _, i in working], SIGNS[[k for k, _ in working]]
        start = np.array([self.V[key] for key in working])
        gram = self.workspace.signed_gram(signs, groups)
        gram.flat[:: len(gram) + 1] += proximal * float(np.trace(gram))
        problem = Restricted(
            gram=gram,
            start=start,
            slope=signs[:, None] * self.correlations[groups],
            rows=start[:0],
            ends=np.zeros(1, dtype=np.int64),
            weight_decay=self.program.weight_decay,
        )
        current: Array = start.copy()
        faces: list[Int[np.ndarray, " _"]] = []
        for a, key in enumerate(working):
            if key in points:
                current[a] = entry(problem, current, a, points[key])
            held = self.walls.near if key in points else self.walls.on
            faces.append(held.get(key, NONE))
        objective = max(self.value, 1e-14)
        gap = (self.value - self.dual) / objective
        enough = 0.01 * min(1.0, gap) ** 2  # the dual value errs by the root of the primal
        how = (objective, enough, iterations)
        current, faces = self._minimise(problem, np.array(groups), current, faces, how)
        gain = -problem.change(start, current - start)
        V = np.zeros_like(self.V)
        for key, v in zip(working, current, strict=True):
            V[key] = v
        return gain, V, dict(zip(working, faces, strict=True))

    def _minimise(
        self,
        problem: Restricted,
        groups: Int[np.ndarray, " K"],
        V: Float[np.ndarray, "K d"],
        faces: list[Int[np.ndarray, " _"]],
        how: tuple[float, float, int],
    ) -> tuple[Float[np.ndarray, "K d"], list[Int[np.ndarray, " _"]]]:
        """A minimiser inside the cones of all rows, from one on those rows that are known.

        What leaves a cone through a row that was not known is projected back; where that is no
        better than the point before, the search goes on from there, with that row.
        """
        cones = self.walls.cones
        for _ in range(ROUNDS):
            normals = cones.normals(groups.tolist())
            ends = np.cumsum([0, *(len(rows) for rows in normals)])
            known = replace(problem, rows=np.concatenate(normals), ends=ends)
            found, held = minimise(known, V.copy(), faces, *how)
            sizes, lengths = np.diff(ends), np.linalg.norm(found, axis=1)
            outside = cones.add_violated(groups, found, lengths, sizes)
            if not outside.any():
                return found, held
            out = np.flatnonzero(outside)
            inside = cones.project(found[out], groups[out], np.zeros(len(out)))
            found[out] = inside.points
            for j, a in enumerate(out.tolist()):
                held[a] = inside.held(j)
            if problem.change(V, found - V) < 0:
                V, faces = found, held
        return V, faces

    def rescue(self, tolerance: float) -> None:
        """Solve the working set and the worst violators with Clarabel; kept where it is better."""
        groups = np.flatnonzero(self.V.any(axis=(0, 2)))
        groups = np.union1d(groups, np.array([i for _, _, i, _ in self.entering[:10]], dtype=int))
        a = self.program.arrangements
        chosen = Arrangements(a.gates[:, groups], a.patterns[:, groups], complete=False)
        few = replace(self.program, arrangements=chosen)
        if not len(groups) or few.X.size * len(groups) > 2_000_000:
            return
        problem = few.to_cvxpy()
        clarabel(problem, tolerance)
        found = few.from_cvxpy(problem)
        if few.objective(found) < self.value:
            self.V = np.zeros_like(self.V)
            self.V[:, groups] = found
            self.walls.on.clear()

    def lower_bound(self, squares: float, along: float) -> float:
        """A dual value for the residual with `r'r` and `y'r`, correlated as at this point.

        The correlations came from the Gram; what its sums may have lost is added.
        """
        whole = self.workspace.whole
        assert whole is not None
        columns = self.workspace.column_lengths
        margin, _ = rounding(whole, len(self.program.X), columns, self.V[0] - self.V[1])
        return scaled_dual(along, squares, self.largest + margin, self.program.weight_decay)

    def _residual(self) -> tuple[float, float]:
        """`r'r` and `y'r`; sets the correlations `X'D_i r`."""
        program, whole = self.program, self.workspace.whole
        if self.exact or whole is None:
            r = program.y - program.fit(self.V)
            self.correlations, self.residual = program.correlations(r), r
            return float(r @ r), float(program.y @ r)
        U = self.V[0] - self.V[1]
        used = np.flatnonzero(U.any(axis=1))
        d = whole.d
        index = (used[:, None] * d + np.arange(d)).ravel()
        u = U[used].ravel()
        fitted = u @ whole.G[index]
        self.correlations = (whole.b - fitted).reshape(U.shape)
        predicted = float(whole.b[index] @ u)
        squares = whole.yy - 2 * predicted + float(fitted[index] @ u)
        return max(0.0, squares), whole.yy - predicted

    def _projections(self, groups: list[int]) -> list[tuple[float, int, int, Array]]:
        """Bound, sign, group and point of the projection of each signed correlation."""
        if not groups:
            return []
        keys = [(k, g) for g in groups for k in (0, 1)]
        C = np.ascontiguousarray(
            (self.correlations[groups, None] * SIGNS[:, None]).reshape(len(keys), -1)
        )
        active = [bool(self.V[key].any()) for key in keys]
        guesses = [
            (self.walls.on if used else self.walls.near).get(key, NONE)
            for key, used in zip(keys, active, strict=True)
        ]
        stops = np.where(active, 0.0, self.program.weight_decay)
        found = self.walls.cones.project(C, np.repeat(groups, 2), stops, guesses)
        self.walls.near.update((key, found.held(j)) for j, key in enumerate(keys))
        return [(float(found.bounds[j]), *key, found.points[j]) for j, key in enumerate(keys)]


def scaled_dual(along: float, squares: float, largest: float, beta: float) -> float:
    """The best `s along - s^2 squares / 2` with `|s| largest <= beta`, at least 0 (s = 0)."""
    size = float(np.sqrt(squares))
    if size == 0.0:
        return 0.0
    unit = abs(along) / size
    scale = min(unit, beta * (size / largest)) if largest > 0 else unit
    return max(0.0, scale * unit - 0.5 * scale**2)
