"""Descent-ascent on faces, a minute for each setting: what ships beside the closed form.

    found = faces_race.run(60.0)               # minutes of work
    np.savez_compressed(faces_race.FILE, **faces_race.arrays(found))

The game is that of the faces' stored spectrum with twenty directions kept. Nothing has been found
that certifies one percent on it; what each setting reached is recorded and shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.base import params
from convexviz.architectures.wgan.spec import Spec
from convexviz.core.types import Array
from convexviz.datasets import portraits
from convexviz.datasets.npz import read_npz
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.experiments.run import run as solved
from convexviz.solvers.descent_options import Options
from convexviz.solvers.game_descent import GameDescent, Match, record_steps

FILE = portraits.FACES.with_name("faces_race.npz")
KEPT, WIDTH, LATENTS, RECORDS, PACED = 20, 96, 64, 8, 12
GOAL = 0.01  # relative gap that counts as certified
NAMES = ("seconds", "regulariser", "violation", "lower_bound", "objectives")
SETTINGS: Mapping[str, tuple[str, str, tuple[float, float]]] = MappingProxyType(
    {
        "alternating Adam, slower": ("alternating", "adam", (3e-4, 1e-2)),
        "extragradient": ("extragradient", "sgd", (0.02, 0.2)),
        "alternating Adam": ("alternating", "adam", (2e-3, 1e-2)),
        "extragradient Adam": ("extragradient", "adam", (3e-5, 1e-3)),
        "simultaneous Adam": ("simultaneous", "adam", (2e-3, 1e-2)),
        "extragradient, slower": ("extragradient", "sgd", (0.01, 0.1)),
        "extragradient, alike": ("extragradient", "sgd", (0.02, 0.02)),
        "alternating": ("alternating", "sgd", (0.02, 0.2)),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """What one setting recorded, and the optimum that it did not know."""

    name: str
    records: Mapping[str, Array]
    optimum: float
    beta: float

    @property
    def proved(self) -> tuple[Array, Array]:
        """Best bound and best repaired value so far, over the optimum."""
        lower = np.nan_to_num(self.records["lower_bound"], nan=0.0)
        upper = np.nan_to_num(self.records["objectives"], nan=np.inf)
        best = np.maximum.accumulate(lower), np.minimum.accumulate(upper)
        return best[0] / self.optimum, best[1] / self.optimum

    @property
    def interval(self) -> tuple[float, float]:
        """What is proved in the end."""
        lower, upper = self.proved
        return float(lower[-1]), float(upper[-1])

    @property
    def is_certified(self) -> bool:
        """Whether the two are within one percent."""
        lower, upper = self.interval
        return bool(np.isfinite(upper)) and upper - lower <= GOAL * upper

    @property
    def last(self) -> tuple[float, float]:
        """R_g over the optimum and F over beta where it stands in the end; NaN once it diverged."""
        paid, excess = (float(self.records[name][-1]) for name in ("regulariser", "violation"))
        return paid / self.optimum, 1 + excess / self.beta


def game() -> dict[str, Any]:
    """The fields of the game."""
    singular = portraits.stored_faces()["singular_values"]
    beta = float(singular[KEPT]) ** 2
    return {
        "dataset": "faces",
        "generator": "linear",
        "n_latents": LATENTS,
        "weight_decay": beta,
    }


def players() -> dict[str, Any]:
    """The fields that tell this game from another: who plays, on which data."""
    asked = {field.name: field.default for field in params(Spec).values()} | game()
    return {name: asked[name] for name in ("dataset", "discriminator", "generator", "penalty")}


def closed_form() -> Result:
    """The same game solved."""
    return solved(request("wgan", None, game()))


def run(seconds: float, names: Sequence[str] = tuple(SETTINGS)) -> Iterator[Reached]:
    """Each setting for about so many CPU seconds of its own steps; measuring comes on top."""
    asked = request("wgan", None, game())
    optimum = solved(asked).certificate.primal
    problem = asked.arch.descent(asked.spec, asked.arrays)
    for name in names:
        scheme, optimizer, rates = SETTINGS[name]
        options = Options(WIDTH, 1, optimizer, rates, records=RECORDS, scheme=scheme)
        pace = _pace(problem, options)
        options = replace(options, steps=max(int(seconds / pace), 4))
        found = problem.train(options, 0, _silent)
        clock = pace * np.array(sorted(record_steps(options)), dtype=float)
        kept = {"objectives": found.objectives, "seconds": clock, **found.records}
        yield Reached(name, {each: kept[each] for each in NAMES}, optimum, asked.spec.weight_decay)


def _pace(problem: GameDescent, options: Options) -> float:
    """CPU seconds of a step, of a few after the first."""
    match = Match(problem, options, 0)
    match.step()
    started = time.process_time()
    for _ in range(PACED):
        match.step()
    return max((time.process_time() - started) / PACED, 1e-6)


def _silent(_step: int, _objective: float, _seconds: float) -> None:
    """Nobody listens."""


def arrays(found: Sequence[Reached], spent: float) -> dict[str, NDArray[np.generic]]:
    """What is stored; `spent`: seconds that the closed form took."""
    most = max(len(one.records["seconds"]) for one in found)
    rows = {
        name: np.array(
            [np.pad(one.records[name], (0, most - len(one.records[name])), "edge") for one in found]
        ).astype(np.float32)
        for name in NAMES
    }
    places = [list(SETTINGS).index(one.name) for one in found]
    return {
        **rows,
        "setting": np.array(places),
        "optimum": np.array(found[0].optimum),
        "weight_decay": np.array(found[0].beta),
        "closed_form_seconds": np.array(spent),
    }


@cache
def stored() -> tuple[tuple[Reached, ...], float]:
    """What ships: every setting, and the seconds of the closed form."""
    kept = read_npz(FILE)
    optimum, beta = float(kept["optimum"]), float(kept["weight_decay"])
    names = list(SETTINGS)
    found = tuple(
        Reached(
            names[int(place)],
            {name: kept[name][i].astype(float) for name in NAMES},
            optimum,
            beta,
        )
        for i, place in enumerate(kept["setting"])
    )
    return found, float(kept["closed_form_seconds"])
