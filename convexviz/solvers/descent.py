"""Gradient descent on the network itself: the same objective, the same data, the same clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from convexviz.errors import Cancelled, SpecError
from convexviz.solvers.descent_options import OPTIMIZERS, SCHEMES, OnRecord, Options, Run
from convexviz.solvers.descent_problem import Objective, Problem, Weights

if TYPE_CHECKING:
    import torch

__all__ = ["OPTIMIZERS", "SCHEMES", "OnRecord", "Options", "Run", "descend"]

MAX_BYTES = 8 * 2**30
_SMALL = 10**6  # entries of X up to which float64 costs nothing worth saving
_RATE = {"adam": 1e-2, "sgd": 1e-2, "lbfgs": 1.0, "gd": 0.05}


def descend(problem: Problem, options: Options, seed: int, on_record: OnRecord) -> Run:
    """Train from one random start; `Problem.train` does, unless it has a way of its own.

    Objectives, over all rows, are recorded at about `options.records` steps, spaced
    geometrically; the clock includes moving the data to the device and leaves out measuring.
    The last objective is re-evaluated in float64. A `Cancelled` raised by `on_record` ends the run
    early and keeps what there is.

    Raises:
        SpecError: an option that only games have, or the hidden layer would not fit.
    """
    import torch

    if options.scheme is not None or isinstance(options.learning_rate, tuple):
        raise SpecError(
            f"scheme={options.scheme!r} and a pair of learning rates are for games of two "
            "players; leave scheme out and give one learning_rate"
        )
    _check_size(problem, options)
    _warm()
    started = time.perf_counter()
    exact = problem.entries <= _SMALL or options.optimizer == "lbfgs"  # its line search needs it
    dtype = torch.float64 if exact else torch.float32

    def to(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=dtype, device=options.device)

    objective = problem.objective(options.width, to)
    rng = np.random.default_rng([seed, 7])
    weights = [to(w).requires_grad_() for w in problem.start(options.width, rng)]
    batches = _batches(problem.n_rows, options, seed)
    step = _stepper(options, weights, objective, batches, problem.n_rows)
    clock = _Clock(started)
    cancelled = False
    record_at = _record_steps(options)
    for k in range(options.steps + 1):
        if k not in record_at:
            step(k)
            continue
        here = _arrays(weights)
        if options.batch_size:
            value = float(objective(weights, None).detach())
            step(k)
        else:
            value = step(k)
        clock.note(k, value, problem, here)
        try:
            on_record(k, value, clock.seconds[-1])
        except Cancelled:
            cancelled = True
            break
    network = problem.network(_arrays(weights))
    return Run(
        objectives=np.array(clock.objectives),
        seconds=np.array(clock.seconds),
        network=network,
        objective=problem.value(network),
        cancelled=cancelled,
        records={name: np.array(values, dtype=float) for name, values in clock.records.items()},
    )


@dataclass(slots=True)
class _Clock:
    """The records of a run; time spent on measuring is not descent's."""

    started: float
    objectives: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    records: dict[str, list[Any]] = field(default_factory=dict)

    def note(self, k: int, value: float, problem: Problem, weights: list[np.ndarray]) -> None:
        now = time.perf_counter()
        self.objectives.append(value)
        self.seconds.append(now - self.started)
        self.records.setdefault("step", []).append(k)
        for name, number in problem.measured(problem.network(weights)).items():
            self.records.setdefault(name, []).append(number)
        self.started += time.perf_counter() - now


@cache
def _warm() -> None:
    """A step of Adam on nothing: torch loads its optimisers at the first, for a second or two."""
    import torch

    nothing = torch.zeros(1, requires_grad=True)
    nothing.square().sum().backward()
    torch.optim.Adam([nothing]).step()


def _check_size(problem: Problem, options: Options) -> None:
    rows = min(problem.n_rows, options.batch_size or problem.n_rows)
    needed = 3 * rows * options.width * 8  # activations, their mask and their gradient
    if needed > MAX_BYTES:
        raise SpecError(
            f"width={options.width:,} on {rows:,} rows needs {needed / 2**30:.1f} GiB, "
            f"the limit is {MAX_BYTES / 2**30:.0f} GiB; use a smaller width or fewer rows"
        )


def _arrays(weights: Weights) -> list[np.ndarray]:
    return [w.detach().cpu().numpy().astype(np.float64) for w in weights]


def _batches(n: int, options: Options, seed: int) -> Iterator[np.ndarray | None]:
    """Rows for each step: all of them, or one mini-batch of a new order in each pass."""
    rng = np.random.default_rng([seed, 8])
    size = options.batch_size
    while not 0 < size < n:
        yield None
    while True:
        order = rng.permutation(n)
        for start in range(0, n - size + 1, size):
            yield order[start : start + size]


def _stepper(
    options: Options,
    weights: list[torch.Tensor],
    of: Objective,
    batches: Iterator[np.ndarray | None],
    n_rows: int,
) -> Callable[[int], float]:
    """A function that returns the objective (of its batch) before step k, then takes the step."""
    import torch

    rows: torch.Tensor | None = None

    def objective() -> torch.Tensor:
        return of(weights, rows)

    rate = options.learning_rate or _RATE[options.optimizer]
    optimiser: torch.optim.Optimizer
    if options.optimizer == "lbfgs":
        optimiser = torch.optim.LBFGS(
            weights,
            lr=rate,
            max_iter=1,
            max_eval=25,  # by default one step may look at one point, and the search fails
            history_size=20,
            line_search_fn="strong_wolfe",
        )
    elif options.optimizer == "sgd":
        optimiser = torch.optim.SGD(weights, lr=rate / _curvature(weights, objective), momentum=0.9)
    elif options.optimizer == "gd":
        optimiser = torch.optim.SGD(weights, lr=rate / n_rows)
    else:
        optimiser = torch.optim.Adam(weights, lr=rate)

    def gradient() -> torch.Tensor:
        optimiser.zero_grad()
        value = objective()
        value.backward()
        return value

    def step(k: int) -> float:
        nonlocal rows
        for group in optimiser.param_groups:
            if options.optimizer == "adam":  # cosine decay to a hundredth: Adam at its best
                turn = 0.5 * (1 + np.cos(np.pi * k / (options.steps + 1)))
                group["lr"] = rate * (0.01 + 0.99 * turn)
        chosen = next(batches)
        rows = None if chosen is None else torch.as_tensor(chosen, device=weights[0].device)
        value = gradient() if options.optimizer != "lbfgs" else objective()
        before = float(value.detach())
        optimiser.step(gradient)
        return before

    return step


def _curvature(weights: list[torch.Tensor], objective: Callable[[], torch.Tensor]) -> float:
    """The size of the gradient at the start over that of the weights: a scale for plain SGD."""
    import torch

    gradients = torch.autograd.grad(objective(), weights)
    top = sum(float(g.square().sum()) for g in gradients) ** 0.5
    return max(top / sum(float(w.detach().square().sum()) for w in weights) ** 0.5, 1e-300)


def _record_steps(options: Options) -> set[int]:
    spaced = np.geomspace(1, options.steps + 1, min(options.records, options.steps + 1)) - 1
    return {0, options.steps, *np.round(spaced).astype(int).tolist()}
