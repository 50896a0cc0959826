"""The game's own pictures: what was matched, and the threshold on the spectrum."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.architectures.wgan.figures_landscape import LANDSCAPE
from convexviz.architectures.wgan.figures_race import RACE
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.convergence import faint
from convexviz.figures.picture import Picture, Theme, canvas, decades, note
from convexviz.figures.theme import label

__all__ = ["FIGURES", "RACE"]

MOST_BARS, FEW_BARS = 60, 24
MOST_POINTS = 2000
TURN = np.linspace(0, 2 * np.pi, 181)
SEES = {
    "linear": "means",
    "quadratic": "second moments about the origin",
    "polynomial": "means and second moments",
    "relu": "every half-plane's mean",
}

Array = NDArray[np.float64]


def plane(result: Result) -> Array:
    """The two directions that are drawn, as columns: the plane itself, or X's two largest."""
    X = result.data["X"]
    if X.shape[1] == 2:
        return np.eye(2)
    directions = np.linalg.svd(X, full_matrices=False)[2][:2].T
    return np.hstack([directions, np.zeros((len(directions), 2 - directions.shape[1]))])


def points(result: Result) -> tuple[Array, Array, Array | None]:
    """Real samples, generated ones and, where they were moved, their start, in the plane."""
    axes = plane(result)
    start = result.data["G0"] @ axes if result.spec["penalty"] == "displacement" else None
    return result.data["X"] @ axes, result.arrays["generated"] @ axes, start


def only_moments(result: Result) -> bool:
    """Whether X's rows are no samples, but stand for the second moment of images that do not ship.

    They are directions as long as their singular values: of a plane, two rows at most are not zero.
    """
    if result.data["X"].shape[1] == 2 or len(result.data["X"]) < 5:
        return False
    far = np.abs(points(result)[0]).max(axis=1)
    return 1 <= int(np.sum(far > 1e-6 * far.max())) <= 2


def ellipse(points: Array, centre: Array) -> Array:
    """Where the quadratic form of the points' mean square about `centre` is one."""
    apart = points - centre
    values, V = np.linalg.eigh(apart.T @ apart / max(len(points), 1))
    circle = np.stack([np.cos(TURN), np.sin(TURN)], axis=1)
    return centre + (circle * np.sqrt(np.maximum(values, 0.0))) @ V.T


def draw_samples(result: Result, theme: Theme) -> go.Figure:
    """Real and generated samples, with the mean and the ellipse that the discriminator matches."""
    real, generated, start = points(result)
    c = theme.roles
    figure = canvas(theme, 340 if theme.narrow else 440, aspect=1.0)
    if start is not None:
        _paths(figure, start, generated, theme)
    players = ((real, c.data, "circle-open", "real"), (generated, c.convex, "circle", "generated"))
    bare = only_moments(result)
    if bare:  # X'X is what they stand for: over as many rows as are generated
        real = real * math.sqrt(len(real) / len(generated))
        players = ((real, *players[0][1:]), players[1])
    for samples, colour, symbol, name in players[1:] if bare else players:
        shown = samples[:: max(1, len(samples) // MOST_POINTS)]
        marker = {"color": colour, "size": 7 * theme.scale, "symbol": symbol}
        hover = name + " (%{x:.2f}, %{y:.2f})<extra></extra>"
        figure.add_scatter(
            x=shown[:, 0], y=shown[:, 1], mode="markers", marker=marker, hovertemplate=hover
        )
    for samples, colour, _, _ in reversed(players):
        _matched(figure, result, samples, colour, theme)
    far = ellipse(real, np.zeros(2)) if bare else real
    reach = 1.12 * max(float(np.abs(far).max()), float(np.abs(generated).max()))
    corner = {"xanchor": "left", "xshift": 4}
    words = "real: second moment" if bare else "real"
    label(figure, (-reach, reach), words, c.data, yshift=-10, **corner)
    label(figure, (-reach, reach), "generated", c.convex, yshift=-28, **corner)
    axes = ("x₁", "x₂") if len(plane(result)) == 2 else ("direction 1", "direction 2")
    figure.update_xaxes(title=axes[0], range=[-reach, reach], constrain="domain")
    return figure.update_yaxes(
        title=axes[1], range=[-reach, reach], scaleanchor="x", constrain="domain"
    )


def _paths(figure: go.Figure, start: Array, end: Array, theme: Theme) -> None:
    few = slice(None, None, max(1, len(start) // MOST_POINTS))
    gap = np.full(len(start[few]), np.nan)
    lines = [np.stack([start[few][:, i], end[few][:, i], gap], axis=1).ravel() for i in (0, 1)]
    line = {"color": faint(theme.roles.noise, 0.45), "width": theme.scale}
    figure.add_scatter(x=lines[0], y=lines[1], mode="lines", line=line, hoverinfo="skip")


def _matched(figure: go.Figure, result: Result, samples: Array, colour: str, theme: Theme) -> None:
    kind = result.spec["discriminator"]
    mean = samples.mean(axis=0)
    if kind != "quadratic":
        symbol = "x" if colour == theme.roles.data else "cross"
        marker = {"color": colour, "size": 13 * theme.scale, "symbol": symbol}
        figure.add_scatter(
            x=mean[:1], y=mean[1:], mode="markers", marker=marker,
            hovertemplate="mean (%{x:.3f}, %{y:.3f})<extra></extra>",
        )  # fmt: skip
    if kind in ("quadratic", "polynomial"):
        outline = ellipse(samples, np.zeros(2) if kind == "quadratic" else mean)
        dash = "dash" if colour == theme.roles.data else "solid"
        line = {"color": colour, "width": 2 * theme.scale, "dash": dash}
        figure.add_scatter(
            x=outline[:, 0], y=outline[:, 1], mode="lines", line=line, hoverinfo="skip"
        )


def alt_samples(result: Result) -> str:
    """The samples in words."""
    n, m = len(result.data["X"]), len(result.arrays["generated"])
    if only_moments(result):
        return f"{m} generated samples in the plane, with the second moment of the real ones."
    return f"{n} real and {m} generated samples in the plane, with what the discriminator matches."


def caption_samples(result: Result) -> str:
    """What was matched, and how far from it the samples still are."""
    kind, beta = str(result.spec["discriminator"]), float(result.spec["weight_decay"])
    value = result.scalars["discriminator_value"]
    if not np.any(result.arrays["generated"]):
        return f"β = {beta:.3g} is above all that the discriminator sees: nothing is generated."
    return (
        f"A {kind} discriminator sees {SEES[kind]}, and nothing else: generated and real samples "
        f"differ there by {value:.3g}, of the β = {beta:.3g} allowed."
    )


def draw_spectrum(result: Result, theme: Theme) -> go.Figure:
    """Eigenvalues of X'X, what is left of them above beta, and those of the generated samples."""
    squares = result.arrays["singular_values"] ** 2
    beta = float(result.spec["weight_decay"])
    shown = squares[: FEW_BARS if theme.narrow else MOST_BARS]
    figure, c = canvas(theme, 300), theme.roles
    if not shown.any():
        return note(figure, theme, "All real samples are zero.")
    own = np.zeros(len(shown))
    found = np.linalg.svd(result.arrays["generated"], compute_uv=False)[: len(shown)] ** 2
    own[: len(found)] = found
    low = math.log10(max(min(beta, float(shown[shown > 0].min())), 1e-6 * float(shown[0]))) - 0.4
    high = math.log10(max(float(shown[0]), beta)) + 0.3
    rank = np.arange(1, len(shown) + 1)
    outline = {"color": "rgba(0,0,0,0)", "line": {"color": c.data, "width": 1.5 * theme.scale}}
    hover = "direction %{x}<br>σ² = %{y:.4g}<extra></extra>"
    figure.add_bar(x=rank, y=shown, marker=outline, hovertemplate=hover)
    hover = "direction %{x}<br>generated %{y:.4g}<extra></extra>"
    figure.add_bar(x=rank, y=own, marker={"color": c.convex}, width=0.5, hovertemplate=hover)
    line = {"color": c.hand, "dash": "dash", "width": 2 * theme.scale}
    figure.add_hline(y=beta, line=line)
    over = {"xref": "paper", "yshift": 12, "bgcolor": c.paper}
    label(figure, (1, math.log10(beta)), f"β = {beta:.3g}", c.ink2, **over)
    figure.update_layout(barmode="overlay")
    few: dict[str, int] = {"dtick": 1} if len(shown) < 8 else {"nticks": 8}
    figure.update_xaxes(title="direction, largest first", range=[0.3, len(shown) + 0.7], **few)
    ticks = decades(low, high, 1 if high - low < 4 else 2)
    title = "eigenvalue of XᵀX (log)"
    return figure.update_yaxes(type="log", title=title, range=[low, high], **ticks)


def alt_spectrum(result: Result) -> str:
    """The spectrum in words."""
    n, kept = len(result.arrays["singular_values"]), int(result.scalars["n_kept"])
    return f"{n} eigenvalues of the real samples, largest first: {kept} lie above β."


def caption_spectrum(result: Result) -> str:
    """How many directions are kept, and how much of the energy."""
    squares = result.arrays["singular_values"] ** 2
    kept, beta = int(result.scalars["n_kept"]), float(result.spec["weight_decay"])
    if kept == 0:
        return f"β = {beta:.3g} is above the largest eigenvalue {squares[0]:.4g}: G = 0 is optimal."
    share = numbers.share(float(squares[:kept].sum() / squares.sum()))
    each = "The blue bars are what is generated."
    if result.spec["discriminator"] == "quadratic" and result.spec["penalty"] != "displacement":
        each = "Each of them loses β; the rest is dropped, not shrunk."
    return (
        f"{kept} of {len(squares)} directions, with {share} of the squares, lie above "
        f"β = {beta:.3g}. {each}"
    )


FIGURES: Mapping[str, Picture] = {
    "Samples": Picture(draw_samples, alt_samples, caption_samples),
    "Spectrum": Picture(draw_spectrum, alt_spectrum, caption_spectrum),
    "Landscape": LANDSCAPE,
}
