"""What a solved denoiser says about its image: paths, frequencies, clusters and edges.

Source: Sahiner, Mardani, Ozturkler, Pilanci, Pauly, Convex regularization behind neural
reconstruction, ICLR 2021, sections 4.1 to 4.3 (path sparsity, piecewise-linear filtering) with
the displays of its Figures 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Integer
from numpy.typing import NDArray

N_CLUSTERS = 12  # of the paper's Figure 5
ELONGATED = 1.5  # length over width from which a picture of a filter reads as a bar
NULL = 1e-3  # of the largest norm: the paper's null filters are small, ours are exactly zero


@runtime_checkable
class Outcome(Protocol):
    """What is read off a Result here; `experiments` is a layer above."""

    @property
    def spec(self) -> Mapping[str, Any]: ...

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]: ...


@dataclass(frozen=True, slots=True)
class Sparsity:
    """The norms of all paths, largest first.

    Attributes:
        norms: `||w_i||` and `||z_i||`.
        signs: +1 for a `w_i`, which adds to the output, and -1 for a `z_i`, which subtracts.
        n_zero: how many are exactly zero.
        n_null: how many are below 1e-3 of the largest; the exact zeros are among them.
    """

    norms: Float[np.ndarray, " g"]
    signs: Integer[np.ndarray, " g"]
    n_zero: int
    n_null: int

    @property
    def n_open(self) -> int:
        return len(self.norms) - self.n_zero


def path_sparsity(outcome: Outcome) -> Sparsity:
    """The paths sorted by norm.

    `group_norms` is (P,) of a gated network and (2, P), w above z, of a ReLU network; of adaptive
    neurons it is (m,), and the sign of the second layer says which are `z_i`.
    """
    stored = np.asarray(outcome.arrays["group_norms"], dtype=float)
    norms = stored.ravel()
    if stored.ndim == 2:
        signs = np.repeat([1, -1], stored.shape[1])
    elif is_adaptive(outcome):
        signs = np.where(outcome.arrays["second_layer"][:, 0] < 0, -1, 1)
    else:
        signs = np.ones(len(norms), dtype=np.int64)
    order = np.argsort(-norms, kind="stable")
    largest = float(norms.max(initial=0.0))
    null = norms < NULL * largest if largest else norms == 0.0
    return Sparsity(norms[order], signs[order], int(np.sum(norms == 0.0)), int(np.sum(null)))


def is_adaptive(outcome: Outcome) -> bool:
    """ReLU neurons chosen one by one: there is no list of patterns that could be zero."""
    return outcome.spec.get("neurons") == "relu" and outcome.arrays["group_norms"].ndim == 1


def path_filters(outcome: Outcome) -> Float[np.ndarray, "m k k"]:
    """The filter `u_j v_j` of every neuron, largest norm first; the bias is left out.

    With several taps a neuron's output is filtered again: then `u_j |v_j|`.
    """
    k = int(outcome.spec["kernel_size"])
    first, second = outcome.arrays["first_layer"], outcome.arrays["second_layer"]
    size = second[:, 0] if second.shape[1] == 1 else np.linalg.norm(second, axis=1)
    filters = (first[: k * k] * size).T
    order = np.argsort(-np.linalg.norm(filters, axis=1), kind="stable")
    return np.ascontiguousarray(filters[order], dtype=float).reshape(-1, k, k)


def with_identity(filters: Float[np.ndarray, "K k k"]) -> Float[np.ndarray, "K k k"]:
    """The filters of a residual network: the image itself is one more tap at the centre."""
    k = filters.shape[-1]
    total = filters.copy()
    total[:, k // 2, k // 2] += 1.0
    return total


def effective_filters(outcome: Outcome) -> Float[np.ndarray, "K k k"]:
    """The filter that each pattern in use applies, with the identity of a residual network."""
    filters = np.asarray(outcome.arrays["filters"], dtype=float)
    return with_identity(filters) if outcome.spec.get("residual", False) else filters


def frequency_response(
    filters: Float[np.ndarray, "K k k"], size: int = 28
) -> Float[np.ndarray, "K size size"]:
    """`|fft2|` of the filters zero-padded to size x size, the zero frequency in the middle."""
    spectrum = np.abs(np.fft.fft2(filters, s=(size, size)))
    return np.asarray(np.fft.fftshift(spectrum, axes=(-2, -1)), dtype=float)


@dataclass(frozen=True, slots=True)
class Clusters:
    """Pixels that the network treats alike, darkest cluster first.

    Attributes:
        labels: the cluster of every pixel.
        shares: the part of all pixels in each cluster.
        intensity: the mean of the image over each cluster; increasing.
        filters: the mean effective filter over the pixels of each cluster.
    """

    labels: Integer[np.ndarray, "N h w"]
    shares: Float[np.ndarray, " c"]
    intensity: Float[np.ndarray, " c"]
    filters: Float[np.ndarray, "c k k"]


def pixel_clusters(outcome: Outcome, n_clusters: int = N_CLUSTERS) -> Clusters:
    """k-means on the activation vectors of all pixels, each pattern weighted by its pixels.

    With fewer distinct patterns than clusters every pattern is a cluster. The same result always
    gives the same clusters.
    """
    pattern_map = np.asarray(outcome.arrays["pattern_map"])
    image = np.asarray(outcome.arrays["denoised"], dtype=float)
    counts = np.bincount(pattern_map.ravel(), minlength=len(outcome.arrays["filters"]))
    total = np.bincount(pattern_map.ravel(), weights=image.ravel(), minlength=len(counts))
    bits = np.asarray(outcome.arrays["pattern_bits"], dtype=np.float32)
    of_pattern = weighted_k_means(bits, counts.astype(float), n_clusters)

    n = int(of_pattern.max()) + 1
    size = np.bincount(of_pattern, weights=counts, minlength=n)
    intensity = np.bincount(of_pattern, weights=total, minlength=n) / np.maximum(size, 1)
    used = np.flatnonzero(size)
    order = used[np.argsort(intensity[used], kind="stable")]
    rank = np.zeros(n, dtype=np.int64)
    rank[order] = np.arange(len(order))
    filters = effective_filters(outcome)
    belongs = np.where(of_pattern == np.arange(n)[:, None], counts, 0)  # (n, K) pixels
    mean = np.tensordot(belongs / np.maximum(size, 1)[:, None], filters, 1)
    labels = rank[of_pattern][pattern_map]
    return Clusters(labels, size[order] / pattern_map.size, intensity[order], mean[order])


def weighted_k_means(
    points: Float[np.ndarray, "K m"], weights: Float[np.ndarray, " K"], n_clusters: int
) -> Integer[np.ndarray, " K"]:
    """Lloyd's algorithm from the k-means++ start, on distinct points that count `weights` times."""
    if len(points) <= n_clusters:
        return np.arange(len(points))
    rng = np.random.default_rng(0)  # a picture of a stored result must not change on reload
    points = np.asarray(points, dtype=float)  # once: products of mixed types copy every time
    centres = _spread_out(points, weights, n_clusters, rng)
    labels = np.full(len(points), -1)
    for _ in range(40):
        nearest = np.argmin(_squared_distances(points, centres), axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        belongs = np.where(labels == np.arange(n_clusters)[:, None], weights, 0.0)
        size = belongs.sum(axis=1)
        full = size > 0
        centres[full] = (belongs @ points)[full] / size[full, None]
    return np.asarray(labels)


def _squared_distances(points: NDArray[Any], centres: NDArray[Any]) -> NDArray[Any]:
    """Without the points' own norms, which do not change which centre is the nearest."""
    return np.sum(centres**2, axis=1) - 2.0 * points @ centres.T


def _spread_out(
    points: NDArray[Any], mass: NDArray[Any], n: int, rng: np.random.Generator
) -> NDArray[Any]:
    """The k-means++ start: each centre drawn in proportion to mass times squared distance."""
    chosen = [int(np.argmax(mass))]
    distance = np.sum((points - points[chosen[0]]) ** 2, axis=1, dtype=float)
    while len(chosen) < n:
        odds = np.cumsum(distance * mass)
        pick = min(int(np.searchsorted(odds, rng.random() * odds[-1])), len(points) - 1)
        chosen.append(pick)
        distance = np.minimum(distance, np.sum((points - points[pick]) ** 2, axis=1))
    return points[chosen].astype(float)


@dataclass(frozen=True, slots=True)
class Orientation:
    """The long axis of filters, from the second moments of their energy about its centre.

    Attributes:
        angle: of the long axis, radians in [0, pi); 0 is a row, pi/2 a column, rows count down.
        elongation: length over width, at least 1; 1 where the filter has no direction.
    """

    angle: Float[np.ndarray, " K"]
    elongation: Float[np.ndarray, " K"]


def orientation(filters: Float[np.ndarray, "K k k"]) -> Orientation:
    """Where the weights of each filter extend: the eigenvectors of `sum w^2 r r'`."""
    k = filters.shape[-1]
    energy = filters**2
    mass = energy.sum(axis=(1, 2))
    energy = energy / np.where(mass > 0, mass, 1.0)[:, None, None]
    y, x = np.mgrid[:k, :k] - k // 2
    mx, my = np.einsum("nij,ij->n", energy, x), np.einsum("nij,ij->n", energy, y)
    # A tap is a square, not a point: 1/12 is its own variance, and a single tap has elongation 1.
    xx = np.einsum("nij,ij->n", energy, x**2) - mx**2 + 1 / 12
    yy = np.einsum("nij,ij->n", energy, y**2) - my**2 + 1 / 12
    xy = np.einsum("nij,ij->n", energy, x * y) - mx * my
    spread = np.hypot((xx - yy) / 2, xy)
    mean = (xx + yy) / 2
    angle = np.mod(0.5 * np.arctan2(2 * xy, xx - yy), np.pi)
    return Orientation(angle, np.sqrt((mean + spread) / np.maximum(mean - spread, 1e-12)))
