"""Batch norm's own pictures: the spectrum and its cut, class filters, and who is right."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.architectures.batch_norm.analysis import class_filters, classes, kept_directions
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.figures.picture import Picture, Theme, canvas, decades, note
from convexviz.figures.theme import label
from convexviz.figures.tiles import ramp

GAP = 1  # blank cells between the tiles of a mosaic


def draw_spectrum(result: Result, theme: Theme) -> go.Figure:
    """Singular values of the centred data on a log scale, kept ones filled, cut ones hollow."""
    sizes = np.asarray(result.arrays["singular_values"], dtype=float)
    figure, c = canvas(theme, 300), theme.roles
    if not len(sizes):
        return note(figure, theme, "The rows do not vary: there is no direction.")
    relative, ranks = sizes / sizes[0], np.arange(1, len(sizes) + 1)
    k = kept_directions(result)
    low = math.log10(relative[-1]) - 0.2
    for chosen, colour, symbol, what in (
        (ranks <= k, c.convex, "circle", "kept"),
        (ranks > k, c.noise, "circle-open", "cut"),
    ):
        x, y = ranks[chosen], relative[chosen]
        stems = np.stack([np.full(len(y), 10**low), y, np.full(len(y), np.nan)], axis=1).ravel()
        line = {"color": colour, "width": 1.5 * theme.scale}
        figure.add_scatter(
            x=np.repeat(x.astype(float), 3), y=stems, mode="lines", line=line, hoverinfo="skip"
        )
        hover = f"direction %{{x}}, {what}<br>σ = %{{y:.3g}} of the largest<extra></extra>"
        marker = {"color": colour, "symbol": symbol, "size": 6 * theme.scale}
        figure.add_scatter(x=x, y=y, mode="markers", marker=marker, hovertemplate=hover)
    words = f"{k} of {len(sizes)} directions kept"
    label(figure, (1, 1), words, c.convex, xshift=-4, yshift=-8, xref="paper", yref="paper")
    if k < len(sizes):
        line = {"color": c.hand, "width": 2 * theme.scale}
        figure.add_shape(type="line", x0=k + 0.5, x1=k + 0.5, y0=0, y1=1, yref="paper", line=line)
    figure.update_xaxes(title="direction, largest first", range=[0.2, len(sizes) + 0.8], nticks=7)
    if len(sizes) < 7:
        figure.update_xaxes(dtick=1)  # there is no half of a direction
    title = "singular value σ, of the largest (log)"
    return figure.update_yaxes(type="log", title=title, range=[low, 0.15], **decades(low, 0.15, 1))


def alt_spectrum(result: Result) -> str:
    """The spectrum in words."""
    sizes = result.arrays["singular_values"]
    return (
        f"{len(sizes)} singular values of the centred data on a log scale, largest first; the "
        f"first {kept_directions(result)} are kept."
    )


def caption_spectrum(result: Result) -> str:
    """What is kept of the variance, and what whitening does to the smallest."""
    sizes = np.asarray(result.arrays["singular_values"], dtype=float)
    if not len(sizes):
        return "All rows are equal."
    k = kept_directions(result)
    last = sizes[0] / sizes[k - 1]
    share = numbers.share(float(result.scalars["explained_variance"]))
    if k == 1:
        return f"The one direction kept holds {share} of the variance: only its size changes."
    return (
        f"The {k} directions kept hold {share} of the variance. Batch norm gives them all the "
        f"same size: the smallest of them is blown up {last:.3g} times against the largest."
    )


def draw_class_filters(result: Result, theme: Theme) -> go.Figure:
    """What each output weighs: images where the inputs are squares, else stems."""
    filters = class_filters(result)
    c, d = filters.shape
    side = math.isqrt(d)
    if side * side != d or side < 4:
        return _stems(filters, theme)
    columns = min(c, 5 if theme.narrow else 10)
    rows = -(-c // columns)
    step = side + GAP
    z = np.full((rows * step - GAP, columns * step - GAP), np.nan)
    largest = np.maximum(np.abs(filters).max(axis=1), 1e-300)
    for j, filter_ in enumerate(filters):
        top, left = divmod(j, columns)
        here = np.s_[top * step : top * step + side, left * step : left * step + side]
        z[here] = (filter_ / largest[j]).reshape(side, side)
    figure = canvas(theme, 90 * rows + 30, aspect=columns / rows)
    figure.add_heatmap(
        z=z.astype(np.float32),
        colorscale=ramp(theme.roles.diverging),
        zmin=-1,
        zmax=1,
        showscale=False,
        hoverongaps=False,
        hovertemplate="weight %{z:.2f} of the largest<extra></extra>",
    )
    for j in range(c):
        top, left = divmod(j, columns)
        small = {"size": 12 * theme.scale, "color": theme.roles.ink2}
        x = left * step + (side - 1) / 2
        figure.add_annotation(x=x, y=top * step - 0.5, text=str(j), yanchor="bottom", font=small)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(
        visible=False, range=[len(z) - 0.5, -2.0], constrain="domain", scaleanchor="x"
    )
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 8, "b": 4})


def _stems(filters: NDArray[np.float64], theme: Theme) -> go.Figure:
    figure, c = canvas(theme, 260), theme.roles
    x = np.arange(1, filters.shape[1] + 1)
    for j, weights in enumerate(filters[:10]):
        colours = np.where(weights >= 0, c.plus, c.minus)
        hover = f"output {j}, input %{{x}}<br>%{{y:.3g}}<extra></extra>"
        marker = {"color": colours, "size": 6 * theme.scale}
        figure.add_scatter(x=x, y=weights, mode="markers", marker=marker, hovertemplate=hover)
    line = {"color": c.line, "width": 1}
    figure.add_shape(type="line", x0=0, x1=1, xref="paper", y0=0, y1=0, line=line)
    figure.update_xaxes(title="input", nticks=7)
    return figure.update_yaxes(title="weight Σ γ w v / ‖CXw‖")


def alt_class_filters(result: Result) -> str:
    """The filters in words."""
    c, d = class_filters(result).shape
    return f"The weights of {d} inputs for each of {c} outputs, summed over the neurons."


def caption_class_filters(result: Result) -> str:
    """Where the weight sits."""
    filters = np.abs(class_filters(result))
    total = filters.sum(axis=1)
    if not total.all():
        return "No neuron is left for some output: its weights are zero."
    share = np.sort(filters, axis=1)[:, ::-1][:, : max(1, filters.shape[1] // 16)].sum(axis=1)
    median = numbers.share(float(np.median(share / total)))
    few = max(1, filters.shape[1] // 16)
    inputs = "input carries" if few == 1 else f"{few} inputs carry"
    return (
        f"For half of the outputs, the heaviest {inputs} {median} or more of all weight. "
        "Strokes are features; single pixels are directions that hardly vary."
    )


def draw_outcome(result: Result, theme: Theme) -> go.Figure:
    """Right answers by class, trained on and held out; targets against outputs for regression."""
    if classes(result) is None:
        return _regression(result, theme)
    figure, c = canvas(theme, 280), theme.roles
    width = 0.36
    parts = [("Y", "predictions", "trained on", c.noise)]
    if "test_predictions" in result.arrays:
        parts.append(("test_Y", "test_predictions", "held out", c.convex))
    for place, (targets, outputs, words, colour) in enumerate(parts):
        truth, said = _labels(result.data[targets]), _labels(result.arrays[outputs])
        names = np.unique(truth)
        right = np.array([100 * np.mean(said[truth == name] == name) for name in names])
        x = names + (place - 0.5) * width
        hover = f"class %{{customdata}}, {words}<br>%{{y:.1f}} % right<extra></extra>"
        figure.add_bar(
            x=x, y=right, width=width, marker_color=colour, customdata=names, hovertemplate=hover
        )
        overall = 100 * float(np.mean(said == truth))
        y = -6 - 18 * place * theme.scale
        text = f"{words}: {overall:.1f} %"
        label(figure, (1, 1), text, colour, xshift=-4, yshift=y, xref="paper", yref="paper")
    figure.update_xaxes(title="class", dtick=1)
    return figure.update_yaxes(title="right, %", range=[0, 128], tickvals=[0, 25, 50, 75, 100])


def _labels(values: NDArray[np.float64]) -> NDArray[np.int64]:
    if values.ndim == 1:
        return np.asarray(values > 0, dtype=np.int64)
    return np.asarray(values.argmax(axis=1), dtype=np.int64)


def _regression(result: Result, theme: Theme) -> go.Figure:
    figure, c = canvas(theme, 300), theme.roles
    for targets, outputs, colour in (
        ("test_Y", "test_predictions", c.noise),
        ("Y", "predictions", c.convex),
    ):
        if outputs in result.arrays:
            x, y = result.data[targets].ravel(), result.arrays[outputs].ravel()
            step = -(-len(x) // 2000)
            marker = {"color": colour, "size": 5 * theme.scale}
            hover = "target %{x:.3g}<br>output %{y:.3g}<extra></extra>"
            figure.add_scatter(
                x=x[::step], y=y[::step], mode="markers", marker=marker, hovertemplate=hover
            )
    ends = [float(result.data["Y"].min()), float(result.data["Y"].max())]
    line = {"color": c.line, "width": 1}
    figure.add_shape(type="line", x0=ends[0], y0=ends[0], x1=ends[1], y1=ends[1], line=line)
    figure.update_xaxes(title="target y")
    return figure.update_yaxes(title="output f(x)")


def alt_outcome(result: Result) -> str:
    """Accuracy or error in words."""
    if classes(result) is None:
        return "Outputs against targets, a point a row; on the line an output is the target."
    return "The share of right answers for each class, trained on and held out."


def caption_outcome(result: Result) -> str:
    """What the same network says of rows that it has seen and of others."""
    scalars = result.scalars
    if classes(result) is None:
        loss = f"The training loss is {scalars['train_loss']:.3g}"
        if "test_loss" not in scalars:
            return f"{loss}. The line marks outputs that equal their target."
        n, m = len(result.data["Y"]), len(result.data["test_Y"])
        return (
            f"Loss a row: {scalars['train_loss'] / n:.3g} trained on, "
            f"{scalars['test_loss'] / m:.3g} held out (grey)."
        )
    train = 100 * scalars["train_accuracy"]
    if "test_accuracy" not in scalars:
        return f"{train:.1f} % of the training rows are right."
    return (
        f"{train:.1f} % right on the rows it was trained on, "
        f"{100 * scalars['test_accuracy']:.1f} % on those it has not seen."
    )


FIGURES: Mapping[str, Picture] = {
    "Spectrum": Picture(draw_spectrum, alt_spectrum, caption_spectrum),
    "Class filters": Picture(draw_class_filters, alt_class_filters, caption_class_filters),
    "Right answers": Picture(draw_outcome, alt_outcome, caption_outcome),
}
