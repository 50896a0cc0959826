"""The game in closed form against descent-ascent, its SDP, and progressive training by size.

    python -m benchmarks.wgan [--images 500 1000 2000 5000] [--faces SECONDS] [--only-faces]
                              [--no-browser]

Last, the threshold over 25 faces is dragged in Chromium (benchmarks/interface.py --faces).
Faces take their seconds (60) for each of eight settings, and their measuring on top.

Descent's clock leaves out its own measuring; its proof is its own discriminator's bound against its
own repaired generator, and it counts as there at one percent. CPU seconds, in one run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import convexviz
from benchmarks import interface
from convexviz.architectures.wgan.figures_race import certified_at
from convexviz.core import reach
from convexviz.core.discriminator import Discriminator
from convexviz.core.game import GameProgram
from convexviz.datasets import portraits
from convexviz.experiments import faces_race
from convexviz.figures.race_picture import Runs
from convexviz.solvers import procogan
from convexviz.solvers.game_closed import ClosedForm
from convexviz.solvers.game_moments import MomentSDP

SETTINGS = (
    ("extragradient", "sgd", (0.02, 0.2)),
    ("extragradient", "sgd", (0.05, 0.05)),
    ("alternating", "sgd", (0.2, 0.2)),
    ("alternating", "sgd", (0.02, 0.2)),
    ("extragradient", "adam", (2e-3, 1e-2)),
    ("alternating", "adam", (2e-3, 1e-2)),
    ("simultaneous", "adam", (2e-3, 1e-2)),
    ("simultaneous", "sgd", (0.05, 0.05)),
)


def clocked(times: int, task) -> float:
    """CPU seconds of one call, the best of a few."""
    best = np.inf
    for _ in range(times):
        start = time.process_time()
        task()
        best = min(best, time.process_time() - start)
    return best


def race(fields: dict, game: dict, closed: dict[str, float]) -> None:
    """Every setting of descent-ascent, and the best of them over what the other ways take."""
    found = []
    for scheme, optimizer, rates in SETTINGS:
        options = {"scheme": scheme, "optimizer": optimizer, "learning_rate": rates}
        run = convexviz.descend("wgan", **fields, **game, **options)
        runs = Runs(run.objectives, run.seconds, run.records)
        reached = certified_at(runs)
        found.append(reached)
        words = f"{reached:.3f} s" if np.isfinite(reached) else "not reached"
        upper, lower = np.nanmin(run.objectives), np.nanmax(run.records["lower_bound"])
        print(
            f"  {scheme:14} {optimizer:5} {rates!s:14} certified 1 %: {words:12} "
            f"in {run.seconds.max():.1f} s; proves [{lower:.4g}, {upper:.4g}]"
        )
    best = min(found)
    if np.isfinite(best):
        for name, seconds in closed.items():
            print(f"  best descent over {name}: {best / seconds:,.0f}")
    else:
        print("  descent: not reached")


def plane() -> None:
    """Points of the plane: formula, certified solve, SDP, and every setting of descent."""
    fields = {"dataset": "gaussians", "n_samples": 60, "generator": "linear", "weight_decay": 7.0}
    result = convexviz.solve("wgan", **fields)
    X, Z = result.data["X"], result.data["Z"]

    def build() -> GameProgram:
        return GameProgram(X, 60, reach.linear(Z, 2), Discriminator("quadratic"), 7.0)

    def solve() -> None:
        values, V = np.linalg.eigh(X.T @ X)
        _, D, Qt = np.linalg.svd(Z, full_matrices=False)
        roots = np.sqrt(np.maximum(values[::-1] - 7.0, 0))
        _ = (Qt[:2].T / D[:2] * roots) @ V[:, ::-1].T

    formula = clocked(50, solve)
    certified = clocked(10, lambda: ClosedForm().solve(build()))
    program = clocked(3, lambda: MomentSDP().solve(build()))
    print(f"two Gaussians, n = 60, p* = {result.certificate.primal:.6g}")
    print(f"  closed form {1e3 * formula:.2f} ms, with its certificate {1e3 * certified:.2f} ms")
    print(f"  semidefinite program {1e3 * program:.0f} ms, {program / certified:.0f} times as long")
    closed = {"the closed form": formula, "the closed form with its certificate": certified}
    race(fields, {"width": 8, "steps": 6000, "seeds": 1}, closed)


def stages(counts: list[int]) -> None:
    """Progressive training against the number of images (drawn from the stored spectrum)."""
    print("ProCoGAN, five stages to 64 x 64 x 3, 100 directions")
    rng, sides = np.random.default_rng(0), (4, 8, 16, 32, 64)
    basis = portraits.faces().X[:100].reshape(100, 64, 64, 3).astype(np.float32)
    for n in counts:
        weights = rng.standard_normal((n, 100)).astype(np.float32) / 14
        images = (weights @ basis.reshape(100, -1)).reshape(n, 64, 64, 3)
        images += 0.02 * rng.standard_normal(images.shape, dtype=np.float32)
        wall, start = time.perf_counter(), time.process_time()
        model = procogan.train(images, procogan.schedule(100, sides, n, 3), rng)
        spent, wall = time.process_time() - start, time.perf_counter() - wall
        worst = max(abs(stage.f_over_beta - 1) for stage in model.stages)
        print(f"  {n:5} images: {spent:.1f} CPU s, {wall:.1f} s; |F/beta - 1| <= {worst:.1e}")


def faces(seconds: float, store: bool) -> None:
    """What each setting reaches on faces in so many seconds of its own steps."""
    closed = faces_race.closed_form()
    print(
        f"faces, {faces_race.KEPT} directions: p* = {closed.certificate.primal:.6g}, certified to "
        f"{closed.certificate.relative_gap:.0e} in {closed.seconds:.2f} s; {seconds:g} s a setting"
    )
    found = []
    for one in faces_race.run(seconds):
        found.append(one)
        paid, won = one.last
        lower, upper = one.interval
        rates = faces_race.SETTINGS[one.name][2]
        print(
            f"  {one.name:25} {rates!s:15} R_g/p* {paid:7.3f}  F/beta {won:8.2f}  "
            f"lower bound/p* {lower:.3f}  repaired/p* {upper:.3f}  "
            f"in {one.records['seconds'][-1]:.0f} CPU s: "
            f"{'certified 1 %' if one.is_certified else 'not reached'}",
            flush=True,
        )
        if store:
            np.savez_compressed(faces_race.FILE, **faces_race.arrays(found, closed.seconds))


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="*", default=[500, 1000, 2000, 5000])
    parser.add_argument("--faces", type=float, default=60.0, metavar="SECONDS", help="0: none")
    parser.add_argument("--store", action="store_true", help="keep what faces reached, to ship")
    parser.add_argument("--only-faces", action="store_true")
    parser.add_argument("--no-browser", action="store_true", help="drag no threshold in Chromium")
    args = parser.parse_args()
    if args.only_faces:
        return faces(args.faces, args.store)
    plane()
    if args.images:
        stages(args.images)
    if args.faces:
        faces(args.faces, args.store)
    if not args.no_browser:
        interface.run(only_faces=True)
    return None


if __name__ == "__main__":
    main()
