"""F of a ReLU discriminator over every linear generator of one latent: what is allowed, in islands.

The samples are `z w'`, so two numbers say it all: the angle and the length of w. What is allowed is
not convex (THEORY 5.6), so no descent into it is called global; what is proved is proved by branch
and bound over all angles.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from convexviz.core import landscape as cores
from convexviz.core.landscape import Landscape
from convexviz.experiments.result import Result
from convexviz.figures.convergence import faint
from convexviz.figures.picture import Picture, Theme, canvas, note

GRID = (60, 120)
ROOM = 0.3  # of the way from the least F there is to F(0), where nothing is allowed at beta
WHY_NOT = "F over one latent is drawn for points of the plane."


def can_draw(result: Result) -> bool:
    """Whether the samples are points of the plane, with latents that are not all zero."""
    X, Z = result.data["X"], result.data["Z"]
    return X.shape[1] == 2 and bool(np.any(Z[:, 0])) and len(X) <= 400


def of(result: Result) -> tuple[Landscape, float]:
    """The landscape at the result's beta and nought; or, where nothing is allowed there, at one
    between the least F of one latent and that of no samples at all, with that least F.
    """
    X, z = result.data["X"], np.ascontiguousarray(result.data["Z"][:, 0])
    return _of(X.tobytes(), z.tobytes(), len(X), float(result.spec["weight_decay"]))


@lru_cache(maxsize=8)  # drawing, caption and text alternative ask in turn
def _of(X_bytes: bytes, z_bytes: bytes, n: int, beta: float) -> tuple[Landscape, float]:
    X = np.frombuffer(X_bytes).reshape(n, 2)
    z = np.frombuffer(z_bytes)
    found = cores.landscape(X, z, beta, grid=GRID)
    if found.islands:
        return found, 0.0
    least, nothing = float(found.value.min()), float(found.value[0, 0])
    return cores.landscape(X, z, least + ROOM * (nothing - least), grid=GRID), least


def draw(result: Result, theme: Theme) -> go.Figure:
    """F over angle and length, the border F = beta, and the length that no allowed w undercuts."""
    figure, c = canvas(theme, 400), theme.roles
    if not can_draw(result):
        return note(figure, theme, WHY_NOT)
    found, _ = of(result)
    degrees = np.degrees(np.append(found.angles, 2 * np.pi))
    value = np.hstack([found.value, found.value[:, :1]])
    shades = [[i / 4, faint(c.noise, a)] for i, a in enumerate((0.0, 0.15, 0.3, 0.5, 0.7))]
    figure.add_heatmap(
        x=degrees, y=found.scales, z=value, zmin=found.beta, colorscale=shades, showscale=False,
        hovertemplate="angle %{x:.0f}°, length %{y:.3g}<br>F = %{z:.3g}<extra></extra>",
    )  # fmt: skip
    first, last = (np.append(a, a[:1]) for a in (found.first, found.last))
    for start, end in _runs(first):
        x = degrees[start:end]
        figure.add_scatter(
            x=np.concatenate([x, x[::-1], x[:1]]),
            y=np.concatenate([first[start:end], last[start:end][::-1], first[start : start + 1]]),
            mode="lines", fill="toself", fillcolor=faint(c.bound, 0.3),
            line={"color": c.bound, "width": 2 * theme.scale}, hoverinfo="skip",
        )  # fmt: skip
    proved = found.proved
    if np.isfinite(proved.lower) and proved.lower > 0:
        line = {"color": c.bound, "dash": "dash", "width": 1.5 * theme.scale}
        figure.add_hline(y=proved.lower, line=line)
    if np.isfinite(proved.upper):
        angle = float(np.degrees(proved.angle) % 360)
        marker = {"color": c.convex, "size": 11 * theme.scale}
        figure.add_scatter(
            x=[angle], y=[proved.upper], mode="markers", marker=marker,
            hovertemplate="the shortest found: %{y:.4g}<extra></extra>",
        )  # fmt: skip
    title = "angle of w, in degrees"
    if (
        np.isfinite(proved.lower) and proved.lower > 0
    ):  # beside the line it would lie on the islands
        title += f"; dashed: no allowed w is shorter than {proved.lower:.4g}"
        if theme.narrow:
            title = f"angle of w; dashed: none is shorter than {proved.lower:.4g}"
    figure.update_xaxes(title=title, range=[0, 360], dtick=90)
    return figure.update_yaxes(title="length of w", range=[0, float(found.scales[-1])])


def _runs(first: np.ndarray) -> list[tuple[int, int]]:
    """Where consecutive angles are allowed: starts and ends."""
    on = np.concatenate([[False], np.isfinite(first), [False]])
    edges = np.flatnonzero(on[1:] != on[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def alt(result: Result) -> str:
    """The landscape in words."""
    if not can_draw(result):
        return WHY_NOT
    found, _ = of(result)
    return (
        f"F of a ReLU discriminator over angle and length of a generator of one latent: "
        f"{found.islands} separate sets of generators are allowed at beta {found.beta:.3g}."
    )


def caption(result: Result) -> str:
    """How many islands there are, and what is proved of all of them."""
    if not can_draw(result):
        return WHY_NOT
    found, least = of(result)
    own = float(result.spec["weight_decay"])
    head = (
        f"At β = {own:.3g} no generator of one latent is allowed: the least F is {least:.3g}. "
        f"Drawn at β = {found.beta:.3g}."
        if least
        else f"β = {found.beta:.3g}."
    )
    many = "one island" if found.islands == 1 else f"{found.islands} islands"
    proved = found.proved
    return (
        f"{head} What a **ReLU** discriminator allows to G = z w' is {many}: not convex in w, so "
        f"where descent ends depends on where it starts. Branch and bound over all angles proves "
        f"the least |w| between {proved.lower:.5g} and {proved.upper:.5g}."
    )


LANDSCAPE = Picture(draw, alt, caption)
