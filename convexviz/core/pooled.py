"""Masked features of a convolutional network: the patches of a sample are summed.

A sample is K consecutive rows of X (its patches), its features `F_i = sum_k D_ik X_k`: the output
of a neuron is the sum of its activations over the patches. Patterns have one entry a patch, so
cones and gates are those of the rows.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.gram import MaskedGram, with_blocks
from convexviz.core.masked import adjoint

_ENTRIES = 2**21  # of pooled features held at a time: 16 MB


def pooled_features(
    X: Float[np.ndarray, "N d"], patterns: Bool[np.ndarray, "N P"], patches: int
) -> Float[np.ndarray, "n m"]:
    """`[F_1, ..., F_P]`, a row a sample; N = n patches rows."""
    masks = patterns.reshape(-1, patches, patterns.shape[1]).transpose(0, 2, 1)
    features = np.matmul(masks.astype(np.float64), X.reshape(-1, patches, X.shape[1]))
    return features.reshape(len(features), -1)


def pooled_gram(
    X: Float[np.ndarray, "N d"],
    patterns: Bool[np.ndarray, "N P"],
    y: Float[np.ndarray, " n"],
    patches: int,
) -> MaskedGram:
    """The Gram of `[F_1, ..., F_P]`, streamed over the samples.

    Sums over patches differ from sample to sample, so no two samples share a product and the
    cells of `masked_gram` do not help: one symmetric BLAS product a block of samples.
    """
    P, d = patterns.shape[1], X.shape[1]
    G = np.zeros((P * d, P * d))
    step = max(1, _ENTRIES // max(1, P * d)) * patches
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        features = pooled_features(X[rows], patterns[rows], patches)
        G += features.T @ features
    return with_blocks(G, adjoint(X, patterns, np.repeat(y, patches)), float(y @ y))
