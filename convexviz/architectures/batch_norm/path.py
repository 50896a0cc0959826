"""The convex program's variables at another weight decay, as the weights that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.architectures.batch_norm.weights import FIXED, from_neurons, from_neurons_after
from convexviz.core.network import Network
from convexviz.core.nuclear import singular_neurons
from convexviz.core.orthonormal import neurons_of
from convexviz.core.vector import balanced


def weights(spec: Spec, arrays: Arrays, variables: np.ndarray) -> dict[str, Any]:
    """The weights that `variables` (a row of `path_variables`) mean.

    Variables are (m, n) for a closed form, whose outputs are among `arrays`; (P, k+1) for gated
    neurons, or (P, k+1, c) of several outputs, (2, P, k+1) for ReLU neurons on given patterns (w
    adds, z subtracts), and (m, k+1+c) for neurons of their own, first layer then outputs (of one
    output, the sign); zeros are dropped.
    """
    fixed = {name: array for name, array in arrays.items() if FIXED.fullmatch(name)}
    if "class_outputs" in arrays:
        neurons = neurons_of(variables, arrays["class_outputs"], spec.weight_decay)
        norms = np.linalg.norm(variables, axis=1)
        return fixed | from_neurons(arrays, neurons) | {"group_norms": norms}
    if spec.neurons == "relu" and variables.ndim == 2:
        width = arrays["whitening"].shape[1] + 1
        first, second = balanced(variables[:, :width], variables[:, width:])
        neurons = Network(np.ascontiguousarray(first.T), second, spec.weight_decay)
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        return fixed | from_neurons(arrays, neurons) | {"group_norms": norms}
    if spec.neurons == "gated" and variables.ndim == 3:
        return fixed | _of_blocks(spec, arrays, variables)
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
    first, second, owner = singular_neurons(variables)
    neurons = Network(np.ascontiguousarray(first.T), second, spec.weight_decay)
    own = {"group_norms": group_norms(spec, arrays, variables), "gate_of_neuron": owner}
    return from_neurons(arrays, neurons) | own


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
