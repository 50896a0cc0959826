"""Paths, frequencies, clusters and the quiz obey their definitions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.architectures.denoiser import analysis, quiz


@dataclass(frozen=True)
class Outcome:
    arrays: dict[str, Any]
    spec: dict[str, Any] = field(default_factory=dict)


def paths(group_norms, neurons="gated", **arrays):
    return Outcome({"group_norms": np.asarray(group_norms), **arrays}, {"neurons": neurons})


def bar(angle, k=9, length=3.0, width=0.7):
    y, x = np.mgrid[:k, :k] - k // 2
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    shape = np.exp(-(along**2) / (2 * length**2) - across**2 / (2 * width**2))
    return shape / shape.sum()


def test_exact_zeros_are_counted_apart_from_merely_small_norms():
    sparsity = analysis.path_sparsity(paths([0.0, 2.0, 1e-4, 0.0, 1.0]))
    assert list(sparsity.norms) == [2.0, 1.0, 1e-4, 0.0, 0.0]
    assert (sparsity.n_zero, sparsity.n_null, sparsity.n_open) == (2, 3, 3)


def test_each_path_keeps_its_sign_when_the_norms_are_sorted():
    both = analysis.path_sparsity(paths([[1.0, 0.0], [3.0, 2.0]], "relu"))
    assert list(both.signs) == [-1, -1, 1, 1]
    second = np.array([[1.0], [-2.0]])
    adaptive = analysis.path_sparsity(paths([1.0, 4.0], "relu", second_layer=second))
    assert list(adaptive.signs) == [-1, 1]


def test_a_result_without_open_paths_has_only_null_filters():
    sparsity = analysis.path_sparsity(paths([0.0, 0.0, 0.0]))
    assert (sparsity.n_zero, sparsity.n_null, sparsity.n_open) == (3, 3, 0)


def test_path_filters_are_signed_sorted_and_without_the_bias():
    first = np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [9.0, 9.0]])
    outcome = Outcome(
        {"first_layer": first, "second_layer": np.array([[1.0], [-3.0]])}, {"kernel_size": 2}
    )
    filters = analysis.path_filters(outcome)
    assert filters.shape == (2, 2, 2)
    np.testing.assert_allclose(filters[:, 0, 0], [-6.0, 1.0])


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_the_response_is_the_size_of_the_filtered_plane_wave(k, seed):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((1, k, k))
    u, v = rng.integers(0, 28, 2)
    rows, columns = np.mgrid[:k, :k]
    wave = np.exp(-2j * np.pi * (u * rows + v * columns) / 28)
    response = analysis.frequency_response(weights)[0]
    shifted = response[(u + 14) % 28, (v + 14) % 28]
    assert shifted == pytest.approx(abs(np.sum(weights[0] * wave)), abs=1e-12 * k * k + 1e-12)


def test_the_identity_of_a_residual_network_passes_every_frequency():
    for k in (1, 2, 3, 4, 9):
        identity = analysis.with_identity(np.zeros((1, k, k)))
        np.testing.assert_allclose(analysis.frequency_response(identity), 1.0)
    arrays = {"filters": np.zeros((1, 3, 3))}
    assert analysis.effective_filters(Outcome(arrays, {"residual": True}))[0, 1, 1] == 1.0
    assert not analysis.effective_filters(Outcome(arrays, {"residual": False})).any()


def test_k_means_finds_separated_groups_whatever_the_weights():
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(4), 30)
    points = (np.eye(4)[truth].repeat(5, axis=1) + 0.05 * rng.random((120, 20))).astype(np.float32)
    labels = analysis.weighted_k_means(points, rng.integers(1, 50, 120).astype(float), 4)
    pairs = set(zip(truth.tolist(), labels.tolist(), strict=True))
    assert len(pairs) == 4
    assert len(set(labels.tolist())) == 4


def test_k_means_beats_any_single_reassignment_of_a_pattern():
    rng = np.random.default_rng(2)
    points = (rng.random((80, 10)) < 0.4).astype(np.float32)
    weights = rng.integers(1, 9, 80).astype(float)
    labels = analysis.weighted_k_means(points, weights, 6)
    centres = np.stack(
        [np.average(points[labels == c], axis=0, weights=weights[labels == c]) for c in range(6)]
    )
    distance = np.sum((points[:, None] - centres) ** 2, axis=2)
    nearest = distance.min(axis=1) + 1e-6
    assert np.all(distance[np.arange(80), labels] <= nearest)
    wrong = np.roll(labels, 1)  # the same check refuses another labelling
    assert not np.all(distance[np.arange(80), wrong] <= nearest)


def clustered(n_patterns, n_bits=6):
    rng = np.random.default_rng(3)
    bits = (np.arange(n_patterns)[:, None] >> np.arange(n_bits)) & 1
    pattern_map = rng.integers(0, n_patterns, (2, 7, 9))
    return Outcome(
        {
            "pattern_bits": bits.astype(np.uint8),
            "pattern_map": pattern_map,
            "filters": rng.standard_normal((n_patterns, 3, 3)),
            "denoised": pattern_map / n_patterns + 0.01 * rng.random((2, 7, 9)),
        },
        {"kernel_size": 3},
    )


@pytest.mark.parametrize("n_patterns", [1, 5, 12, 40])
def test_clusters_cover_every_pixel_and_get_brighter(n_patterns):
    outcome = clustered(n_patterns)
    clusters = analysis.pixel_clusters(outcome)
    n = len(clusters.shares)
    assert n == min(n_patterns, 12)
    assert clusters.shares.sum() == pytest.approx(1.0)
    assert np.all(np.diff(clusters.intensity) >= 0)
    image = outcome.arrays["denoised"]
    for c in range(n):
        here = clusters.labels == c
        assert here.mean() == pytest.approx(clusters.shares[c])
        assert image[here].mean() == pytest.approx(clusters.intensity[c])
        mean = outcome.arrays["filters"][outcome.arrays["pattern_map"][here]].mean(axis=0)
        np.testing.assert_allclose(clusters.filters[c], mean, atol=1e-12)


def test_pixels_of_one_pattern_share_a_cluster_and_the_labels_never_change():
    outcome = clustered(40)
    clusters = analysis.pixel_clusters(outcome)
    again = analysis.pixel_clusters(outcome)
    np.testing.assert_array_equal(clusters.labels, again.labels)
    for p in range(40):
        assert len(np.unique(clusters.labels[outcome.arrays["pattern_map"] == p])) <= 1


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120, 175])
def test_the_long_axis_of_a_bar_is_the_direction_it_was_drawn_in(degrees):
    angle = np.radians(degrees)
    shape = analysis.orientation(bar(angle)[None])
    assert abs(np.sin(shape.angle[0] - angle)) < 0.05  # an axis, so 0 and 180 degrees are equal
    assert shape.elongation[0] > analysis.ELONGATED


def test_round_single_and_empty_filters_have_no_direction():
    single = np.zeros((5, 5))
    single[2, 2] = 1.0
    filters = np.stack([bar(0.3, 5, 1.5, 1.5), single, np.zeros((5, 5))])
    np.testing.assert_allclose(analysis.orientation(filters).elongation, 1.0, atol=0.02)


def edge_outcome(angle_of_filter):
    """A vertical edge in the middle of the image, one filter everywhere."""
    image = np.repeat((np.arange(64) >= 32).astype(float)[None], 64, axis=0)
    arrays = {
        "filters": bar(angle_of_filter)[None] if angle_of_filter is not None else ROUND,
        "pattern_map": np.zeros((1, 64, 64), dtype=np.int32),
    }
    return Outcome(arrays, {"kernel_size": 9}), image


ROUND = bar(0.0, 9, 1.5, 1.5)[None]


@pytest.mark.parametrize(
    ("angle", "answer"), [(np.pi / 2, quiz.ALONG), (0.0, quiz.ACROSS), (None, quiz.EQUALLY)]
)
def test_the_quiz_answers_what_the_filter_does_at_the_edge(angle, answer):
    outcome, image = edge_outcome(angle)
    asked = quiz.quiz(outcome, image)
    assert asked is not None
    assert asked.answer == answer
    assert asked.answer in asked.options
    assert abs(asked.place[1] - 31.5) < 3  # on the edge
    turned = quiz.quiz(outcome, image.T.copy())
    assert turned is not None
    opposite = {quiz.ALONG: quiz.ACROSS, quiz.ACROSS: quiz.ALONG, quiz.EQUALLY: quiz.EQUALLY}
    assert turned.answer == opposite[answer]


def test_the_quiz_is_not_asked_where_nothing_is_clear():
    oblique, image = edge_outcome(np.pi / 4)
    assert quiz.quiz(oblique, image) is None
    along, _ = edge_outcome(np.pi / 2)
    assert quiz.quiz(along, np.ones((64, 64))) is None  # no edge
    assert quiz.quiz(along, np.ones((16, 16))) is None  # no room for the filter
