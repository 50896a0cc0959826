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


def baselines(outcome: Outcome) -> Mapping[str, float]:
    """Test accuracy of methods without a network, on the raw inputs, by name; empty for regression.

    The nearest training row, and ridge regression on the targets (penalty 1, with an intercept).
    """
    data = outcome.data
    if classes(outcome) is None or "test_X" not in data or data["X"].ndim != 2:
        return {}
    X, Y, T = data["X"], _matrix(data["Y"]), data["test_X"]
    truth = _class_of(_matrix(data["test_Y"]))
    far = (T**2).sum(axis=1)[:, None] - 2 * T @ X.T + (X**2).sum(axis=1)
    centre, mean = X.mean(axis=0), Y.mean(axis=0)
    A = X - centre
    K = A @ A.T + np.eye(len(A))  # n by n: rows may be fewer than columns
    linear = (T - centre) @ (A.T @ np.linalg.solve(K, Y - mean)) + mean
    said = {"nearest neighbour": _class_of(Y)[far.argmin(axis=1)], "ridge": _class_of(linear)}
    return {name: float(np.mean(labels == truth)) for name, labels in said.items()}


def _matrix(values: NDArray[Any]) -> NDArray[Any]:
    return values[:, None] if values.ndim == 1 else values


def _class_of(values: NDArray[Any]) -> NDArray[Any]:
    """The largest output, or the sign of the only one."""
    found: NDArray[Any] = values[:, 0] > 0 if values.shape[1] == 1 else values.argmax(axis=1)
    return found
