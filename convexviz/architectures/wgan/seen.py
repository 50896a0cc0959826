"""What a discriminator of the plane sees of two sets of samples, so that it can be drawn.

A neuron with direction u tells real samples from generated ones by
`e(u) = 1'sigma(X u) - 1'sigma(G u)`; F is its largest size over |u| <= 1.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import Discriminator, Neurons

ANGLES = np.linspace(0.0, 2 * np.pi, 145)
_LENGTHS = np.linspace(0.1, 1.0, 10)
_TILTS = np.linspace(-np.pi / 2, np.pi / 2, 41)


def gap_by_direction(
    discriminator: Discriminator, X: Float[np.ndarray, "n 2"], G: Float[np.ndarray, "m 2"]
) -> Float[np.ndarray, " a"]:
    """e at each of ANGLES: of all neurons that point there, the one that sees most.

    A neuron points somewhere with a length, and with the constant column by a tilt; linear,
    quadratic and ReLU neurons see most at full length.
    """
    inside = _inside(discriminator)
    circle = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    U = circle[:, None, :] * inside[None, :, :1]
    if discriminator.bias:
        U = np.concatenate([U, np.broadcast_to(inside[:, 1:], (*U.shape[:2], 1))], axis=2)
    flat = U.reshape(-1, U.shape[-1])
    apart = (discriminator.totals(X, flat) - discriminator.totals(G, flat)).reshape(U.shape[:2])
    most = np.abs(apart).argmax(axis=1)
    found: np.ndarray = np.take_along_axis(apart, most[:, None], axis=1)[:, 0]
    return found


def _inside(discriminator: Discriminator) -> Float[np.ndarray, "k 2"]:
    """Lengths in the plane and constants of the neurons that are tried at one angle."""
    lengths = _LENGTHS if discriminator.kind == "polynomial" else np.ones(1)
    if not discriminator.bias:
        return np.stack([lengths, np.zeros(len(lengths))], axis=1)
    both = np.stack([np.cos(_TILTS), np.sin(_TILTS)], axis=1)
    found: np.ndarray = (lengths[:, None, None] * both[None]).reshape(-1, 2)
    return found


def zonotope(X: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "k 2"]:
    """Corners of `sum_i [0, x_i]`, counter-clockwise: its support function is `sum_i (x_i'u)_+`."""
    below = (X[:, 1] < 0) | ((X[:, 1] == 0) & (X[:, 0] < 0))
    upward = np.where(below[:, None], -X, X)
    upward = upward[np.argsort(np.arctan2(upward[:, 1], upward[:, 0]))]
    way = np.concatenate([upward, -upward])
    corners: np.ndarray = X[below].sum(axis=0) + np.cumsum(way, axis=0)
    return corners


def critic_over(
    discriminator: Discriminator, neurons: Neurons, points: Float[np.ndarray, "p 2"]
) -> Float[np.ndarray, " p"]:
    """The discriminator `D(x) = sum_k sigma(x'u_k) v_k` at each point."""
    seen = discriminator.sees(points) @ neurons.directions.T
    if discriminator.kind == "relu":
        return np.maximum(seen, 0.0) @ neurons.weights
    a, b, c = discriminator.coefficients
    return (a * np.square(seen) + b * seen + c) @ neurons.weights
