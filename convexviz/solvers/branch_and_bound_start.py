"""What a search starts from: a network in its units, or the boxes of an earlier proof."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.neurons import join, lengths, split
from convexviz.core.proof import LEAF, OUTSIDE, Balanced, Proof, unpacked
from convexviz.core.types import Array
from convexviz.solvers.adaptive_descent import Tick, descend
from convexviz.solvers.adaptive_refine import evaluate, training
from convexviz.solvers.branch_and_bound_proof import Recipe
from convexviz.solvers.branch_and_bound_tree import Sphere
from convexviz.solvers.branch_and_bound_tuning import Box

_POLISHING, _SLOPE = 3, 1e-6  # legs of descent, and the slope in weight decays at which they end


def recipe_of(proof: Proof) -> Recipe:
    """How the vector of a proof is made."""
    return Recipe(proof.neurons, proof.blurs, proof.blur_weights)


def regrown(
    X: Float[np.ndarray, "n d"], r: Float[np.ndarray, " n"], proof: Proof
) -> tuple[Sphere, list[Box]]:
    """The trees of a verified proof over the sphere, and their leaves, which have no bound yet.

    A leaf without moments of its own takes those of the nearest box above it.
    """
    sphere = Sphere(X, r, proof.basis)
    leaves, used = [], 0
    todo = [sphere.roots[1], sphere.roots[0]]
    for axis, cut, proved in zip(proof.axis, proof.cut, proof.proved, strict=True):
        box = todo.pop()
        if proved:
            box.mean = proof.mean[used].astype(np.float64)
            box.second = unpacked(proof.second[used].astype(np.float64), len(box.mean))
            used += 1
        box.axis, box.cut = int(axis), float(cut)
        if axis == LEAF:
            leaves.append(box)
        elif axis != OUTSIDE:
            box.children = _parted(box)
            todo += box.children[::-1]
        if axis != LEAF:
            box.rows = box.rows[:0]
    return sphere, leaves


def _parted(box: Box) -> tuple[Box, Box]:
    left, right = box.hi.copy(), box.lo.copy()
    left[box.axis] = right[box.axis] = box.cut
    return _part(box, box.lo, left), _part(box, right, box.hi)


def _part(box: Box, lo: Array, hi: Array) -> Box:
    nothing = np.zeros(len(lo))
    return Box(box.sign, lo.copy(), hi.copy(), box.rows, nothing, box.mean, box.second)


def polished(problem: Balanced, neurons: Array, tick: Tick) -> Array:
    """The network where F has (nearly) no slope: only there is M(r) the weight decay."""
    kept = neurons[lengths(neurons[:, :-1]) > 1e-100]
    if not len(kept):
        return neurons
    data = training(problem.X, problem.y, problem.weight_decay)
    start = evaluate(data, *split(kept))
    end = descend(data, start, _POLISHING, _SLOPE, tick)
    return join(end.W, end.signs)


def in_units(problem: Balanced, variables: Float[np.ndarray, "m d1"]) -> Array:
    """The network in the units of the balanced problem, less neurons far from any optimum."""
    out = np.array(variables, dtype=np.float64)
    with np.errstate(over="ignore", under="ignore"):
        out[:, :-1] = np.ldexp(variables[:, :-1], problem.exponent_X - problem.exponent_y)
    sound = np.isfinite(out).all(axis=1) & (np.abs(out) < 1e12).all(axis=1)
    return out[sound]
