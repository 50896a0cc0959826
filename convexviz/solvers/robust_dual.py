"""A residual made for its bound: the network trained over neurons known only by their boxes.

A residual of the trained network is right for the true M(r), but the search can only bound it.
Boxes whose bound is too large become blurred neurons: each row may take any value of an interval
that their moments allow. Training over the neurons and these takes away what makes such boxes
bad. Any residual gives a valid bound, so nothing here needs to be exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.core.compiled import compiled
from convexviz.core.neurons import lengths
from convexviz.core.proof import Balanced, blur_parts
from convexviz.core.proof_rows import blurred_activation
from convexviz.core.types import Array
from convexviz.solvers.branch_and_bound_proof import Recipe, blurred
from convexviz.solvers.branch_and_bound_tree import Sphere
from convexviz.solvers.branch_and_bound_tuning import Box

_STEPS = 60
_FLAT = 1e-6  # of the value: so little promised by a step ends the training
_NOTHING = 1e-100  # shorter neurons add nothing to outputs of about 1
_NEW = 0.5  # of the new weights; the rest is of the best ones
_TRACE = 1e-4  # of all weight: atoms below it are left out
_BAD = 0.95  # boxes are left alone once their bound is below so much of the weight decay


@dataclass(slots=True, eq=False)
class Atom:
    """A neuron as a row of the master problem: an interval for each row's activation, a weight.

    The weight changes from round to round; the box, None for a true neuron, may be cut.
    """

    row: NDArray[Any]
    sign: float
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    weight: float
    box: Box | None


class RobustDual:
    """The master problem: `min_{w >= 0} 1/2 dist(y, [w low, w high])^2 + beta sum w`."""

    def __init__(self, problem: Balanced, neurons: Float[np.ndarray, "m d1"]) -> None:
        self.problem = problem
        self._kept: list[tuple[Atom, float]] = []
        self._told: list[tuple[Atom, float]] = []
        self.atoms = [
            _neuron(problem, row) for row in neurons if lengths(row[None, :-1])[0] > _NOTHING
        ]

    def add(self, direction: Float[np.ndarray, " d"], sign: float) -> None:
        """A neuron that the network lacks: `sign r'(X u)_+` is above the weight decay there."""
        self.atoms.append(_neuron(self.problem, np.append(direction, sign), weight=0.0))

    def retrain(self, sphere: Sphere, limit: float) -> Recipe:
        """Blur the leaves above 0.95 of `limit`, train on all atoms, and tell the residual."""
        leaves = sphere.leaves()
        alive = {id(leaf) for leaf in leaves}
        self.atoms = [a for a in self.atoms if a.box is None or id(a.box) in alive]
        for leaf in leaves:
            if leaf.bound < _BAD * limit or len(self.atoms) >= self._most():
                break
            self.atoms.append(_blur(sphere, leaf))
        if self.atoms:
            low = np.array([a.low for a in self.atoms])
            high = np.array([a.high for a in self.atoms])
            start = np.array([a.weight for a in self.atoms])
            weights = train(low, high, self.problem.y, self.problem.weight_decay, start)
            for atom, weight in zip(self.atoms, weights, strict=True):
                atom.weight = float(weight)
        self.atoms = [a for a in self.atoms if a.weight > 0 or a.box is None]
        self._told = self._between()
        return self._recipe()

    def keep(self) -> None:
        """The residual told last is the best one yet: the next ones stay near it."""
        self._kept = self._told

    def keep_recipe(self, recipe: Recipe, box: Box) -> None:
        """The same for a recipe that an earlier search found; `box` stands for its boxes."""
        sizes = lengths(recipe.neurons[:, :-1])
        rows = zip(recipe.neurons, sizes, strict=True)
        self._kept = [
            (_known(row[:-1] / size, float(row[-1]), None), float(size))
            for row, size in rows
            if size > _NOTHING
        ]
        self._kept += [
            (_known(row, float(np.sign(weight)), box), float(abs(weight)))
            for row, weight in zip(recipe.blurs, recipe.blur_weights, strict=True)
        ]

    def _between(self) -> list[tuple[Atom, float]]:
        """Weights between the best ones and the new: cutting planes alone swing to and fro."""
        share = _NEW if self._kept else 1.0
        weights = {id(a): share * a.weight for a in self.atoms}
        atoms = {id(a): a for a in self.atoms}
        for atom, weight in self._kept:
            atoms[id(atom)] = atom
            weights[id(atom)] = weights.get(id(atom), 0.0) + (1 - share) * weight
        enough = _TRACE * sum(weights.values())
        return [(atoms[i], w) for i, w in weights.items() if w > enough]

    def _most(self) -> int:
        """Atoms that fit into memory: half a gigabyte of single precision."""
        return max(8, 2**26 // max(1, len(self.problem.y)))

    def _recipe(self) -> Recipe:
        d = self.problem.X.shape[1]
        true = [(a, w) for a, w in self._told if a.box is None]
        blurs = [(a, w) for a, w in self._told if a.box is not None]
        neurons = [np.append(w * a.row, a.sign) for a, w in true]
        return Recipe(
            np.array(neurons, dtype=np.float64).reshape(-1, d + 1),
            np.array([a.row for a, _ in blurs], dtype=np.float32).reshape(
                -1, 3 * d + d * (d + 1) // 2
            ),
            np.array([a.sign * w for a, w in blurs], dtype=np.float64),
        )


def raw_recipe(neurons: Float[np.ndarray, "m d1"]) -> Recipe:
    """The residual of the network itself."""
    d = neurons.shape[1] - 1
    width = 3 * d + d * (d + 1) // 2
    return Recipe(neurons, np.zeros((0, width), dtype=np.float32), np.zeros(0))


def train(
    low: Float[np.ndarray, "m n"],
    high: Float[np.ndarray, "m n"],
    y: Float[np.ndarray, " n"],
    weight_decay: float,
    start: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    """Weights of the master problem: projected Newton, for it is piecewise quadratic."""
    w = start.copy()
    value, r = _fit(low, high, y, weight_decay, w)
    for _ in range(_STEPS):
        over, under = (r > 0).astype(low.dtype), (r < 0).astype(low.dtype)
        gradient = weight_decay - (high @ (r * over) + low @ (r * under)).astype(np.float64)
        H = ((high * over) @ high.T + (low * under) @ low.T).astype(np.float64)
        H[np.diag_indices(len(w))] += 1e-7 * np.trace(H) / len(w) + 1e-300
        step = descend_above(H, gradient, w, 2000)
        slope = float(gradient @ step)
        if not -slope >= _FLAT * value:
            break
        length = 1.0
        while length > 1e-6:
            trial = np.maximum(w + length * step, 0.0)
            reached, r_trial = _fit(low, high, y, weight_decay, trial)
            if reached <= value + 1e-3 * length * slope:
                w, value, r = trial, reached, r_trial
                break
            length *= 0.5
        else:
            break
    return w


def _fit(
    low: Float[np.ndarray, "m n"],
    high: Float[np.ndarray, "m n"],
    y: Float[np.ndarray, " n"],
    weight_decay: float,
    w: Float[np.ndarray, " m"],
) -> tuple[float, NDArray[np.float32] | Array]:
    narrow = w.astype(low.dtype)
    r = y - np.clip(y, narrow @ low, narrow @ high)
    return 0.5 * float(r @ r) + weight_decay * float(w.sum()), r.astype(low.dtype)


@compiled
def descend_above(H: Array, gradient: Array, w: Array, sweeps: int) -> Array:
    """The p that minimises `gradient'p + p'Hp/2` over `w + p >= 0`, coordinate by coordinate."""
    p, slope = np.zeros(len(w)), gradient.copy()
    for _ in range(sweeps):
        largest = 0.0
        for j in range(len(w)):
            to = max(-w[j], p[j] - slope[j] / H[j, j])
            move = to - p[j]
            if move != 0.0:
                p[j] = to
                slope += move * H[j]
                largest = max(largest, abs(move) * np.sqrt(H[j, j]))
        if largest < 1e-10:
            break
    return p


def _known(row: NDArray[Any], sign: float, box: Box | None) -> Atom:
    """An atom that is mixed with others, but not trained again."""
    nothing = np.zeros(0, dtype=np.float32)
    return Atom(row, sign, nothing, nothing, 0.0, box)


def _neuron(problem: Balanced, row: Float[np.ndarray, " d1"], weight: float | None = None) -> Atom:
    size = float(np.linalg.norm(row[:-1]))
    direction, sign = row[:-1] / size, float(row[-1])
    active = (sign * np.maximum(problem.X @ direction, 0.0)).astype(np.float32)
    return Atom(direction, sign, active, active, size if weight is None else weight, None)


def _blur(sphere: Sphere, leaf: Box) -> Atom:
    row = blurred(leaf)
    parts = blur_parts(row.astype(np.float64), len(leaf.lo))
    low, high = blurred_activation(sphere.Z, *parts)
    if leaf.sign < 0:
        low, high = -high, -low
    return Atom(row, leaf.sign, low.astype(np.float32), high.astype(np.float32), 0.0, leaf)
