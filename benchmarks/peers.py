"""The camera denoiser and small constrained programs against pyscnn and adelie, as ratios.

    benchmarks/peers.sh FOLDER
    python -m benchmarks.peers --scnn FOLDER/scnn/bin/python --adelie FOLDER/adelie/bin/python
        [--seconds 110] [gated constrained diabetes digits]

CPU seconds on one thread, each part in a process of its own with its peak of memory, compilation
excluded. The peers get the same data, gates and weight decay (a fraction of `max |X'D_i y|`), and
their points are evaluated here, in float64, while their clocks stand still; none of them certifies
anything. pyscnn is stopped after `--seconds`; adelie follows the whole path of 30 weight decays.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.constrained import (
    camera,
    cvxpy,
    diabetes,
    in_own_process,
    largest_without_cones,
    peak_gigabytes,
    say,
    timed,
    warm_up,
)
from convexviz.core.gated import GatedProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Solution
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.constrained_workspace import workspace_of
from convexviz.solvers.gated_path import GatedPath

Array = NDArray[np.float64]
Build = Callable[[], ReluProgram]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SCRIPT = Path(__file__).parent / "peers_side.py"
PATIENCE = 400  # seconds of wall clock after which a peer is ended
SHARES = {"camera": 1e-3, "diabetes": 0.02, "digits": 0.05}


def digits() -> ReluProgram:
    """400 of scikit-learn's digits, even or odd, 12 gates: fewer rows than masked features."""
    from sklearn.datasets import load_digits

    from convexviz.core.arrangements import sample

    X, labels = load_digits(return_X_y=True)
    X, y = np.ascontiguousarray(X[:400] / 16.0), np.where(labels[:400] % 2 == 0, 1.0, -1.0)
    return ReluProgram(X, y, sample(X, 12, np.random.default_rng(1)), 1.0)


def at_share(program: ReluProgram, share: float) -> ReluProgram:
    """The program at a fraction of the largest weight decay of the one without cones."""
    return program.with_weight_decay(share * largest_without_cones(program))


def write(build: Build, share: float, file: str) -> None:
    """The problem, for the peers to read."""
    program = at_share(build(), share)
    betas = largest_without_cones(program) * np.geomspace(1.0, share, 30)
    a = program.arrangements
    np.savez(
        file, X=program.X, y=program.y, gates=a.gates, patterns=a.patterns, betas=betas,
        beta=program.weight_decay,
    )  # fmt: skip


def peer(python: str | None, *arguments: str) -> list[dict[str, float]]:
    """What a peer's process reports, a dictionary a line; nothing where it is missing or fails."""
    name = arguments[0]
    if python is None:
        say(f"  {name:28s}   skipped: name its interpreter")
        return []
    command, environment = [python, str(SCRIPT), *arguments], dict.fromkeys(THREADS, "1")
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE,
            env={**os.environ, **environment, "PYTHONPATH": ""},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        say(f"  {name:28s}   ended after {PATIENCE} s of wall clock")
        out = error.stdout or b""
        lines = (out if isinstance(out, str) else out.decode()).splitlines()
    else:
        lines = run.stdout.splitlines()
        if run.returncode:
            say(f"  {name:28s}   failed: {(run.stderr.strip().splitlines() or ['?'])[-1][:150]}")
    return [json.loads(line) for line in lines if line.startswith("{")]


def gated_ours(build: Build, share: float) -> dict[str, float]:
    """Seconds of Gram with one solve to 1e-6, and of the path after it to 1e-4."""
    warm_up()
    relu = at_share(build(), share)
    program = GatedProgram(relu.X, relu.y, relu.arrangements, relu.weight_decay)
    GatedPath().path(GatedProgram(*_few(relu), 1.0), [1.0, 0.5])
    solver = GatedPath(tolerance=1e-6)
    seconds, solution = timed(lambda: solver.solve(program))
    betas = largest_without_cones(relu) * np.geomspace(1.0, share, 30)
    follow = GatedPath(tolerance=1e-4, certify_from="gram")
    peak = peak_gigabytes()
    path_seconds, path = timed(lambda: follow.path(program, betas))
    worst = max(s.certificate.relative_gap for s in path)
    gap = solution.certificate.relative_gap
    say(f"  ours, Gram and one solve       {seconds:8.2f} s   gap {gap:.0e}   peak {peak:.2f} GB")
    say(
        f"  ours, 30 values after the Gram {path_seconds:8.3f} s   worst gap {worst:.0e}, certified"
        f"   peak {peak_gigabytes():.2f} GB"
    )
    return {"seconds": seconds, "path": path_seconds, "F": solution.certificate.primal}


def _few(relu: ReluProgram) -> tuple[Array, Array, object]:
    from convexviz.core.arrangements import sample

    X = relu.X[:200]
    return X, relu.y[:200], sample(X, 5, np.random.default_rng(0))


def constrained_ours(build: Build, share: float) -> dict[str, float]:
    """Seconds of everything, one value to 1e-6; and of the whole path after the Gram."""
    warm_up()
    program = at_share(build(), share)
    seconds, solution = timed(lambda: ActiveSet(1e-6).solve(program))
    gap, peak = solution.certificate.relative_gap, peak_gigabytes()
    say(f"  ours, everything, one value    {seconds:8.3f} s   gap {gap:.0e}   peak {peak:.2f} GB")
    found = {"seconds": seconds, "F": solution.certificate.primal}
    for tolerance in (1e-4, 1e-5, 1e-6):
        path_seconds, path = timed_path(program, share, tolerance)
        worst = max(s.certificate.relative_gap for s in path)
        error = path[-1].certificate.primal / found["F"] - 1
        say(
            f"  ours, 30 values to {tolerance:.0e}       {path_seconds:8.3f} s   error "
            f"{error:+.1e} at the last value, worst gap {worst:.0e}, certified"
            f"   peak {peak_gigabytes():.2f} GB"
        )
        found[f"path {tolerance:.0e}"] = found["path"] = path_seconds
    return found


def timed_path(
    program: ReluProgram, share: float, tolerance: float
) -> tuple[float, list[Solution]]:
    """Seconds and solutions of 30 weight decays down to `share`, after the Gram where it pays."""
    betas = largest_without_cones(program) * np.geomspace(1.0, share, 30)
    again = ReluProgram(program.X, program.y, program.arrangements, program.weight_decay)
    known = workspace_of(again)
    if known is not None:
        known.summarise()
    follow = ActiveSet(tolerance, certify_from="gram")
    return timed(lambda: follow.path(again, betas))


def scnn_rows(found: list[dict[str, float]], ours: dict[str, float], kind: str) -> None:
    """How near it came, and when."""
    if not found:
        return
    last, peak = found[-1], found[-1]["peak"]
    for goal in (1e-1, 1e-2, 1e-3):
        met = [r for r in found if r["F"] <= ours["F"] * (1 + goal) and r["violation"] < 1e-3]
        text = f"pyscnn {kind} to {goal:.0e}"
        if met:
            ratio = met[0]["seconds"] / ours["seconds"]
            say(
                f"  {text:30s} {met[0]['seconds']:8.1f} s   {ratio:.1f} x ours   peak {peak:.2f} GB"
            )
        else:
            ratio, error = last["seconds"] / ours["seconds"], last["F"] / ours["F"] - 1
            say(
                f"  {text:30s} > {last['seconds']:6.1f} s   more than {ratio:.0f} x ours; stopped "
                f"at error {error:.1e}, violation {last['violation']:.0e}   peak {peak:.2f} GB"
            )
            return


def adelie_rows(found: list[dict[str, float]], ours: dict[str, float]) -> None:
    """Its path at each tolerance, against ours to no more than its error."""
    for row in found:
        error = row["F"] / ours["F"] - 1
        level = "1e-04" if abs(error) > 5e-5 else ("1e-05" if abs(error) > 5e-6 else "1e-06")
        mine = ours.get(f"path {level}", ours["path"])
        say(
            f"  adelie path, tol {row['tol']:.0e}       {row['seconds']:8.2f} s   error "
            f"{error:+.1e} at the last value, violation {row['violation']:.0e}, none certified: "
            f"{row['seconds'] / mine:.1f} x ours   peak {row['peak']:.2f} GB"
        )


def section(name: str, asked: argparse.Namespace, folder: str) -> None:
    """One problem: ours, then the peers."""
    kinds: dict[str, tuple[str, Build, float]] = {
        "gated": ("camera 512x512, 3x3, 100 gates, gated", camera, SHARES["camera"]),
        "constrained": ("camera 512x512, 3x3, 100 gates, cones", camera, SHARES["camera"]),
        "diabetes": ("diabetes 300x10, 50 gates, cones", diabetes, SHARES["diabetes"]),
        "digits": ("digits 400x64, 12 gates, cones, n < P d", digits, SHARES["digits"]),
    }
    title, build, share = kinds[name]
    say(title)
    file = str(Path(folder) / f"{name}.npz")
    in_own_process(write, build, share, file)
    gated = name == "gated"
    ours = in_own_process(gated_ours if gated else constrained_ours, build, share)
    if name in ("gated", "constrained"):
        kind = "R-FISTA" if gated else "AL"
        found = peer(asked.scnn, "scnn", kind, file, str(asked.seconds))
        scnn_rows(found, ours, kind)
    else:
        theirs, reference = in_own_process(cvxpy, build, share)
        error = abs(ours["F"] / reference - 1)
        say(f"  cvxpy: {theirs / ours['seconds']:.0f} x ours; the optima differ by {error:.0e}")
    if name != "constrained":
        adelie_rows(peer(asked.adelie, "adelie", "gated" if gated else "cones", file), ours)


def main() -> None:
    """Print the report."""
    names = ("gated", "constrained", "diabetes", "digits")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(names)}")
    parser.add_argument("--scnn", default=os.environ.get("CONVEXVIZ_SCNN"))
    parser.add_argument("--adelie", default=os.environ.get("CONVEXVIZ_ADELIE"))
    parser.add_argument("--seconds", type=float, default=110.0)
    asked = parser.parse_args()
    unknown = sorted({*asked.sections} - {*names})
    if unknown:
        parser.error(f"no section {unknown[0]!r}; there are: {', '.join(names)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.sections or names:
            section(name, asked, folder)


if __name__ == "__main__":
    main()
