"""A board with every kind of panel, and a hand on it."""

from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page

from convexviz.views import board_layers as layers
from convexviz.views.board_panels import Slot
from convexviz.views.board_pictures import (
    Curves,
    Factors,
    Frames,
    Plane,
    Points,
    Series,
    Spectrum,
    shades,
)
from convexviz.views.board_small import (
    Bars,
    Certificates,
    Choice,
    Marks,
    Player,
    Question,
    Say,
    Slider,
)

K = np.arange(1.0, 13.0)
AT = tuple(K.tolist())
POINTS = [[1.0, 0.5, 0], [-1.0, 0.5, 1], [0.0, -1.0, 1]]
VALUES = {"points": POINTS, "k": 4, "step": 0, "beta": 50.0, "critic": "linear"}
RNG = np.random.default_rng(0)
FACES = {
    "mean": np.full((8, 8, 3), 120.0),
    "directions": RNG.integers(-127, 128, (6, 8, 8, 3)).astype(np.int8),
    "scale": np.full(6, 0.2),
    "strength": np.array([3000.0, 1000, 300, 100, 30, 10]),
    "latents": RNG.standard_normal((4, 6)),
    "n": 50,
}


def slot(name: str, **more: Any) -> Slot:
    return Slot(id=name, title=more.pop("title", name), **more)


def panels(*, live: int = 0) -> list[Any]:
    turns = [[layers.arrows([[np.cos(a), np.sin(a)]])] for a in np.linspace(0, 3, 6)]
    fan = layers.fan([0.5, 2.0, 4.0], shade=[0.1, 0.5, 0.9], on=[1])
    states = tuple(
        {"primal": 2.0 + k, "dual": 2.0 + k - 1e-9, "scope": "RELU_NETWORK", "tolerance": 1e-6}
        for k in AT
    )
    return [
        Plane(
            slot=slot("plane", columns=6),
            extent=(-2, 2, -2, 2),
            points=Points(classes=2, labels=("one", "two"), most=4, live=live),
            layers=(fan, layers.frames("step", turns)),
            key=(("arrow", "convex", "neuron"),),
        ),
        Player(slot=slot("player"), variable="step", count=6, wait=20),
        Spectrum(slot=slot("spectrum"), values=np.logspace(2, -1, 12), variable="k"),
        Curves(
            slot=slot("curve"),
            series=(Series(x=K, y=K / 12, low=K / 13, high=K / 11, words="accuracy"),),
            references=({"y": 0.7, "words": "nearest neighbour"},),
            cursor="k",
            drag=True,
            y_unit="%",
        ),
        Frames(
            slot=slot("frames"),
            frames=shades(RNG.standard_normal((12, 3, 4, 4))),
            variable="k",
            at=AT,
        ),
        Factors(slot=slot("faces"), variable="beta", **FACES),
        Slider(
            slot=slot("slider"), variable="beta", label="Weight decay", low=5, high=5000, log=True
        ),
        Certificates(slot=slot("card", area="side"), states=states, variable="k", at=AT),
        Say(slot=slot("say"), texts=tuple(f"**{k:g}** kept" for k in AT), variable="k", at=AT),
        Choice(
            slot=slot("choice"), variable="critic", options=(("linear", "Linear"), ("relu", "ReLU"))
        ),
        Bars(slot=slot("bars"), frames=([{"value": 1.0, "arrow": [1, 0], "weights": [1, -0.5]}],)),
        Marks(
            slot=slot("marks"),
            frames=(
                {
                    "marks": [{"value": 2.0, "words": "bound", "role": "bound"}],
                    "gaps": [{"from": 1.9, "to": 2.0, "words": "loose"}],
                },
            ),
        ),
        Question(
            slot=slot("quiz", area="side"),
            question="Where?",
            options=("here", "there"),
            answer=1,
            why="It was **measured**.",
            hides=("curve",),
        ),
    ]


def settle(page: Page) -> None:
    """Two frames: what was asked for is drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def panel(page: Page, name: str) -> Locator:
    return page.locator(f"[data-panel={name}]")


def values(page: Page) -> dict[str, Any]:
    return page.evaluate("root.__app.values")


def sent(page: Page) -> list[dict[str, Any]]:
    return [report for _, report in page.evaluate("sent")]


def on_plane(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the plane lies in the window."""
    box = panel(page, "plane").locator("canvas").first.bounding_box()
    assert box is not None
    zoom = min(box["width"], box["height"]) / 4
    return box["x"] + box["width"] / 2 + x * zoom, box["y"] + box["height"] / 2 - y * zoom


def press(page: Page, name: str, *keys: str) -> None:
    panel(page, name).locator("[tabindex='0']").first.focus()
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def picture(page: Page, name: str, index: int = 0) -> str:
    return panel(page, name).locator("canvas").nth(index).evaluate("(c) => c.toDataURL()")
