"""The facets of a cone: nothing that bounds it is left out, and little else is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from convexviz.core.arrangements import Arrangements, patterns_of, sample
from convexviz.core.cones import cone_of, unit_rows
from convexviz.core.facets import facet_rows
from convexviz.core.facets_lp import bounding_box
from convexviz.core.relu import ReluProgram
from convexviz.core.relu_data import ReluData


def data(X: np.ndarray, gates: np.ndarray) -> ReluData:
    return ReluData(X, np.ones(len(X)), Arrangements(gates, patterns_of(X, gates), complete=False))


def needed(normals: np.ndarray) -> np.ndarray:
    """Brute force: the rows that some point violates while it meets all the others."""
    found = []
    for k in range(len(normals)):
        others = np.delete(normals, k, axis=0)
        # In the box |u| <= 1 the row's least value over the other rows' cone.
        least = linprog(normals[k], A_ub=-others, b_ub=np.zeros(len(others)), bounds=(-1, 1))
        found.append(least.fun < -1e-9)
    return np.flatnonzero(found)


# 3 s: a linear program for every row.
@pytest.mark.parametrize("shift", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_every_facet_is_kept_and_most_other_rows_go(d: int, shift: float) -> None:
    rng = np.random.default_rng(d)
    X = rng.standard_normal((50 * d + 20, d))
    X[:, 0] += shift
    gates = rng.standard_normal((d, 3))
    gates[0] *= 1 + shift
    found = data(X, gates).facets([0, 1, 2])
    for group, ids in enumerate(found):
        cone = cone_of(*unit_rows(X), X @ gates[:, group] >= 0)
        facets = needed(cone.normals(np.arange(len(X))))
        assert len(facets) >= 1
        assert set(facets) <= set(ids.tolist())
        # Around a wide cone the box is loose, and redundant rows touch it.
        assert len(ids) <= (0.5 if shift < 4 else 0.9) * len(X)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), d=st.integers(2, 5), kind=st.integers(0, 4))
def test_the_cone_of_the_facets_is_the_cone_of_all_rows(seed: int, d: int, kind: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60 * d, d))
    gates = rng.standard_normal((d, 2))
    if kind == 1:
        X = np.round(X)  # repeated and zero rows, rows on the gates, corners of many walls
        gates = np.round(2 * gates) + 0.5
    elif kind == 2:
        X[:, -1] = X[:, 0]  # rank-deficient
    elif kind == 3:
        X = np.abs(X)  # intensities: all on one side of the first gate
        gates = np.abs(gates)
    elif kind == 4:
        X[:5] -= np.outer(X[:5] @ gates[:, 0], gates[:, 0]) / (gates[:, 0] @ gates[:, 0])
    known = data(X, gates)
    rows, kept = unit_rows(X)
    for group in range(2):
        whole = cone_of(rows, kept, known.arrangements.patterns[:, group])
        few = known.cone(group)
        for c in rng.standard_normal((5, d)):
            assert few.project(c).bound == pytest.approx(whole.project(c).bound, abs=1e-9)
            assert whole.slack(few.project(c).point).min(initial=0.0) >= -1e-9


def test_a_gate_with_rows_on_it_still_finds_few_rows() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 4))
    gate = rng.standard_normal((4, 1))
    X[:3] -= np.outer(X[:3] @ gate, gate) / (gate**2).sum()
    inside = (X @ gate >= 0)[:, 0]
    inside[:3] = True
    ids = facet_rows(unit_rows(X)[0], inside[:, None], gate, [0])[0]
    assert len(ids) < 200
    assert {0, 1, 2} <= set(ids.tolist())


def test_a_cone_without_interior_keeps_every_row() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.standard_normal((200, 2)), [[1.0, 0.0], [-1.0, 0.0]]])
    inside = np.append(X[:200] @ [0.0, 1.0] >= 0, [True, True])
    ids = facet_rows(unit_rows(X)[0], inside[:, None], np.array([[0.0], [1.0]]), [0])[0]
    assert len(ids) == 202


# 2 s: the boxes are checked against a linear programming solver.
@given(seed=st.integers(0, 10**6), m=st.integers(1, 6))
def test_the_box_is_tight_and_never_too_small(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    Q, t = rng.standard_normal((10 * m + 10, m)), rng.uniform(0.1, 2.0, 10 * m + 10)
    if seed % 3 == 0:
        Q, t = np.round(Q), np.ones(len(t))  # corners of many walls
        t *= 1 + 1e-7 * rng.random(len(t))
    high, low = np.empty(m), np.empty(m)
    if not bounding_box(np.ascontiguousarray(Q.T), t, high, low):
        axes = [
            linprog(s * c, A_ub=Q, b_ub=t, bounds=(None, None)) for c in np.eye(m) for s in (1, -1)
        ]
        assert any(found.status == 3 for found in axes)  # unbounded
        return
    for k, axis in enumerate(np.eye(m)):
        for sign, end in ((1.0, high[k]), (-1.0, low[k])):
            best = linprog(-sign * axis, A_ub=Q, b_ub=t, bounds=(None, None))
            assert end == pytest.approx(-best.fun, rel=1e-7, abs=1e-7)


def test_an_unbounded_polytope_has_no_box() -> None:
    Q, t = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]), np.ones(3)
    assert not bounding_box(Q, t, np.empty(2), np.empty(2))


def test_facets_that_missed_a_row_are_repaired_in_the_point_and_never_in_the_bound() -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((300, 3))
    program = ReluProgram(X, rng.standard_normal(300), sample(X, 5, rng), 1.0)
    exact = program.largest_correlation(program.y)
    outside = rng.standard_normal(program.shape)
    inside = program.feasible(outside)
    blind = ReluProgram(X, program.y, program.arrangements, 1.0)
    for group in range(5):  # as if a broken search had kept one row only
        blind.data._facets[group] = np.array([group])
    assert blind.violation(blind.feasible(outside)).max() <= 1e-13
    np.testing.assert_allclose(blind.feasible(outside), inside, atol=1e-9)
    assert blind.largest_correlation(program.y) >= exact * (1 - 1e-12)
