"""The convex program's variables at another weight decay, as the weights that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.denoiser.spec import Spec


def weights(spec: Spec, arrays: Arrays, variables: np.ndarray) -> dict[str, Any]:
    """The weights that `variables` (a row of `path_variables`) mean, for the gates in `arrays`.

    Variables are (P, d) for gated neurons, (2, P, d) for ReLU neurons on given patterns (w adds,
    z subtracts), and (m, d + 1), sign last, for adaptive ones; zero groups are dropped.
    """
    if spec.output_kernel > 1:
        from convexviz.architectures.denoiser import taps

        return taps.on_path(spec, arrays, variables)
    signs = np.ones(variables.shape[:-1])
    if spec.arrangements == "adaptive":
        variables, signs = variables[:, :-1], variables[:, -1]
    elif variables.ndim == 3:
        signs[1] = -1.0
    norms = np.linalg.norm(variables, axis=-1)
    on = np.flatnonzero(norms)
    roots = np.sqrt(norms.ravel()[on])
    rows = variables.reshape(-1, variables.shape[-1])[on]
    kept = {
        "normalisation": arrays["normalisation"],
        "first_layer": (rows / roots[:, None]).T,
        "second_layer": (signs.ravel()[on] * roots)[:, None],
        "group_norms": norms if "gates" in arrays else norms[on],
    }
    if "gates" in arrays:
        kept |= {"gates": arrays["gates"], "gate_of_neuron": on % norms.shape[-1]}
    return kept
