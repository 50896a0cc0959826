"""The constrained ReLU program on given patterns against cvxpy with Clarabel, as ratios.

    python benchmarks/constrained.py

CPU seconds on one thread, each part in a process of its own, compilation excluded, medians of
three for what takes less than a second. Weight decays are fractions of `max_i ||X'D_i y||`, the
largest useful one of the program without cones.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from convexviz.core.arrangements import sample
from convexviz.core.relu import ReluProgram
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.constrained_workspace import workspace_of

Array = NDArray[np.float64]
T = TypeVar("T")

TOLERANCE = 1e-6
IMAGE = 1e-3  # of the largest weight decay
DIABETES = 0.02


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


def denoiser(clean: Array, noisy: Array, k: int, n_gates: int) -> ReluProgram:
    """The program of one image, circular patches, Gaussian gates."""
    offsets = range(-(k // 2), k - k // 2)
    shifted = [np.roll(noisy, (-a, -b), (0, 1)).ravel() for a in offsets for b in offsets]
    X = np.ascontiguousarray(np.stack(shifted, axis=1))
    arrangements = sample(X, n_gates, np.random.default_rng(1))
    return ReluProgram(X, clean.ravel().copy(), arrangements, 1.0)


def camera(k: int = 3, crop: int | None = None) -> ReluProgram:
    """scikit-image's photograph, noise 0.1 of the range, 100 gates."""
    from skimage.data import camera as photograph

    clean = photograph()[:crop, :crop] / 255.0
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    return denoiser(clean, noisy, k, 100)


def diabetes() -> ReluProgram:
    """scikit-learn's diabetes data, 300 patients and 10 features, standardised, 50 gates."""
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    X, y = X[:300], y[:300]
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    return ReluProgram(X, y, sample(X, 50, np.random.default_rng(1)), 1.0)


def digits() -> ReluProgram:
    """Sixty of scikit-learn's digits, their noise to be predicted from 3x3 patches, 20 gates."""
    from sklearn.datasets import load_digits

    clean = load_digits().images[:60].reshape(-1, 8) / 16.0
    noisy = clean + 0.3 * np.random.default_rng(0).standard_normal(clean.shape)
    return denoiser(clean - noisy, noisy - noisy.mean(), 3, 20)


def largest_without_cones(program: ReluProgram) -> float:
    """`max_i ||X'D_i y||`."""
    return float(np.linalg.norm(program.correlations(program.y), axis=1).max())


def fresh(program: ReluProgram, *, gram: bool) -> ReluProgram:
    """The program with nothing known of its data but, where asked, the Gram."""
    new = ReluProgram(program.X, program.y, program.arrangements, program.weight_decay)
    workspace = workspace_of(new) if gram else None
    if workspace is not None:
        workspace.summarise()
    return new


def warm_up() -> None:
    """Compile on small problems, so that no figure contains it."""
    rng = np.random.default_rng(0)
    for size in (8, 64):
        program = denoiser(rng.random((size, size)), rng.random((size, size)), 3, 5)
        program = program.with_weight_decay(1e-2 * program.beta_max)
        ActiveSet().solve(program)
        ActiveSet().path(program, [program.weight_decay])


def whole_image(name: str, k: int) -> None:
    """Print one image's figures."""
    warm_up()
    program = camera(k)
    top = largest_without_cones(program)
    program = program.with_weight_decay(IMAGE * top)
    n, d = program.X.shape
    say(f"{name}: n = {n:,}, d = {d}, P = {len(program.arrangements)}")
    seconds, known = timed(lambda: fresh(program, gram=True))
    say(f"  Gram                          {seconds:8.2f} s   peak {peak_gigabytes():.2f} GB")
    seconds, solution = timed(lambda: ActiveSet(TOLERANCE).solve(known))
    gap = solution.certificate.relative_gap
    say(f"  one value after it, with cones {seconds:7.2f} s   gap {gap:.0e} from all rows")
    weight_decays = top * np.geomspace(1.0, IMAGE, 30)
    for source in ("gram", "data"):
        known = fresh(program, gram=True)
        solver = ActiveSet(TOLERANCE, certify_from=source)
        seconds, path = timed(lambda s=solver, k=known: s.path(k, weight_decays))
        worst = max(solution.certificate.relative_gap for solution in path)
        say(
            f"  30 values after it, with cones {seconds:7.2f} s   worst gap {worst:.0e}, dual "
            f"constraints from the {source}"
        )
    ticks = [timed(lambda b=b: ActiveSet(TOLERANCE).path(known, [b]))[0] for b in weight_decays]
    say(f"  one value, cones known         {1e3 * statistics.median(ticks):7.0f} ms  median, cold")
    seconds, solution = timed(
        lambda: ActiveSet(TOLERANCE).solve(known.with_weight_decay(0.1 * IMAGE * top))
    )
    gap = solution.certificate.relative_gap
    neurons = np.count_nonzero(solution.variables.any(axis=2))
    say(f"  one value at a tenth of it     {seconds:7.2f} s   gap {gap:.0e}, {neurons} neurons")
    say(f"                                            peak {peak_gigabytes():.2f} GB")


def ours(build: Callable[[], ReluProgram], share: float) -> tuple[float, float]:
    """Seconds and optimum, everything included."""
    warm_up()
    program = build()
    program = program.with_weight_decay(share * largest_without_cones(program))
    runs = [timed(lambda: ActiveSet(TOLERANCE).solve(fresh(program, gram=False))) for _ in range(3)]
    certificate = runs[0][1].certificate
    seconds = statistics.median(run[0] for run in runs)
    say(f"  ours, Gram and cones included  {seconds:7.3f} s   gap {certificate.relative_gap:.0e}")
    return seconds, certificate.primal


def cvxpy(build: Callable[[], ReluProgram], share: float) -> tuple[float, float]:
    """Seconds and optimum of cvxpy with Clarabel, its compilation of the program included."""
    program = build()
    program = program.with_weight_decay(share * largest_without_cones(program))
    problem = program.to_cvxpy()  # imports cvxpy, which is not to be timed
    seconds, _ = timed(lambda: problem.solve(solver="CLARABEL"))
    say(f"  cvxpy + Clarabel               {seconds:7.2f} s   peak {peak_gigabytes():.2f} GB")
    return seconds, float(problem.value)


def crop() -> ReluProgram:
    """The top left corner of the photograph, 64 by 64."""
    return camera(3, 64)


def compare(name: str, build: Callable[[], ReluProgram], share: float) -> None:
    """Print both and their ratio."""
    say(name)
    mine, optimum = in_own_process(ours, build, share)
    theirs, reference = in_own_process(cvxpy, build, share)
    error = abs(optimum - reference) / abs(reference)
    say(f"  cvxpy needs {theirs / mine:.0f} x the time; the optima differ by {error:.0e}")


def small_path() -> None:
    """Print a path over thirteen values on small images."""
    warm_up()
    program = digits()
    weight_decays = program.beta_max * np.geomspace(1.0, 1e-3, 13)
    runs = [
        timed(lambda: ActiveSet(TOLERANCE).path(fresh(program, gram=False), weight_decays))
        for _ in range(3)
    ]
    worst = max(solution.certificate.relative_gap for solution in runs[0][1])
    seconds = statistics.median(run[0] for run in runs)
    say(f"digits, n = {len(program.X):,}, d = 9, P = {len(program.arrangements)}")
    say(f"  13 values, everything included {seconds:7.2f} s   worst gap {worst:.0e}")


def main() -> None:
    """Print the report."""
    in_own_process(whole_image, "camera 512x512, 3x3", 3)
    in_own_process(whole_image, "camera 512x512, 5x5", 5)
    in_own_process(whole_image, "camera 512x512, 7x7", 7)
    in_own_process(small_path)
    compare("diabetes 300x10, 50 gates, 0.02 of the largest weight decay", diabetes, DIABETES)
    compare("camera 3x3, crop 64x64, 100 gates, 1e-3", crop, IMAGE)


if __name__ == "__main__":
    main()
