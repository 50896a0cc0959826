"""Rows with targets, drawn from a seed: digits in ten classes, and data whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from convexviz.datasets.base import Dataset, Draw
from convexviz.datasets.digits import digits

Arrays = Mapping[str, NDArray[np.float64]]


def digit_classes(draw: Draw) -> Arrays:
    """Fifty of scikit-learn's digits to train on, one-hot, and all others held out."""
    images, labels = digits()
    order = np.random.default_rng(draw.seed).permutation(len(labels))
    n = draw.rows(50, len(order) - 1)
    train, test = order[:n], order[n:]
    X, one_hot = images.reshape(len(labels), -1) / 16.0, np.eye(10)
    return {
        "X": X[train],
        "Y": one_hot[draw.labels(labels[train], 10)],
        "test_X": X[test],
        "test_Y": one_hot[labels[test]],
    }


def order(draw: Draw, decades: float = 1.5) -> Arrays:
    """Sixteen directions of sizes 1 to 10^-decades, of which the target holds equal parts."""
    d = 16
    n = max(draw.rows(200, 100_000), d + 1)
    rng = np.random.default_rng(draw.seed)
    A = rng.standard_normal((n, d))
    U = np.linalg.svd(A - A.mean(axis=0), full_matrices=False)[0]
    V = np.linalg.qr(rng.standard_normal((d, d)))[0]
    sizes = np.sqrt(n) * np.logspace(0, -decades, d)
    signs = rng.choice([-1.0, 1.0], d)
    return {"X": (U * sizes) @ V.T, "Y": np.sqrt(n / d) * (U @ signs)}


def _signal(of: slice) -> Callable[[Draw], Arrays]:
    """Sixteen directions of falling size; only those of `of` carry the target."""

    def draw_signal(draw: Draw) -> Arrays:
        d, rng = 16, np.random.default_rng(draw.seed)
        sizes = np.logspace(0, -1.5, d)
        V = np.linalg.qr(rng.standard_normal((d, d)))[0]
        count = len(range(d)[of])
        a, b = rng.standard_normal(count), rng.standard_normal(count)

        def some(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            z = rng.standard_normal((n, d))
            q = z[:, of]
            return (z * sizes) @ V.T, (q @ a + np.abs(q @ b)) / np.sqrt(count)

        n = draw.rows(60, 100_000)
        X, y = some(n)
        test_X, test_y = some(1000)
        noise = 0.5 * rng.standard_normal(n)
        return {"X": X, "Y": y - y.mean() + noise, "test_X": test_X, "test_Y": test_y - y.mean()}

    return draw_signal


def toy(draw: Draw) -> Arrays:
    """Fifteen points on a wave in one dimension, standardised, the last one an outlier."""
    rng = np.random.default_rng(draw.seed + 3)
    n = max(draw.rows(15, 100_000), 2)
    x = np.sort(np.linspace(-1.5, 1.5, n) + 0.05 * rng.standard_normal(n))
    x = (x - x.mean()) / x.std()
    y = np.sin(2.2 * x) + 0.12 * rng.standard_normal(n)
    y[-1] += 2.2
    return {"X": x[:, None], "Y": y}


_SYNTHETIC = "drawn by convexviz.datasets.labelled"

DATASETS = (
    Dataset(
        name="digit_classes",
        title="Digits in ten classes",
        source="scikit-learn digits (UCI optical recognition of handwritten digits)",
        licence="CC BY 4.0",
        draw=digit_classes,
    ),
    Dataset(
        name="order",
        title="Sixteen directions of falling size",
        source=f"{_SYNTHETIC}.order",
        licence="MIT",
        draw=order,
    ),
    Dataset(
        name="signal_top",
        title="Signal in the four largest directions",
        source=f"{_SYNTHETIC}, signal in directions 1 to 4 of 16",
        licence="MIT",
        draw=_signal(slice(0, 4)),
    ),
    Dataset(
        name="signal_all",
        title="Signal in all sixteen directions",
        source=f"{_SYNTHETIC}, signal in all 16 directions",
        licence="MIT",
        draw=_signal(slice(0, 16)),
    ),
    Dataset(
        name="signal_bottom",
        title="Signal in the four smallest directions",
        source=f"{_SYNTHETIC}, signal in directions 13 to 16 of 16",
        licence="MIT",
        draw=_signal(slice(12, 16)),
    ),
    Dataset(
        name="toy",
        title="Fifteen points and an outlier",
        source=f"{_SYNTHETIC}.toy",
        licence="MIT",
        draw=toy,
    ),
)
