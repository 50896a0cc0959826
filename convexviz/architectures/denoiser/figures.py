"""The denoiser's own pictures: its paths, its filters, and the pixels it treats alike."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from convexviz.architectures.denoiser import analysis
from convexviz.experiments.result import Result
from convexviz.figures import numbers, tiles
from convexviz.figures.picture import Picture, Theme, canvas, decades, note
from convexviz.figures.theme import label

MOST_FILTERS = 24
RINGS, FEW_RINGS = 60, 24  # more exactly-zero paths are counted, not drawn; few on a phone


def _is_relu(result: Result) -> bool:
    return result.spec.get("neurons") == "relu"


def draw_path_sparsity(result: Result, theme: Theme) -> go.Figure:
    """Stems of `||w_i||` and `||z_i||` on a log scale; exact zeros apart, hollow, counted."""
    figure, paths = canvas(theme, 300), analysis.path_sparsity(result)
    if not paths.n_open:
        return note(figure, theme, f"All {len(paths.norms)} paths are exactly zero.")
    c, norms = theme.roles, paths.norms[: paths.n_open]
    low, high = math.log10(norms[-1]) - 0.3, math.log10(norms[0]) + 0.35
    lane = low - 0.22 * (high - low)
    null = norms < analysis.NULL * norms[0]
    for sign, role in ((1, c.plus if _is_relu(result) else c.convex), (-1, c.minus)):
        mine = paths.signs[: paths.n_open] == sign
        symbol, letter = ("circle", "w") if sign > 0 else ("square", "z")
        for chosen, colour in ((mine & ~null, role), (mine & null, c.noise)):
            _stems(figure, np.where(chosen, norms, np.nan), low, colour, theme)
            figure.data[-1].update(marker_symbol=symbol, hovertemplate=_hover(letter))
    if _is_relu(result):
        _name_signs(figure, paths, theme)
    else:
        words = f"{paths.n_open} of {len(paths.norms)} paths are open"
        label(figure, (1, 1), words, c.convex, xshift=-4, yshift=-8, xref="paper", yref="paper")
    drawn = _rings(figure, paths, lane, theme)
    figure.update_xaxes(
        title="path, largest first", range=[0.2, paths.n_open + drawn + 0.8], nticks=7
    )
    base = {"color": c.line, "width": 1}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=10**low, y1=10**low, line=base)
    bottom = lane - 0.12 * (high - low) if paths.n_zero else low
    every = 1 if high - low < 4 else 2
    title = "‖w‖ and ‖z‖ (log)" if _is_relu(result) else "‖w‖ (log)"
    ticks = decades(low, high, every)
    return figure.update_yaxes(type="log", title=title, range=[bottom, high], **ticks)


def _hover(letter: str) -> str:
    return f"path %{{x}}<br>‖{letter}‖ = %{{y:.3g}}<extra></extra>"


def _stems(
    figure: go.Figure, norms: NDArray[np.float64], low: float, colour: str, theme: Theme
) -> None:
    """Stems at the ranks where `norms` is a number."""
    ranks = np.flatnonzero(np.isfinite(norms)) + 1
    tops = norms[ranks - 1]
    base, nothing = np.full(len(tops), 10**low), np.full(len(tops), np.nan)
    y = np.stack([base, tops, nothing], axis=1).ravel()
    line = {"color": colour, "width": 2 * theme.scale}
    x = np.repeat(ranks.astype(float), 3)
    figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip")
    size = (8 if len(norms) <= 60 else 4) * theme.scale
    figure.add_scatter(x=ranks, y=tops, mode="markers", marker={"color": colour, "size": size})


def _name_signs(figure: go.Figure, paths: analysis.Sparsity, theme: Theme) -> None:
    for row, (sign, colour, glyph, does) in enumerate(
        ((1, theme.roles.plus, "●", "w, adding"), (-1, theme.roles.minus, "■", "z, subtracting"))
    ):
        open_ = int(np.sum((paths.signs == sign) & (paths.norms > 0)))
        words = f"{glyph} {open_} paths {does}"
        y = -8 - 20 * row * theme.scale
        label(figure, (1, 1), words, colour, xshift=-4, yshift=y, xref="paper", yref="paper")


def _rings(figure: go.Figure, paths: analysis.Sparsity, lane: float, theme: Theme) -> int:
    drawn = min(paths.n_zero, FEW_RINGS if theme.narrow else RINGS)
    if not drawn:
        return 0
    c = theme.roles
    ring = {
        "symbol": "circle-open",
        "color": c.noise,
        "size": (8 if drawn <= 30 else 6) * theme.scale,
    }
    x = paths.n_open + 1 + np.arange(drawn)
    hover = "exactly zero<extra></extra>"
    figure.add_scatter(
        x=x, y=np.full(drawn, 10**lane), mode="markers", marker=ring, hovertemplate=hover
    )
    more = f", {drawn} drawn" if drawn < paths.n_zero else ""
    words = f"{numbers.count(paths.n_zero)} exactly zero{more}"
    label(figure, (1, lane), words, c.ink2, xshift=-4, yshift=16, xref="paper")
    return drawn


def alt_path_sparsity(result: Result) -> str:
    """The stems in words."""
    paths = analysis.path_sparsity(result)
    return (
        f"Norms of {len(paths.norms)} paths on a log scale, largest first: {paths.n_open} are open,"
        f" {paths.n_zero} are exactly zero."
    )


def caption_path_sparsity(result: Result) -> str:
    """How many paths are open, and how few of them matter."""
    paths = analysis.path_sparsity(result)
    beta = result.spec.get("weight_decay")
    at = "" if beta is None else f"At weight decay {float(beta):.3g}, "
    total = float(paths.norms.sum())
    if not paths.n_open or not total:
        return f"{at}every path is exactly zero: the penalty outweighs the data.".lstrip()
    needed = int(np.searchsorted(np.cumsum(paths.norms), 0.9 * total)) + 1
    head = f"{at}{paths.n_open} of {len(paths.norms)} paths are open"
    if analysis.is_adaptive(result):
        head = f"{at}{paths.n_open} neurons do the work, found one by one"
    zero = f"; {paths.n_zero} are exactly zero, not merely small" if paths.n_zero else ""
    few = f"The {needed} largest carry" if needed > 1 else "The largest alone carries"
    return f"{head[0].upper()}{head[1:]}{zero}. {few} 90 % of the weight."


def draw_filter_gallery(result: Result, theme: Theme) -> go.Figure:
    """The largest filters, each above its frequency response: the paper's Figure 4."""
    filters = analysis.path_filters(result)
    shown = filters[:MOST_FILTERS]
    if not len(shown):
        return note(canvas(theme, 200), theme, "No path is open, so there is no filter to show.")
    rows = -(-len(shown) // (6 if theme.narrow else 12))
    columns = -(-len(shown) // rows) if rows > 1 else max(len(shown), 5)
    return tiles.draw(
        tiles.Tiles(
            filters=shown,
            responses=analysis.frequency_response(shown),
            words=[numbers.gap(float(norm)) for norm in np.linalg.norm(shown, axis=(1, 2))],
            columns=columns,
        ),
        theme,
    )


def alt_filter_gallery(result: Result) -> str:
    """The gallery in words."""
    n = len(analysis.path_filters(result))
    k = result.spec["kernel_size"]
    return (
        f"The {min(n, MOST_FILTERS)} largest of {n} filters of {k} by {k} weights, each above the "
        "magnitude of its frequency response, sorted by norm."
    )


def caption_filter_gallery(result: Result) -> str:
    """How many filters have a direction, and how many keep the mean."""
    filters = analysis.path_filters(result)
    if not len(filters):
        return "No path is open."
    long = int(np.sum(analysis.orientation(filters).elongation >= analysis.ELONGATED))
    response = analysis.frequency_response(filters)
    middle = response.shape[-1] // 2
    smooth = int(np.sum(response[:, middle, middle] >= 0.5 * response.max(axis=(1, 2))))
    hidden = len(filters) - MOST_FILTERS
    rest = f" {hidden} smaller ones are not drawn." if hidden > 0 else ""
    mean = f"{smooth} pass mostly the mean, {len(filters) - smooth} mostly differences"
    if smooth in (0, len(filters)):
        mean = "all pass mostly the mean" if smooth else "all pass mostly differences"
    return (
        f"{long or 'None'} of {len(filters)} filters have a direction (longer than wide by half); "
        f"{mean}. Under each: its norm.{rest}"
    )


def draw_pixel_clusters(result: Result, theme: Theme) -> go.Figure:
    """The label map of k-means on the activation patterns: the paper's Figure 5."""
    clusters = analysis.pixel_clusters(result)
    n, (h, w) = len(clusters.shares), clusters.labels.shape[1:]
    colours = tiles.shades(n, theme)
    strip, space = 0.05 * max(h, w), 0.03 * max(h, w)
    size = 350 if theme.narrow else 420
    down = h + space + strip
    figure = canvas(theme, min(size * down / w, 520) + 30, aspect=w / down)
    figure.add_heatmap(
        z=(clusters.labels[0] + 1).astype(np.uint8),
        colorscale=[(j / n, c) for i, c in enumerate(colours) for j in (i, i + 1)],
        zmin=0.5,
        zmax=n + 0.5,
        showscale=False,
        hovertemplate="row %{y}, column %{x}<br>cluster %{z}<extra></extra>",
    )
    edges = np.concatenate([[0.0], np.cumsum(clusters.shares)]) * w - 0.5
    top = h - 0.5 + space
    for i, colour in enumerate(colours):
        box = {"x0": edges[i], "x1": edges[i + 1], "y0": top, "y1": top + strip}
        figure.add_shape(type="rect", fillcolor=colour, line_width=0, **box)
    gray = {"size": 12 * theme.scale, "color": theme.roles.ink2}
    for x, anchor, words in (
        (0, "left", "dark"),
        (0.5, "center", "share of pixels"),
        (1, "right", "bright"),
    ):
        figure.add_annotation(
            x=x * w - 0.5, y=top + strip, text=words, xanchor=anchor, yanchor="top", font=gray
        )
    rim = {"color": theme.roles.line, "width": 1}
    for y0, y1 in ((-0.5, h - 0.5), (top, top + strip)):
        figure.add_shape(type="rect", x0=-0.5, x1=w - 0.5, y0=y0, y1=y1, line=rim)
    figure.update_xaxes(visible=False, range=[-0.5, w - 0.5], constrain="domain")
    figure.update_yaxes(
        visible=False, range=[top + strip, -0.5], constrain="domain", scaleanchor="x"
    )
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 24})


def alt_pixel_clusters(result: Result) -> str:
    """The label map in words."""
    clusters = analysis.pixel_clusters(result)
    largest = numbers.share(float(clusters.shares.max()))
    return (
        f"The image in {len(clusters.shares)} shades: pixels with similar activation patterns share"
        f" one, darkest cluster darkest. The largest holds {largest} of the pixels."
    )


def caption_pixel_clusters(result: Result) -> str:
    """What the clusters are, and what they are not."""
    clusters = analysis.pixel_clusters(result)
    n_patterns = len(np.unique(result.arrays["pattern_map"]))
    n_bits = result.arrays["pattern_bits"].shape[1]
    joined = f"k-means joins them into {len(clusters.shares)}."
    if n_patterns == len(clusters.shares):
        joined = "Each is a cluster."
    return (
        f"Nobody gave the network a segmentation: it chooses among {numbers.count(n_patterns)} "
        f"patterns of {n_bits} neurons by what a pixel's patch looks like. {joined}"
    )


def draw_cluster_filters(result: Result, theme: Theme) -> go.Figure:
    """The mean effective filter over each cluster, above its frequency response."""
    clusters = analysis.pixel_clusters(result)
    n = len(clusters.shares)
    return tiles.draw(
        tiles.Tiles(
            filters=clusters.filters,
            responses=analysis.frequency_response(clusters.filters),
            words=[numbers.share(float(s)) for s in clusters.shares],
            columns=-(-n // -(-n // (4 if theme.narrow else 6))),
            bands=tiles.shades(n, theme),
        ),
        theme,
    )


def alt_cluster_filters(result: Result) -> str:
    """The clusters' filters in words."""
    n = len(analysis.pixel_clusters(result).shares)
    return f"The mean effective filter of each of {n} clusters, above its frequency response."


def caption_cluster_filters(result: Result) -> str:
    """How far the clusters' filters average."""
    clusters = analysis.pixel_clusters(result)
    sums = clusters.filters.sum(axis=(1, 2))
    low, high = (f"{round(v, 2) + 0.0:.2f}".replace("-", "−") for v in (sums.min(), sums.max()))
    return (
        "What the network does to each cluster, darkest first. Weights that add to 1 average, "
        f"weights that add to 0 keep only differences. Here they add to between {low} and {high}."
    )


FIGURES: Mapping[str, Picture] = {
    "Path sparsity": Picture(draw_path_sparsity, alt_path_sparsity, caption_path_sparsity),
    "Filter gallery": Picture(draw_filter_gallery, alt_filter_gallery, caption_filter_gallery),
    "Pixel clusters": Picture(draw_pixel_clusters, alt_pixel_clusters, caption_pixel_clusters),
    "Cluster filters": Picture(draw_cluster_filters, alt_cluster_filters, caption_cluster_filters),
}
