"""What is matched, drawn as the critic sees it: sums, spectra, sum outlines, or the critic."""

from __future__ import annotations

import numpy as np

from convexviz.architectures.wgan import seen
from convexviz.views import board_layers as layers
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Plane, Spectrum
from convexviz.views.wgan_states import Array, Game

WIDE = 2.1  # width over height of a picture here
TALL = 15  # rem, at most
CELLS = (24, 50)


def matched(game: Game, beta: str, live: int) -> AbstractPanel:
    """The picture that belongs to the kind of critic."""
    if game.real.shape[1] == 2 and game.kind == "linear" and not game.discriminator.bias:
        return _sums(game, beta)
    if game.real.shape[1] == 2 and game.kind == "relu":
        return _critic(game, beta) if game.discriminator.bias else _outlines(game, beta)
    return _spectrum(game, beta, live)


def _slot(title: str, note: str = "") -> Slot:
    return Slot(id="matched", title=title, note=note, columns=6)


def _box(points: Array, pad: float) -> tuple[float, float, float, float]:
    """An extent of the panel's shape around points, with `pad` on each side."""
    low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
    middle, half = (low + high) / 2, (high - low) / 2
    tall = float(max(half[1], half[0] / WIDE, 1e-9)) * 1.05
    x, y = float(middle[0]), float(middle[1])
    return x - WIDE * tall, x + WIDE * tall, y - tall, y + tall


def _sums(game: Game, beta: str) -> Plane:
    """The two sums as arrows: the generated one must end within beta of the real one."""
    real = game.real.sum(axis=0)
    frames = []
    for state in game.states:
        made = state.generated.sum(axis=0)
        frames.append(
            [
                layers.ellipse(
                    state.beta**2 * np.eye(2),
                    real.tolist(),
                    role="bound",
                    fill=0.15,
                    width=1.5,
                    dashed=True,
                ),
                layers.arrows([real], role="data", width=3),
                layers.arrows([made], role="convex", width=3),
            ]
        )
    ends = np.array([[0.0, 0.0], real, *(s.generated.sum(axis=0) for s in game.states)])
    widest = min(max(game.betas), 0.6 * float(np.linalg.norm(real)) + 1e-9)
    return Plane(
        slot=_slot("What is matched: the sum of all samples"),
        extent=_box(ends, widest),
        layers=(layers.axes(), layers.frames(beta, frames, game.betas)),
        key=(("arrow", "data", "real"), ("arrow", "convex", "generated"), ("area", "bound", "±β")),
        tallest=TALL,
        alt="The sums of real and generated samples as arrows, with a disc of radius beta",
    )


def _outlines(game: Game, beta: str) -> Plane:
    """The zonotopes of both sets of samples: the generated one stays within the tube."""
    corners = seen.zonotope(game.real)
    frames = [
        [
            layers.outline(corners, tube=min(state.beta, float(np.abs(corners).max())), width=2),
            layers.curve(seen.zonotope(state.generated), closed=True, width=3),
        ]
        for state in game.states
    ]
    return Plane(
        slot=_slot("What is matched: the outline of all sums"),
        extent=_box(corners, 0.3 * float(np.ptp(corners, axis=0).max())),
        layers=(layers.axes(), layers.frames(beta, frames, game.betas)),
        key=(("line", "data", "real"), ("line", "convex", "generated"), ("area", "bound", "±β")),
        tallest=TALL,
        alt="Outlines of the sums of real and generated samples, with a tube of radius beta",
    )


def _critic(game: Game, beta: str) -> Plane:
    """The critic itself over the plane: where it rates a sample up, and where down."""
    low, high = game.real.min(axis=0), game.real.max(axis=0)
    extent = _box(np.stack([low, high]), 0.2 * float(np.ptp(game.real, axis=0).max()))
    x0, x1, y0, y1 = extent
    rows, columns = CELLS
    x, y = np.linspace(x0, x1, columns), np.linspace(y1, y0, rows)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    real = layers.marks(game.real, role="data", form="ring", size=2)
    frames = [
        [
            layers.heat(
                seen.critic_over(game.discriminator, state.critic, grid).reshape(rows, columns)
            ),
            real,
        ]
        for state in game.states
    ]
    return Plane(
        slot=_slot("The optimal critic", "plum rates up, olive down"),
        extent=extent,
        layers=(layers.frames(beta, frames, game.betas),),
        tallest=TALL,
        alt="The critic as a function over the plane",
    )


def _spectrum(game: Game, beta: str, live: int) -> Spectrum:
    """Eigenvalues of X'X with the threshold beta on them."""
    squares = np.linalg.svd(game.real, compute_uv=False) ** 2
    top = float(squares[0]) if len(squares) else 1.0
    low = min(*game.betas, float(squares[squares > 1e-9 * top].min(initial=top)))
    exact = game.kind == "quadratic" and game.start is None and not game.discriminator.bias
    return Spectrum(
        slot=_slot(
            "Eigenvalues of XᵀX, each loses β" if exact else "Eigenvalues of XᵀX against β",
            "drag the line",
        ),
        values=np.maximum(squares, low / 2),
        variable=beta,
        mode="threshold",
        words=("above β", "below β"),
        low=min(game.betas) if game.has_path else 1e-4 * top,
        high=max(game.betas) if game.has_path else 1.5 * top,
        stops=tuple(sorted(game.betas)) if game.has_path else None,
        height=12.5,
        live=live,
        alt="Weight decay beta, against the eigenvalues of the real samples",
    )
