"""A finished search, written down as a proof: only the evidence that a leaf rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.proof import Proof, packed
from convexviz.core.types import Array
from convexviz.solvers.branch_and_bound_tree import Sphere
from convexviz.solvers.branch_and_bound_tuning import Box


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How the vector r is made: the network's rows (w_j, s_j), blurred neurons, their weights."""

    neurons: Float[np.ndarray, "m d1"]
    blurs: Float[np.ndarray, "q b"]
    blur_weights: Float[np.ndarray, " q"]


def written(sphere: Sphere, recipe: Recipe) -> Proof:
    """The search's trees as a proof about the recipe's vector; moments in single precision."""
    d = len(sphere.basis)
    boxes = [box for root in sphere.roots for box in _preorder(root)]
    needed = {id(box) for root in sphere.roots for box in _relied_on(root)}
    proved = [box for box in boxes if id(box) in needed]
    evidence = [box.evidence for box in proved if box.evidence is not None]
    triangle = d * (d + 1) // 2
    return Proof(
        basis=sphere.basis,
        axis=np.array([box.axis for box in boxes], dtype=np.int32),
        cut=np.array([box.cut for box in boxes], dtype=np.float64),
        proved=np.array([id(box) in needed for box in boxes], dtype=bool),
        mean=np.array([e[0] for e in evidence], dtype=np.float32).reshape(-1, d),
        second=np.array([packed(e[1]) for e in evidence], dtype=np.float32).reshape(-1, triangle),
        multipliers=np.array([e[2] for e in evidence], dtype=np.float64).reshape(-1, d + 1),
        neurons=recipe.neurons,
        blurs=recipe.blurs,
        blur_weights=recipe.blur_weights,
    )


def blurred(box: Box) -> Float[np.ndarray, " b"]:
    """What a proof keeps of a neuron somewhere in the box, in single precision."""
    parts: Array = np.concatenate([box.lo, box.hi, box.mean, packed(box.second)])
    return parts.astype(np.float32)


def _preorder(root: Box) -> list[Box]:
    out, todo = [], [root]
    while todo:
        box = todo.pop()
        out.append(box)
        todo += (box.children or ())[::-1]
    return out


def _relied_on(root: Box) -> list[Box]:
    """For each leaf the box on its way up whose own bound is least."""
    out = []
    todo: list[tuple[Box, Box | None]] = [(root, None)]
    while todo:
        box, least = todo.pop()
        if box.evidence is not None and (least is None or box.own < least.own):
            least = box
        if box.children is not None:
            todo += [(child, least) for child in box.children]
        elif least is not None and box.axis == -1:
            out.append(least)
    return out
