"""The convex program's variables at another weight decay, as the weights that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.architectures.batch_norm.weights import FIXED, from_neurons, from_neurons_after
from convexviz.core.network import Network
from convexviz.core.nuclear import unpacked_neurons
from convexviz.core.orthonormal import neurons_of
from convexviz.core.vector import balanced


def weights(spec: Spec, arrays: Arrays, variables: np.ndarray) -> dict[str, Any]:
    """The weights that `variables` (a row of `path_variables`) mean.

    Variables are (m, n) for a closed form, whose outputs are among `arrays`; (P, k+1) for gated
    neurons, or rows (gate, u, v) of several outputs, (2, P, k+1) for ReLU neurons on given patterns
    (w adds, z subtracts), and (m, k+1+c) for neurons of their own, first layer then outputs (of one
    output, the sign); zeros are dropped.
    """
    fixed = {name: array for name, array in arrays.items() if FIXED.fullmatch(name)}
    if "class_outputs" in arrays:
        neurons = neurons_of(variables, arrays["class_outputs"], spec.weight_decay)
        norms = np.linalg.norm(variables, axis=1)
        return fixed | from_neurons(arrays, neurons) | {"group_norms": norms}
    width = arrays["whitening"].shape[1] + 1
    if spec.neurons == "relu" and variables.ndim == 2 and spec.position == "before":
        first, second = balanced(variables[:, :width], variables[:, width:])
        neurons = Network(np.ascontiguousarray(first.T), second, spec.weight_decay)
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        return fixed | from_neurons(arrays, neurons) | {"group_norms": norms}
    before = spec.neurons == "gated" and spec.position == "before"
    if before and (variables.ndim == 3 or variables.shape[1] > width):
        return fixed | _of_blocks(spec, arrays, variables)
    if spec.position == "after" and _are_neurons(arrays, variables):
        return fixed | _after(spec, arrays, variables)
    signs = np.ones(variables.shape[:-1])
    if variables.ndim == 3:
        signs[1] = -1.0
    norms = group_norms(spec, arrays, variables)
    on = np.flatnonzero(norms)
    roots = np.sqrt(norms.ravel()[on])
    rows = variables.reshape(-1, variables.shape[-1])[on]
    second = (signs.ravel()[on] * roots)[:, None]
    neurons = Network((rows / roots[:, None]).T, second, spec.weight_decay)
    owner = on % norms.shape[-1]
    after = spec.position == "after"
    kept = from_neurons_after(arrays, neurons, owner) if after else from_neurons(arrays, neurons)
    return fixed | kept | {"group_norms": norms, "gate_of_neuron": owner}


def _of_blocks(spec: Spec, arrays: Arrays, variables: np.ndarray) -> dict[str, Any]:
    """A gated neuron a singular value of each block."""
    gates = arrays["gates"]
    first, second, owner = unpacked_neurons(variables, len(gates))
    neurons = Network(np.ascontiguousarray(first.T), second, spec.weight_decay)
    sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    norms = np.bincount(owner, weights=sizes, minlength=gates.shape[1])
    own = {"group_norms": norms, "gate_of_neuron": owner}
    return from_neurons(arrays, neurons) | own


def _are_neurons(arrays: Arrays, variables: np.ndarray) -> bool:
    """Whether these are rows (pattern, w, a, v), not a group of weights a pattern."""
    return variables.ndim == 2 and variables.shape[1] > arrays["pattern_means"].shape[1] + 1


def _after(spec: Spec, arrays: Arrays, variables: np.ndarray) -> dict[str, Any]:
    """Batch norm after the ReLU, neurons of their own: `w, a` and `v`, balanced."""
    d = arrays["pattern_means"].shape[1]
    owner, U, V = variables[:, 0].astype(np.int64), variables[:, 1 : d + 2], variables[:, d + 2 :]
    images = np.einsum("mij,mj->mi", arrays["pattern_factors"][owner], U[:, :-1])
    one = np.hypot(np.linalg.norm(images, axis=1), U[:, -1])
    two = np.linalg.norm(V, axis=1)
    on = (one > 0) & (two > 0)
    ratio = np.sqrt(two[on] / one[on])[:, None]
    neurons = Network(np.ascontiguousarray((U[on] * ratio).T), V[on] / ratio, spec.weight_decay)
    kept = from_neurons_after(arrays, neurons, owner[on])
    return kept | {"group_norms": (one * two)[on], "gate_of_neuron": owner[on]}


def group_norms(spec: Spec, arrays: Arrays, variables: np.ndarray) -> np.ndarray:
    """What the penalty sums: the length of each group, or of its output after the ReLU, or the
    nuclear norm of a block of several outputs.
    """
    if spec.neurons == "gated" and variables.ndim == 3:
        return np.asarray(np.linalg.svd(variables, compute_uv=False).sum(axis=1))
    if "pattern_factors" not in arrays:
        return np.asarray(np.linalg.norm(variables, axis=-1))
    images = np.einsum("pij,...pj->...pi", arrays["pattern_factors"], variables[..., :-1])
    return np.asarray(np.hypot(np.linalg.norm(images, axis=-1), variables[..., -1]))
