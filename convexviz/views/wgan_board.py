"""The panels of the game in the plane: samples, what the critic sees, and what is matched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convexviz.architectures.quiz import Quiz
from convexviz.architectures.wgan import seen
from convexviz.figures import numbers
from convexviz.views import board_layers as layers
from convexviz.views import certificate
from convexviz.views.board_layers import Layer
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Plane, Points, Series
from convexviz.views.board_small import Certificates, Choice, Question, Say, Slider
from convexviz.views.wgan_matched import matched
from convexviz.views.wgan_states import Array, Game, State, words

BETA, POINTS, DATA, CRITIC = "beta", "points", "data", "critic"  # what the panels share
DEGREES = np.degrees(seen.ANGLES)
LIVE = 120  # milliseconds between two solves of points that are dragged
MOST = 200  # points
MOST_DRAWN = 600

Options = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What the visitor can change, and is asked.

    Attributes:
        data, critics: (value, words) of each choice.
        question: what is asked, and the critic that answers it.
        editable: whether the real samples can be dragged.
        live: milliseconds between two solves while something is dragged; 0: when it is let go.
    """

    data: Options
    critics: Options
    question: tuple[Quiz, str] | None
    editable: bool
    live: int


def panels(game: Game, ways: Ways) -> list[AbstractPanel]:
    """Everything above the fold."""
    data, critics = tuple(ways.data), tuple(ways.critics)
    found: list[AbstractPanel] = [
        Choice(slot=Slot(id="data"), variable=DATA, options=data, label="Data"),
        Choice(
            slot=Slot(id="critic"),
            variable=CRITIC,
            options=critics,
            label="Discriminator",
        ),
        _samples(game, editable=ways.editable, live=ways.live),
        *([_gap(game)] if game.real.shape[1] == 2 else []),
        matched(game, BETA, ways.live),
        Say(
            slot=Slot(id="say"),
            texts=tuple(words(game, state) for state in game.states),
            variable=BETA,
            at=game.betas,
        ),
        _slider(game, ways.live),
        _certificates(game),
    ]
    if ways.question is None:
        return found
    asked, critic = ways.question
    return [
        *found,
        Question(
            slot=Slot(id="quiz", area="side"),
            question=asked.question,
            options=asked.options,
            answer=asked.options.index(asked.answer),
            why=asked.why,
            then={CRITIC: critic},
        ),
    ]


def _slider(game: Game, live: int) -> Slider:
    slot = Slot(id="slider", area="side")
    ends = ("matched closely", "free")
    if game.has_path:
        return Slider(
            slot=slot, variable=BETA, label="Weight decay β",
            values=tuple(sorted(game.betas)), ends=ends,
        )  # fmt: skip
    low, high = range_of(game)
    return Slider(
        slot=slot, variable=BETA, label="Weight decay β", low=low, high=high, log=True, ends=ends,
        live=live,
    )  # fmt: skip


def range_of(game: Game) -> tuple[float, float]:
    """Weight decays worth a visit: four decades below the one that changes nothing."""
    start = np.zeros((len(game.states[0].generated), game.real.shape[1]))
    top = game.discriminator.value(game.real, start if game.start is None else game.start)
    beta = game.states[0].beta
    high = max(top, beta) or 1.0
    return min(1e-4 * high, beta), high


def _certificates(game: Game) -> Certificates:
    result = game.result
    n_patterns = int(result.scalars["n_patterns"])
    foot = _foot(game)
    states = tuple(
        certificate.fields(
            state.certificate,
            tolerance=float(result.spec["tolerance"]),
            n_patterns=n_patterns,
            foot=foot,
        )
        for state in game.states
    )
    return Certificates(
        slot=Slot(id="certificate", area="side"), states=states, variable=BETA, at=game.betas
    )


def _foot(game: Game) -> str:
    """How it was solved, and how long that took."""
    result = game.result
    seconds = float(result.scalars["solve_seconds"])
    if not game.has_path:
        return f"Solved in {numbers.seconds(seconds)}, on one core."
    many = len(game.states)
    return f"{many} weight decays solved in {numbers.seconds(seconds)}, on one core."


def _samples(game: Game, *, editable: bool, live: int) -> Plane:
    """Real samples, generated ones on their way from the noise, and what is matched."""
    axes = plane(game.real)
    real = game.real @ axes
    start = None if game.start is None else game.start @ axes
    few = slice(None, None, max(1, len(real) // MOST_DRAWN))
    still: list[Layer] = [layers.axes()]
    if not editable:
        still.append(layers.marks(real[few], role="data", form="ring", size=3.5))
    frames = [_frame(game, state, axes, start) for state in game.states]
    key = [("ring", "data", "real"), ("disc", "convex", "generated")]
    if start is not None:
        key.append(("line", "noise", "way from the noise"))
    if game.kind != "quadratic":
        key.append(("plus", "convex", "mean"))
    if game.kind in ("quadratic", "polynomial"):
        key.append(("line", "convex", "second moment"))
    points = Points(
        variable=POINTS, editable=True, open=True, size=3.5, most=MOST, fewest=3, live=live
    )
    half = extent(game, axes)
    return Plane(
        slot=Slot(
            id="samples",
            title="Real and generated samples",
            note="drag a point, click to add one" if editable else "",
            columns=6,
            rows=2,
        ),
        extent=(-half, half, -half, half),
        points=points if editable else None,
        layers=(*still, layers.frames(BETA, frames, game.betas)),
        key=tuple(key),
        alt="Real and generated samples in the plane",
    )


def plane(X: Array) -> Array:
    """The two directions that are drawn: the plane itself, or X's two largest."""
    if X.shape[1] == 2:
        return np.eye(2)
    directions = np.linalg.svd(X, full_matrices=False)[2][:2].T
    return np.hstack([directions, np.zeros((len(directions), 2 - directions.shape[1]))])


def extent(game: Game, axes: Array) -> float:
    """Half the side of the plane, in steps that a dragged point seldom crosses."""
    made = np.concatenate([np.abs(state.generated @ axes).max(axis=1) for state in game.states])
    far = max(float(np.abs(game.real @ axes).max()), float(np.quantile(made, 0.99)), 1e-9)
    step = 10.0 ** math.floor(math.log10(far)) / 2
    return math.ceil(1.04 * far / step) * step


def _frame(game: Game, state: State, axes: Array, start: Array | None) -> list[Layer]:
    """One weight decay in the plane."""
    G = state.generated @ axes
    few = slice(None, None, max(1, len(G) // MOST_DRAWN))
    found = []
    if start is not None:
        ways = np.hstack([start[few], G[few]])
        found.append(layers.segments(ways, role="noise", alpha=0.5))
    found.append(layers.marks(G[few], role="convex", size=3.6))
    return [*found, *_moments(game, G, game.real @ axes)]


def _moments(game: Game, G: Array, X: Array) -> list[Layer]:
    """What this kind of critic compares, of both: means, and second moments as ellipses."""
    found: list[Layer] = []
    for samples, role in ((X, "data"), (G, "convex")):
        below = role == "data"
        mean = samples.mean(axis=0)
        about = np.zeros(2) if game.kind == "quadratic" else mean
        if game.kind in ("quadratic", "polynomial"):
            apart = samples - about
            matrix = apart.T @ apart / len(samples)
            width = 6 if below else 2.5
            found.append(layers.ellipse(matrix, about.tolist(), role=role, width=width))
        if game.kind != "quadratic":
            form = "cross" if below else "plus"
            found.append(layers.marks(mean[None], role=role, form=form, size=5, rim=True))
    return found


def _gap(game: Game) -> Curves:
    """e(u) over beta against the direction of u: nothing may leave the band."""
    rows = [
        seen.gap_by_direction(game.discriminator, game.real, s.generated) / s.beta
        for s in game.states
    ]
    gap = np.stack(rows)
    angle = np.broadcast_to(DEGREES, gap.shape)
    one = np.ones_like(gap)
    series = [Series(x=angle, y=0 * gap, low=-one, high=one, role="bound", width=0)]
    if game.start is not None:
        before = seen.gap_by_direction(game.discriminator, game.real, game.start)
        noise = np.stack([before / s.beta for s in game.states])
        noise[np.abs(noise) > 1.6] = np.nan
        series.append(Series(x=angle, y=noise, role="noise", width=1.5, dashed=True))
    series.append(Series(x=angle, y=gap, width=3))
    touched, signs = _touched(game)
    series.append(Series(x=touched, y=signs, role="bound", width=0, dots=True))
    return Curves(
        slot=Slot(
            id="gap",
            title="What the critic still sees, by direction",
            note="(real − generated) / β",
            columns=6,
        ),
        series=tuple(series),
        references=(
            {"y": 1.0, "words": "+β", "role": "bound"},
            {"y": -1.0, "words": "−β", "role": "bound", "above": False},
        ),
        x_range=(0.0, 360.0),
        y_range=(-1.7, 1.7),
        x_label="direction in degrees; dots: the best critic's neurons",
        height=12.5,
        variable=BETA,
        at=game.betas,
        alt="What the critic still tells apart in each direction, over beta: within one everywhere",
    )


def _touched(game: Game) -> tuple[Array, Array]:
    """Directions and signs of the critic's neurons; a row a weight decay, padded with nothing."""
    even = game.kind == "quadratic" and not game.discriminator.bias
    found = []
    for state in game.states:
        U, v = state.critic.directions, state.critic.weights
        strong = np.abs(v) > 1e-4 * np.abs(v).max(initial=0.0)
        angle = np.degrees(np.arctan2(U[strong, 1], U[strong, 0])) % 360
        sign = np.sign(v[strong])
        if even:
            angle, sign = np.concatenate([angle, (angle + 180) % 360]), np.concatenate([sign, sign])
        found.append((angle, sign))
    most = max(1, *(len(angle) for angle, _ in found))
    touched = np.full((2, len(found), most), np.nan)
    for i, (angle, sign) in enumerate(found):
        touched[0, i, : len(angle)], touched[1, i, : len(sign)] = angle, sign
    return touched[0], touched[1]


def values(game: Game, index: int, data: str, critic: str, points: Any) -> dict[str, Any]:
    """Where the variables stand: as the page says."""
    beta = game.betas[index] if game.has_path else game.states[0].beta
    return {BETA: beta, DATA: data, CRITIC: critic, POINTS: points}
