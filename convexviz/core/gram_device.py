"""The Gram of masked features as one dense product, for devices where that is what is fast."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.gram import MaskedGram, with_blocks

ROWS = 2**28  # entries of the masked features held at a time: 2 GiB in float64


def masked_gram_on(
    device: str,
    X: Float[np.ndarray, "n d"],
    patterns: Bool[np.ndarray, "n P"],
    y: Float[np.ndarray, " n"],
) -> MaskedGram:
    """`[X' D_i D_j X]` and `X' D_i y` in float64 on `device`, a torch device ("cuda", "cpu").

    A GPU multiplies the zeros of the masks faster than it could skip them.
    """
    import torch

    (n, d), P = X.shape, patterns.shape[1]
    where = {"dtype": torch.float64, "device": device}
    G, b = torch.zeros((P * d, P * d), **where), torch.zeros(P * d, **where)
    step = max(1, ROWS // (P * d))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        features = torch.tensor(X[rows], **where)[:, None, :]
        masks = torch.as_tensor(patterns[rows], **where)[:, :, None]
        masked = (masks * features).reshape(-1, P * d)
        G += masked.T @ masked
        b += masked.T @ torch.tensor(y[rows], **where)
    return with_blocks(G.cpu().numpy(), b.cpu().numpy().reshape(P, d), float(y @ y))
