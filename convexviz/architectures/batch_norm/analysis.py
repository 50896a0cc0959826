"""What a solved network with batch norm says: directions kept, class filters, classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray


@runtime_checkable
class Outcome(Protocol):
    """What is read off a Result here; `experiments` is a layer above."""

    @property
    def spec(self) -> Mapping[str, Any]: ...

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]: ...

    @property
    def data(self) -> Mapping[str, NDArray[Any]]: ...


def kept_directions(outcome: Outcome) -> int:
    """How many of the singular values are kept."""
    total = len(outcome.arrays["singular_values"])
    return min(int(outcome.spec["n_directions"]), total) or total


def class_filters(outcome: Outcome) -> Float[np.ndarray, "c d"]:
    """`sum_j w_j gamma_j v_jc / |C X w_j|`: the weights of output c if every neuron were on."""
    arrays = outcome.arrays
    first = arrays["first_layer"] * (arrays["gamma"] / arrays["running_norm"])
    return np.asarray((first @ arrays["second_layer"]).T, dtype=float)


def classes(outcome: Outcome) -> int | None:
    """How many classes the targets name: one-hot rows, signs, or class numbers; else None."""
    Y = outcome.data.get("Y")
    if Y is None:
        return None
    if Y.ndim == 2 and Y.shape[1] > 1:
        one_hot = bool(np.all((Y == 0) | (Y == 1)) and np.all(Y.sum(axis=1) == 1))
        return Y.shape[1] if one_hot else None
    if outcome.spec["loss"] == "cross_entropy":
        return int(outcome.arrays["second_layer"].shape[1])
    return 2 if bool(np.all(np.abs(Y) == 1)) else None
