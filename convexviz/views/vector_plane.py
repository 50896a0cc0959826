"""The plane of a vector-output network: points, cells, neurons, and the pull of the residual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.core.losses import loss_named
from convexviz.experiments.result import Result
from convexviz.views import board_layers as layers
from convexviz.views.board_layers import Layer
from convexviz.views.board_panels import Slot
from convexviz.views.board_pictures import Plane, Points

POINTS, VIEW = "points", "view"
CELLS, REGIONS = 0, 1
MOST_POINTS, MOST_CLASSES = 40, 5
LIVE = 60  # milliseconds between reports of a point that is moving
SIDE = 96  # cells of the raster of decision regions
CIRCLE = 0.62  # of the half extent: where a pull as large as the weight decay is drawn
LONGEST = 0.9  # of that, the longest neuron
TURN = 2 * np.pi


def _note(result: Result, *, editable: bool) -> str:
    """What a cell is, and that points can be moved."""
    words = ["(Xu)₊ = DᵢXu"] if not has_ones(result.data["X"]) else []
    return " · ".join([*words, *(["drag a point"] if editable else [])])


def has_plane(result: Result) -> bool:
    """Whether rows are points of a plane, with or without a ones column, and outputs are few."""
    X, Y = result.data.get("X"), result.data.get("Y")
    if X is None or Y is None or X.ndim != 2 or Y.ndim != 2 or not 1 <= Y.shape[1] <= MOST_CLASSES:
        return False
    return X.shape[1] == 2 or has_ones(X)


def has_classes(result: Result) -> bool:
    """Whether every row of the targets names one class of several."""
    Y = result.data["Y"]
    return bool(
        Y.ndim == 2 and Y.shape[1] > 1 and np.all((Y == 0) | (Y == 1)) and (Y.sum(1) == 1).all()
    )


def is_editable(result: Result) -> bool:
    """Whether its points can be moved: few of them, in classes."""
    return has_plane(result) and has_classes(result) and len(result.data["X"]) <= MOST_POINTS


def has_ones(X: NDArray[np.float64]) -> bool:
    """Whether the third and last column is constant one."""
    return bool(X.ndim == 2 and X.shape[1] == 3 and np.all(X[:, 2] == 1))


def points_of(result: Result) -> list[list[float]]:
    """The rows as points of a plane, each with its class."""
    return as_points(result.data["X"], result.data["Y"])


def as_points(X: NDArray[np.float64], Y: NDArray[np.float64]) -> list[list[float]]:
    """Rows as points of a plane, each with the class of its target; of class 0 where none is."""
    one_hot = Y.ndim == 2 and bool(np.all((Y == 0) | (Y == 1)))
    classes = Y.argmax(axis=1) if one_hot else np.zeros(len(Y))
    return [
        [round(float(x), 3), round(float(y), 3), int(c)]
        for (x, y), c in zip(X[:, :2], classes, strict=True)
    ]


def arrays(
    points: Sequence[Sequence[float]], classes: int, *, ones: bool
) -> dict[str, NDArray[np.float64]]:
    """Rows and one-hot targets of these points."""
    table = np.array(points, dtype=float)
    X = table[:, :2]
    if ones:
        X = np.column_stack([X, np.ones(len(X))])
    return {"X": X, "Y": np.eye(classes)[table[:, 2].astype(int)]}


def reach_of(result: Result) -> float:
    """Half the side of the plane that is shown: in steps, so that it rests while a point moves."""
    needed = 1.3 * float(np.abs(result.data["X"][:, :2]).max())
    return float(10.0 ** (np.ceil(10.0 * np.log10(needed)) / 10.0)) if needed > 0 else 1.0


def still(result: Result, reach: float) -> tuple[Layer, ...]:
    """The solved network: neurons in their cells, or as lines where there is a ones column."""
    return _lines(result, reach) if has_ones(result.data["X"]) else _fan(result, reach)


def plane(result: Result, *, editable: bool, cells: tuple[Layer, ...] | None = None) -> Plane:
    """Points over the cells of the neurons (`cells` draws others), or over what it decides."""
    X, Y = result.data["X"], result.data["Y"]
    reach = reach_of(result)
    views = [cells if cells is not None else still(result, reach)]
    if has_classes(result):
        views.append((_regions(result, reach), layers.axes()))
    key = [("arrow", "class 0", "neuron, coloured by the output it weighs most")]
    if cells is not None:
        key += [("area", "bound", "the cell that won this step")]
    elif not has_ones(X):
        key += [("line", "bound", "pull of the residual"), ("dash", "bound", "its limit β")]
    return Plane(
        slot=Slot(
            id="plane",
            title="Points and neurons",
            note=_note(result, editable=editable),
            columns=7,
            rows=2,
        ),
        extent=(-reach, reach, -reach, reach),
        points=Points(
            variable=POINTS,
            editable=editable,
            classes=Y.shape[1] if has_classes(result) else 1,
            labels=tuple(f"class {c + 1}" for c in range(Y.shape[1])),
            fewest=2,
            most=MOST_POINTS,
            live=LIVE if editable else 0,
            size=7 if len(X) <= MOST_POINTS else 5,
        ),
        layers=(layers.frames(VIEW, views),),
        key=tuple(key),
        tallest=36,
    )


def walls(X: Float[np.ndarray, "n 2"]) -> NDArray[np.float64]:
    """The angles at which some row changes sides, in [0, 2 pi), increasing."""
    rows = X[np.linalg.norm(X, axis=1) > 0]
    angles = np.arctan2(rows[:, 1], rows[:, 0])
    both = np.concatenate([angles - np.pi / 2, angles + np.pi / 2]) % TURN
    return np.unique(np.round(both, 9))


def shares(X: Float[np.ndarray, "n 2"], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each cell between two walls, the share of rows that are on in it."""
    middles = (angles + np.append(angles[1:], angles[0] + TURN)) / 2
    directions = np.column_stack([np.cos(middles), np.sin(middles)])
    return np.asarray((X @ directions.T >= 0).mean(axis=0))


def _fan(result: Result, reach: float) -> tuple[Layer, ...]:
    """Cells as wedges, the pull against its limit, and neurons as arrows."""
    X = result.data["X"]
    angles, U = walls(X), result.arrays["first_layer"].T
    shade = shares(X, angles)
    turned = np.arctan2(U[:, 1], U[:, 0]) % TURN
    # A neuron on a wall belongs to both its cells; one of them is lit.
    on = sorted({int(i) for i in (np.searchsorted(angles, turned + 1e-9) - 1) % len(angles)})
    radius = CIRCLE * reach
    theta = np.linspace(0, TURN, 361)[:-1]
    round_ = np.column_stack([np.cos(theta), np.sin(theta)])
    found = (
        layers.fan(angles.tolist(), shade.tolist(), on),
        layers.curve(
            round_ * (radius * pull(result, round_))[:, None], "bound", closed=True, fill=0.14
        ),
        layers.curve(round_ * radius, "bound", closed=True, dashed=True, width=2),
    )
    lengths = np.linalg.norm(U, axis=1) * np.linalg.norm(result.arrays["second_layer"], axis=1)
    if not len(lengths):
        return found
    tips = U / np.linalg.norm(U, axis=1)[:, None]
    tips = tips * (LONGEST * radius * lengths / lengths.max())[:, None]
    label = ((radius * 0.74, radius * 0.82), "β, the limit", "bound")
    return (*found, _arrows(result, tips), layers.labels([label], align="left"))


def pull(result: Result, directions: Float[np.ndarray, "k d"]) -> Float[np.ndarray, " k"]:
    """|R'(X u)_+| over the weight decay, for unit u: at the optimum it is nowhere above one."""
    X, Y = result.data["X"], result.data["Y"]
    loss = loss_named(str(result.spec.get("loss", "squared")))
    R = loss.minus_gradient(np.asarray(result.network.predict(X)), Y)
    return np.asarray(
        np.linalg.norm(R.T @ np.maximum(X @ directions.T, 0.0), axis=0)
        / float(result.spec["weight_decay"])
    )


def _arrows(result: Result, tips: NDArray[np.float64]) -> Layer:
    strongest = np.argmax(np.abs(result.arrays["second_layer"]), axis=1)
    colours = [f"class {int(c)}" for c in strongest]
    return layers.arrows(tips, colours=colours, width=4.5, rim=True)


def _lines(result: Result, reach: float) -> tuple[Layer, ...]:
    """With a ones column a neuron is a line: an arrow from it points to where it is on."""
    U = result.arrays["first_layer"].T
    normal = np.linalg.norm(U[:, :2], axis=1)
    kept = normal > 1e-9
    U, normal = U[kept], normal[kept]
    unit = U[:, :2] / normal[:, None]
    foot = -unit * (U[:, 2] / normal)[:, None]
    along = np.column_stack([-unit[:, 1], unit[:, 0]])
    ends = np.concatenate([foot - 4 * reach * along, foot + 4 * reach * along], axis=1)
    strongest = np.argmax(np.abs(result.arrays["second_layer"][kept]), axis=1)
    near = np.abs(foot).max(axis=1) < reach
    arrows = np.concatenate([foot, foot + 0.11 * reach * unit], axis=1)
    classes = range(result.data["Y"].shape[1])
    lines = [
        layers.segments(ends[strongest == c], f"class {c}", alpha=0.5, width=1.4)
        for c in classes
        if (strongest == c).any()
    ]
    tips = [
        layers.arrows(arrows[near & (strongest == c)], f"class {c}", width=2.2)
        for c in classes
        if (near & (strongest == c)).any()
    ]
    return (layers.axes(), *lines, *tips)


def _regions(result: Result, reach: float) -> Layer:
    """The class of the largest output, or of the sign of the only one."""
    side = np.linspace(-reach, reach, SIDE)
    x, y = np.meshgrid(side, side[::-1])
    rows = np.column_stack([x.ravel(), y.ravel()])
    if has_ones(result.data["X"]):
        rows = np.column_stack([rows, np.ones(len(rows))])
    outputs = np.asarray(result.network.predict(rows))
    classes = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).astype(int)
    return layers.regions(classes.reshape(SIDE, SIDE), max(2, outputs.shape[1]), alpha=0.4)
