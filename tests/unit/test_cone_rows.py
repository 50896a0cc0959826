"""Cones by the rows that were needed so far: they answer as cones of all rows do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexviz.core import cone_rows
from convexviz.core.arrangements import Arrangements, patterns_of
from convexviz.core.cone_rows import ConeRows
from convexviz.core.cones import Cone, cone_of, unit_rows
from convexviz.core.relu import ReluProgram
from convexviz.core.relu_data import ReluData
from convexviz.solvers.constrained import ActiveSet

KINDS = ("wide", "rounded", "rank-deficient", "intensities", "on the gate", "constant column")


def hostile(kind: str, d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows and two gates."""
    X, gates = rng.standard_normal((60 * d, d)), rng.standard_normal((d, 2))
    if kind == "rounded":
        X = np.round(X)  # repeated and zero rows, rows on the gates, corners of many walls
        gates = np.round(2 * gates) + 0.5
    elif kind == "rank-deficient":
        X[:, -1] = X[:, 0]
    elif kind == "intensities":
        X, gates = np.abs(X), np.abs(gates)  # all rows on one side of the gates
    elif kind == "on the gate":
        X[:5] -= np.outer(X[:5] @ gates[:, 0], gates[:, 0]) / (gates[:, 0] @ gates[:, 0])
    elif kind == "constant column":
        X[:, 0] = 1.0
    return X, gates


def known_cones(X: np.ndarray, gates: np.ndarray) -> tuple[ConeRows, list[Cone]]:
    """The cones by few rows, and by all."""
    patterns = patterns_of(X, gates)
    rows, kept = unit_rows(X)
    every = np.zeros(X.shape)
    every[kept] = rows
    return ConeRows(every, patterns, gates), [cone_of(rows, kept, p) for p in patterns.T]


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), d=st.integers(2, 6), kind=st.sampled_from(KINDS))
def test_projections_are_those_onto_all_rows(seed: int, d: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    few, whole = known_cones(*hostile(kind, d, rng))
    C, groups = rng.standard_normal((6, d)), np.repeat([0, 1], 3)
    sizes = np.linalg.norm(C, axis=1)
    found = few.project(C, groups, np.zeros(6))
    for j, c in enumerate(C):
        exact = whole[groups[j]].project(c)
        assert found.bounds[j] == pytest.approx(exact.bound, abs=1e-9)
        np.testing.assert_allclose(found.points[j], exact.point, atol=1e-9 * sizes[j])
        assert whole[groups[j]].slack(found.points[j]).min(initial=0.0) >= -1e-12 * sizes[j]
    # A bound below the stop is a bound, finished or not; one above it is the length.
    stopped = few.project(C, groups, 0.4 * sizes)
    for j, c in enumerate(C):
        exact = whole[groups[j]].project(c).bound
        assert stopped.bounds[j] >= exact * (1 - 1e-12)
        if stopped.bounds[j] > 0.4 * sizes[j] * (1 + 1e-9):
            assert stopped.bounds[j] == pytest.approx(exact, abs=1e-9)


def test_few_rows_are_enough() -> None:
    rng = np.random.default_rng(0)
    X = np.abs(rng.standard_normal((5000, 5)))
    few, whole = known_cones(X, rng.standard_normal((5, 2)))
    few.project(rng.standard_normal((40, 5)), np.repeat([0, 1], 20), np.zeros(40))
    assert max(len(normals) for normals in few.normals([0, 1])) < 400
    assert min(cone.signs.size for cone in whole) == 5000


@pytest.mark.parametrize("room", [1.0, 0.0])
def test_points_beyond_the_listed_rows_are_compared_with_more(
    room: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cone_rows, "LISTED", room)  # list more rows; or look at all of them
    monkeypatch.setattr(cone_rows, "near_rows", only_the_nearest)
    rng = np.random.default_rng(1)
    few, whole = known_cones(rng.standard_normal((400, 3)), rng.standard_normal((3, 1)))
    C = rng.standard_normal((30, 3))
    found = few.project(C, np.zeros(30, dtype=np.int64), np.zeros(30))
    for c, point in zip(C, found.points, strict=True):
        np.testing.assert_allclose(point, whole[0].project(c).point, atol=1e-10)


def only_the_nearest(
    rows: np.ndarray, patterns: np.ndarray, gates: np.ndarray, groups: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Thirty rows a gate."""
    found = []
    for j, group in enumerate(groups):
        t = np.where(patterns[:, group], 1.0, -1.0) * (rows @ gates[:, j])
        ids = np.argsort(t)[:30]
        found.append((ids, t[ids], float(t[ids].max())))
    return found


def test_black_rows_are_not_listed() -> None:
    rng = np.random.default_rng(0)
    X = np.zeros((4000, 3))
    X[::8] = rng.standard_normal((500, 3))
    few, whole = known_cones(X, rng.standard_normal((3, 1)))
    found = few.project(np.ones((1, 3)), np.zeros(1, dtype=np.int64), np.zeros(1))
    np.testing.assert_allclose(found.points[0], whole[0].project(np.ones(3)).point, atol=1e-12)
    assert len(few._near[0].listed) <= 500


def test_data_with_scaled_rows_share_the_cones() -> None:
    rng = np.random.default_rng(0)
    X, gates = hostile("wide", 3, rng)
    data = ReluData(X, np.ones(len(X)), Arrangements(gates, patterns_of(X, gates), False))
    scaled = data.with_rows_scaled(X * rng.uniform(0.1, 9.0, (len(X), 1)), data.y)
    C = rng.standard_normal((4, 3))
    scaled.project(C, np.array([0, 0, 1, 1]))
    assert scaled.cones is data.cones
    np.testing.assert_allclose(
        scaled.project(C, np.array([0, 0, 1, 1]))[0], data.project(C, np.array([0, 0, 1, 1]))[0]
    )


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_a_gate_of_any_length_lists_the_same_rows(size: float) -> None:
    rng = np.random.default_rng(0)
    X, gates = rng.standard_normal((400, 3)), rng.standard_normal((3, 2))
    few, _ = known_cones(X, gates)
    scaled = ConeRows(few.rows, few.patterns, gates * size)
    for expected, normals in zip(few.normals([0, 1]), scaled.normals([0, 1]), strict=True):
        np.testing.assert_array_equal(normals, expected)


def test_a_solve_finds_the_same_whatever_was_solved_before() -> None:
    rng = np.random.default_rng(1)
    X, gates = np.abs(rng.standard_normal((600, 6))), rng.standard_normal((6, 30))
    y, arrangements = rng.standard_normal(600), Arrangements(gates, patterns_of(X, gates), False)
    program = ReluProgram(X, y, arrangements, 0.0)
    program = program.with_weight_decay(0.05 * program.beta_max)
    first, bound = ActiveSet().solve(program), program.certify(np.zeros(program.shape))
    ActiveSet().path(program, program.beta_max * np.array([0.5, 0.01]))
    again = ActiveSet().solve(program)
    np.testing.assert_array_equal(again.variables, first.variables)
    assert again.certificate == first.certificate
    assert [p.dual for p in again.objectives] == [p.dual for p in first.objectives]
    assert program.certify(np.zeros(program.shape)) == bound


def test_cones_afresh_begin_with_the_rows_that_were_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cone_rows, "near_rows", only_the_nearest)  # so that more are listed
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    X[::9] = 0.0
    few, _ = known_cones(X, rng.standard_normal((3, 1)))
    first = few.normals([0])[0].copy()
    C, groups = rng.standard_normal((30, 3)), np.zeros(30, dtype=np.int64)
    found = few.project(C, groups, np.zeros(30))
    assert len(few.normals([0])[0]) > len(first)
    np.testing.assert_array_equal(few.afresh().normals([0])[0], first)
    np.testing.assert_array_equal(
        few.afresh().project(C, groups, np.zeros(30)).points, found.points
    )
