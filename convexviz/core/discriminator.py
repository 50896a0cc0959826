"""The two-layer discriminator of a Wasserstein game, `D(x) = sum_k sigma(x'u_k) v_k`, |u_k| <= 1.

Its weight decay is beta |v|_1 (for linear and ReLU sigma that is weight decay; for the others it is
the definition). The game's inner maximum is 0 or infinite: generated samples G are allowed where

    F(G) = max {|1'sigma(X u) - 1'sigma(G u)| : |u| <= 1} <= beta.

Sahiner, Ergen, Ozturkler, Bartan, Pauly, Mardani, Pilanci: Hidden Convexity of Wasserstein GANs,
ICLR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

KINDS = ("linear", "quadratic", "polynomial", "relu")


@dataclass(frozen=True, slots=True)
class Discriminator:
    """The activation `a t^2 + b t + c`, or ReLU; with `bias` it sees a constant column as well.

    Attributes:
        constant: what stands in that column: 1, but for games whose samples were rescaled.
    """

    kind: str
    a: float = 0.09
    b: float = 0.5
    c: float = 0.47
    bias: bool = False
    constant: float = 1.0

    @property
    def coefficients(self) -> tuple[float, float, float]:
        """a, b, c of the activation; there are none for ReLU."""
        if self.kind == "linear":
            return 0.0, 1.0, 0.0
        if self.kind == "quadratic":
            return 1.0, 0.0, 0.0
        assert self.kind == "polynomial"
        return self.a, self.b, self.c

    @property
    def is_moment(self) -> bool:
        """Whether it sees nothing but the count, the sum and the second moment of the samples."""
        return self.kind != "relu"

    @property
    def sees_sums(self) -> bool:
        """Whether the sum of the samples matters to it; second moments alone do where not."""
        return self.kind in ("linear", "relu") or self.bias or self.coefficients[1] != 0.0

    def sees(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n _"]:
        """The samples as the discriminator gets them."""
        return np.hstack([X, np.full((len(X), 1), self.constant)]) if self.bias else X

    def rescaled(self, size: float) -> Discriminator:
        """The same discriminator of samples over `size`: its F is this one's over size^2, or over
        size where it is linear or ReLU.
        """
        b, c = self.b / size, self.c / size / size
        return replace(self, b=b, c=c, constant=self.constant / size)

    def totals(
        self, X: Float[np.ndarray, "n d"], U: Float[np.ndarray, "K _"]
    ) -> Float[np.ndarray, " K"]:
        """`1'sigma(X u_k)` of each neuron."""
        linear = self.sees(X) @ U.T
        if self.kind == "relu":
            return np.maximum(linear, 0.0).sum(axis=0)
        a, b, c = self.coefficients
        return a * np.square(linear).sum(axis=0) + b * linear.sum(axis=0) + c * len(X)

    def value(self, X: Float[np.ndarray, "n d"], G: Float[np.ndarray, "m d"]) -> float:
        """F(G); for ReLU in more than three dimensions an upper bound on it, which is rigorous."""
        seen_x, seen_g = self.sees(X), self.sees(G)
        if self.kind == "relu":
            from convexviz.core.relu_distance import distance

            return distance(seen_x, seen_g).upper
        if self.kind == "linear":
            return float(np.linalg.norm(seen_x.sum(axis=0) - seen_g.sum(axis=0)))
        if self.kind == "quadratic":
            return largest_eigenvalue(seen_x, seen_g)
        return self._largest_polynomial(seen_x, seen_g)

    def _largest_polynomial(
        self, X: Float[np.ndarray, "n d"], G: Float[np.ndarray, "m d"]
    ) -> float:
        a, b, c = self.coefficients
        second = a * (X.T @ X - G.T @ G)
        half = 0.5 * b * (X.sum(axis=0) - G.sum(axis=0))
        constant = c * (len(X) - len(G))
        up = largest_on_ball(second, half) + constant
        return max(up, largest_on_ball(-second, -half) - constant)


@dataclass(frozen=True, slots=True)
class Neurons:
    """A discriminator's neurons: unit directions (a row each, the constant's weight last), weights.

    A direction that is longer than 1 would count for more than its weight decay pays: `unit` is
    what every bound is computed from.
    """

    directions: Float[np.ndarray, "K s"]
    weights: Float[np.ndarray, " K"]

    def __len__(self) -> int:
        return len(self.weights)

    def unit(self) -> Neurons:
        """The same with no direction longer than 1, and zero weights left out."""
        on = self.weights != 0.0
        U = self.directions[on]
        lengths = np.linalg.norm(U, axis=1, keepdims=True)
        return Neurons(U / np.maximum(lengths, 1.0), self.weights[on])

    def times(self, scale: float) -> Neurons:
        return Neurons(self.directions, scale * self.weights)


def no_neurons(width: int) -> Neurons:
    """The discriminator that is zero everywhere."""
    return Neurons(np.zeros((0, width)), np.zeros(0))


def largest_eigenvalue(X: Float[np.ndarray, "n d"], G: Float[np.ndarray, "m d"]) -> float:
    """The spectral norm of `X'X - G'G`, without forming it where there are more columns than rows.

    A rotation of the columns changes nothing, so wide matrices are first reduced to their rows'
    span.
    """
    stacked = np.vstack([X, G])
    if stacked.shape[1] > stacked.shape[0]:
        triangle = np.asarray(np.linalg.qr(stacked.T, mode="r"))
        stacked = np.ascontiguousarray(triangle.T)
    upper, lower = stacked[: len(X)], stacked[len(X) :]
    return float(np.abs(np.linalg.eigvalsh(upper.T @ upper - lower.T @ lower)).max(initial=0.0))


def largest_on_ball(A: Float[np.ndarray, "d d"], h: Float[np.ndarray, " d"]) -> float:
    """`max {u'Au + 2 h'u : |u| <= 1}`, by its dual: the least `t + sum_i h_i^2 / (t - a_i)`.

    The dual is a convex function of one number t >= max(a_1, 0), and strong duality holds (the
    trust region problem); every t gives an upper bound.
    """
    eigenvalues, V = np.linalg.eigh((A + A.T) / 2)
    squares = np.square(V.T @ h)
    floor = max(float(eigenvalues[-1]), 0.0)
    size = float(np.sqrt(squares.sum()))
    scale = max(floor, -float(eigenvalues[0]), size)
    if scale == 0.0:
        return 0.0

    # Terms of no weight do not count, also where t meets their eigenvalue (the hard case).
    counts = squares > 1e-30 * scale**2
    squares, eigenvalues = squares[counts], eigenvalues[counts]

    def dual(t: float) -> float:
        if np.any(eigenvalues >= t):
            return np.inf
        return t + float((squares / (t - eigenvalues)).sum())

    def slope(t: float) -> float:
        if np.any(eigenvalues >= t):
            return -np.inf
        return 1.0 - float((squares / (t - eigenvalues) ** 2).sum())

    low, high = floor, floor + size  # the slope is >= 0 at `high`
    if slope(low) >= 0:
        return dual(low)
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if slope(middle) < 0:
            low = middle
        else:
            high = middle
    return dual(high)
