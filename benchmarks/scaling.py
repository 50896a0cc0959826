"""How cost grows with rows, features and patterns: log-log, with fitted exponents, as a picture.

    python benchmarks/scaling.py [FOLDER]        (default: benchmarks/output)

CPU seconds on one thread, compilation excluded: the Gram, and after it the gated path of 30 weight
decays and the constrained (ReLU) program at 1e-3 of the largest one, on denoisers of camera. One of
n, d and P moves at a time; the exponents are least squares on the logarithms. The numbers are
written beside the picture, with the peak of memory.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.data import camera

from convexviz.core.arrangements import Arrangements, sample
from convexviz.core.gated import GatedProgram
from convexviz.core.relu import ReluProgram
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.constrained_workspace import workspace_of
from convexviz.solvers.gated_path import GatedPath

Array = NDArray[np.float64]
Row = dict[str, float]

ROWS, KERNELS, GATES = (2**12, 2**14, 2**16, 2**18), (2, 3, 4, 5), (25, 50, 100, 200)
USUAL = (2**16, 3, 100)  # what stays while the others move
WORK = {
    "gram": "Gram",
    "path": "30-value gated path",
    "cones": "constrained, one value",
}
AXES = {"n": "rows n", "d": "features d", "P": "patterns P"}


def data(rows: int, kernel: int, gates: int) -> tuple[Array, Array, Arrangements]:
    """Random pixels of the photograph with their circular patches, their clean values, patterns."""
    clean = camera() / 255.0
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    offsets = range(-(kernel // 2), kernel - kernel // 2)
    shifted = [np.roll(noisy, (-a, -b), (0, 1)).ravel() for a in offsets for b in offsets]
    few = np.random.default_rng(2).permutation(clean.size)[:rows]
    X = np.ascontiguousarray(np.stack(shifted, axis=1)[few])
    return X, clean.ravel()[few], sample(X, gates, np.random.default_rng(1))


def timed(work: Callable[[], object]) -> float:
    """CPU seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(rows: int, kernel: int, gates: int) -> Row:
    """One problem's seconds, and the memory of its process."""
    for size in (64, 4096):  # compiles
        X, y, a = data(size, 3, 5)
        GatedPath().path(GatedProgram(X, y, a, 1.0), [1.0, 0.5])
        ActiveSet().solve(ReluProgram(X, y, a, 1.0))
    X, y, a = data(rows, kernel, gates)
    gated, relu = GatedProgram(X, y, a, 1.0), ReluProgram(X, y, a, 1.0)
    gram = timed(gated.summarise)
    top = gated.beta_max
    solver = GatedPath(tolerance=1e-4, certify_from="gram")
    path = timed(lambda: solver.path(gated, top * np.geomspace(1.0, 1e-3, 30)))
    known = workspace_of(relu)
    if known is not None:
        known.summarise()
    cones = timed(lambda: ActiveSet(tolerance=1e-6).solve(relu.with_weight_decay(1e-3 * top)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = {"n": len(X), "d": X.shape[1], "P": len(a)}
    return {**size, "gram": gram, "path": path, "cones": cones, "peak_gigabytes": peak}


def exponent(rows: list[Row], axis: str, work: str) -> float:
    """The slope of the logarithms."""
    sizes, seconds = ([np.log(max(row[key], 1e-4)) for row in rows] for key in (axis, work))
    return float(np.polyfit(sizes, seconds, 1)[0])


def draw(found: dict[str, list[Row]], file: Path) -> None:
    """Three panels: one for each of n, d, P."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(13, 4.2), sharey=True)
    for panel, (axis, rows) in zip(panels, found.items(), strict=True):
        for work, label in WORK.items():
            slope = exponent(rows, axis, work)
            sizes, seconds = ([row[key] for row in rows] for key in (axis, work))
            panel.loglog(sizes, seconds, "o-", label=f"{label}: {axis}^{slope:.2f}")
        panel.set_xlabel(AXES[axis])
        panel.legend(fontsize=8)
        panel.grid(visible=True, which="both", alpha=0.25)
    panels[0].set_ylabel("CPU seconds, one thread")
    rows, kernel, gates = USUAL
    figure.suptitle(f"camera; elsewhere {rows:,} rows, {kernel}x{kernel} filters, {gates} gates")
    figure.tight_layout()
    figure.savefig(file, dpi=120)


def main(folder: Path) -> None:
    """Measure, print, draw."""
    rows, kernel, gates = USUAL
    problems = {
        "n": [(n, kernel, gates) for n in ROWS],
        "d": [(rows, k, gates) for k in KERNELS],
        "P": [(rows, kernel, p) for p in GATES],
    }
    found: dict[str, list[Row]] = {}
    for axis, sizes in problems.items():
        found[axis] = []
        for size in sizes:
            with multiprocessing.get_context("spawn").Pool(1) as pool:  # a peak of its own
                row = pool.apply(measure, size)
            found[axis].append(row)
            print("  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
        slopes = (
            f"{label} {axis}^{exponent(found[axis], axis, k):.2f}" for k, label in WORK.items()
        )
        print("  ".join(slopes), flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scaling.json").write_text(json.dumps(found, indent=1))
    draw(found, folder / "scaling.png")
    print(f"drawn in {folder / 'scaling.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
