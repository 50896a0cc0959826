"""What the network is trained on: validated rows or patches, and targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import datasets
from convexviz.architectures import inputs
from convexviz.architectures.base import Arrays, Input
from convexviz.architectures.vector_output.spec import DATASETS, GIVEN, Spec
from convexviz.core.losses import loss_named
from convexviz.datasets.base import Draw
from convexviz.errors import DataError, SpecError

INPUTS = (
    Input("X", "n d", "rows to train on, or patches (n, K, h), which are sum-pooled"),
    Input("Y", "n c", "their targets; one-hot for classes"),
    Input("test_X", "m d", "rows held out", required=False),
    Input("test_Y", "m c", "their targets", required=False),
)
MAX_BYTES = 4 * 2**30


def load(spec: Spec) -> Arrays:
    """The arrays of `spec.dataset`, drawn from the seed."""
    if spec.dataset == GIVEN:
        known = ", ".join(name for name in DATASETS if name != GIVEN)
        raise SpecError(
            f"dataset={GIVEN!r} needs data; pass data={{'X': ..., 'Y': ...}} "
            f"or choose one of: {known}"
        )
    draw = datasets.get(spec.dataset).draw
    assert draw is not None  # DATASETS names only those that have targets
    return draw(Draw(spec.seed, spec.n_train))


def check(spec: Spec, data: Any) -> Arrays:
    """Validated copies of the arrays.

    Raises:
        DataError: an array is missing, unknown, misshapen or not finite, rows do not match, or
            targets are none of the loss.
    """
    inputs.names(data, ["X", "Y"], ["test_X", "test_Y"])
    arrays: dict[str, NDArray[np.float64]] = {}
    for name in ("X", "test_X"):
        if name in data:
            patches = np.ndim(data[name]) == 3
            arrays[name] = inputs.real(name, data[name], "n K h" if patches else "n d")
    for name in ("Y", "test_Y"):
        if name in data:
            arrays[name] = inputs.real(name, data[name], "n c")
    needed = 3 * arrays["X"].nbytes
    if needed > MAX_BYTES:
        raise DataError(
            f"X of shape {arrays['X'].shape} needs {needed / 2**30:.1f} GiB, the limit is "
            f"{MAX_BYTES / 2**30:.0f} GiB; use fewer rows"
        )
    _matching(spec, arrays)
    return arrays


def _matching(spec: Spec, arrays: Arrays) -> None:
    """Rows and targets go together, and what is held out looks like what is trained on."""
    for prefix in ("", "test_"):
        if f"{prefix}X" in arrays or f"{prefix}Y" in arrays:
            inputs.names(arrays, [f"{prefix}X", f"{prefix}Y"], arrays)
            X, Y = arrays[f"{prefix}X"], arrays[f"{prefix}Y"]
            if len(X) != len(Y):
                raise DataError(
                    f"{prefix}X and {prefix}Y must have as many rows, got {len(X)} and {len(Y)}"
                )
            loss_named(spec.loss).check(Y)
    for name in ("X", "Y") if "test_X" in arrays else ():
        one, other = arrays[name].shape[1:], arrays[f"test_{name}"].shape[1:]
        if one != other:
            raise DataError(
                f"test_{name} must be like {name} beyond its rows, got shapes "
                f"{arrays[f'test_{name}'].shape} and {arrays[name].shape}"
            )


def is_one_hot(Y: NDArray[np.float64]) -> bool:
    """Whether every row names one of two classes or more."""
    return bool(Y.shape[1] > 1 and ((Y == 0) | (Y == 1)).all() and (Y.sum(axis=1) == 1).all())
