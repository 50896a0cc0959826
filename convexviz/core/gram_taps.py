"""The Gram of the features of a gated network whose outputs are taps of a second convolution.

Column (i, t, q) is `S_q D_i X e_t`, input t under gate i as tap q sees it (THEORY 2.3). Moving rows
and patterns once for each tap, their products are formed and multiplied a few rows at a time.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.readout import Taps
from convexviz.core.types import Array

_ENTRIES = 2**22  # of the products held at a time


def taps_gram(
    X: Float[np.ndarray, "N d"],
    patterns: Bool[np.ndarray, "N P"],
    y: Float[np.ndarray, " N"],
    readout: Taps,
) -> tuple[Float[np.ndarray, "pdk pdk"], Float[np.ndarray, " pdk"]]:
    """`Phi'Phi` and `Phi'y` of the features `Phi` (N, P d k)."""
    rows = readout.moved(X)
    masks = readout.moved(patterns.astype(np.float64)).astype(np.float32)
    N, d, k = rows.shape
    P = masks.shape[1]
    gram, b = np.zeros((P * d * k, P * d * k)), np.zeros(P * d * k)
    step = max(1, _ENTRIES // max(1, P * d * k))
    for start in range(0, N, step):
        here = slice(start, start + step)
        part: Array = masks[here][:, :, None, :] * rows[here][:, None, :, :]
        part = part.reshape(len(part), P * d * k)
        gram += part.T @ part
        b += part.T @ y[here]
    return gram, b
