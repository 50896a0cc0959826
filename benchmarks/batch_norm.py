"""Batch norm: solves, closed form, whitening and truncation sweep against their peers, as ratios.

    python benchmarks/batch_norm.py [scalar] [closed] [whitening] [sweep]

CPU seconds on one thread, all parts in one run, compilation excluded:

scalar      n = 300 rows of 10 features, 50 patterns with cones, against cvxpy with Clarabel
closed      fifty digits in ten classes against Adam to within 1 % of the same optimum
whitening   10,000 x 3,072 rows, 128 directions, against numpy.linalg.svd
sweep       16 numbers of directions with one whitening against 16 separate runs
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import convexviz
from convexviz.architectures.batch_norm.descend import problem
from convexviz.core import arrangements
from convexviz.core.relu import ReluProgram
from convexviz.core.whitening import whiten
from convexviz.errors import Cancelled
from convexviz.experiments.run import request
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.descent import Options
from convexviz.solvers.reference import Reference

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds and result of some work."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def verdict(ratio: float, wanted: float) -> str:
    """A ratio, and whether it is what was promised."""
    met = "met" if ratio >= wanted else "not met"
    return f"x{ratio:,.1f} (wanted x{wanted:g}: {met})"


def scalar() -> None:
    """A ReLU program on whitened rows, both to a certified gap of 1e-6."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 10)) * np.logspace(0, -1.5, 10)
    y = np.sin(X @ rng.standard_normal(10)) + 0.1 * rng.standard_normal(300)
    features = whiten(X).features(X)
    sampled = arrangements.sample(features, 50, np.random.default_rng(1))
    ActiveSet(tolerance=1e-6).solve(ReluProgram(features, y, sampled, 1.0))  # compiles
    ours, mine = timed(
        lambda: ActiveSet(tolerance=1e-6).solve(ReluProgram(features, y, sampled, 0.3))
    )
    theirs, reference = timed(
        lambda: Reference(tolerance=1e-6).solve(ReluProgram(features, y, sampled, 0.3))
    )
    say(
        f"scalar: {ours:.3f} s (gap {mine.certificate.relative_gap:.0e}) against "
        f"{theirs:.1f} s (gap {reference.certificate.relative_gap:.0e}): "
        f"{verdict(theirs / ours, 10)}"
    )


def closed() -> None:
    """The exact optimum by formula, and Adam's way to 1 % above it."""
    fields = {"dataset": "digit_classes", "weight_decay": 0.3}
    convexviz.solve("batch_norm", **fields)
    asked = request("batch_norm", None, fields)
    for _ in range(3):
        fresh()
    times, values = zip(*(fresh() for _ in range(20)), strict=True)
    ours, optimum = float(np.median(times)), values[0]
    made = problem(asked.spec, asked.arrays)
    made.train(Options(width=50, steps=3), 0, lambda *_: None)
    reached: list[float] = []
    start = time.process_time()

    def watch(_step: int, objective: float, _seconds: float) -> None:
        if objective <= 1.01 * optimum:
            reached.append(time.process_time() - start)
            raise Cancelled

    made.train(Options(width=50, steps=1500, records=40), 0, watch)
    theirs = reached[0] if reached else float("nan")
    say(f"closed: {1e3 * ours:.2f} ms against {theirs:.2f} s: {verdict(theirs / ours, 200)}")


def fresh() -> tuple[float, float]:
    """The closed form from the rows on: whitening, formula and certificate, nothing remembered."""
    asked = request("batch_norm", None, {"dataset": "digit_classes", "weight_decay": 0.3})
    start = time.process_time()
    program = asked.arch.build(asked.spec, asked.arrays, ())
    value = asked.arch.solver(asked.spec, program).solve(program).certificate.primal
    return time.process_time() - start, float(value)


def whitening() -> None:
    """128 directions of images' size, and how far they are from those of the SVD."""
    rng = np.random.default_rng(0)
    n, d, k = 10_000, 3_072, 128
    basis = np.linalg.qr(rng.standard_normal((d, k + 40)))[0]
    sizes = np.logspace(0, -1.2, k + 40)
    X = (rng.standard_normal((n, k + 40)) * sizes) @ basis.T
    X += 1e-3 * rng.standard_normal((n, d))
    ours, white = timed(lambda: whiten(X, correct=False).truncated(k).corrected(X))
    theirs, (U, s, _) = timed(lambda: np.linalg.svd(X - X.mean(axis=0), full_matrices=False))
    mine = white.features(X)[:, :-1]
    aligned = np.abs(np.sum(mine * U[:, :k], axis=0))
    off = float(np.max(1.0 - aligned))
    relative = float(np.max(np.abs(white.singular_values[:k] - s[:k]) / s[:k]))
    say(
        f"whitening: {ours:.1f} s against {theirs:.1f} s: {verdict(theirs / ours, 3)}; directions "
        f"differ by {off:.0e} (1 - cosine), singular values by {relative:.0e}"
    )


def sweep() -> None:
    """Gated networks on 16 cuts of 2,000 x 1,000 rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2_000, 1_000)) * np.logspace(0, -2, 1_000)
    data = {"X": X, "Y": np.sign(X[:, 0] + 0.1 * rng.standard_normal(2_000))}
    asked = {"neurons": "gated", "arrangements": "sampled", "n_gates": 10, "tolerance": 1e-3}
    cuts = [2 * (i + 1) for i in range(16)]

    def one(rows: object, k: int) -> float:
        result = convexviz.solve("batch_norm", data=rows, n_directions=k, weight_decay=5.0, **asked)
        return float(result.certificate.primal)

    first = convexviz.solve("batch_norm", data=data, n_directions=1, weight_decay=5.0, **asked)
    del first
    theirs, alone = timed(lambda: [one(data, k) for k in cuts])

    def together() -> list[float]:
        start = convexviz.solve(
            "batch_norm", data=data, n_directions=cuts[0], weight_decay=5.0, **asked
        )
        return [start.certificate.primal, *(one(start.data, k) for k in cuts[1:])]

    ours, shared = timed(together)
    assert np.allclose(alone, shared, rtol=1e-6)
    say(f"sweep: {ours:.1f} s against {theirs:.1f} s: {verdict(theirs / ours, 5)}")


if __name__ == "__main__":
    threadpool_limits(1)
    torch.set_num_threads(1)
    parts = {part.__name__: part for part in (scalar, closed, whitening, sweep)}
    for name in sys.argv[1:] or parts:
        parts[name]()
