"""Frank-Wolfe, step by step: the cell that wins lights up, its neuron comes in, the gap falls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board_layers as layers
from convexviz.views import vector_plane
from convexviz.views.board_layers import Layer
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Series
from convexviz.views.board_small import Player

STEP = "step"
SHOWN = 60  # steps that are shown one by one; later ones are spaced geometrically
MOST = 100
TOGETHER = 0.05  # radians: neurons that near are drawn as one


def steps(result: Result) -> list[int]:
    """The numbers of the steps that are shown; none where Frank-Wolfe kept no record."""
    kept = result.arrays.get("frank_wolfe_neurons")
    if kept is None or len(kept) < 2:
        return []
    n = len(kept)
    later = np.geomspace(min(SHOWN, n), n, MOST - SHOWN).astype(int).tolist()
    return sorted({*range(1, min(n, SHOWN) + 1), *later})


def last(result: Result) -> int:
    """The number of the last state."""
    return len(steps(result)) - 1


def frames(result: Result, reach: float) -> list[tuple[Layer, ...]]:
    """The plane after each step."""
    X, neurons = result.data["X"], result.arrays["frank_wolfe_neurons"]
    angles = vector_plane.walls(X)
    radius, t = vector_plane.CIRCLE * reach, float(result.arrays["frank_wolfe_path_norm"][0])
    near = _near(neurons)
    shade = (0.5 * vector_plane.shares(X, angles)).tolist()
    turned = np.arctan2(neurons[:, 1], neurons[:, 0]) % vector_plane.TURN
    cells = (np.searchsorted(angles, turned + 1e-9) - 1) % len(angles)
    found: list[tuple[Layer, ...]] = []
    for k in steps(result):
        weights = _weights(result.arrays["frank_wolfe_share"][:k], t)
        tips = _joined(neurons[:k], weights, near[:k], X.shape[1])
        cost = np.linalg.norm(tips[:, :2], axis=1)
        top = float(cost.max()) or 1.0
        order = np.argsort(-cost)[:24]
        colours = [f"class {int(c)}" for c in tips[order, 2]]
        found.append(
            (
                layers.fan(angles.tolist(), shade, won=int(cells[k - 1])),
                layers.arrows(tips[order, :2] * (radius / top), colours=colours, width=4, rim=True),
            )
        )
    return found


def _weights(shares: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    """What each neuron weighs after the last of these steps: later ones shrink earlier ones."""
    left = np.append(np.cumprod(1.0 - shares[::-1])[::-1][1:], 1.0)
    return np.asarray(t * shares * left)


def _near(neurons: NDArray[np.float64]) -> NDArray[np.intp]:
    """A number for each neuron, the same for those that point nearly the same way."""
    angle = np.arctan2(neurons[:, 1], neurons[:, 0]) % vector_plane.TURN
    return np.unique(np.rint(angle / TOGETHER), return_inverse=True)[1]


def _joined(
    neurons: NDArray[np.float64], weights: NDArray[np.float64], near: NDArray[np.intp], d: int
) -> NDArray[np.float64]:
    """Rows (x, y, output): the neurons of each number added up; the length is what they cost."""
    sums = np.zeros((int(near.max()) + 1, neurons.shape[1]))
    np.add.at(sums, near, weights[:, None] * neurons)
    present = np.unique(near)
    strongest = np.argmax(np.abs(sums[present, d:]), axis=1)
    return np.column_stack([sums[present, :2], strongest])


def panels(result: Result) -> list[AbstractPanel]:
    """The player, and the gap of the constrained problem at each step."""
    shown = steps(result)
    if not shown:
        return []
    gaps = np.maximum(result.arrays["frank_wolfe_gap"], 1e-12)
    x = np.arange(1, len(gaps) + 1, dtype=float)
    words = tuple(f"step {k}, gap {numbers.gap(float(gaps[min(k, len(gaps)) - 1]))}" for k in shown)
    return [
        Player(
            slot=Slot(id="player"),
            variable=STEP,
            count=len(shown),
            wait=250,
            labels=words,
            play="Play Frank–Wolfe",
            alt="step of Frank–Wolfe",
        ),
        Curves(
            slot=Slot(
                id="gap",
                title="Gap of the constrained problem",
                note="t M(R) − ⟨R, F⟩",
                area="below",
            ),
            series=(Series(x=x, y=gaps, role="convex", words="Frank–Wolfe", width=2.5, at=0.12),),
            cursor=STEP,
            cursor_at=tuple(float(k) for k in shown),
            drag=True,
            x_log=True,
            y_log=True,
            x_label="step (log)",
            height=11,
            alt="Gap of Frank-Wolfe against steps",
        ),
    ]
