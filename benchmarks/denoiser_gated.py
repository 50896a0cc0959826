"""Our Gram and path against a dense BLAS Gram and against cvxpy with Clarabel, as ratios.

    python benchmarks/denoiser_gated.py

CPU seconds of this process on one thread, compilation excluded (a small problem warms up first).
Two denoisers with gated ReLU: camera 512x512 with 3x3 filters and 100 gates, and the MRI slice
that matplotlib bundles, 256x256 with 9x9 filters, bias and 64 gates. The dense Gram is timed on
some of the rows and scaled up, because its cost is proportional to them.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy loads its BLAS

import gzip
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from convexviz.core.arrangements import Arrangements
from convexviz.core.gated import GatedProgram
from convexviz.core.gram import masked_gram
from convexviz.solvers.gated_path import GatedPath

Array = NDArray[np.float64]
T = TypeVar("T")

DENSE_ROWS = {100 * 9: 65_536, 64 * 82: 4_096}  # rows of the dense Gram that are timed
CROP = 64


def timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def circular_patches(image: Array, k: int) -> Array:
    offsets = range(-(k // 2), k - k // 2)
    shifted = [np.roll(image, (-a, -b), (0, 1)).ravel() for a in offsets for b in offsets]
    return np.ascontiguousarray(np.stack(shifted, axis=1))


def denoiser(clean: Array, noisy: Array, k: int, n_gates: int, *, bias: bool) -> GatedProgram:
    X = circular_patches(noisy, k)
    if bias:
        X = np.column_stack([X, np.ones(len(X))])
    gates = np.random.default_rng(1).standard_normal((X.shape[1], n_gates))
    arrangements = Arrangements(gates, X @ gates >= 0, complete=False)
    program = GatedProgram(X, clean.ravel().copy(), arrangements, 1.0)
    return program.with_weight_decay(1e-3 * program.beta_max)


def camera(crop: int | None = None) -> GatedProgram:
    from skimage.data import camera as photograph

    clean = photograph()[:crop, :crop] / 255.0
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    return denoiser(clean, noisy, 3, 100, bias=False)


def mri(crop: int | None = None) -> GatedProgram:
    from matplotlib.cbook import get_sample_data

    with get_sample_data("s1045.ima.gz", asfileobj=True) as file:
        raw = file.read()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    clean = np.frombuffer(raw, ">u2").reshape(256, 256) / 215.0
    noisy = clean + 0.08 * np.random.default_rng(0).standard_normal(clean.shape)
    mean, std = noisy.mean(), noisy.std()
    start = 0 if crop is None else 96  # the middle of the head
    stop = None if crop is None else start + crop
    part = (slice(start, stop), slice(start, stop))
    return denoiser((clean[part] - mean) / std, (noisy[part] - mean) / std, 9, 64, bias=True)


def dense_gram_seconds(program: GatedProgram) -> float:
    """The streamed dense Gram: BLAS dsyrk on chunks of `[D_1 X, ..., D_P X]`, scaled to n rows."""
    X, patterns = program.X, program.arrangements.patterns
    m = X.shape[1] * patterns.shape[1]
    n_timed = min(DENSE_ROWS[m], len(X))
    G = np.zeros((m, m), order="F")

    def work() -> None:
        for start in range(0, n_timed, 2048):
            rows = slice(start, start + 2048)
            features = (patterns[rows, :, None] * X[rows, None, :]).reshape(-1, m)
            dsyrk(1.0, features.T, beta=1.0, c=G, overwrite_c=1)

    return timed(work)[0] * len(X) / n_timed


def report(name: str, program: GatedProgram) -> float:
    """Print the whole image's figures; return the seconds of Gram plus one solve."""
    X, patterns = program.X, program.arrangements.patterns
    say(f"{name}: n = {len(X):,}, d = {X.shape[1]}, P = {patterns.shape[1]}")
    gram_seconds, gram = timed(lambda: masked_gram(X, patterns, program.y))
    say(f"  Gram, ours                 {gram_seconds:9.2f} s   peak {peak_gigabytes():.2f} GB")
    del gram
    solver = GatedPath(tolerance=1e-6)
    shared_seconds, _ = timed(lambda: program.gram)
    solve_seconds, solution = timed(lambda: solver.solve(program))
    gap = solution.certificate.relative_gap
    say(f"  one solve, 1e-3 beta_max   {solve_seconds:9.3f} s   gap {gap:.1e} from the data")
    weight_decays = program.beta_max * np.geomspace(1.0, 1e-3, 30)
    variables = np.zeros_like(solution.variables)
    ticks, worst = [], 0.0
    for weight_decay in weight_decays:
        here = program.with_weight_decay(weight_decay)
        seconds, solution = timed(lambda h=here, v=variables: solver.solve_from(h, v))
        variables = solution.variables
        ticks.append(seconds)
        worst = max(worst, solution.certificate.relative_gap)
    say(f"  30-value path to 1e-3      {sum(ticks):9.2f} s   worst gap {worst:.1e}")
    say(
        f"  one warm value of it       {1e3 * statistics.median(ticks):9.0f} ms  median, "
        f"{1e3 * max(ticks):.0f} ms slowest, data certificate included"
    )
    certificate_seconds, _ = timed(lambda: program.certify(variables))
    say(f"  a certificate from data    {1e3 * certificate_seconds:9.0f} ms")
    dense_seconds = dense_gram_seconds(program)
    best = min(gram_seconds, shared_seconds)
    say(f"  Gram, dense BLAS           {dense_seconds:9.1f} s   {dense_seconds / best:.1f} x ours")
    return best + solve_seconds


def against_cvxpy(name: str, program: GatedProgram) -> None:
    """Solve a crop, set-up included, with both."""
    whole_seconds, solution = timed(lambda: GatedPath(tolerance=1e-6).solve(program))
    say(f"{name}, crop: n = {len(program.X):,}, 1e-3 beta_max")
    say(f"  ours, Gram included        {whole_seconds:9.2f} s   peak {peak_gigabytes():.2f} GB")

    def reference() -> float:
        problem = program.to_cvxpy()
        problem.solve(solver="CLARABEL")
        return float(problem.value)

    reference_seconds, value = timed(reference)
    error = abs(solution.certificate.primal - value) / abs(value)
    say(
        f"  cvxpy + Clarabel           {reference_seconds:9.1f} s   "
        f"{reference_seconds / whole_seconds:.0f} x ours; optima differ by {error:.0e}; "
        f"peak {peak_gigabytes():.2f} GB"
    )


def main() -> None:
    rng = np.random.default_rng(0)
    GatedPath().solve(denoiser(rng.random((8, 8)), rng.random((8, 8)), 3, 5, bias=False))
    for name, build in (("camera 512x512, 3x3", camera), ("MRI 256x256, 9x9", mri)):
        total = report(name, build())
        say(f"  Gram and one solve         {total:9.2f} s")
    against_cvxpy("camera, 3x3", camera(CROP))


if __name__ == "__main__":
    main()
