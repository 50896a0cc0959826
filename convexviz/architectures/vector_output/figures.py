"""The vector-output lab's own pictures: regions, blocks, bounds, and Frank-Wolfe's steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from convexviz.architectures.vector_output import analysis
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.picture import Picture, Theme, canvas, note
from convexviz.figures.theme import label

MOST_BLOCKS = 24
GRID = 160
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")


def colours(theme: Theme, count: int) -> list[str]:
    """A colour a class, in the order of the roles."""
    c = theme.roles
    known = [c.plus, c.minus, c.convex, c.ink2, c.noise]
    return [known[k % len(known)] for k in range(count)]


def draw_regions(result: Result, theme: Theme) -> go.Figure:
    """The plane in the colour of the largest output, the points on top, the neurons as arrows."""
    figure = canvas(theme, 420, aspect=1.2)
    labels = analysis.classes(result)
    if not analysis.plane(result) or labels is None:
        return note(figure, theme, "Regions are drawn for classes of points in the plane.")
    X = np.asarray(result.data["X"])
    reach = 1.25 * float(np.abs(X[:, :2]).max())
    axis = np.linspace(-reach, reach, GRID)
    a, b = np.meshgrid(axis, axis)
    grid = np.stack([a.ravel(), b.ravel()] + [np.full(a.size, X[0, 2])] * (X.shape[1] - 2), axis=1)
    winner = result.network.predict(grid).argmax(axis=1).reshape(a.shape)
    count = int(result.data["Y"].shape[1])
    shades = colours(theme, count)
    scale = [(k / count, shades[k]) for k in range(count)]
    scale = [(p, s) for k, (p, s) in enumerate(scale) for p in (p, (k + 1) / count)]
    figure.add_heatmap(
        x=axis, y=axis, z=winner, colorscale=scale, zmin=-0.5, zmax=count - 0.5,
        opacity=0.22, showscale=False, hoverinfo="skip",
    )  # fmt: skip
    for k in range(count):
        mine = X[labels == k]
        marker = {"color": shades[k], "size": 10 * theme.scale, "symbol": SYMBOLS[k % 8]}
        figure.add_scatter(
            x=mine[:, 0], y=mine[:, 1], mode="markers", marker=marker,
            hovertemplate=f"class {k}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
        )  # fmt: skip
    if X.shape[1] == 2:
        _arrows(figure, result, shades, theme, reach)
    figure.update_xaxes(title="x₁", range=[-reach, reach], constrain="domain")
    return figure.update_yaxes(title="x₂", range=[-reach, reach], scaleanchor="x")


def _arrows(
    figure: go.Figure, result: Result, shades: list[str], theme: Theme, reach: float
) -> None:
    U, V = result.arrays["first_layer"], result.arrays["second_layer"]
    longest = float(np.linalg.norm(U, axis=0).max(initial=0.0))
    for u, v in zip(U.T, V, strict=True):
        tip = 0.9 * reach * u / longest
        figure.add_annotation(
            x=tip[0], y=tip[1], ax=0, ay=0, xref="x", yref="y", axref="x", ayref="y", text="",
            arrowcolor=shades[int(np.argmax(v))], arrowwidth=2 * theme.scale, arrowhead=2,
            showarrow=True,
        )  # fmt: skip


def alt_regions(result: Result) -> str:
    """The regions in words."""
    n, count = len(result.data["Y"]), int(result.scalars["n_neurons"])
    return f"{n} training points over the regions of the largest output; {count} neurons."


def caption_regions(result: Result) -> str:
    """How many neurons, and how many points are told right."""
    count = int(result.scalars["n_neurons"])
    told = result.scalars.get("train_accuracy")
    right = "" if told is None else f" {numbers.share(told)} of the points get their class."
    few = "one neuron" if count == 1 else f"{count} neurons"
    return f"The best network here needs {few}.{right} Its rivals may have any number."


def draw_blocks(result: Result, theme: Theme) -> go.Figure:
    """Two bars a pattern: the norm on the cone over the plain nuclear norm; the rank above."""
    figure = canvas(theme, 320)
    found = analysis.blocks(result)
    shown = min(len(found.ranks), MOST_BLOCKS)
    if not shown:
        return note(figure, theme, "No neuron is on: every block is zero.")
    names = [str(i + 1) for i in range(shown)]
    pairs = (
        ("norm on the cone", found.on_cone, theme.roles.convex),
        ("nuclear norm", found.nuclear, theme.roles.noise),
    )
    for name, values, colour in pairs:
        figure.add_bar(
            x=names, y=values[:shown], marker={"color": colour}, name=name,
            hovertemplate=f"{name} %{{y:.4g}}<extra></extra>",
        )  # fmt: skip
    for i in range(shown):  # by place: a name that is a number would be read as one
        figure.add_annotation(
            x=i, y=float(found.on_cone[i]), text=f"{found.ranks[i]}", showarrow=False,
            yshift=10 * theme.scale, font={"color": theme.roles.ink2},
        )  # fmt: skip
    for row, (name, _, colour) in enumerate(pairs):
        label(
            figure, (1, 1), f"■ {name}", colour, xshift=-4, yshift=-8 - 20 * row * theme.scale,
            xref="paper", yref="paper",
        )  # fmt: skip
    figure.update_layout(barmode="group", showlegend=False)
    figure.update_xaxes(title="pattern, largest block first (rank above)", type="category")
    return figure.update_yaxes(title="‖Zᵢ‖", rangemode="tozero")


def alt_blocks(result: Result) -> str:
    """The bars in words."""
    found = analysis.blocks(result)
    return f"Norms of {len(found.ranks)} blocks: on their cones, and plain nuclear norms."


def caption_blocks(result: Result) -> str:
    """Where the cone costs something, and the largest rank."""
    found = analysis.blocks(result)
    if not len(found.ranks):
        return "No block is on: the penalty outweighs the data."
    dearer = int(np.sum(found.on_cone > found.nuclear * (1 + 1e-6)))
    total = float(found.on_cone.sum()) / max(float(found.nuclear.sum()), 1e-300)
    rank = int(found.ranks.max())
    count = len(found.ranks)
    used = f"{count} pattern{' is' if count == 1 else 's are'} in use, of rank up to {rank}. "
    if "gate_of_neuron" in result.arrays:
        return used + "Gates are fixed here, so there is no cone: both norms are one."
    if not dearer:
        return used + "No cone makes its block dearer than the plain nuclear norm."
    return (
        f"{used}In {dearer} of them the cone makes the block dearer than its nuclear norm; in all "
        f"by a factor of {total:.3f}."
    )


def draw_bounds(result: Result, theme: Theme) -> go.Figure:
    """The marks on one axis: bounds from below, the network's objective from above."""
    figure = canvas(theme, 190)
    marks = analysis.marks(result)
    colour = {"network": theme.roles.convex, "copositive bound": theme.roles.ink2}
    values = [value for _, value in marks]
    low, high = min(values), max(values)
    room = max(high - low, 1e-7 * abs(high)) or 1.0  # less is rounding
    figure.add_shape(
        type="rect", x0=low, x1=high, y0=-0.25, y1=0.25, line_width=0, opacity=0.15,
        fillcolor=theme.roles.bound,
    )  # fmt: skip
    for row, (name, value) in enumerate(marks):
        own = colour.get(name, theme.roles.bound)
        figure.add_scatter(
            x=[value], y=[0], mode="markers",
            marker={"color": own, "symbol": "line-ns-open", "size": 34 * theme.scale},
            hovertemplate=f"{name}: %{{x:.12g}}<extra></extra>",
        )  # fmt: skip
        words = f"{name} {value:.9g}"
        label(figure, (0, 1), words, own, xshift=4, yshift=-4 - 20 * row * theme.scale,
              xref="paper", yref="paper", xanchor="left")  # fmt: skip
    figure.update_xaxes(title="objective", range=[low - 0.6 * room, high + 0.6 * room], nticks=4)
    return figure.update_yaxes(visible=False, range=[-1, 1.6])


def alt_bounds(result: Result) -> str:
    """The marks in words."""
    return "; ".join(f"{name} {value:.9g}" for name, value in analysis.marks(result))


def caption_bounds(result: Result) -> str:
    """How far apart the marks are, and what the bound covers."""
    certificate = result.certificate
    gap = numbers.gap(certificate.relative_gap)
    words = f"Bound and network are {gap} of the objective apart. "
    words += f"The bound covers {certificate.scope.covers}."
    if "copositive_bound" in result.scalars:
        short = certificate.primal - float(result.scalars["copositive_bound"])
        words += f" The relaxation stays {short:.2g} below the network."
    return words


def draw_frank_wolfe(result: Result, theme: Theme) -> go.Figure:
    """The gap of the constrained problem at every step, both axes logarithmic."""
    figure = canvas(theme, 320)
    if "frank_wolfe_gap" not in result.arrays:
        return note(figure, theme, "Solve with method frank_wolfe to watch it place neurons.")
    gaps = np.maximum(np.asarray(result.arrays["frank_wolfe_gap"]), 1e-300)
    steps = np.arange(1, len(gaps) + 1)
    figure.add_scatter(
        x=steps, y=gaps, mode="lines", line={"color": theme.roles.convex, "width": 2 * theme.scale},
        hovertemplate="step %{x}<br>gap %{y:.3g}<extra></extra>",
    )  # fmt: skip
    best = np.minimum.accumulate(gaps)
    figure.add_scatter(
        x=steps, y=best, mode="lines", line={"color": theme.roles.ink2, "dash": "dot"},
        hovertemplate="best so far %{y:.3g}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="step k", type="log", dtick=1)
    return figure.update_yaxes(title="gap tM(R) − ⟨R, F⟩ (log)", type="log", dtick=1)


def alt_frank_wolfe(result: Result) -> str:
    """The curve in words."""
    if "frank_wolfe_gap" not in result.arrays:
        return "This result is not of Frank–Wolfe."
    gaps = result.arrays["frank_wolfe_gap"]
    return f"Gap over {len(gaps)} steps, from {gaps[0]:.3g} to {gaps[-1]:.3g}."


def caption_frank_wolfe(result: Result) -> str:
    """How many steps were needed for what."""
    if "frank_wolfe_gap" not in result.arrays:
        return "Each step of Frank–Wolfe places one neuron in the cone that wins the search."
    gaps = np.asarray(result.arrays["frank_wolfe_gap"])
    t = float(result.arrays["frank_wolfe_path_norm"][0])
    neurons = int(result.scalars["n_neurons"])
    return (
        f"{len(gaps)} steps within path norm {t:.4g} leave a gap of {gaps.min():.2g} and "
        f"{neurons} different neurons. The exact solver needs a dozen steps and far fewer."
    )


FIGURES: Mapping[str, Picture] = {
    "Regions": Picture(draw_regions, alt_regions, caption_regions),
    "Blocks and their norms": Picture(draw_blocks, alt_blocks, caption_blocks),
    "Bounds": Picture(draw_bounds, alt_bounds, caption_bounds),
    "Frank–Wolfe": Picture(draw_frank_wolfe, alt_frank_wolfe, caption_frank_wolfe),
}
