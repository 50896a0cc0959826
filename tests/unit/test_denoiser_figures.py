"""Figures draw the numbers of the result, unchanged, and their sentences say what is drawn."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import pytest

from convexviz.architectures.denoiser import analysis
from convexviz.architectures.denoiser.figures import FIGURES
from convexviz.core.solution import Certificate, Progress, Scope
from convexviz.experiments.result import Result
from convexviz.figures import convergence, for_architecture, numbers, race
from convexviz.figures.picture import Theme
from convexviz.figures.theme import roles

KINDS = ("gated", "relu", "adaptive")
THEMES = (Theme(), Theme(roles=roles("dark"), narrow=True, scale=1.3))


def make(kind: str = "gated", n_open: int = 5, n_zero: int = 3) -> Result:
    rng = np.random.default_rng(0)
    k, n_patterns = 3, 20
    filters = (
        rng.standard_normal((n_open, k * k)) * np.logspace(0, -4, max(n_open, 1))[:n_open, None]
    )
    norms = np.linalg.norm(filters, axis=1)
    signs = np.ones(n_open) if kind == "gated" else np.where(np.arange(n_open) % 2, -1.0, 1.0)
    second = (signs * np.sqrt(norms))[:, None]
    first = (filters * signs[:, None] / np.sqrt(norms)[:, None]).T
    group_norms = np.concatenate([norms, np.zeros(n_zero)])
    if kind == "relu":
        group_norms = np.zeros((2, n_open + n_zero))
        group_norms[(signs < 0).astype(int), np.arange(n_open)] = norms
    if kind == "adaptive":
        group_norms = norms
    pattern_map = rng.integers(0, n_patterns, (2, 10, 12))
    trace = tuple(
        Progress(i, 10.0 + 5 * 10.0**-i, 10.0 - 3 * 10.0**-i, 0.01 * 2**i) for i in range(7)
    )
    certificate = Certificate(trace[-1].primal, trace[-1].dual, Scope.SAMPLED_PROGRAM)
    return Result(
        architecture="denoiser",
        spec={
            "kernel_size": k,
            "weight_decay": 0.5,
            "residual": False,
            "tolerance": 1e-4,
            "neurons": "gated" if kind == "gated" else "relu",
        },
        certificate=certificate,
        status="optimal",
        seconds=1.64,
        scalars={"setup_seconds": 1.0},
        arrays={
            "first_layer": first,
            "second_layer": second,
            "group_norms": group_norms,
            "filters": rng.standard_normal((n_patterns, k, k)),
            "pattern_map": pattern_map,
            "pattern_bits": rng.integers(0, 2, (n_patterns, n_open)).astype(np.uint8),
            "denoised": rng.random((2, 10, 12)),
        },
        data={},
        provenance={"device": "one core"},
        trace=trace,
    )


def start(level: float, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """One run of descent that ends at `level`."""
    seconds = np.geomspace(0.05, 20, n)
    return seconds, level + 40 * np.exp(-5 * seconds)


def descent(*levels: float) -> SimpleNamespace:
    runs = [start(level) for level in levels]
    return SimpleNamespace(
        seconds=np.stack([t for t, _ in runs]), objectives=np.stack([y for _, y in runs])
    )


def words(figure: go.Figure) -> str:
    return " | ".join(a.text for a in figure.layout.annotations)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_draws_with_alt_and_a_short_caption(kind, theme):
    result = make(kind)
    for title, picture in for_architecture("denoiser").items():
        figure = picture(result, theme)
        layout = figure.to_plotly_json()["layout"]
        assert layout["height"] > 0, title
        assert "title" not in layout, title  # LOOK: no title inside the figure
        assert not figure.layout.template.layout.showlegend
        assert figure.to_json()
        assert picture.alt(result).endswith(".")
        assert 5 <= len(picture.caption(result).split()) <= 40, title
        assert "nan" not in picture.caption(result).lower()


def test_the_architectures_own_pictures_come_first_and_in_order():
    own = ["Path sparsity", "Filter gallery", "Pixel clusters", "Cluster filters"]
    assert list(FIGURES) == own
    assert list(for_architecture("denoiser")) == [*own, "Convergence", "Primal and dual"]


def test_path_sparsity_draws_each_open_norm_and_a_ring_for_each_zero():
    result = make(n_open=5, n_zero=3)
    figure = FIGURES["Path sparsity"](result)
    rings = [t for t in figure.data if t.marker.symbol == "circle-open"]
    assert len(rings) == 1
    assert len(rings[0].x) == 3
    tops = np.concatenate([t.y for t in figure.data if t.mode == "markers" and t is not rings[0]])
    np.testing.assert_allclose(np.sort(tops)[::-1], result.arrays["group_norms"][:5])
    assert "3 exactly zero" in words(figure)
    assert "5 of 8 paths are open" in words(figure)
    assert min(tops) > max(rings[0].y)


def test_path_sparsity_tells_the_paths_that_add_from_those_that_subtract():
    figure = FIGURES["Path sparsity"](make("relu"))
    assert "3 paths w, adding" in words(figure)
    assert "2 paths z, subtracting" in words(figure)
    assert {t.marker.symbol for t in figure.data} >= {"circle", "square"}


def test_many_exact_zeros_are_counted_rather_than_drawn():
    figure = FIGURES["Path sparsity"](make(n_zero=500))
    assert "500 exactly zero, 60 drawn" in words(figure)


def test_a_result_without_open_paths_says_so_in_every_picture():
    result = make(n_open=0, n_zero=4)
    for picture in FIGURES.values():
        assert isinstance(picture(result), go.Figure)
    assert "All 4 paths are exactly zero." in words(FIGURES["Path sparsity"](result))


def test_the_gallery_shows_each_filter_in_order_centred_on_zero():
    result = make(n_open=5)
    figure = FIGURES["Filter gallery"](result)
    heat = figure.data[0]
    assert (heat.zmin, heat.zmax) == (-1, 1)
    filters = analysis.path_filters(result)
    for i in range(5):
        tile = heat.z[:3, 4 * i : 4 * i + 3]
        np.testing.assert_allclose(tile, filters[i] / np.abs(filters[i]).max(), atol=1e-4)
    assert np.isnan(heat.z[:, 3]).all()
    responses = analysis.frequency_response(filters)
    tile = figure.data[1].z[:28, :28]
    np.testing.assert_allclose(tile, responses[0] / responses[0].max(), atol=1e-4)


def test_the_gallery_counts_the_filters_that_it_does_not_show():
    picture = FIGURES["Filter gallery"]
    assert "6 smaller ones are not drawn" in picture.caption(make(n_open=30))
    assert "not drawn" not in picture.caption(make(n_open=24))
    texts = [t for t in picture(make(n_open=30)).data if t.type == "scatter" and t.mode == "text"]
    assert len(texts[0].text) == 24


def test_the_label_map_is_the_clusters_and_lighter_means_brighter():
    result = make()
    for theme in THEMES:
        heat = FIGURES["Pixel clusters"](result, theme).data[0]
        np.testing.assert_array_equal(heat.z, analysis.pixel_clusters(result).labels[0] + 1)
        greens = [int(colour[3:5], 16) for _, colour in heat.colorscale]
        assert greens == sorted(greens)


def test_convergence_draws_the_gap_to_the_bound_known_at_that_moment():
    result = make()
    figure = convergence.relative_gap(result)
    expected = [(p.primal - p.dual) / p.primal for p in result.trace]
    np.testing.assert_allclose(figure.data[0].y, expected)
    np.testing.assert_allclose(figure.data[0].x, [p.seconds for p in result.trace])
    assert "1.00 s of set-up" in figure.layout.xaxis.title.text


def test_a_bound_that_is_exact_or_a_missing_trace_do_not_break_the_log_axis():
    result = make()
    exact = dataclasses.replace(result, trace=(Progress(0, 3.0, 3.0, 0.0),))
    for picture in (convergence.relative_gap, convergence.bounds):
        assert np.isfinite(picture(exact).layout.yaxis.range).all()
        assert "no trace" in words(picture(dataclasses.replace(result, trace=())))


def test_the_race_draws_both_solvers_relative_to_the_best_dual():
    result, runs = make(), descent(10.5, 11.0)
    measured = race.measure(result, runs)
    dual, primal = result.certificate.dual, result.certificate.primal
    np.testing.assert_allclose(measured.runs[0][1], (runs.objectives[0] - dual) / primal)
    assert measured.seconds[0] == pytest.approx(1.0 + result.trace[0].seconds)  # with set-up
    figure = race.race(result, runs)
    shown = [t for t in figure.data if t.line.width == 1.5 and t.line.dash is None]
    np.testing.assert_allclose(shown[0].customdata, measured.runs[0][1])
    # A decade of gap is one unit of the axis.
    assert np.polyfit(np.log10(shown[0].customdata), shown[0].y, 1)[0] == pytest.approx(1.0)


def test_the_race_names_the_moment_from_which_the_convex_program_leads():
    result = make()
    runs = SimpleNamespace(
        seconds=np.array([[0.1, 1.02, 5.0]]), objectives=np.array([[90.0, 10.01, 10.01]])
    )
    turn = race.measure(result, runs).overtaken
    assert turn is not None
    first_better = next(p.seconds for p in result.trace if p.primal < 10.01)
    assert turn == pytest.approx(1.0 + first_better)
    assert f"leads for {numbers.seconds(turn)}" in race.caption(result, runs)
    runs.seconds[:] += 1.0  # the convex program has its first value before descent has
    assert "leads" not in race.caption(result, runs)


def test_a_start_below_the_convex_value_is_said_to_win_and_only_then():
    result = make()
    primal = result.certificate.primal
    assert "wins" in race.caption(result, descent(primal - 0.1, 11.0))
    assert "wins" in words(race.race(result, descent(primal - 0.1)))
    assert "wins" not in race.caption(result, descent(primal + 0.1))
    assert "wins" not in words(race.race(result, descent(primal + 0.1)))
    assert "wins" not in race.caption(result, descent(primal - 1e-7))  # rounding is no claim


@pytest.mark.parametrize("level", [9.0, 9.9, 9.999999, -5.0, 10.0, 25.0])
def test_the_race_axis_holds_values_below_the_bound_in_order(level):
    result, runs = make(), descent(level, 12.0)
    figure = race.race(result, runs)
    low, high = figure.layout.yaxis.range
    curve = figure.data[0]
    y, value = np.asarray(curve.y), np.asarray(curve.customdata)
    assert np.isfinite(y).all()
    assert low <= y.min()
    assert y.max() <= high
    assert np.all(np.diff(y[np.argsort(value)]) >= 0)
    below = race.measure(result, runs).below_bound
    assert below == (level < 9.99)
    assert ("the bound" in words(figure)) == below
    if below:
        assert "sampled patterns only" in race.caption(result, runs)


def test_starts_that_diverge_are_left_out():
    runs = descent(10.5, 11.0)
    runs.objectives[0, 3:] = np.nan
    assert len(race.measure(make(), runs).runs) == 2
    runs.objectives[:] = np.inf
    assert "diverged" in words(race.race(make(), runs))
    assert "diverged" in race.caption(make(), runs)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.2e-7, "3.2e-7"), (0.034, "0.034"), (0.42, "0.42"), (1e-17, "< 1e-15"), (0.0996, "0.10")],
)
def test_gaps_are_written_as_everywhere(value, text):
    assert numbers.gap(value).replace("\u2060", "") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.2e-4, "0.22 ms"), (0.084, "84 ms"), (3.21, "3.21 s"), (42.1, "42.1 s"), (125, "2 min 5 s")],
)
def test_seconds_are_written_as_everywhere(value, text):
    assert numbers.seconds(value) == text
