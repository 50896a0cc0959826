"""A gated path with more masked features than rows, against adelie and cvxpy, as ratios.

    python benchmarks/gated_wide.py [--adelie PYTHON]

The bundled digits, even or odd: 1,500 images of 8x8, 193 of 200 Gaussian gates, a path of 30
weight decays down to 1e-2 of beta_max. CPU seconds on one thread, each part in a process of its
own, compilation excluded. adelie (Yang and Hastie, 2024) needs numpy < 2 and so an interpreter of
its own (`pip install "adelie==1.1.52" "numpy<2" scikit-learn`), named here or in CONVEXVIZ_ADELIE.
Its path has no certificate: its error is measured against our optimum.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SUBSET = 300  # rows for cvxpy, and with them a quarter of the gates
DATA = """
import numpy as np
from sklearn.datasets import load_digits

def digits(n, n_gates):
    X, labels = load_digits(return_X_y=True)
    X = np.ascontiguousarray(X[:n] / 16.0)
    y = np.where(labels[:n] % 2 == 0, 1.0, -1.0)
    gates = np.random.default_rng(2).standard_normal((64, n_gates))
    patterns = X @ gates > 0
    _, first = np.unique(patterns, axis=1, return_index=True)
    keep = np.sort(first)
    keep = keep[patterns[:, keep].any(axis=0)]
    patterns = np.ascontiguousarray(patterns[:, keep])
    largest = max(np.linalg.norm(X[mask].T @ y[mask]) for mask in patterns.T)
    return X, y, np.ascontiguousarray(gates[:, keep]), patterns, largest * np.geomspace(1, 1e-2, 30)
"""
ADELIE = """
import json, resource, time
import adelie as ad

X, y, _, patterns, betas = digits(1500, 200)
n, d, P = len(X), X.shape[1], patterns.shape[1]
A = ad.matrix.convex_relu(np.asfortranarray(X), np.asfortranarray(patterns), gated=True)

def path(tolerance):
    start = time.process_time()
    state = ad.grpnet(
        A, ad.glm.gaussian(y), groups=np.arange(P) * d, penalty=np.ones(P), lmda_path=betas / n,
        intercept=False, early_exit=False, progress_bar=False, tol=tolerance, n_threads=1,
        max_iters=10**7,
    )
    seconds = time.process_time() - start
    W = state.betas.toarray().reshape(-1, P, d)
    objectives = []
    for weights, beta in zip(W, betas):
        residual = ((X @ weights.T) * patterns).sum(axis=1) - y
        objectives.append(
            0.5 * residual @ residual + beta * np.linalg.norm(weights, axis=1).sum()
        )
    return seconds, objectives

path(1e-3)
for tolerance in (1e-7, 1e-9, 1e-11):
    found = path(tolerance)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps([tolerance, peak, *found]), flush=True)
"""


def in_own_process(work: Callable[..., T], *arguments: object) -> T:
    """Run it in a new process: one thread for BLAS, and a peak of memory that is its own."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def peak_gigabytes() -> float:
    """The largest memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def ours(tolerances: tuple[float, ...]) -> list[tuple[float, float, list[float]]]:
    """Tolerance, seconds and objectives of our path; everything from the raw data is timed."""
    from convexviz.core.arrangements import Arrangements
    from convexviz.core.gated import GatedProgram
    from convexviz.solvers.gated_wide import GatedWide

    names: dict[str, Callable[..., tuple]] = {}
    exec(DATA, names)
    results = []
    for n, n_gates, accuracies in ((100, 10, (1e-4,)), (1500, 200, tolerances)):
        X, y, gates, patterns, betas = names["digits"](n, n_gates)
        for tolerance in accuracies:
            start = time.process_time()
            program = GatedProgram(X, y, Arrangements(gates, patterns, complete=False), 1.0)
            path = GatedWide(tolerance=tolerance).path(program, betas)
            seconds = time.process_time() - start
            if n == 100:
                continue  # compiles
            worst = max(solution.certificate.relative_gap for solution in path)
            say(
                f"  ours, certified {tolerance:.0e}    {seconds:9.2f} s   worst gap {worst:.1e}"
                f"   peak {peak_gigabytes():.2f} GB"
            )
            results.append((tolerance, seconds, [s.certificate.primal for s in path]))
    return results


def adelie(python: str, best: list[float]) -> list[tuple[float, float]]:
    """Its path at several tolerances: (error at the last weight decay, seconds)."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    run = subprocess.run(
        [python, "-c", DATA + ADELIE], capture_output=True, text=True, env=environment, check=False
    )
    if run.returncode:
        say(f"  adelie failed: {run.stderr.strip().splitlines()[-1]}")
        return []
    found = []
    for line in run.stdout.splitlines():
        tolerance, peak, seconds, objectives = json.loads(line)
        errors = [theirs / here - 1 for theirs, here in zip(objectives, best, strict=True)]
        say(
            f"  adelie, tol {tolerance:.0e}        {seconds:9.2f} s   worst error "
            f"{max(errors):.1e}, last {errors[-1]:.1e}, none certified   peak {peak:.2f} GB"
        )
        found.append((max(errors), seconds))
    return found


def subset() -> None:
    """One program of the subset: ours and cvxpy with Clarabel, compilation of the latter timed."""
    from convexviz.core.arrangements import Arrangements
    from convexviz.core.gated import GatedProgram
    from convexviz.solvers.gated_wide import GatedWide

    names: dict[str, Callable[..., tuple]] = {}
    exec(DATA, names)
    X, y, gates, patterns, betas = names["digits"](SUBSET, 50)
    program = GatedProgram(X, y, Arrangements(gates, patterns, complete=False), betas[-1])
    solver = GatedWide(tolerance=1e-6)
    solver.solve(program)  # compiles
    start = time.process_time()
    solution = solver.solve(program)
    own, peak = time.process_time() - start, peak_gigabytes()
    problem = program.to_cvxpy()
    start = time.process_time()
    problem.solve(solver="CLARABEL")
    theirs = time.process_time() - start
    error = abs(solution.certificate.primal / problem.value - 1)
    say(
        f"digits, {SUBSET} rows, {patterns.shape[1]} gates, 1e-2 beta_max to 1e-6: "
        f"ours {own:.3f} s (peak {peak:.2f} GB), cvxpy + Clarabel {theirs:.2f} s (peak "
        f"{peak_gigabytes():.2f} GB), {theirs / own:.0f} x; the optima differ by {error:.0e}"
    )


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adelie", default=os.environ.get("CONVEXVIZ_ADELIE"))
    python = parser.parse_args().adelie
    say("digits 1500x64, 30 weight decays to 1e-2 beta_max")
    results = in_own_process(ours, (1e-4, 1e-5, 1e-6, 1e-9))
    if python:
        for error, seconds in adelie(python, results[-1][2]):
            # Ours at the first tolerance that is at least as accurate, however accurate it was.
            at_least = [row for row in results if row[0] <= max(error, results[-1][0])]
            tolerance, own, _ = at_least[0]
            say(
                f"  at error {error:.0e}: adelie / ours certified to {tolerance:.0e} = "
                f"{seconds / own:.1f}"
            )
    else:
        say("  adelie skipped: name an interpreter that has it with --adelie")
    in_own_process(subset)


if __name__ == "__main__":
    main()
