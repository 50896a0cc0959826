"""The Gram of masked features against a dense BLAS Gram: plain, whitened and summed patches.

    python benchmarks/gram.py [--share 1.0]

CPU seconds on one thread, each row in a process of its own, compilation excluded; wall seconds on
two threads where that is a choice. The dense Gram is BLAS dsyrk on chunks of the masked features,
timed on some of the rows and scaled up, because its cost is proportional to them. Peaks of memory
are those of the Gram's arrays alone: its result of (P d)^2 numbers, and a chunk.

plain       camera 512x512, 3x3 patches, 100 gates: a gate deviates from its majority at few rows
whitened    the same rows centred and whitened with a constant column (batch norm): at half of them
summed      16 patches of 3x3 a sample, summed (a convolutional network): features of samples
            share no products, so that ours is a dense Gram as well
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import argparse
import multiprocessing
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk
from skimage.data import camera

from convexviz.core.arrangements import sample
from convexviz.core.gram import MaskedGram, masked_gram
from convexviz.core.patches import patches
from convexviz.core.pooled import pooled_features, pooled_gram
from convexviz.core.whitening import whiten

Array = NDArray[np.float64]
PATCHES, GATES, TIMED = 16, 100, 2**16  # patches a sample, gates, rows of the dense Gram
CHUNK = 2048


def data(kind: str, rows: int) -> tuple[Array, NDArray[np.bool_], Array]:
    """Features, patterns of Gaussian gates, and targets."""
    clean = camera() / 255.0
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    X, y = patches(noisy[None], (3, 3))[:rows], clean.ravel()[:rows]
    if kind == "whitened":
        X = whiten(X).features(X)
    if kind == "summed":
        y = y[: len(X) // PATCHES]
    return X, sample(X, GATES, np.random.default_rng(1)).patterns, y


def gram_of(kind: str, X: Array, patterns: NDArray[np.bool_], y: Array) -> MaskedGram:
    """Ours."""
    if kind == "summed":
        return pooled_gram(X, patterns, y, PATCHES)
    return masked_gram(X, patterns, y)


def dense(kind: str, X: Array, patterns: NDArray[np.bool_]) -> Array:
    """BLAS on chunks of the features written out; the upper triangle."""
    m = patterns.shape[1] * X.shape[1]
    G = np.zeros((m, m), order="F")
    for start in range(0, len(X), CHUNK):
        part, mask = X[start : start + CHUNK], patterns[start : start + CHUNK]
        if kind == "summed":
            features = pooled_features(part, mask, PATCHES)
        else:
            features = (mask[:, :, None] * part[:, None, :]).reshape(-1, m)
        dsyrk(1.0, features.T, beta=1.0, c=G, overwrite_c=1)
    return G


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def own_peak(work: Callable[[], object]) -> float:
    """Megabytes of arrays that it holds at its highest, its result included."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def measure(kind: str, rows: int) -> str:
    """One row of the table."""
    gram_of(kind, *data(kind, 4 * CHUNK))  # compiles
    X, patterns, y = data(kind, rows)
    peak = own_peak(lambda: gram_of(kind, X, patterns, y))
    seconds = min(timed(lambda: gram_of(kind, X, patterns, y))[0] for _ in range(2))
    few = min(TIMED, len(X))
    G = dense(kind, X[: 4 * CHUNK], patterns[: 4 * CHUNK])
    mine = gram_of(kind, X[: 4 * CHUNK], patterns[: 4 * CHUNK], y[: 4 * CHUNK // _per(kind)]).G
    error = float(np.abs(np.triu(G - mine)).max() / np.abs(G).max())
    theirs = timed(lambda: dense(kind, X[:few], patterns[:few]))[0] * len(X) / few
    m = patterns.shape[1] * X.shape[1]
    line = (
        f"{kind:9s} {len(X):8,d} x {X.shape[1]:2d}, {patterns.shape[1]:3d} gates  ours "
        f"{seconds:6.2f} s  dense BLAS {theirs:6.2f} s  {theirs / seconds:5.1f} x ours, ours "
        f"{seconds / theirs:.3f} of it  peak {peak:5.0f} MB, result {8 * m * m / 2**20:4.0f} MB  "
        f"off by {error:.0e}"
    )
    if kind != "summed":
        wall = timed(lambda: masked_gram(X, patterns, y, threads=2))[1]
        line += f"  two threads {wall:.2f} s of wall"
    return line


def _per(kind: str) -> int:
    return PATCHES if kind == "summed" else 1


def main() -> None:
    """Print a line a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the image's rows")
    rows = int(parser.parse_args().share * camera().size) // CHUNK * CHUNK
    for kind in ("plain", "whitened", "summed"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(measure, (kind, rows)), flush=True)


if __name__ == "__main__":
    main()
