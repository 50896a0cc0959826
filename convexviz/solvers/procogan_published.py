"""The progressive schedule as it was published, to be looked at: it inverts rounding noise.

Latents enter at the first stage only and a constant column is appended to every input. As every
stage is affine in them, inputs have at most one more than the latents' rank; a schedule that keeps
more directions than that divides by singular values that are zero in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.solvers.procogan import check, pooled
from convexviz.solvers.spectrum import leading

SCHEDULE = (20, 30, 40, 100, 175)
LATENTS = 48


@dataclass(frozen=True, slots=True)
class PublishedStage:
    """What went wrong, in numbers: `rank` is that of the inputs, `f_over_beta` should be 1."""

    resolution: int
    kept: int
    rank: int
    f_over_beta: float
    condition: float


def run(
    images: Float[np.ndarray, "n h w c"],
    rng: np.random.Generator,
    kept: Sequence[int] = SCHEDULE,
    *,
    smallest: int = 4,
) -> list[PublishedStage]:
    """The stages of the released code (dense, so for a few hundred images)."""
    n, _, _, channels = images.shape
    one = np.ones((n, 1))
    H = np.hstack([rng.standard_normal((n, LATENTS)), one])
    out = []
    for i, count in enumerate(kept):
        size = smallest * 2**i
        X = pooled(images, size)
        X -= X.mean(axis=0)
        count = min(count, X.shape[1] - 1, n - 2)
        singular, V = leading(X, count + 1)
        _, D, Qt = np.linalg.svd(H, full_matrices=False)
        count = min(count, len(D))
        roots = np.sqrt(np.maximum(singular[:count] ** 2 - singular[count] ** 2, 0.0))
        G = H @ (Qt[:count].T / D[:count]) @ (roots[:, None] * V[:count])
        rank = int(np.sum(1e-10 * D[0] < D))
        P = H @ (Qt[:count].T / D[:count])
        wrong, _ = check(X, P, roots[:, None] * V[:count], (singular, V))
        out.append(PublishedStage(size, count, rank, wrong, float(D[0] / D[count - 1])))
        small = G.reshape(n, size, size, channels)
        H = np.hstack([small.repeat(2, axis=1).repeat(2, axis=2).reshape(n, -1), one])
    return out
