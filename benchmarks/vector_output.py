"""Vector-output training against the authors' recursion, semidefinite programs and Adam.

    python benchmarks/vector_output.py [quick] [FILE.png]

CPU seconds on one thread, compilation excluded; ratios are of one run, the solves of milliseconds
the median of five. Cost against n is drawn into FILE.png, else into benchmarks/output. The
recursion is `core/cone_pca.py`, the authors' algorithm as published; where all cells would take
minutes, a sample of them is timed and the total extrapolated, which is then said.

The gated path is compared with cvxpy and SCS alone: pyscnn 0.0.10 penalises every output's own
weights (a group lasso for each class apart) and has no nuclear norm, so it solves another program.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.cone_norm import ChosenCones
from convexviz.core.cone_pca import cone_pca
from convexviz.core.copositive import block_problem, fit_of
from convexviz.core.copositive_bound import relaxed_norm
from convexviz.core.dual_norm import AllFaces
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.readout import Pooled
from convexviz.core.vector import VectorProgram
from convexviz.datasets import get
from convexviz.datasets.base import Draw
from convexviz.experiments.descent import descend
from convexviz.solvers.dual_newton import DualNewton
from convexviz.solvers.nuclear_descent import NuclearDescent

Array = NDArray[np.float64]
CELLS = 12  # of the recursion, where all of them would take too long
SIZES = {2: (125, 250, 500, 1000), 3: (20, 40, 80, 120, 160), 4: (12, 18, 27, 40)}  # the last live


def timed(task: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what the task returned."""
    started = time.process_time()
    found = task()
    return time.process_time() - started, found


def row(text: str) -> None:
    """A line of results, with the most memory that the process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{text}; peak {peak:.2f} GB", flush=True)


def random(n: int, d: int, c: int) -> tuple[Array, Array]:
    """Gaussian rows and targets."""
    rng = np.random.default_rng(100 * n + d)
    return rng.standard_normal((n, d)), rng.standard_normal((n, c))


def oracle(n: int, d: int = 3, c: int = 3) -> None:
    """One evaluation of the dual norm: every face once, against a recursion a cone."""
    X, G = random(n, d, c)
    norm = AllFaces(X)
    norm.largest(G)
    ours = min(timed(lambda: norm.largest(G))[0] for _ in range(20))
    patterns = enumerate_all(X).patterns.T
    some = patterns if len(patterns) <= 60 else patterns[:: len(patterns) // CELLS]

    def recursion() -> float:
        best = 0.0
        for pattern in some:
            B = G.T @ (pattern[:, None] * X)
            K = np.where(pattern, 1.0, -1.0)[:, None] * X
            best = max(best, cone_pca(B.T @ B, K)[0])
        return best

    theirs = timed(recursion)[0] * len(patterns) / len(some)
    how = "" if len(some) == len(patterns) else f" (from {len(some)} of {len(patterns)} cells)"
    row(f"oracle n={n} d={d}: {ours:.5f} s, recursion {theirs:.2f} s{how}: {theirs / ours:,.0f}x")


def semidefinite(n: int, c: int = 2) -> None:
    """The whole solve to a certified gap, against the block program in cvxpy."""
    X, Y = random(n, 3, c)
    beta = 0.3
    program = VectorProgram(X, Y, beta, AllFaces(X))
    DualNewton(1e-6).solve(program)
    for solver, options in (
        ("CLARABEL", {"tol_gap_rel": 1e-8, "tol_gap_abs": 1e-8}),
        ("SCS", {"max_iters": 20_000, "eps": 1e-5}),
    ):
        problem = block_problem(program)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs, _ = timed(lambda: problem.solve(solver=solver, **options))  # noqa: B023
        F = fit_of(program, problem)
        R = Y - F
        bound = program.bound(R, relaxed_norm(program, R).value)
        exact = DualNewton(1e-10).solve(program).certificate.primal
        gap = max((exact - bound) / exact, 1e-9)
        runs = [timed(lambda: DualNewton(gap).solve(program)) for _ in range(5)]  # noqa: B023
        ours, solution = sorted(runs, key=lambda run: run[0])[2]
        row(
            f"solve n={n} d=3, {program.norm.n_patterns} cells: {ours:.3f} s to "
            f"{solution.certificate.relative_gap:.0e}, {solver} {theirs:.2f} s to {gap:.0e}: "
            f"{theirs / ours:,.0f}x"
        )


def spiral() -> None:
    """The rich solutions, and Adam's best of five seeds at the same weight decay."""
    draw = get("spiral").draw
    assert draw is not None
    arrays = draw(Draw())
    for beta in (1.0, 0.2, 0.1, 0.05):
        program = VectorProgram(arrays["X"], arrays["Y"], beta, AllFaces(arrays["X"]))
        seconds, solution = timed(lambda: DualNewton(1e-8).solve(program))  # noqa: B023
        gap, m = solution.certificate.relative_gap, len(solution.variables)
        row(f"spiral n=60 beta={beta}: {seconds:.2f} s to {gap:.0e}, {m} neurons")
        if beta == 0.1:
            theirs, race = timed(
                lambda: descend(
                    "vector_output", dataset="spiral", weight_decay=0.1, width=100,
                    steps=3000, seeds=5, learning_rate=2e-2,
                )
            )  # fmt: skip
            excess = race.best_objective / solution.certificate.primal - 1
            row(
                f"  Adam, 100 neurons, best of 5: {excess:.1e} above in {theirs:.1f} s: "
                f"{theirs / seconds:,.0f}x"
            )


def growth(file: Path | None = None) -> None:
    """Enumeration and solve against n, with the exponent of a fit; drawn log-log into `file`."""
    curves = {}
    for d, sizes in SIZES.items():
        totals = []
        for n in sizes:
            rng = np.random.default_rng(n)
            X = rng.standard_normal((n, d))
            U, V = rng.standard_normal((d, 4)), rng.standard_normal((4, 3))
            Y = np.maximum(X @ U, 0) @ V + 0.1 * rng.standard_normal((n, 3))
            setup, norm = timed(lambda: AllFaces(X))  # noqa: B023
            beta = 0.1 * VectorProgram(X, Y, 1.0, norm).beta_max
            program = VectorProgram(X, Y, beta, norm)
            solve, solution = timed(lambda: DualNewton(1e-8).solve(program))  # noqa: B023
            totals.append(setup + solve)
            row(
                f"d={d} n={n}: {norm.n_patterns:,} cells, enumerate {setup:.3f} s, solve "
                f"{solve:.3f} s to {solution.certificate.relative_gap:.0e}, "
                f"{len(solution.variables)} neurons"
            )
        slope = np.polyfit(np.log(sizes), np.log(totals), 1)[0]
        print(f"d={d}: seconds grow as n^{slope:.1f}")
        curves[d] = (sizes, totals, slope)
    if file is not None:
        draw(curves, file)


def draw(curves: dict[int, tuple[tuple[int, ...], list[float], float]], file: Path) -> None:
    """Cost against n at d = 2, 3, 4, with the exponents."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4.2))
    for d, (sizes, totals, slope) in curves.items():
        axes.loglog(sizes, totals, "o-", label=f"d = {d}: n^{slope:.1f}")
    axes.set_xlabel("rows n")
    axes.set_ylabel("CPU seconds, one thread")
    axes.set_title("Exact vector-output training to a gap of 1e-8")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    print(f"drawn: {file}")


def gated() -> None:
    """The plain nuclear norm on digits, against cvxpy with SCS; pyscnn has no such penalty."""
    draw = get("digit_classes").draw
    assert draw is not None
    arrays = draw(Draw(n_train=40))
    X = arrays["X"]
    patterns = sample(X, 4, np.random.default_rng(0))
    program = NuclearProgram(X, arrays["Y"], patterns, 1.0)
    ours, solution = timed(lambda: NuclearDescent(1e-4).solve(program))
    problem = program.to_cvxpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, _ = timed(lambda: problem.solve(solver="SCS", eps=1e-4))
    gap = program.certify(program.from_cvxpy(problem)).relative_gap
    row(
        f"gated digits n={len(X)}, {len(patterns)} gates: {ours:.2f} s to "
        f"{solution.certificate.relative_gap:.0e}, SCS {theirs:.1f} s to {gap:.0e}: "
        f"{theirs / ours:,.0f}x; pyscnn has no nuclear norm"
    )


def patches() -> None:
    """Sampled cones of patches of digits, each cut to its facets: every weight decay proved."""
    draw = get("digit_patches").draw
    assert draw is not None
    arrays = draw(Draw(n_train=100))
    rows = np.ascontiguousarray(arrays["X"].reshape(-1, 4))
    norm = ChosenCones(rows, sample(rows, 100, np.random.default_rng(0)))
    program = VectorProgram(rows, arrays["Y"], 2.0, norm, Pooled(arrays["X"].shape[1]))
    ours, solution = timed(lambda: DualNewton(1e-6).solve(program))
    row(
        f"patches of {len(arrays['Y'])} digits, {norm.n_patterns} sampled cones: {ours:.2f} s to "
        f"{solution.certificate.relative_gap:.0e}"
    )


def main() -> None:
    """Compile, then print every comparison."""
    warm = get("teacher").draw
    assert warm is not None
    arrays = warm(Draw())
    for X, Y in (random(8, 3, 2), random(7, 4, 2), (arrays["X"], arrays["Y"])):
        DualNewton(1e-8).solve(VectorProgram(X, Y, 0.2, AllFaces(X)))
    oracle(12)
    oracle(20)
    semidefinite(8)
    semidefinite(12)
    spiral()
    if "quick" not in sys.argv:
        named = [Path(name) for name in sys.argv[1:] if name.endswith(".png")]
        growth(named[0] if named else Path(__file__).parent / "output" / "vector_output.png")
        gated()
        patches()


if __name__ == "__main__":
    main()
