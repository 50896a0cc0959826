"""The order in which directions are learned: three ways to train, run while the page is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.datasets.base import Draw
from convexviz.datasets.labelled import order
from convexviz.experiments.learning import MOST_WORK, Learning, learn, work
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board
from convexviz.views import board_layers as layers
from convexviz.views.board_labels import Frame, placed
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Plane, Series
from convexviz.views.board_small import Choice, Say, Slider

KEY = "batch_norm.hero.learning"
WAY, ROWS, DECADES = "way", "rows", "decades"
ADDRESS = {name: f"batch_norm.order_{name}" for name in (WAY, ROWS, DECADES)}
WAYS = {
    "gd": "Gradient descent",
    "adam": "Adam",
    "whitened": "Gradient descent, whitened rows",
}
SYNTHETIC, HERE = "synthetic", "here"
OPENING: Mapping[str, Any] = {WAY: "gd", ROWS: SYNTHETIC, DECADES: 1.5}
SPREADS = tuple(float(value) for value in np.arange(0, 2.01, 0.25))
STEPS, WIDTH, SEED, WEIGHT_DECAY = 500, 64, 1, 1e-3
LEVEL = 0.75
COLUMNS = 90  # of the map
FEWEST = 4  # directions that can be told to have an order


def show(result: Result) -> None:
    """The panel below the hero; it runs again by itself when something in it is moved."""
    _fragment(result if fits(result) else None)


def fits(result: Result) -> bool:
    """Whether the rows on screen can be trained on while the page is drawn."""
    X, Y = result.data.get("X"), result.data.get("Y")
    if X is None or Y is None or X.ndim != 2 or result.spec["loss"] != "squared":
        return False
    if len(result.arrays["singular_values"]) < FEWEST or result.spec["hidden_layers"] > 1:
        return False
    c = 1 if Y.ndim == 1 else Y.shape[1]
    return work(len(X), X.shape[1], c, width=WIDTH, steps=STEPS) <= MOST_WORK


@st.fragment
def _fragment(result: Result | None) -> None:
    listen()
    now = values()
    if result is None:
        now[ROWS] = SYNTHETIC
    runs = {way: _run(way, now, result) for way in WAYS}
    st.subheader("Why stopping early is like a cut: *the order*", anchor=False)
    board.board(panels(runs, now, has_rows=result is not None), now, key=KEY)


def listen() -> None:
    """What was moved goes into the address, where it differs from how the panel opens."""
    for name, value in board.held(KEY).items():
        if value != OPENING[name]:
            st.query_params[ADDRESS[name]] = f"{value:g}" if name == DECADES else str(value)
        elif ADDRESS[name] in st.query_params:
            del st.query_params[ADDRESS[name]]


def values() -> dict[str, Any]:
    """Where the controls stand, as the address has them; nonsense is ignored."""
    found = {name: st.query_params.get(address) for name, address in ADDRESS.items()}
    try:
        asked = float(found[DECADES] or "nan")
    except ValueError:
        asked = float("nan")
    spread = min(SPREADS, key=lambda each: abs(each - asked)) if asked == asked else None
    return {
        WAY: found[WAY] if found[WAY] in WAYS else OPENING[WAY],
        ROWS: found[ROWS] if found[ROWS] in (SYNTHETIC, HERE) else OPENING[ROWS],
        DECADES: OPENING[DECADES] if spread is None else spread,
    }


def reset() -> None:
    """Forget what was moved; the address is emptied by whoever resets the page."""
    board.forget(KEY)


def _run(way: str, now: Mapping[str, Any], result: Result | None) -> Learning:
    if now[ROWS] == HERE and result is not None:
        return _learned(way, f"{result.provenance['data_sha256']}", result.data)
    return _drawn(way, float(now[DECADES]))


@st.cache_resource(show_spinner=False, max_entries=64)
def _drawn(way: str, decades: float) -> Learning:
    data = order(Draw(SEED), decades)
    return learn(way, data, weight_decay=WEIGHT_DECAY, width=WIDTH, steps=STEPS, seed=SEED)


@st.cache_resource(show_spinner=False, max_entries=64)
def _learned(
    way: str,
    digest: str,  # noqa: ARG001 - the cache goes by it
    _data: Mapping[str, NDArray[Any]],
) -> Learning:
    data = {name: _data[name] for name in ("X", "Y")}
    return learn(way, data, weight_decay=WEIGHT_DECAY, width=WIDTH, steps=STEPS, seed=SEED)


def panels(
    runs: Mapping[str, Learning], now: Mapping[str, Any], *, has_rows: bool
) -> list[AbstractPanel]:
    """The map of one way, the steps that each way takes, and the controls."""
    chosen = runs[now[WAY]]
    found: list[AbstractPanel] = [_map(chosen, now[WAY]), _steps(runs), _sentence(runs, now)]
    choices: list[AbstractPanel] = [
        Choice(
            slot=Slot(id="way", title="Map of", area="side"),
            variable=WAY,
            options=(
                ("gd", "Gradient descent"),
                ("adam", "Adam"),
                ("whitened", "Whitened"),
            ),
        )
    ]
    if has_rows:
        choices.append(
            Choice(
                slot=Slot(id="rows", title="Rows", area="side"),
                variable=ROWS,
                options=((SYNTHETIC, "Sixteen directions"), (HERE, "Rows above")),
            )
        )
    if now[ROWS] == SYNTHETIC or not has_rows:
        choices.append(
            Slider(
                slot=Slot(id="decades", area="side"),
                variable=DECADES,
                label="Largest over smallest, decades",
                values=SPREADS,
                words=tuple(f"{value:g}" for value in SPREADS),
                ends=("all equal", "100 to 1"),
            )
        )
    return [*found, *choices]


def _map(run: Learning, way: str) -> Plane:
    """Rows are directions; a cell's shade is the share of its target learned by that step."""
    k, last = run.share.shape[1], np.log10(run.steps[-1] + 1)
    grid = np.linspace(0, last, COLUMNS + 1)
    middles = 10 ** ((grid[1:] + grid[:-1]) / 2) - 1
    at = np.clip(np.searchsorted(run.steps, middles + 0.5) - 1, 0, len(run.steps) - 1)
    share = np.clip(run.share[at].T, 0.0, 1.0)
    left, below = 0.075 * last, 0.11 * k
    there = [(0.0, "1"), *((np.log10(s + 1), f"{s}") for s in (10, 100) if s < run.steps[-1])]
    words: list[tuple[Sequence[float], str, str]] = [
        ((x, -0.55 * below), text if x else "start", "ink2") for x, text in there
    ]
    rows = sorted({0, k // 2, k - 1})
    words += [((-0.45 * left, k - i - 0.5), str(i + 1), "ink2") for i in rows]
    reached = run.reached(LEVEL)
    seen = np.isfinite(reached)
    points = np.column_stack([np.log10(reached + 1), k - np.arange(k) - 0.5])[seen]
    drawn = [
        layers.heat(
            share, scale="sequential", range=1.0, crisp=True, alpha=1.0, extent=[0, last, 0, k]
        )
    ]
    if len(points):
        drawn.append(layers.curve(points, "descent", width=2.5))
        drawn.append(layers.marks(points, "descent", "disc"))
    learned = f"{int(seen.sum())} of {k} directions are learned to {numbers.share(LEVEL)}"
    return Plane(
        slot=Slot(
            id="map",
            title=WAYS[way],
            note="directions against steps (log)",
            columns=6,
        ),
        extent=(-left, last * 1.02, -below, k),
        layers=(*drawn, layers.labels(words)),
        key=(
            ("area", "convex", "share of the target learned"),
            ("disc", "descent", f"{numbers.share(LEVEL)} of it"),
        ),
        stretch=True,
        tallest=15,
        alt=f"{WAYS[way]}: share of the target learned in each direction, against steps. "
        f"{learned} after {STEPS} steps.",
    )


def _steps(runs: Mapping[str, Learning]) -> Curves:
    """Steps until a direction is learned, against its number, a line a way."""
    looks: Mapping[str, Mapping[str, Any]] = {
        "gd": {"role": "descent", "words": "gradient descent", "width": 2.5, "at": 0.7},
        "adam": {"role": "descent", "words": "Adam", "dashed": True, "width": 1.5, "up": False},
        "whitened": {"role": "data", "words": "whitened", "width": 1.5, "up": False},
    }
    series = []
    for way, look in looks.items():
        reached = runs[way].reached(LEVEL)
        x = np.arange(1, len(reached) + 1, dtype=float)
        series.append(Series(x=x, y=reached + 1, dots=True, quiet=True, **look))
    y_range = 1.0, 1.6 * STEPS
    frame = Frame((1.0, float(len(series[0].x))), y_range, y_log=True)
    return Curves(
        slot=Slot(
            id="steps",
            title=f"Steps until {numbers.share(LEVEL)} is learned",
            note="log",
            columns=6,
        ),
        series=tuple(placed(series, (), frame)[0]),
        y_log=True,
        y_range=y_range,
        x_label="direction, largest first",
        height=15,
        alt="Steps until three quarters of the target in a direction are learned, for gradient "
        "descent, Adam, and gradient descent on whitened rows",
    )


def _sentence(runs: Mapping[str, Learning], now: Mapping[str, Any]) -> Say:
    """How many steps the first and the last directions take, each way."""
    k = runs["gd"].share.shape[1]
    few = min(4, k // 2)
    parts = []
    for way, name in (
        ("gd", "Gradient descent"),
        ("adam", "Adam"),
        ("whitened", "On whitened rows"),
    ):
        reached = runs[way].reached(LEVEL)
        first, last = _median(reached[:few]), _median(reached[-few:])
        parts.append(
            f"{name}: {first} steps for the {few} largest directions, {last} for the last."
        )
    if now[ROWS] == HERE:
        parts.append("Directions with little of the target in them blur the order of real rows.")
    return Say(slot=Slot(id="order-say"), texts=(" ".join(parts),))


def _median(steps: NDArray[np.float64]) -> str:
    """The median in bold; directions that were not learned come last."""
    value = float(np.median(np.where(np.isfinite(steps), steps, np.inf)))
    return f"**{value:.0f}**" if np.isfinite(value) else f"**more than {STEPS}**"
