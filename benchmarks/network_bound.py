"""The certified gap of a trained ReLU network: branch and bound against the pattern-free bound.

    python benchmarks/network_bound.py [--share 1.0] [--odd] [CASE ...]

CPU seconds on one thread, each case in a process of its own with its peak of memory, compilation
excluded. Networks are trained first (not timed here), on camera 512x512 and on the MRI slice that
matplotlib bundles; weight decay is a fraction of |X'y|. Gaps are relative to the trained network's
objective, and every bound is the verifier's. Where a goal is known, so is the time it was met.
`share` scales the seconds; `odd` adds bias, standardised pixels and larger filters.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import argparse
import gzip
import multiprocessing
import resource
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convexviz.core.neurons import NeuronProgram
from convexviz.core.patches import patches
from convexviz.core.proof import verified_lower_bound
from convexviz.core.solution import Progress
from convexviz.solvers.adaptive import Adaptive
from convexviz.solvers.branch_and_bound import BranchAndBound

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A network and the seconds that its proof gets; with a goal, the gap to be reached."""

    image: str
    kernel: int
    fraction: float
    seconds: float
    goal: float | None = None
    extra: str = ""  # "bias": a column of 0.3; "standardised": pixels of mean 0 and variance 1


CASES = {
    "camera-3e-3": Case("camera", 3, 3e-3, 8.0),
    "camera-1e-3": Case("camera", 3, 1e-3, 8.0, 1e-4),
    "camera-3e-4": Case("camera", 3, 3e-4, 30.0, 0.30),
    "MRI-1e-2": Case("MRI", 3, 1e-2, 8.0),
    "MRI-1e-3": Case("MRI", 3, 1e-3, 30.0, 0.05),
}
ODD = {
    "MRI-bias": Case("MRI", 3, 3e-3, 10.0, extra="bias"),
    "MRI-standardised": Case("MRI", 3, 3e-3, 10.0, extra="standardised"),
    "MRI-5x5": Case("MRI", 5, 3e-3, 10.0),
    "MRI-7x7": Case("MRI", 7, 1e-2, 20.0),
    "camera-5x5": Case("camera", 5, 3e-3, 15.0),
}


def image_pair(name: str) -> tuple[Array, Array]:
    """A clean image in [0, 1] and the same with Gaussian noise."""
    if name == "camera":
        from skimage.data import camera

        clean, noise, seed = camera().astype(np.float64) / 255, 0.1, 3
    else:
        from matplotlib import get_data_path

        with gzip.open(os.path.join(get_data_path(), "sample_data", "s1045.ima.gz")) as file:
            clean = np.frombuffer(file.read(), ">u2").reshape(256, 256).astype(np.float64)
        clean, noise, seed = clean / clean.max(), 0.08, 5
    return clean, clean + noise * np.random.default_rng(seed).standard_normal(clean.shape)


def program_of(case: Case, rows: int | None = None) -> NeuronProgram:
    """The denoiser of an image; weight decay is `fraction` of |X'y|."""
    clean, noisy = image_pair(case.image)
    if case.extra == "standardised":
        mean, deviation = noisy.mean(), noisy.std()
        clean, noisy = (clean - mean) / deviation, (noisy - mean) / deviation
    X, y = patches(noisy[None], (case.kernel, case.kernel))[:rows], clean.ravel()[:rows]
    if case.extra == "bias":
        X = np.column_stack([X, np.full(len(X), 0.3)])
    return NeuronProgram(X, y, case.fraction * float(np.linalg.norm(X.T @ y)))


def measure(name: str, case: Case) -> str:
    """Train, prove, verify: one line."""
    small = program_of(replace(case, image="MRI"), rows=30_000)
    few = Adaptive(max_seconds=2.0).solve(small).variables
    BranchAndBound(max_seconds=4.0).prove(small, few)  # compiles
    program = program_of(case)
    network = Adaptive(tolerance=1e-5, max_seconds=10.0).solve(program).variables
    plain = program.certify(network)
    gaps: list[tuple[float, float]] = []
    started = time.process_time()

    def note(progress: Progress) -> None:
        gaps.append((time.process_time() - started, 1 - progress.dual / progress.primal))

    solver = BranchAndBound(max_seconds=case.seconds, clock=time.process_time)
    proved = solver.prove(program, network, on_iteration=note)
    spent = time.process_time() - started
    bound = verified_lower_bound(proved.proof, program.X, program.y, program.weight_decay)
    assert bound >= proved.certificate.dual * (1 - 1e-12)
    early = min(gap for at, gap in gaps if at <= 2.0)
    ratio = plain.relative_gap / max(proved.certificate.relative_gap, 1e-16)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = (
        f"{name:17s} {len(program.X):7,d} {program.X.shape[1]:3d} {case.fraction:.0e}"
        f" {len(network):7d}  {plain.relative_gap:12.2e}  {early:.2e}"
        f"  {proved.certificate.relative_gap:10.2e}  {ratio:9,.0f}  {spent:7.1f}"
        f"  {len(proved.proof.mean):5d}  {proved.proof.n_bytes:6d}  {memory:5.2f} GB"
    )
    if case.goal is None:
        return line
    when = next((at for at, gap in gaps if gap <= case.goal), None)
    met = "NOT met" if when is None else f"met after {when:.1f} s"
    return f"{line}  goal {case.goal:.0e} in {case.seconds:.0f} s: {met}"


def main() -> None:
    """Print one line a case."""
    every = CASES | ODD
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", choices=[*every, []])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--odd", action="store_true")
    asked = parser.parse_args()
    names = asked.cases or [*CASES, *(ODD if asked.odd else ())]
    print(
        "case                    n   d  beta neurons  pattern-free  at 2 s    at the end"
        "  x smaller  seconds  boxes   bytes   peak",
        flush=True,
    )
    for name in names:
        case = replace(every[name], seconds=asked.share * every[name].seconds)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(measure, (name, case)), flush=True)


if __name__ == "__main__":
    main()
