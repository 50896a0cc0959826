"""Gradient descent on the network that a convex program describes, beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.errors import SpecError
from convexviz.experiments.run import request
from convexviz.solvers.descent import Options, Run

MAX_STARTS = 1000

OnRecord = Callable[[int, int, float, float], None]  # start, step, objective, seconds


def _silent(_start: int, _step: int, _objective: float, _seconds: float) -> None:
    """The default progress callback."""


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Several starts of the same training.

    Attributes:
        objectives: (seeds, records): the network's objective, weight decay included.
        seconds: (seeds, records): wall clock since the start, set-up included.
        records: (seeds, records, ...) each: what else descent measured of itself, by name.
        best: the trained network of the best start, in the architecture's own terms.
        best_objective: its objective, re-evaluated in float64.
        seeds: the seed of each start; where `on_record` raised Cancelled, of those that ended
            before, or of the first start alone as far as it came.
    """

    architecture: str
    spec: Mapping[str, Any]
    objectives: NDArray[np.float64]
    seconds: NDArray[np.float64]
    seeds: tuple[int, ...]
    best_objective: float
    options: Options
    records: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    best: Any = field(default=None, compare=False)


def descend(  # noqa: PLR0913 - the public API is fixed
    architecture: str,
    *,
    data: Mapping[str, Any] | None = None,
    width: int = 64,
    steps: int = 500,
    seeds: int | Iterable[int] = 3,
    optimizer: str = "adam",
    learning_rate: float | tuple[float, float] | None = None,
    scheme: str | None = None,
    batch_size: int = 0,
    parametrisation: str = "weights",
    device: str = "cpu",
    on_record: OnRecord | None = None,
    **fields: Any,
) -> Descent:
    """Train the network itself on the objective that `solve` certifies.

    `batch_size` 0 is the full batch, which the theorems are about; another number trains on
    mini-batches, and the objectives are still those over all rows.

    `parametrisation` other than the network's own `"weights"` is one that the architecture has.

    `seeds` is a number of starts or the seeds themselves. A gated network of `width` neurons
    takes its gates from the same arrangement, in turn. A game of two players has a `scheme`
    (`"simultaneous"`, `"alternating"` or `"extragradient"`) and may have two learning rates.

    Raises:
        SpecError, DataError: as `solve`; also for a refused option.
    """
    options = Options(
        int_of(width),
        int_of(steps),
        optimizer,
        learning_rate,
        device,
        scheme=scheme,
        batch_size=int_of(batch_size),
    )
    starts = _seeds(seeds)
    if not (on_record is None or callable(on_record)):
        raise SpecError(f"on_record must be a function, got {on_record!r}")
    asked = request(architecture, data, fields, device)
    ways = {"weights": asked.arch.descent, **asked.arch.parametrisations}
    if parametrisation not in ways:
        raise SpecError(
            f"parametrisation must be one of {', '.join(ways)}, got {parametrisation!r}"
        )
    problem = ways[parametrisation](asked.spec, asked.arrays)
    report = on_record or _silent
    runs: list[Run] = []
    for i, seed in enumerate(starts):
        run: Run = problem.train(options, seed, partial(report, i))
        if runs and run.cancelled:
            break  # the starts that ended are whole; this one is not
        runs.append(run)
        if run.cancelled:
            break
    best = min(runs, key=lambda run: np.nan_to_num(run.objective, nan=np.inf))  # nan: it diverged
    return Descent(
        architecture=asked.arch.name,
        spec=asked.spec.as_dict(),
        objectives=np.array([run.objectives for run in runs]),
        seconds=np.array([run.seconds for run in runs]),
        seeds=starts[: len(runs)],
        best_objective=best.objective,
        options=options,
        records={name: np.array([run.records[name] for run in runs]) for name in best.records},
        best=problem.finish(best.network),
    )


def int_of(value: Any) -> Any:
    """A NumPy integer as an int; anything else as it is, to be refused by name."""
    return int(value) if isinstance(value, np.integer) else value


def _seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    count = int_of(seeds)
    found: tuple[Any, ...] = ()
    if isinstance(count, int) and not isinstance(count, bool):
        found = tuple(range(min(count, MAX_STARTS + 1)))
    elif isinstance(seeds, Iterable):
        found = tuple(islice(seeds, MAX_STARTS + 1))
    if not 1 <= len(found) <= MAX_STARTS:
        raise SpecError(
            f"seeds must be a number of starts in [1, {MAX_STARTS}] or as many seeds, got {seeds!r}"
        )
    for seed in found:
        if not is_seed(seed):
            raise SpecError(f"seeds must be integers >= 0, got {seed!r}")
    return tuple(int(seed) for seed in found)


def is_seed(value: Any) -> bool:
    """Whether `value` is an integer >= 0."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value >= 0
