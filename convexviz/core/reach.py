"""What a generator can produce: every set of samples, or only linear images of the latents Z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

STILL = 1e-14  # of the start's length
RANK = 1e-10  # of the largest singular value; below it a direction of Z is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Generated samples in coordinates, `G = U C`, and the penalty on them.

    The penalty is `|G - G0|_F^2` or, on weights, `|W|_F^2 = sum_i |C_i|^2 / D_i^2`.

    Attributes:
        basis: orthonormal columns, or None for a free generator (then C is G).
        ones: `U'1`, what the samples' sum weighs the rows of C by.
        price: what a unit of `|C_i|^2` costs: 1, or `1 / D_i^2`.
        start: G0 in coordinates; zero where the penalty is on G or W itself.
        beyond: the part of `|G0|^2` that no choice of C changes.
        singular: singular values of Z, largest first; None for a free generator.
    """

    basis: Float[np.ndarray, "n r"] | None
    ones: Float[np.ndarray, " r"]
    price: Float[np.ndarray, " r"]
    start: Float[np.ndarray, "r d"]
    beyond: float
    singular: Float[np.ndarray, " r"] | None
    latent_basis: Float[np.ndarray, "l r"] | None

    @property
    def rows(self) -> int:
        return len(self.ones)

    def samples(self, C: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "n d"]:
        """G of the coordinates."""
        return C if self.basis is None else self.basis @ C

    def coordinates(self, G: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "r d"]:
        """C of the samples, those parts left out that the generator cannot produce."""
        return G if self.basis is None else self.basis.T @ G

    def misses(self, G: Float[np.ndarray, "n d"]) -> float:
        """The length of what the generator cannot produce."""
        if self.basis is None:
            return 0.0
        return float(np.linalg.norm(G - self.samples(self.coordinates(G))))

    def weights(self, C: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "l d"]:
        """The linear generator W with `Z W = G`, of the least norm."""
        assert self.latent_basis is not None
        assert self.singular is not None  # a free generator has no weights
        return self.latent_basis @ (C / self.singular[:, None])

    def penalty(self, C: Float[np.ndarray, "r d"]) -> float:
        """R_g; coordinates that differ from the start's by rounding have not moved."""
        moved = C - self.start
        if np.linalg.norm(moved) <= STILL * np.linalg.norm(self.start):
            return self.beyond
        return float(self.price @ np.square(moved).sum(axis=1)) + self.beyond


def free(n: int, d: int, start: Float[np.ndarray, "n d"] | None = None) -> Reach:
    """Every G (n, d); the penalty is `|G - start|^2`."""
    zero = np.zeros((n, d)) if start is None else np.array(start)
    return Reach(None, np.ones(n), np.ones(n), zero, 0.0, None, None)


def linear(
    Z: Float[np.ndarray, "n l"],
    d: int,
    *,
    on_weights: bool = False,
    start: Float[np.ndarray, "n d"] | None = None,
) -> Reach:
    """`G = Z W`; the penalty is `|W|^2` or `|G - start|^2`."""
    U, D, Qt = np.linalg.svd(Z, full_matrices=False)
    r = int(np.sum(RANK * max(float(D[0]), 1e-300) < D))
    U, D, Q = np.ascontiguousarray(U[:, :r]), D[:r], np.ascontiguousarray(Qt[:r].T)
    price = 1.0 / np.square(D) if on_weights else np.ones(r)
    ones = U.sum(axis=0)
    if np.linalg.norm(ones) < 1e-12 * np.sqrt(len(Z)):
        ones = np.zeros(r)
    if start is None:
        return Reach(U, ones, price, np.zeros((r, d)), 0.0, D, Q)
    inside = U.T @ start
    beyond = max(float(np.square(start).sum() - np.square(inside).sum()), 0.0)
    return Reach(U, ones, price, inside, beyond, D, Q)
