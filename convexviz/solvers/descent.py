"""Gradient descent on the network itself: the same objective, the same data, the same clock."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from convexviz.core.network import Network
from convexviz.errors import Cancelled, SpecError

if TYPE_CHECKING:
    import torch

OPTIMIZERS = ("adam", "sgd", "lbfgs")
SCHEMES = ("simultaneous", "alternating", "extragradient")
MAX_BYTES = 8 * 2**30
_SMALL = 10**6  # entries of X up to which float64 costs nothing worth saving
_SCALE = 0.1
_RATE = {"adam": 1e-2, "sgd": 1e-2, "lbfgs": 1.0}


@dataclass(frozen=True, slots=True)
class Options:
    """How descent is run; `learning_rate=None` takes the optimiser's default.

    A game of two players also has a `scheme`, the order of their steps, and takes a pair of
    learning rates: of the one that descends, and of the one that ascends.

    Raises:
        SpecError: width or steps is no positive integer, optimizer none of OPTIMIZERS, scheme none
            of SCHEMES, or learning_rate neither None nor positive. (`Any`: what callers gave is
            checked here.)
    """

    width: Any = 64
    steps: Any = 500
    optimizer: Any = "adam"
    learning_rate: Any = None
    device: str = "cpu"
    records: int = 60
    scheme: Any = None

    def __post_init__(self) -> None:
        for name, low in (("width", 1), ("steps", 1), ("records", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
                raise SpecError(f"{name} must be an integer >= {low}, got {value!r}")
        if self.optimizer not in OPTIMIZERS:
            raise SpecError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        if self.scheme is not None and self.scheme not in SCHEMES:
            raise SpecError(f"scheme must be one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        rate = self.learning_rate
        pair = isinstance(rate, tuple) and len(rate) == 2
        if rate is not None and not all(map(_is_rate, rate if pair else [rate])):
            raise SpecError(f"learning_rate must be a positive, finite number, got {rate!r}")


def _is_rate(rate: Any) -> bool:
    real = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
    return real and bool(np.isfinite(float(rate))) and rate > 0


@dataclass(frozen=True, slots=True)
class Run:
    """One start: objectives at the recorded steps, the clock there, and the weights at the end.

    Attributes:
        records: what else is known at each recorded step, by name.
    """

    objectives: Float[np.ndarray, " records"]
    seconds: Float[np.ndarray, " records"]
    network: Any
    objective: float
    cancelled: bool = False
    records: Mapping[str, Float[np.ndarray, " records"]] = field(default_factory=dict)


OnRecord = Callable[[int, float, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """What descent needs of an architecture: rows, targets, weight decay, gates.

    Attributes:
        gates: one gate a column for a gated ReLU network, None for ReLU.
        finish: the trained two-layer network in the architecture's own terms.
    """

    X: Float[np.ndarray, "n d"]
    Y: Float[np.ndarray, "n c"]
    weight_decay: float
    gates: Float[np.ndarray, "d P"] | None
    finish: Callable[[Network], Any]

    def train(self, options: Options, seed: int, on_record: OnRecord) -> Run:
        """Train from one random start; see `descend`.

        Raises:
            SpecError: an option that only games have, or the hidden layer would not fit.
        """
        if options.scheme is not None or isinstance(options.learning_rate, tuple):
            raise SpecError(
                f"scheme={options.scheme!r} and a pair of learning rates are for games of two "
                "players; leave scheme out and give one learning_rate"
            )
        return descend(self, options, seed, on_record)


def descend(problem: Regression, options: Options, seed: int, on_record: OnRecord) -> Run:
    """Train from one random start, full batch.

    Objectives are recorded at about `options.records` steps, spaced geometrically; the clock
    includes moving the data to the device. The last objective is re-evaluated in float64.
    A `Cancelled` raised by `on_record` ends the run early and keeps what there is.

    Raises:
        SpecError: the hidden layer would not fit.
    """
    import torch

    needed = 3 * len(problem.X) * options.width * 8  # activations, their mask and their gradient
    if needed > MAX_BYTES:
        raise SpecError(
            f"width={options.width:,} on {len(problem.X):,} rows needs {needed / 2**30:.1f} GiB, "
            f"the limit is {MAX_BYTES / 2**30:.0f} GiB; use a smaller width or fewer rows"
        )
    started = time.perf_counter()
    exact = problem.X.size <= _SMALL or options.optimizer == "lbfgs"  # its line search needs it
    dtype = torch.float64 if exact else torch.float32
    move = {"dtype": dtype, "device": options.device}
    X, Y = torch.tensor(problem.X, **move), torch.tensor(problem.Y, **move)
    gates = _gates(problem, options.width)
    on = None if gates is None else (X @ torch.tensor(gates, **move) >= 0).to(dtype)
    U, V = (torch.tensor(w, **move).requires_grad_() for w in _start(problem, options.width, seed))

    def objective() -> torch.Tensor:
        linear = X @ U
        hidden = torch.relu(linear) if on is None else linear * on
        penalty = U.square().sum() + V.square().sum()
        fit = (hidden @ V - Y).square().sum()
        return 0.5 * fit + 0.5 * problem.weight_decay * penalty

    step = _stepper(options, [U, V], objective)
    objectives, seconds, cancelled = [], [], False
    record_at = _record_steps(options)
    for k in range(options.steps + 1):
        value = step(k)
        if k in record_at:
            objectives.append(value)
            seconds.append(time.perf_counter() - started)
            try:
                on_record(k, objectives[-1], seconds[-1])
            except Cancelled:
                cancelled = True
                break
    first, second = (w.detach().cpu().numpy().astype(np.float64) for w in (U, V))
    network = Network(first, second, problem.weight_decay, gates)
    final = network.objective(problem.X, problem.Y)
    return Run(np.array(objectives), np.array(seconds), network, final, cancelled)


def _stepper(
    options: Options, weights: list[torch.Tensor], objective: Callable[[], torch.Tensor]
) -> Callable[[int], float]:
    """A function that returns the objective before step k, then takes the step."""
    import torch

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
    else:
        optimiser = torch.optim.Adam(weights, lr=rate)

    def gradient() -> torch.Tensor:
        optimiser.zero_grad()
        value = objective()
        value.backward()
        return value

    def step(k: int) -> float:
        for group in optimiser.param_groups:
            if options.optimizer == "adam":  # cosine decay to a hundredth: Adam at its best
                turn = 0.5 * (1 + np.cos(np.pi * k / (options.steps + 1)))
                group["lr"] = rate * (0.01 + 0.99 * turn)
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


def _gates(problem: Regression, width: int) -> np.ndarray | None:
    """One gate a neuron, in turn."""
    if problem.gates is None:
        return None
    return problem.gates[:, np.arange(width) % problem.gates.shape[1]]


def _start(problem: Regression, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian weights at a tenth of the usual size, which is descent at its best: on the MRI
    slice Adam ends at a quarter of the objective that it reaches from the usual size.
    """
    rng = np.random.default_rng([seed, 7])
    d, c = problem.X.shape[1], problem.Y.shape[1]
    U = _SCALE * rng.standard_normal((d, width)) / np.sqrt(d)
    return U, _SCALE * rng.standard_normal((width, c)) / np.sqrt(width)
