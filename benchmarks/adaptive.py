"""The network itself: adaptive neurons against Adam and L-BFGS at equal CPU time, best of seeds.

    python benchmarks/adaptive.py [--seeds 5] [--share 1.0] [--jobs 1] [CASE ...]

CPU seconds on one thread, compilation excluded, each trainer in a process of its own. The peers
train 40 neurons; L-BFGS is SciPy's on the very gradient that our solver uses, Adam is PyTorch's
with mini-batches of 8,192, its rate tuned on three short runs that are not counted, a cosine
decay. Each seed has the whole time, and the best seed counts: five times what ours gets. Adam is
told its time and anneals for it, so that it has an objective only at tenths of it. `share` scales
every budget; `jobs` peers run side by side. Weight decay is a fraction of |X'y|.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from convexviz.core.neurons import NeuronProgram
from convexviz.core.neurons_kernels import residual_and_correlations
from convexviz.core.patches import patches
from convexviz.core.solution import Progress
from convexviz.errors import Cancelled
from convexviz.solvers.adaptive import Adaptive

Array = NDArray[np.float64]
History = list[tuple[float, float]]  # seconds and the objective reached by then
T = TypeVar("T")

WIDTH = 40
BATCH = 8192
RATES = (3e-3, 1e-2, 3e-2)
LOOKS = (2.0, 5.0, 10.0, 20.0)  # seconds at which objectives are printed


@dataclass(frozen=True)
class Case:
    """A problem and the seconds that each trainer gets."""

    image: str
    kernel: int
    fraction: float
    seconds: float


CASES = {
    "camera-3-1e-3": Case("camera", 3, 1e-3, 10.0),
    "camera-3-1e-4": Case("camera", 3, 1e-4, 20.0),
    "camera-5-1e-4": Case("camera", 5, 1e-4, 20.0),
    "camera-7-1e-3": Case("camera", 7, 1e-3, 20.0),
    "mri-3-3e-4": Case("mri", 3, 3e-4, 20.0),
}


def in_own_process(work: Callable[..., T], *arguments: object) -> T:
    """Run it in a new process: one thread for BLAS, and a peak of memory that is its own."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def peak_gigabytes() -> float:
    """The largest memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def image_of(name: str) -> tuple[Array, Array]:
    """A clean image in [0, 1] and the same with Gaussian noise."""
    if name == "camera":
        from skimage.data import camera

        clean, noise = camera().astype(np.float64) / 255, 0.1
    else:
        import gzip

        from matplotlib import get_data_path

        with gzip.open(os.path.join(get_data_path(), "sample_data", "s1045.ima.gz")) as file:
            clean = np.frombuffer(file.read(), ">u2").reshape(256, 256).astype(np.float64)
        clean, noise = clean / clean.max(), 0.08
    return clean, clean + noise * np.random.default_rng(3).standard_normal(clean.shape)


def program_of(case: Case, rows: int | None = None) -> NeuronProgram:
    """The denoiser of the image."""
    clean, noisy = image_of(case.image)
    X, y = patches(noisy[None], (case.kernel, case.kernel))[:rows], clean.ravel()[:rows]
    return NeuronProgram(X, y, case.fraction * float(np.linalg.norm(X.T @ y)))


def ours(case: Case) -> tuple[History, int, float]:
    """Objectives by CPU time, neurons at the end, peak memory."""
    Adaptive(max_rounds=2).solve(program_of(case, rows=40_000))  # compiles
    program, history = program_of(case), []
    start = time.process_time()

    def note(progress: Progress) -> None:
        history.append((time.process_time() - start, progress.primal))
        if history[-1][0] > case.seconds:
            raise Cancelled

    solution = Adaptive(tolerance=1e-6).solve(program, on_iteration=note)
    return history, len(solution.variables), peak_gigabytes()


class _OutOfTime(Exception):
    """Leaves SciPy's loop."""


def first_weights(d: int, seed: int) -> tuple[Array, Array]:
    """The usual random start."""
    rng = np.random.default_rng(seed)
    U = 0.5 * rng.standard_normal((WIDTH, d)) / np.sqrt(d)
    return U, 0.5 * rng.standard_normal(WIDTH) / np.sqrt(WIDTH)


def objective_of(program: NeuronProgram, U: Array, v: Array) -> float:
    """The network's objective, in float64."""
    W, signs = np.abs(v)[:, None] * U, np.where(v >= 0, 1.0, -1.0)
    loss, _ = residual_and_correlations(program.X, program.y, W, signs, np.empty(len(program.y)))
    return float(loss + 0.5 * program.weight_decay * (np.sum(U * U) + v @ v))


def lbfgs(case: Case, seed: int) -> tuple[History, float]:
    """SciPy's L-BFGS on the fused gradient, in float64."""
    from scipy.optimize import minimize

    program = program_of(case)
    d, beta = program.X.shape[1], program.weight_decay
    residual, history = np.empty(len(program.y)), []
    first = np.concatenate([part.ravel() for part in first_weights(d, seed)])
    objective_of(program_of(case, rows=100), *first_weights(d, 0))  # compiles
    start, best = time.process_time(), np.inf

    def value(x: Array) -> tuple[float, Array]:
        nonlocal best
        if time.process_time() - start > case.seconds:
            raise _OutOfTime
        U, v = x[: WIDTH * d].reshape(WIDTH, d), x[WIDTH * d :]
        signs = np.where(v >= 0, 1.0, -1.0)
        W = np.abs(v)[:, None] * U
        loss, C = residual_and_correlations(program.X, program.y, W, signs, residual)
        F = float(loss + 0.5 * beta * (x @ x))
        best = min(best, F)
        history.append((time.process_time() - start, best))
        slopes = [(beta * U - v[:, None] * C).ravel(), beta * v - np.einsum("jd,jd->j", C, U)]
        return F, np.concatenate(slopes)

    options = {"maxiter": 10**6, "maxfun": 10**6, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-8}
    with contextlib.suppress(_OutOfTime):
        minimize(value, first, jac=True, method="L-BFGS-B", options=options)
    return history, peak_gigabytes()


def adam(case: Case, seed: int, rate: float, seconds: float) -> tuple[History, float]:
    """PyTorch's Adam on mini-batches; evaluations are not counted."""
    import torch

    torch.set_num_threads(1)
    program = program_of(case)
    n, d = program.X.shape
    generator = torch.Generator().manual_seed(seed)
    U, v = (torch.tensor(part, dtype=torch.float32) for part in first_weights(d, seed))
    weights = [U.requires_grad_(), v.requires_grad_()]
    X = torch.tensor(program.X, dtype=torch.float32)
    y = torch.tensor(program.y, dtype=torch.float32)
    optimiser = torch.optim.Adam(weights, lr=rate)
    history: History = []
    start, spent_looking, looks = time.process_time(), 0.0, iter(np.linspace(0.1, 1.0, 10))
    look = next(looks)
    while True:
        now = time.process_time() - start - spent_looking
        if now >= look * seconds:
            paused = time.process_time()
            arrays = [weight.detach().double().numpy() for weight in weights]
            history.append((now, objective_of(program, *arrays)))
            spent_looking += time.process_time() - paused
            look = next(looks, np.inf)
            if look == np.inf:
                return history, peak_gigabytes()
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + np.cos(np.pi * min(now / seconds, 1.0)))
        rows = torch.randint(0, n, (BATCH,), generator=generator)
        fit = torch.relu(X[rows] @ weights[0].T) @ weights[1]
        loss = 0.5 * (n / BATCH) * ((fit - y[rows]) ** 2).sum()
        penalty = 0.5 * program.weight_decay * sum((weight**2).sum() for weight in weights)
        optimiser.zero_grad()
        ((loss + penalty) / n).backward()
        optimiser.step()


def reached(history: History, seconds: float) -> float:
    """The best objective by then."""
    return min((F for t, F in history if t <= seconds), default=float("inf"))


def best_of(histories: list[History], seconds: float) -> float:
    """The best seed's."""
    return min(reached(history, seconds) for history in histories)


def report(name: str, case: Case, seeds: int, jobs: int) -> None:
    """Print one case."""
    history, neurons, peak = in_own_process(ours, case)
    with ThreadPoolExecutor(jobs) as pool:  # each thread waits for a process
        short = [(case, 0, rate, 0.15 * case.seconds) for rate in RATES]
        tried = pool.map(lambda run: in_own_process(adam, *run), short)
        tuning = {r: reached(h, np.inf) for r, (h, _) in zip(RATES, tried, strict=True)}
        rate = min(tuning, key=lambda r: tuning[r])
        tuned = [(case, seed, rate, case.seconds) for seed in range(seeds)]
        runs = list(pool.map(lambda run: in_own_process(adam, *run), tuned))
        quasi = list(pool.map(lambda seed: in_own_process(lbfgs, case, seed), range(seeds)))
    adams, newtons = [h for h, _ in runs], [h for h, _ in quasi]
    memory = [peak, *(max(p for _, p in found) for found in (runs, quasi))]
    print(
        f"{name}: {neurons} neurons; peak {memory[0]:.1f} GB, Adam (rate {rate:g}) "
        f"{memory[1]:.1f}, L-BFGS {memory[2]:.1f}"
    )
    print(f"  seconds   ours       Adam, best of {seeds}   L-BFGS, best of {seeds}")
    never_higher = True
    for t in sorted({t for t in LOOKS if t < case.seconds} | {case.seconds}):
        mine, theirs = reached(history, t), [best_of(h, t) for h in (adams, newtons)]
        never_higher &= t < 2.0 or mine <= min(theirs) * (1 + 1e-7)
        print(f"  {t:7.1f}   {mine:9.5f}  {theirs[0]:12.5f}     {theirs[1]:12.5f}")
    goal = best_of(adams, np.inf)
    when = next((t for t, F in history if goal >= F), float("inf"))
    print(
        f"  never higher from 2 s on: {'yes' if never_higher else 'NO'}; Adam's best after "
        f"{when:.1f} s, 1/{case.seconds / when:.0f} of its time",
        flush=True,
    )


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    for name in asked.cases:
        case = CASES[name]
        seconds = asked.share * case.seconds
        report(name, Case(case.image, case.kernel, case.fraction, seconds), asked.seeds, asked.jobs)


if __name__ == "__main__":
    main()
