"""The certified gap of a trained ReLU network: branch and bound against the pattern-free bound.

    python benchmarks/network_bound.py [seconds]

CPU seconds on one thread, compilation excluded. Networks are trained first (not timed here), on
camera 512x512 and on the MRI slice that matplotlib bundles; weight decay is a fraction of |X'y|.
Gaps are relative to the trained network's objective, and every bound is the verifier's.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import gzip
import sys
import time

import numpy as np
from numpy.typing import NDArray

from convexviz.core.neurons import NeuronProgram
from convexviz.core.patches import patches
from convexviz.core.proof import verified_lower_bound
from convexviz.core.solution import Progress
from convexviz.solvers.adaptive import Adaptive
from convexviz.solvers.branch_and_bound import BranchAndBound

Array = NDArray[np.float64]

CASES = (
    ("camera", 3, 3e-3),
    ("camera", 3, 1e-3),
    ("MRI", 3, 1e-2),
    ("MRI", 3, 1e-3),
)
GOALS = {("camera", 3, 1e-3): "1e-4 in 8 s", ("MRI", 3, 1e-3): "5e-2 in 30 s"}


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


def program_of(name: str, kernel: int, fraction: float, rows: int | None = None) -> NeuronProgram:
    """The denoiser of an image; weight decay is `fraction` of |X'y|."""
    clean, noisy = image_pair(name)
    X, y = patches(noisy[None], (kernel, kernel))[:rows], clean.ravel()[:rows]
    return NeuronProgram(X, y, fraction * float(np.linalg.norm(X.T @ y)))


def main(seconds: float) -> None:
    """Print one line a case."""
    small = program_of("MRI", 3, 1e-3, rows=30_000)
    network = Adaptive(max_seconds=2.0).solve(small).variables
    BranchAndBound(max_seconds=4.0).prove(small, network)  # compiles
    print("image   k  beta   neurons  pattern-free  at 2 s     at the end  seconds  boxes  bytes")
    for case in CASES:
        line(*case, seconds)


def line(name: str, kernel: int, fraction: float, seconds: float) -> None:
    """Train, prove, verify, print."""
    program = program_of(name, kernel, fraction)
    network = Adaptive(tolerance=1e-5, max_seconds=10.0).solve(program).variables
    plain = program.certify(network)
    early = []
    started = time.process_time()

    def note(progress: Progress) -> None:
        if time.process_time() - started <= 2.0:
            early.append(1 - progress.dual / progress.primal)

    solver = BranchAndBound(max_seconds=seconds, clock=time.process_time)
    proved = solver.prove(program, network, on_iteration=note)
    spent = time.process_time() - started
    bound = verified_lower_bound(proved.proof, program.X, program.y, program.weight_decay)
    assert bound >= proved.certificate.dual * (1 - 1e-12)
    goal = GOALS.get((name, kernel, fraction))
    print(
        f"{name:7s} {kernel}  {fraction:.0e}  {len(network):7d}  {plain.relative_gap:12.2e}"
        f"  {min(early):.2e}  {proved.certificate.relative_gap:10.2e}  {spent:7.1f}"
        f"  {len(proved.proof.mean):5d}  {proved.proof.n_bytes:6d}"
        + (f"  (goal {goal})" if goal else ""),
        flush=True,
    )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
