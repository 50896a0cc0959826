"""What neurons look for and where they fire, where inputs are pictures, and who is mistaken."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from convexviz.architectures.vector_output import analysis
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board_layers as layers
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Frames, Plane, shades

MOST_TILES, MOST_FILTERS, EXAMPLES = 10, 5, 6
MOST_CLASSES = 12
MARGIN = 0.8  # cells beside the table, where the classes are named


def side_of(size: int) -> int | None:
    """The side of a square picture of so many pixels."""
    side = int(np.sqrt(size))
    return side if side * side == size else None


def tiles(result: Result, cost: NDArray[np.float64]) -> list[AbstractPanel]:
    """The strongest neurons as pictures, where inputs are square images."""
    U = result.arrays["first_layer"].T
    side = side_of(U.shape[1])
    if side is None or side < 3 or not len(U) or result.data["X"].ndim != 2:
        return []
    order = np.argsort(-cost)[:MOST_TILES]
    return [
        Frames(
            slot=Slot(
                id="tiles",
                title="What the strongest neurons look for",
                note="plum: bright pixels turn it on; green: off",
            ),
            frames=shades(U[order].reshape(1, len(order), side, side)),
            across=MOST_TILES,
            labels=tuple(f"{cost[j]:.3g}" for j in order),
            each="neuron",
        )
    ]


def firing(result: Result, cost: NDArray[np.float64]) -> list[AbstractPanel]:
    """Filters, and where each is on in a few samples: rows of pictures under the samples."""
    X, U = result.data["X"], result.arrays["first_layer"].T
    if X.ndim != 3 or not len(U):
        return []
    across, side = side_of(X.shape[1]), side_of(X.shape[2])
    if across is None or side is None or across * side > 64:
        return []
    order = np.argsort(-cost)[:MOST_FILTERS]
    chosen = _examples(result)
    samples = assembled(X[chosen], across, side)
    first = np.concatenate([assembled(X.mean(axis=0, keepdims=True), across, side), samples])
    top = float(np.abs(first).max()) or 1.0
    rows = [_row(X[chosen] @ U[j], U[j], across, side) for j in order]
    columns = 1 + len(chosen)
    return [
        Frames(
            slot=Slot(
                id="samples",
                title="A few samples",
                note="the first picture is the mean of all",
                columns=7,
            ),
            frames=np.rint(255 * np.clip(first / top, 0, 1)).astype(np.uint8)[None],
            across=columns,
            across_phone=columns,
            each="sample",
        ),
        Frames(
            slot=Slot(
                id="firing",
                title="Strongest filters, and where they fire",
                note="left: the filter; then its output, patch by patch",
                columns=7,
            ),
            frames=np.concatenate(rows)[None],
            across=columns,
            across_phone=columns,
            each="filter or map",
        ),
    ]


def assembled(
    patches: Float[np.ndarray, "n K h"], across: int, side: int
) -> Float[np.ndarray, "n S S"]:
    """The pictures that these patches, row by row, are cut from."""
    grid = patches.reshape(len(patches), across, across, side, side)
    return grid.transpose(0, 1, 3, 2, 4).reshape(len(patches), across * side, across * side)


def _row(
    outputs: Float[np.ndarray, "e K"], filter_: Float[np.ndarray, " h"], across: int, side: int
) -> NDArray[np.int8]:
    """A filter and its maps in one size, the maps in one scale."""
    maps = np.maximum(outputs, 0.0).reshape(-1, across, across)
    scale = float(maps.max(initial=0.0)) or 1.0
    wide = np.kron(maps / scale, np.ones((side, side)))
    own = np.kron(filter_.reshape(side, side), np.ones((across, across)))
    return np.concatenate([shades(own[None]), np.rint(127 * wide).astype(np.int8)])


def _examples(result: Result) -> Int[np.ndarray, " e"]:
    """The first row of each of the first classes, or the first rows."""
    labels = analysis.classes(result)
    if labels is None:
        return np.arange(min(EXAMPLES, len(result.data["X"])))
    return np.array([np.argmax(labels == c) for c in np.unique(labels)[:EXAMPLES]])


def table(result: Result) -> tuple[Int[np.ndarray, "c c"], str] | None:
    """How many rows of each class (rows) get which answer (columns), and of which rows."""
    held_out = "test_predictions" in result.arrays
    answers = result.arrays["test_predictions" if held_out else "predictions"]
    Y = np.asarray(result.data["test_Y" if held_out else "Y"])
    count = Y.shape[1] if Y.ndim == 2 else 1
    if analysis.classes(result) is None or not 2 < count <= MOST_CLASSES:
        return None
    found = np.zeros((count, count), dtype=int)
    np.add.at(found, (Y.argmax(axis=1), np.asarray(answers).argmax(axis=1)), 1)
    return found, "unseen rows" if held_out else "training rows"


def confusion(result: Result, rows: int) -> list[AbstractPanel]:
    """Truth against answer, with the counts written in the cells."""
    known = table(result)
    if known is None:
        return []
    counts, which = known
    c = len(counts)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # In the colour of the cell it stands in, a small count would not be read.
    words = [
        ((j + 0.5, c - i - 0.5), numbers.count(counts[i, j]), "ink")
        for i in range(c)
        for j in range(c)
        if counts[i, j]
    ]
    words += [((-MARGIN / 2, c - i - 0.5), str(i), "ink2") for i in range(c)]
    words += [((j + 0.5, -MARGIN / 2), str(j), "ink2") for j in range(c)]
    right = int(np.trace(counts))
    return [
        Plane(
            slot=Slot(
                id="confusion",
                title="Truth ↓  answer →",
                note=f"{numbers.count(right)} of {numbers.count(counts.sum())} {which} are right",
                columns=5,
                rows=rows,
            ),
            extent=(-MARGIN, float(c), -MARGIN, float(c)),
            layers=(
                layers.heat(share, scale="sequential", range=1.0, crisp=True, alpha=0.55,
                            extent=[0.0, float(c), 0.0, float(c)]),
                layers.labels(words),
            ),
            tallest=26,
            alt=f"Confusion of {c} classes on {which}: {right} of {int(counts.sum())} are right",
        )
    ]  # fmt: skip
