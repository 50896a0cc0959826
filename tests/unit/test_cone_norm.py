"""Chosen cones: climbed from below, bounded from above, and exact where faces are few."""

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import nnls

from convexviz.core import cone_search
from convexviz.core.arrangements import enumerate_all, sample
from convexviz.core.cone_ascent import ascend
from convexviz.core.cone_bound import by_faces, facet_rows, multipliers, proved
from convexviz.core.cone_climb import local_peaks
from convexviz.core.cone_norm import ChosenCones, every_cone
from convexviz.core.cone_pca import cone_pca
from convexviz.core.cone_search import ConeSearch
from convexviz.core.copositive import block_problem
from convexviz.core.dual_norm import AllFaces
from convexviz.core.losses import loss_named
from convexviz.core.solution import Scope, Status
from convexviz.core.vector import VectorProgram
from convexviz.errors import Cancelled, IncompatibleSolver, SpecError
from convexviz.solvers.cone_columns import ConeColumns, proved_bound
from convexviz.solvers.dual_newton import DualNewton
from tests.unit.vector_golden import GOLDEN

RNG = np.random.default_rng(5)


def cone(n: int, r: int) -> np.ndarray:
    """Unit rows of a cone with an inside."""
    rows = RNG.standard_normal((n, r))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows * np.where(rows @ RNG.standard_normal(r) >= 0, 1.0, -1.0)[:, None]


@pytest.mark.parametrize(("n", "r", "c"), [(3, 1, 2), (6, 2, 3), (7, 3, 2), (8, 4, 3), (9, 5, 2)])
def test_faces_give_the_maximum_and_multipliers_prove_no_less(n: int, r: int, c: int) -> None:
    for _ in range(5):
        K, B = cone(n, r), RNG.standard_normal((c, r))
        expected = np.sqrt(cone_pca(B.T @ B, K)[0])
        facets = facet_rows(K)
        value, points = by_faces(B, facets, 0.0)
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert (K @ points[-1]).min() >= -1e-9
        assert np.linalg.norm(B @ points[-1]) == pytest.approx(value, rel=1e-12)
        above = proved(B, facets, multipliers(B, facets, points))
        assert value * (1 - 1e-12) <= above <= 1.05 * value  # loose by a percent or two at most
        assert above <= np.linalg.norm(B, 2) * (1 + 1e-12)
        peaks, heights = local_peaks(B, K, np.concatenate([np.eye(c), -np.eye(c)]))
        assert heights.max() <= value * (1 + 1e-12)
        assert (K @ peaks.T).min() >= -1e-12


@pytest.mark.parametrize(("n", "r", "c"), [(5, 2, 2), (7, 4, 3), (9, 5, 2), (12, 6, 6), (30, 8, 3)])
def test_an_ascent_ends_at_a_local_maximum_of_its_cone(n: int, r: int, c: int) -> None:
    for _ in range(4):
        K, B = cone(n, r), RNG.standard_normal((c, r))
        K /= np.linalg.norm(K, axis=1, keepdims=True)
        corner = K.T @ RNG.uniform(size=n)
        multipliers_, _ = nnls(K.T, -corner)  # onto the cone: what a start is
        start = corner + K.T @ multipliers_
        start /= np.linalg.norm(start)
        top = ascend(K, B, start, 500)
        assert (K @ top).min() >= -1e-12
        assert np.linalg.norm(top) == pytest.approx(1.0)
        assert np.linalg.norm(B @ top) >= np.linalg.norm(B @ start) * (1 - 1e-12)
        # Its slope is held by walls, and small steps that stay in the cone lead down.
        slope = B.T @ (B @ top) - np.linalg.norm(B @ top) ** 2 * top
        on = K[K @ top <= 1e-9]
        left = nnls(on.T, -slope)[1] if len(on) else np.linalg.norm(slope)
        assert left <= 1e-9 * np.linalg.norm(B) ** 2
        near = top + 1e-4 * RNG.standard_normal((4000, r))
        near = near[(near @ K.T).min(axis=1) >= 0]
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        values = np.linalg.norm(near @ B.T, axis=1)
        assert values.max(initial=0.0) <= np.linalg.norm(B @ top) * (1 + 1e-10)


@pytest.mark.parametrize(("n", "r"), [(60, 3), (200, 4), (80, 5)])
def test_a_hull_keeps_just_the_facets_of_a_cone_of_many_rows(n: int, r: int) -> None:
    rows = RNG.standard_normal((n, r))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    inside = RNG.standard_normal(r)
    K = rows * np.where(rows @ inside >= 0, 1.0, -1.0)[:, None]
    assert len(facet_rows(K)) == n  # too many to ask without a point inside
    facets = facet_rows(K, inside)
    assert r <= len(facets) < n / 2
    B = RNG.standard_normal((3, r))
    heights = local_peaks(B, K, np.concatenate([np.eye(3), -np.eye(3)]))[1]
    value, points = by_faces(B, facets, 0.0)
    assert (K @ points[-1]).min() >= -1e-9  # a maximiser of the few is in the cone of all
    assert heights.max() <= value * (1 + 1e-12)
    for a in range(len(facets)):  # none follows from the others
        fewer = np.delete(facets, a, axis=0)
        assert nnls(fewer.T, facets[a])[1] > 1e-9
    np.testing.assert_array_equal(facet_rows(K, facets[0] * 0), facet_rows(K))


def test_multipliers_stop_where_they_are_enough_and_go_on_where_not() -> None:
    K, B = cone(8, 6), RNG.standard_normal((3, 6))
    facets = facet_rows(K)
    value, points = by_faces(B, facets, 0.0)
    loose = proved(B, facets, multipliers(B, facets, points, 1.2 * value))
    assert value <= loose <= 1.2 * value * (1 + 1e-8)
    close = proved(B, facets, multipliers(B, facets, points, value))
    assert value * (1 - 1e-12) <= close <= proved(B, facets, multipliers(B, facets, points))


def test_any_multipliers_give_a_bound_and_wrong_ones_a_worse_one() -> None:
    K, B = cone(8, 4), RNG.standard_normal((3, 4))
    value = by_faces(B, facet_rows(K), 0.0)[0]
    for scale in (-1.0, 0.01, 10.0):
        N = np.array([(a, b, scale) for a in range(len(K)) for b in range(a)])
        assert proved(B, K, N) >= value


def test_all_cones_have_the_optimum_of_all_faces_and_beyond_rank_four_too() -> None:
    golden = GOLDEN["p3.B2"]
    norm = ChosenCones(golden.X, enumerate_all(golden.X))
    assert norm.exact
    program = VectorProgram(golden.X, golden.Y, golden.weight_decay, norm)
    solution = DualNewton(1e-9).solve(program)
    assert solution.certificate.primal == pytest.approx(golden.optimum, abs=2e-9)
    assert solution.certificate.scope is Scope.RELU_NETWORK
    G = RNG.standard_normal(golden.Y.shape)
    assert norm.largest(G) == pytest.approx(AllFaces(golden.X).largest(G), rel=1e-12)

    X, Y = RNG.standard_normal((6, 5)), RNG.standard_normal((6, 2))  # 62 cones
    program = VectorProgram(X, Y, 0.3, ChosenCones(X, enumerate_all(X)))
    solution = DualNewton(1e-8).solve(program)
    assert solution.status is Status.OPTIMAL
    for _ in range(200):  # no direction beats beta
        u = RNG.standard_normal(5)
        R = Y - program.fit(solution.variables)
        assert np.linalg.norm(R.T @ np.maximum(X @ u, 0)) <= 0.3 * np.linalg.norm(u) * (1 + 1e-6)


# The reference writes every sampled cone out: a second in Clarabel.
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_sampled_cones_match_the_block_program_where_it_is_exact(loss: str) -> None:
    X = RNG.standard_normal((8, 3))
    Y = np.eye(3)[RNG.integers(0, 3, 8)]
    norm = ChosenCones(X, sample(X, 5, np.random.default_rng(0)))
    program = VectorProgram(X, Y, 0.2, norm, loss=loss_named(loss))
    solution = DualNewton(1e-9).solve(program)
    assert solution.status is Status.OPTIMAL
    assert solution.certificate.scope is Scope.SAMPLED_PROGRAM
    problem = block_problem(program)
    problem.solve(solver=cp.CLARABEL)
    # The relaxation is below, and exact for cones of at most four facets.
    assert problem.value <= solution.certificate.primal * (1 + 1e-6)
    if max(len(norm.cone(i)) for i in range(norm.n_patterns)) <= 4:
        assert problem.value == pytest.approx(solution.certificate.primal, rel=1e-6)
    every = DualNewton(1e-9).solve(VectorProgram(X, Y, 0.2, AllFaces(X), loss=loss_named(loss)))
    assert every.certificate.dual <= solution.certificate.primal * (1 + 1e-9)


def test_a_neuron_outside_the_sampled_cones_is_no_point_of_the_program() -> None:
    X, Y = RNG.standard_normal((8, 3)), RNG.standard_normal((8, 2))
    patterns = sample(X, 1, np.random.default_rng(0))
    program = VectorProgram(X, Y, 0.2, ChosenCones(X, patterns))
    inside = np.concatenate([patterns.gates[:, :1].T, np.ones((1, 2))], axis=1)
    assert np.isfinite(program.objective(inside))
    assert program.objective(inside * [-1, -1, -1, 1, 1]) == np.inf


def large() -> VectorProgram:
    """Cones of forty facets in twelve dimensions."""
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((40, 12)), np.eye(3)[rng.integers(0, 3, 40)]
    return VectorProgram(X, Y, 1.0, ChosenCones(X, sample(X, 6, np.random.default_rng(0))))


def test_large_cones_are_bounded_by_multipliers_that_are_kept_and_replayed() -> None:
    program = large()
    assert not program.norm.exact
    assert DualNewton().why_not(program)
    with pytest.raises(IncompatibleSolver, match="chosen cones"):
        ConeColumns().solve(GOLDEN["p3.B2"].program())
    solution = ConeColumns(1e-2, prune=True).solve(program)
    certificate = solution.certificate
    assert certificate.relative_gap < 0.05  # the relaxation of a cone may be loose
    table, R = solution.records["cone_multipliers"], solution.records["cone_residual"]
    replay, dual = proved_bound(program, R, table)
    assert dual == pytest.approx(certificate.dual, rel=1e-12)
    assert proved_bound(program, R, table[:0])[1] < dual  # without a proof: the cones dropped
    # No unit vector of a sampled cone has a larger value than what was proved.
    G = program.readout.adjoint(R)
    assert program.norm.search(G, 0.0, 1.0).largest <= replay.value * (1 + 1e-12)


def test_a_cancelled_solve_keeps_its_network_and_a_bound() -> None:
    program = large()

    def stop(progress: object) -> None:
        if getattr(progress, "iteration", 0) == 2:
            raise Cancelled

    solution = ConeColumns(1e-4).solve(program, on_iteration=stop)
    assert solution.status is Status.CANCELLED
    assert 0 < solution.certificate.dual < solution.certificate.primal < program.Y.size


@pytest.mark.parametrize("d", [49, 400])
def test_counts_beyond_every_float_are_refused_in_one_short_line(d: int) -> None:
    X = np.random.default_rng(0).standard_normal((900, d))
    with pytest.raises(SpecError, match=r"up to about 1e\d+: years and terabytes") as refused:
        every_cone(X)
    assert len(str(refused.value)) < 400


def test_a_cone_that_is_passed_over_for_being_no_larger_is_bounded_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second cone's largest value is within rounding above what the first's multipliers say."""
    search = ConeSearch([np.zeros((0, 2)), np.zeros((0, 2))], 2)
    search.exact = False
    forms = np.array([[[1.0, 0.0]], [[1.0 - 2e-13, 0.0]]])
    monkeypatch.setattr(cone_search, "proved", lambda *_: 1.0 - 5e-13)
    assert 1.0 - 2e-13 <= search.prove(forms, np.zeros((0, 4))).value <= 1.0
