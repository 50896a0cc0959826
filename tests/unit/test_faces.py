"""Every face is visited: cells are counted, the dual norm is that of the slow recursion."""

import itertools

import numpy as np
import pytest

from convexviz.core.arrangements import count_generic, enumerate_all
from convexviz.core.cone_pca import cone_pca, stationary_points
from convexviz.core.dual_norm import AllFaces
from convexviz.core.faces import Faces
from convexviz.errors import SpecError

LATTICE = np.array([[i, j, 1.0] for i in range(3) for j in range(3)])
CUBE = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
RNG = np.random.default_rng(0)
LINE = RNG.standard_normal((5, 1))
DEGENERATE = {
    "lattice and ones": LATTICE,
    "cube and ones": np.c_[CUBE, np.ones(8)],
    "collinear and ones": np.c_[np.outer(np.arange(5.0), [1, 2]), np.ones(5)],
    "duplicates": np.repeat(RNG.standard_normal((4, 3)), 2, axis=0),
    "antiparallel": np.concatenate([LATTICE[:5], -2 * LATTICE[:5]]),
    "zero rows": np.concatenate([np.zeros((2, 3)), RNG.standard_normal((4, 3))]),
    "rank one": LINE @ RNG.standard_normal((1, 4)),
    "rank two of four": RNG.standard_normal((6, 2)) @ RNG.standard_normal((2, 4)),
    "one row": RNG.standard_normal((1, 3)),
    "repeated axes": np.concatenate([np.eye(4), np.eye(4)[:2] + np.eye(4)[1:3]]),
}


def by_recursion(X: np.ndarray, G: np.ndarray) -> float:
    """The dual norm, a cone at a time."""
    best = 0.0
    for pattern in enumerate_all(X).patterns.T:
        B = G.T @ (pattern[:, None] * X)
        best = max(best, cone_pca(B.T @ B, np.where(pattern, 1.0, -1.0)[:, None] * X)[0])
    return float(np.sqrt(best))


@pytest.mark.parametrize(("n", "d"), [(5, 2), (30, 2), (4, 3), (12, 3), (60, 3), (6, 4), (20, 4)])
def test_cells_in_general_position_are_as_many_as_cover_counts(n: int, d: int) -> None:
    X = np.random.default_rng(n).standard_normal((n, d))
    assert Faces(X).n_cells == count_generic(n, d)


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_data_have_the_cells_that_enumeration_finds(name: str) -> None:
    X = DEGENERATE[name]
    full = enumerate_all(X).patterns.shape[1]
    assert Faces(X).n_cells in (full, full + 1)  # the empty pattern has a cell too


FEW = [name for name in DEGENERATE if len(DEGENERATE[name]) <= 6]  # the recursion is slow


@pytest.mark.parametrize("name", FEW)
def test_the_dual_norm_of_degenerate_data_is_that_of_the_recursion(name: str) -> None:
    X = DEGENERATE[name]
    G = np.random.default_rng(1).standard_normal((len(X), 2))
    assert AllFaces(X).largest(G) == pytest.approx(by_recursion(X, G), rel=1e-9)


@pytest.mark.parametrize(("n", "d", "c"), [(7, 2, 3), (6, 3, 1), (6, 3, 3), (5, 4, 2)])
def test_the_dual_norm_is_that_of_the_recursion(n: int, d: int, c: int) -> None:
    rng = np.random.default_rng(10 * n + d)
    X = rng.standard_normal((n, d))
    for _ in range(3):
        G = rng.standard_normal((n, c))
        assert AllFaces(X).largest(G) == pytest.approx(by_recursion(X, G), rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(40, 2), (40, 3), (15, 4)])
def test_no_direction_has_a_larger_value_and_the_peak_attains_it(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    X, G = rng.standard_normal((n, d)), rng.standard_normal((n, 3))
    norm = AllFaces(X)
    u = rng.standard_normal((20_000, d))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    values = np.linalg.norm(np.maximum(X @ u.T, 0).T @ G, axis=1)
    largest = norm.largest(G)
    assert values.max() <= largest * (1 + 1e-12)
    assert values.max() >= 0.97 * largest
    peaks = norm.peaks(G, norm.search(G, 0.0, 0.5), 100)
    best = norm.basis @ peaks.points[0]
    image = G.T @ np.maximum(X @ best, 0)
    assert np.linalg.norm(image) == pytest.approx(largest, rel=1e-12)
    np.testing.assert_allclose(image / largest, peaks.outputs[0], atol=1e-9)


@pytest.mark.parametrize("name", ["generic", *DEGENERATE])
def test_peaks_are_local_maxima_and_none_is_left_out(name: str) -> None:
    """Small steps lead down from a peak, and up from any other stationary point."""
    rng = np.random.default_rng(2)
    X = DEGENERATE.get(name, rng.standard_normal((9, 3)))
    G = rng.standard_normal((len(X), 2))
    norm = AllFaces(X)
    peaks = norm.peaks(G, norm.search(G, 0.0, 0.2), 1000)

    def value(u: np.ndarray) -> np.ndarray:
        return np.linalg.norm(np.maximum(norm.rows @ u.T, 0).T @ G, axis=1)

    for point, height in zip(peaks.points, peaks.values, strict=True):
        near = point + 1e-4 * rng.standard_normal((200, len(point)))
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        np.testing.assert_allclose(value(point[None]), height, rtol=1e-9)
        if name in ("generic", "duplicates", "zero rows"):  # elsewhere more may be kept
            assert value(near).max() <= height * (1 + 1e-9)
    for point in _stationary(norm.rows, G, 0.2 * norm.largest(G)):
        near = point + 1e-5 * rng.standard_normal((2000, len(point)))
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        if len(point) < 4 and value(near).max() <= value(point[None])[0]:  # ridges are thin
            assert np.linalg.norm(peaks.points - point, axis=1).min() < 1e-6


def _stationary(rows: np.ndarray, G: np.ndarray, least: float) -> np.ndarray:
    """Stationary points of every cone and its faces, by the slow recursion; some are maxima."""
    found = [np.zeros((0, rows.shape[1]))]
    for pattern in enumerate_all(rows).patterns.T[:16]:
        K = np.where(pattern, 1.0, -1.0)[:, None] * rows
        values, points = stationary_points(G.T @ (pattern[:, None] * rows), K)
        found.append(points[values > least])
    return np.unique(np.round(np.concatenate(found), 9), axis=0)


@pytest.mark.parametrize("name", ["generic", "lattice and ones", "repeated axes"])
def test_every_direction_is_within_reach_of_the_middle_of_its_cell(name: str) -> None:
    rng = np.random.default_rng(6)
    X = DEGENERATE.get(name, rng.standard_normal((25, 3)))
    faces = Faces(X)
    u = rng.standard_normal((3000, faces.space.rank))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    inside = u @ faces.space.normals.T > 0
    cells = {signs.tobytes(): i for i, signs in enumerate(faces.cell_signs.astype(bool))}
    owner = np.array([cells[signs.tobytes()] for signs in inside])
    apart = np.linalg.norm(u - faces.cell_extent.centers[owner], axis=1)
    assert (apart <= faces.cell_extent.reach[owner]).all()
    if name == "generic":
        assert np.median(faces.cell_extent.reach) < 0.3  # tight enough to leave cells out


def test_scales_of_the_data_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    X, G = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
    ordinary = AllFaces(X).largest(G)
    for size in (1e-50, 1e50):
        assert AllFaces(size * X).largest(G) == pytest.approx(size * ordinary, rel=1e-12)
        assert AllFaces(X).largest(size * G) == pytest.approx(size * ordinary, rel=1e-12)
    assert AllFaces(X).largest(np.zeros((8, 2))) == 0.0
    assert AllFaces(np.zeros((3, 2))).largest(np.ones((3, 2))) == 0.0


def test_what_cannot_be_enumerated_is_refused_before_any_work() -> None:
    rng = np.random.default_rng(4)
    with pytest.raises(SpecError, match="up to rank 4, the rows have rank 5"):
        Faces(rng.standard_normal((9, 5)))
    with pytest.raises(SpecError, match=r"at most 80,000 cells are enumerated, got up to 2,6"):
        Faces(rng.standard_normal((200, 4)))
