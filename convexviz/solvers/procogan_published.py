"""The progressive schedule as it was published, to be looked at: it inverts rounding noise.

Latents enter at the first stage only and a constant column is appended to every input. As every
stage is affine in them, inputs have at most one more than the latents' rank; a schedule that keeps
more directions than that divides by singular values that are zero in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    centred = images - images.mean(axis=0)
    sides = [smallest * 2**i for i in range(len(kept))]
    return staged(lambda side: pooled(centred, side), sides, len(images), kept, rng)


def staged(
    rows: Callable[[int], Float[np.ndarray, "n d"]],
    sides: Sequence[int],
    n_generated: int,
    kept: Sequence[int],
    rng: np.random.Generator,
) -> list[PublishedStage]:
    """The same where `rows(side)` are the centred images of that size."""
    one = np.ones((n_generated, 1))
    H = np.hstack([rng.standard_normal((n_generated, LATENTS)), one])
    out = []
    for size, wanted in zip(sides, kept, strict=True):
        X = rows(size)
        singular, V = leading(X, wanted + 1)
        _, D, Qt = np.linalg.svd(H, full_matrices=False)
        count = min(wanted, X.shape[1] - 1, n_generated - 2, len(D), len(V) - 1)
        beta = float(singular[count] ** 2)
        roots = np.sqrt(np.maximum(singular[:count] ** 2 - beta, 0.0))
        P, B = H @ (Qt[:count].T / D[:count]), roots[:, None] * V[:count]
        rank = int(np.sum(1e-10 * D[0] < D))
        wrong, _ = check(X, P, B, (singular, V), beta)
        out.append(PublishedStage(size, count, rank, wrong, float(D[0] / D[count - 1])))
        small = (P @ B).reshape(n_generated, size, size, -1)
        H = np.hstack([small.repeat(2, axis=1).repeat(2, axis=2).reshape(n_generated, -1), one])
    return out
