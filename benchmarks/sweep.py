"""How fast sweeps are: cells a second on one and two workers, the cost of a cell, a shared Gram.

    python benchmarks/sweep.py [--cells 200] [--decays 30] [--sample 10]

Three claims: a cell costs at most 20 ms beyond its own solve; two workers do more than one; thirty
weight decays that share a Gram are at least ten times faster than thirty solves. Solves are timed
in the same process, after one that is not counted; a sweep's start of workers is timed apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import convexviz
from convexviz.experiments.sweep_cell import Order, compute

TINY = {"dataset": "tiny", "n_gates": 12, "kernel_size": 2, "weight_decay": 0.1}
# Data, gates, kernel: 131,072 rows of the cameraman, or 32,768 of the MRI slice. The more gates,
# the more of a solve is its Gram.
SHARED = (
    {"dataset": "camera", "n_gates": 100, "kernel_size": 3},
    {"dataset": "camera", "n_gates": 400, "kernel_size": 3},
    {"dataset": "mri", "n_gates": 64, "kernel_size": 5},
    {"dataset": "mri", "n_gates": 64, "kernel_size": 9},
)


def timed(work: Callable[[], Any]) -> float:
    """Seconds of `work`."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def throughput(cells: int, workers: int) -> tuple[float, float]:
    """Seconds until the first cell was stored, and cells a second after it."""
    ends: list[float] = []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = convexviz.sweep(
            "denoiser", {"seed": range(cells)}, store=folder, workers=workers,
            on_cell=lambda _report: ends.append(time.perf_counter()), **TINY,
        )  # fmt: skip
    assert found.computed == cells
    return ends[0] - started, (cells - 1) / (ends[-1] - ends[0])


def alone(cells: int) -> float:
    """Seconds a cell of the same work in one process, file image included, nothing stored."""
    arch = convexviz.architectures()["denoiser"]
    specs = [arch.spec.of({**TINY, "seed": seed}).as_dict() for seed in range(cells)]
    orders = [Order("denoiser", [spec], [True], "cpu") for spec in specs]
    compute(orders[0], None)
    return timed(lambda: [compute(order, None) for order in orders]) / cells


def shared_gram(count: int, size: Mapping[str, Any], sample: int) -> tuple[float, float]:
    """Seconds of a path as one task, and of as many solves, of which `sample` are timed."""
    low, high = 0.3, 300.0
    fixed = {**size, "tolerance": 1e-5}
    convexviz.solve("denoiser", **fixed, weight_decay=high)
    with tempfile.TemporaryDirectory() as folder:
        path = timed(
            lambda: convexviz.sweep(
                "denoiser", {"weight_decay": f"geom:{low}:{high}:{count}"}, store=Path(folder),
                scheduler="inline", **fixed,
            )
        )  # fmt: skip
    decays = [high * (low / high) ** (i / (sample - 1)) for i in range(sample)]
    spent = timed(lambda: [convexviz.solve("denoiser", **fixed, weight_decay=d) for d in decays])
    return path, spent * count / sample


def main() -> None:
    """Print the figures, and whether each claim is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--decays", type=int, default=30)
    parser.add_argument("--sample", type=int, default=10, help="solves that are timed")
    args = parser.parse_args()
    own = alone(min(args.cells, 50))
    print(f"a cell alone                    {1e3 * own:8.1f} ms")
    rates = {}
    for workers in (1, 2):
        first, rates[workers] = throughput(args.cells, workers)
        print(
            f"{workers} worker{'s' if workers > 1 else ' '}: {rates[workers]:8.1f} cells a second, "
            f"first after {first:.1f} s"
        )
    overhead = 1 / rates[1] - own
    met = "met" if overhead <= 0.02 else "NOT MET"
    print(f"overhead a cell, one worker     {1e3 * overhead:8.1f} ms (at most 20: {met})")
    print(f"two workers over one            {rates[2] / rates[1]:8.2f} x")
    for size in SHARED:
        sample = min(args.sample, args.decays)
        path, solves = shared_gram(args.decays, size, sample)
        ratio = solves / path
        met = "met" if ratio >= 10 else "NOT MET"
        print(
            f"{args.decays} weight decays, {size['dataset']}, {size['n_gates']} gates, kernel "
            f"{size['kernel_size']}: path {path:.2f} s, solves {solves:.2f} s ({sample} timed): "
            f"{ratio:.1f} x (at least 10: {met})",
            flush=True,
        )


if __name__ == "__main__":
    main()
