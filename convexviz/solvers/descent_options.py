"""How gradient descent is run, and what one run gives."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.errors import SpecError

OPTIMIZERS = ("adam", "sgd", "lbfgs", "gd")
SCHEMES = ("simultaneous", "alternating", "extragradient")


@dataclass(frozen=True, slots=True)
class Options:
    """How descent is run; `learning_rate=None` takes the optimiser's default.

    `"sgd"` has momentum and a rate scaled to the problem; `"gd"` is plain gradient descent on
    the objective over the number of rows, at the rate as it is given.

    `batch_size` 0 is the full batch, which the convex program describes. Batch norm over
    mini-batches has other statistics at every step, and is another problem.

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
    batch_size: Any = 0

    def __post_init__(self) -> None:
        for name, low in (("width", 1), ("steps", 1), ("records", 1), ("batch_size", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
                raise SpecError(f"{name} must be an integer >= {low}, got {value!r}")
        if self.optimizer not in OPTIMIZERS:
            raise SpecError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}"
            )
        if self.scheme is not None and self.scheme not in SCHEMES:
            raise SpecError(f"scheme must be one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        if self.batch_size and self.optimizer == "lbfgs":
            raise SpecError(f"lbfgs needs the full batch, got batch_size={self.batch_size}; use 0")
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
        records: what else is known at each recorded step, by name; `step` is its number.
    """

    objectives: Float[np.ndarray, " records"]
    seconds: Float[np.ndarray, " records"]
    network: Any
    objective: float
    cancelled: bool = False
    records: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


OnRecord = Callable[[int, float, float], None]
