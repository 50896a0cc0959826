"""Our Gram and path against a dense BLAS Gram and against cvxpy with Clarabel, as ratios.

    python benchmarks/denoiser_gated.py

CPU seconds on one thread, each part in a process of its own, whose peak of memory so far stands
beside each time, compilation excluded. Three denoisers with gated ReLU: camera 512x512 with 100
gates and filters of 3x3 and 5x5, and the MRI slice that matplotlib bundles, 256x256 with 9x9
filters, bias and 64 gates. The dense Gram is timed on some of the rows and scaled up, because its
cost is proportional to them.
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

from convexviz.core.arrangements import Arrangements
from convexviz.core.gated import GatedProgram
from convexviz.core.gram import masked_gram
from convexviz.solvers.gated_path import GatedPath

Array = NDArray[np.float64]
T = TypeVar("T")

DENSE_ROWS = {
    100 * 9: 65_536,
    100 * 25: 16_384,
    64 * 82: 4_096,
}  # rows of the dense Gram that are timed
CROP = 64


def in_own_process(work: Callable[..., T], *arguments: object) -> T:
    """Run it in a new process: one thread for BLAS, and a peak of memory that is its own."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds and result of some work."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def peak_gigabytes() -> float:
    """The largest memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def clock(text: str) -> None:
    """Print a time, with the peak of its process so far."""
    say(f"{text}   peak {peak_gigabytes():.2f} GB")


def circular_patches(image: Array, k: int) -> Array:
    """One row a pixel: the patch centred there, circular padding."""
    offsets = range(-(k // 2), k - k // 2)
    shifted = [np.roll(image, (-a, -b), (0, 1)).ravel() for a in offsets for b in offsets]
    return np.ascontiguousarray(np.stack(shifted, axis=1))


def denoiser(clean: Array, noisy: Array, k: int, n_gates: int, *, bias: bool) -> GatedProgram:
    """The gated program of one image, Gaussian gates, at 1e-3 of beta_max."""
    X = circular_patches(noisy, k)
    if bias:
        X = np.column_stack([X, np.ones(len(X))])
    gates = np.random.default_rng(1).standard_normal((X.shape[1], n_gates))
    arrangements = Arrangements(gates, X @ gates >= 0, complete=False)
    program = GatedProgram(X, clean.ravel().copy(), arrangements, 1.0)
    return program.with_weight_decay(1e-3 * program.beta_max)


def camera(crop: int | None = None, k: int = 3) -> GatedProgram:
    """scikit-image's photograph, noise 0.1 of the range."""
    from skimage.data import camera as photograph

    clean = photograph()[:crop, :crop] / 255.0
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    return denoiser(clean, noisy, k, 100, bias=False)


def camera_wider() -> GatedProgram:
    """The same with filters of 5x5."""
    return camera(k=5)


def mri(crop: int | None = None) -> GatedProgram:
    """The MRI slice bundled with matplotlib, noise 0.08, standardised."""
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


def along(
    program: GatedProgram, weight_decays: Array, source: Literal["gram", "data"]
) -> tuple[list[float], Array, float]:
    """Seconds of each value from the one before, the last variables, and the worst gap."""
    solver = GatedPath(tolerance=1e-6, certify_from=source)
    variables, ticks, worst = np.zeros(program.shape), [], 0.0
    solver.solve_from(program.with_weight_decay(float(weight_decays[0])), variables)
    for weight_decay in weight_decays:
        here = program.with_weight_decay(float(weight_decay))
        seconds, solution = timed(lambda h=here, v=variables: solver.solve_from(h, v))
        variables = solution.variables
        ticks.append(seconds)
        worst = max(worst, solution.certificate.relative_gap)
    return ticks, variables, worst


def report(name: str, program: GatedProgram) -> float:
    """Print the whole image's figures; return the seconds of Gram plus one solve."""
    X, patterns = program.X, program.arrangements.patterns
    say(f"{name}: n = {len(X):,}, d = {X.shape[1]}, P = {patterns.shape[1]}")
    gram_seconds, gram = timed(lambda: masked_gram(X, patterns, program.y))
    clock(f"  Gram, ours                 {gram_seconds:9.2f} s")
    del gram
    solver = GatedPath(tolerance=1e-6)
    shared_seconds, _ = timed(lambda: program.gram)
    solve_seconds, solution = timed(lambda: solver.solve(program))
    gap = solution.certificate.relative_gap
    clock(f"  one solve, 1e-3 beta_max   {solve_seconds:9.3f} s   gap {gap:.1e} from the data")
    weight_decays = program.beta_max * np.geomspace(1.0, 1e-3, 30)
    for source in ("gram", "data"):
        ticks, variables, worst = along(program, weight_decays, source)
        clock(f"  30-value path, {source}        {sum(ticks):9.2f} s   worst gap {worst:.1e}")
        clock(
            f"  slider tick, {source}          {1e3 * statistics.median(ticks):9.1f} ms  median, "
            f"{1e3 * max(ticks):.1f} ms slowest: one warm value, certified from the {source}"
        )
    for tolerance in (1e-4, 1e-6):
        follow = GatedPath(tolerance=tolerance, certify_from="gram")
        path_seconds, path = timed(lambda s=follow: s.path(program, weight_decays))
        worst = max(found.certificate.relative_gap for found in path)
        clock(f"  30 values in one call      {path_seconds:9.3f} s   worst gap {worst:.1e}")
    certificate_seconds, _ = timed(lambda: program.certify(variables))
    clock(f"  a certificate from data    {1e3 * certificate_seconds:9.0f} ms")
    dense_seconds = dense_gram_seconds(program)
    best = min(gram_seconds, shared_seconds)
    clock(
        f"  Gram, dense BLAS           {dense_seconds:9.1f} s   {dense_seconds / best:.1f} x ours; "
        f"ours is {best / dense_seconds:.3f} of it"
    )
    return best + solve_seconds


def warm_up() -> None:
    """Compile on a small problem, so that no figure contains it."""
    rng = np.random.default_rng(0)
    GatedPath().solve(denoiser(rng.random((8, 8)), rng.random((8, 8)), 3, 5, bias=False))


def whole_image(name: str, build: Callable[[], GatedProgram]) -> None:
    """Print Gram, solve and path of one image."""
    warm_up()
    total = report(name, build())
    say(f"  Gram and one solve         {total:9.2f} s   peak {peak_gigabytes():.2f} GB")


def crop_ours(build: Callable[[int], GatedProgram]) -> tuple[float, float]:
    """Seconds and optimum on the crop, the Gram included."""
    warm_up()
    program = build(CROP)
    seconds, solution = timed(lambda: GatedPath(tolerance=1e-6).solve(program))
    say(f"  ours, Gram included        {seconds:9.2f} s   peak {peak_gigabytes():.2f} GB")
    return seconds, solution.certificate.primal


def crop_cvxpy(build: Callable[[int], GatedProgram]) -> tuple[float, float]:
    """Seconds and optimum on the crop, the compilation of the program included."""
    program = build(CROP)
    problem = program.to_cvxpy()  # imports cvxpy, which is not to be timed

    seconds, _ = timed(lambda: problem.solve(solver="CLARABEL"))
    say(f"  cvxpy + Clarabel           {seconds:9.1f} s   peak {peak_gigabytes():.2f} GB")
    return seconds, float(problem.value)


def main() -> None:
    """Print the report."""
    in_own_process(whole_image, "camera 512x512, 3x3", camera)
    in_own_process(whole_image, "camera 512x512, 5x5", camera_wider)
    in_own_process(whole_image, "MRI 256x256, 9x9", mri)
    say(f"camera 3x3, crop {CROP}x{CROP}, 100 gates, 1e-3 beta_max")
    ours, optimum = in_own_process(crop_ours, camera)
    theirs, reference = in_own_process(crop_cvxpy, camera)
    error = abs(optimum - reference) / abs(reference)
    say(f"  cvxpy needs {theirs / ours:.0f} x the time; the optima differ by {error:.0e}")


if __name__ == "__main__":
    main()
