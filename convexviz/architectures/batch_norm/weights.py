"""Between the convex program's neurons on whitened rows and the network's own weights."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import Setting
from convexviz.architectures.batch_norm.network import (
    BatchNormNetwork,
    Gates,
    Layer,
    Statistics,
)
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.core.network import Network

FIXED = re.compile(
    r"centre|whitening|n_rows|vector|gates|gate_.*|pattern_.*|class_outputs|hidden\d+_.*|running_.*"
)
_EARLIER = ("first_layer", "gamma", "alpha", "centre", "running_mean", "running_norm")


def fixed(spec: Spec, at: Setting) -> dict[str, Any]:
    """What every set of weights shares: centre, whitening, random layers before, and shapes."""
    white = at.whitening
    kept: dict[str, Any] = {
        "centre": np.zeros_like(white.mean) if spec.position == "after" else white.mean,
        "whitening": white.lift,
        "n_rows": np.array(white.n_rows),
        "vector": np.array(int(at.vector)),
    }
    for depth, layer in enumerate(at.earlier, 1):
        values = (
            layer.weights, layer.gamma, layer.alpha,
            layer.centre, layer.running.mean, layer.running.norm,
        )  # fmt: skip
        kept |= {f"hidden{depth}_{name}": v for name, v in zip(_EARLIER, values, strict=True)}
    return kept


def factors(X: Float[np.ndarray, "n d"], patterns: Bool[np.ndarray, "n P"]) -> dict[str, Any]:
    """`pattern_factors` (P, d, d), upper triangles with `|C D_i X w| = |R_i w|`, and
    `pattern_means` (P, d), of the masked rows: the statistics of any neuron, without the data.
    """
    masked = np.where(patterns.T[:, :, None], X, 0.0)
    means = masked.mean(axis=1)
    found = np.zeros((patterns.shape[1], X.shape[1], X.shape[1]))
    for i, rows in enumerate(masked):
        R = np.linalg.qr(rows - means[i], mode="r")
        found[i, : len(R)] = R
    return {"pattern_factors": found, "pattern_means": means}


def from_neurons_after(
    arrays: Arrays, neurons: Network, owner: Int[np.ndarray, " m"]
) -> dict[str, Any]:
    """The weights of neurons `u = [w; a]` whose batch norm comes after the ReLU (THEORY 4.6)."""
    w, root = neurons.first_layer[:-1], np.sqrt(float(arrays["n_rows"]))
    gamma = lengths_after(arrays["pattern_factors"], owner, w)
    scale = root / np.where(gamma > 0, gamma, root)
    first = w * scale
    return {
        "first_layer": first,
        "gamma": gamma,
        "alpha": np.array(neurons.first_layer[-1]),
        "second_layer": neurons.second_layer,
        "running_mean": np.einsum("md,dm->m", arrays["pattern_means"][owner], first),
        "running_norm": np.where(gamma > 0, root, 1.0),
    }


def from_neurons(arrays: Arrays, neurons: Network) -> dict[str, Any]:
    """`first_layer`, `gamma`, `alpha`, `second_layer` of neurons `u = [q; a]`, `v` (THEORY 4.2).

    A neuron's weights are scaled so that batch norm divides by one deviation, `|C X w| = sqrt n`.
    """
    q, alpha = neurons.first_layer[:-1], neurons.first_layer[-1]
    lift, root = arrays["whitening"], np.sqrt(float(arrays["n_rows"]))
    gamma = np.linalg.norm(q, axis=0)
    off = gamma == 0.0
    directions = np.where(off, 0.0, q / np.where(off, 1.0, gamma))
    directions[0, off] = 1.0  # alpha alone: any weights do, and gamma is zero
    return {
        "first_layer": root * (lift @ directions),
        "gamma": gamma,
        "alpha": np.array(alpha),
        "second_layer": neurons.second_layer,
        "running_mean": np.zeros(len(gamma)),  # of centred rows
        "running_norm": np.full(len(gamma), root),
    }


def to_neurons(at: Setting, arrays: Arrays) -> Float[np.ndarray, "k1 m"]:
    """The whitened coordinates `u = [gamma q / |q|; alpha]` of stored weights.

    `q = U' C X w`, from the data: nothing is taken from the whitening that was stored.
    """
    rows = at.inputs.reshape(-1, at.inputs.shape[-1])
    features = at.features.reshape(-1, at.features.shape[-1])
    q = features[:, :-1].T @ ((rows - at.whitening.mean) @ arrays["first_layer"])
    return np.vstack([q * _ratio(arrays["gamma"], np.linalg.norm(q, axis=0)), arrays["alpha"]])


def neurons_after(arrays: Arrays, factors: Float[np.ndarray, "P d d"]) -> Float[np.ndarray, "d1 m"]:
    """`u = [w gamma / |C (X w)_+|; alpha]` of stored weights; the lengths are those that the
    `factors` of the data's masked rows give, as when the weights were scaled: rows that are nearly
    equal have lost digits, and every other sum of them has lost others.
    """
    length = lengths_after(factors, arrays["gate_of_neuron"], arrays["first_layer"])
    return np.vstack([arrays["first_layer"] * _ratio(arrays["gamma"], length), arrays["alpha"]])


def lengths_after(
    factors: Float[np.ndarray, "P d d"],
    owner: Int[np.ndarray, " m"],
    w: Float[np.ndarray, "d m"],
) -> Float[np.ndarray, " m"]:
    """`|C D_j X w_j| = |R_j w_j|` of neurons w of the patterns `owner`."""
    return np.asarray(np.linalg.norm(np.einsum("mij,jm->im", factors[owner], w), axis=0))


def _ratio(
    gamma: Float[np.ndarray, " m"], length: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    return np.where(gamma == 0.0, 0.0, gamma / np.where(length > 0, length, 1.0))


def revive(spec: Spec, arrays: Arrays) -> BatchNormNetwork:
    """The network that stored weights describe."""
    n_rows = int(arrays["n_rows"])
    earlier = []
    for depth in range(1, spec.hidden_layers):
        w, gamma, alpha, centre, mean, norm = (arrays[f"hidden{depth}_{n}"] for n in _EARLIER)
        earlier.append(Layer(w, gamma, alpha, centre, Statistics(mean, norm), n_rows))
    layer = Layer(
        weights=arrays["first_layer"],
        gamma=arrays["gamma"],
        alpha=arrays["alpha"],
        centre=arrays["centre"],
        running=Statistics(arrays["running_mean"], arrays["running_norm"]),
        n_rows=n_rows,
    )
    gates = None
    if spec.neurons == "gated":
        mine = arrays["gates"][:, arrays["gate_of_neuron"]]
        lift = None if spec.position == "after" else arrays["whitening"]
        gates = Gates(mine, arrays["centre"], lift, float(1.0 / np.sqrt(n_rows)))
    return BatchNormNetwork(
        layer=layer,
        second_layer=arrays["second_layer"],
        weight_decay=spec.weight_decay,
        loss=spec.loss,
        position=spec.position,
        earlier=tuple(earlier),
        gates=gates,
        vector=bool(arrays["vector"]),
    )
