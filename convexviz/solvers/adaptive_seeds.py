"""Where the search for neurons starts: directions that look like filters, and random gates."""

from __future__ import annotations

from math import isqrt

import numpy as np
from jaxtyping import Float

from convexviz.core.neurons import directions
from convexviz.core.types import Array

_ROWS = 20_000  # enough to estimate a second moment
_POWERS = 5


def cosine_filters(d: int) -> Float[np.ndarray, "s d"]:
    """The two-dimensional DCT basis and its negatives; empty unless d or d - 1 is a square.

    The extra input is taken for a ones column (bias), on which these filters do not look.
    """
    bias = int(isqrt(d) ** 2 != d)
    k = isqrt(d - bias)
    if k == 0 or k * k + bias != d:
        return np.zeros((0, d))
    rows = np.cos(np.pi * np.outer(np.arange(k), np.arange(k) + 0.5) / k)
    basis = np.einsum("ai,bj->abij", rows, rows).reshape(k * k, k * k)
    basis = np.hstack([basis, np.zeros((k * k, bias))])
    return directions(np.concatenate([basis, -basis]))


def random_directions(
    X: Float[np.ndarray, "n d"], count: int, rng: np.random.Generator
) -> Float[np.ndarray, "s d"]:
    """Gaussian gates in coordinates between the raw ones and those where `X'X` is the identity.

    Raw gates on images mostly see the mean of a patch, whitened ones its noise; the powers
    0, 1/4, .. 1 of the whitening cover what lies between.
    """
    sample = X[:: max(1, len(X) // _ROWS)]
    values, vectors = np.linalg.eigh(sample.T @ sample)
    values = np.maximum(values / max(values[-1], np.finfo(float).tiny), 0.0) + 1e-9
    powers = (np.arange(count) % _POWERS) / (_POWERS - 1)
    gates: Array = rng.standard_normal((count, X.shape[1]))
    return directions((gates * values ** (-0.5 * powers[:, None])) @ vectors.T)
