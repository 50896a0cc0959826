"""What the network is trained on: validated rows and targets that keep their whitening."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import datasets
from convexviz.architectures import inputs
from convexviz.architectures.base import Arrays, Input
from convexviz.architectures.batch_norm.spec import DATASETS, GIVEN, Spec
from convexviz.core.losses import loss_named
from convexviz.core.whitening import Whitening, whiten
from convexviz.datasets.base import Draw
from convexviz.errors import DataError, SpecError

INPUTS = (
    Input("X", "n d", "rows to train on, or patches (n, K, h)"),
    Input("Y", "n", "their targets, or (n, c)"),
    Input("test_X", "m d", "rows held out", required=False),
    Input("test_Y", "m", "their targets", required=False),
)
MAX_BYTES = 8 * 2**30


class Rows(Mapping[str, NDArray[Any]]):
    """The arrays by name; the whitening of `X` is computed once and stays with them.

    So a sweep over `n_directions` on the same data (`data=result.data`) whitens once.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = dict(arrays)
        self._whitening: Whitening | None = None

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def whitening(self) -> Whitening:
        """Of all rows of `X`, patches one below the other; to be `corrected` after truncation."""
        if self._whitening is None:
            X = self._arrays["X"]
            self._whitening = whiten(X.reshape(-1, X.shape[-1]), correct=False)
        return self._whitening


def whitening_of(data: Arrays) -> Whitening:
    """The whitening of `X`, from memory where it is known."""
    return data.whitening() if isinstance(data, Rows) else Rows(data).whitening()


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
    return draw(Draw(spec.seed, spec.n_train, spec.label_noise))


def check(spec: Spec, data: Any) -> Arrays:
    """Validated copies of the arrays.

    Raises:
        DataError: an array is missing, unknown, misshapen or not finite, X does not vary, rows do
            not match, or targets are none of the loss.
        SpecError: more directions than the rows can have.
    """
    inputs.names(data, ["X", "Y"], ["test_X", "test_Y"])
    rows = data if isinstance(data, Rows) else Rows(_validated(data))
    X, Y = rows["X"], rows["Y"]
    if len(X) < 2:
        raise DataError(f"X needs at least 2 rows for batch statistics, got {len(X)}")
    if not np.ptp(X.reshape(-1, X.shape[-1]), axis=0).any():
        raise DataError("X must vary between rows, got all rows equal; batch norm divides by 0")
    _matching(rows)
    target_matrix(spec, Y)
    if "test_Y" in rows:
        target_matrix(spec, rows["test_Y"], n_classes=target_matrix(spec, Y).shape[1])
    most = min(X.shape[-1], X[..., 0].size - 1)
    if spec.n_directions > most:
        raise SpecError(
            f"n_directions must be at most {most}, the largest rank that these rows can have, "
            f"got {spec.n_directions}; 0 keeps all"
        )
    if spec.n_directions and spec.position == "after":
        raise SpecError(
            "n_directions cuts the whitening of batch norm before the ReLU, got "
            f"n_directions={spec.n_directions} with position='after'; use n_directions=0"
        )
    if spec.hidden_layers > 1 and X.ndim == 3:
        raise SpecError("hidden_layers > 1 takes rows X (n, d), got patches (n, K, h)")
    return rows


def _validated(data: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    arrays = {}
    for name in ("X", "test_X"):
        if name in data:
            patches = np.ndim(data[name]) == 3
            arrays[name] = inputs.real(name, data[name], "n K h" if patches else "n d")
    for name in ("Y", "test_Y"):
        if name in data:
            arrays[name] = inputs.real(name, data[name], "n c" if np.ndim(data[name]) == 2 else "n")
    needed = arrays["X"].nbytes * 3
    if needed > MAX_BYTES:
        raise DataError(
            f"X of shape {arrays['X'].shape} needs {needed / 2**30:.1f} GiB, the limit is "
            f"{MAX_BYTES / 2**30:.0f} GiB; use fewer rows or smaller images"
        )
    return arrays


def _matching(rows: Arrays) -> None:
    """Rows and targets go together, and what is held out looks like what is trained on."""
    for prefix in ("", "test_"):
        if f"{prefix}X" in rows or f"{prefix}Y" in rows:
            inputs.names(rows, [f"{prefix}X", f"{prefix}Y"], rows)
            X, Y = rows[f"{prefix}X"], rows[f"{prefix}Y"]
            if len(X) != len(Y):
                raise DataError(
                    f"{prefix}X and {prefix}Y must have as many rows, got {len(X)} and {len(Y)}"
                )
    if "test_X" not in rows:
        return
    for name, role in (("X", "width"), ("Y", "number of outputs")):
        one, other = rows[name].shape[1:], rows[f"test_{name}"].shape[1:]
        if one != other:
            raise DataError(
                f"test_{name} must have the {role} of {name}, got shapes "
                f"{rows[f'test_{name}'].shape} and {rows[name].shape}"
            )


def target_matrix(
    spec: Spec, Y: NDArray[np.float64], n_classes: int | None = None
) -> NDArray[np.float64]:
    """Targets (n, c): as given, or one-hot where cross-entropy is given class numbers.

    Raises:
        DataError: they are none of `spec.loss`.
    """
    loss = loss_named(spec.loss)
    if spec.loss == "cross_entropy" and Y.ndim == 1:
        whole = (Y >= 0) & (np.floor(Y) == Y)
        if not whole.all():
            raise DataError(
                "cross_entropy needs class numbers 0, 1, 2, ... in Y (n,), got "
                f"{Y[~whole][0]:g}; give integers, or one-hot rows"
            )
        count = int(Y.max()) + 1 if n_classes is None else n_classes
        if int(Y.max()) >= count:
            raise DataError(
                f"test_Y must hold the classes of Y, 0 to {count - 1}, got {int(Y.max())}"
            )
        if count < 2 or count > 10_000:
            raise DataError(f"cross_entropy needs 2 to 10,000 classes in Y, got {count}")
        Y = np.eye(count)[Y.astype(int)]
    matrix = Y[:, None] if Y.ndim == 1 else Y
    loss.check(matrix)
    return matrix
