"""Boxes of the search: what they decide, and the moments under which their bounds are least."""

import numpy as np
import pytest

from convexviz.core.proof_quadratic import largest_value
from convexviz.core.proof_rows import model_above
from convexviz.core.types import Array
from convexviz.solvers.branch_and_bound_box import largest_on_box, uniform_moments
from convexviz.solvers.branch_and_bound_moments import barrier, interior, mirror_step
from convexviz.solvers.branch_and_bound_tree import Sphere
from convexviz.solvers.branch_and_bound_tuning import Box, tune


@pytest.fixture(scope="module")
def rows() -> Array:
    rng = np.random.default_rng(0)
    return rng.standard_normal((400, 3)) * np.array([1.0, 0.6, 0.3]) + np.array([0.7, 0.0, 0.0])


def exact(sphere: Sphere, leaf: Box, u: Array) -> tuple[float, float]:
    """`sign r'(Z u)_+`, and the same by what the leaf decided and left open."""
    active = np.maximum(sphere.Z @ u, 0.0)
    left = leaf.sign * sphere.r[leaf.rows] @ active[leaf.rows]
    return leaf.sign * float(sphere.r @ active), float(left + leaf.linear @ u)


def points(leaf: Box, rng: np.random.Generator) -> list[Array]:
    """Points of the sphere in the box."""
    inside = leaf.lo + rng.random((4_000, len(leaf.lo))) * (leaf.hi - leaf.lo)
    unit = inside / np.linalg.norm(inside, axis=1, keepdims=True)
    kept = ((unit >= leaf.lo) & (unit <= leaf.hi)).all(axis=1)
    return list(unit[kept][:20])


def test_a_box_decides_its_rows_for_every_vector(rows: Array) -> None:
    """The middle of a box may lie off the sphere, where rows have other signs."""
    rng = np.random.default_rng(1)
    sphere = Sphere(rows, rng.standard_normal(len(rows)))
    sphere.start()
    for _ in range(60):
        assert sphere.cut_worst()
    for _ in sphere.replace(rng.standard_normal(len(rows))):
        pass
    seen = 0
    for leaf in sphere.leaves():
        for u in points(leaf, rng):
            value, told = exact(sphere, leaf, u)
            assert told == pytest.approx(value, abs=1e-9)
            assert value <= leaf.bound + 1e-9
            seen += 1
    assert seen > 100


def test_the_bound_of_a_replaced_vector_falls_to_the_largest_value(rows: Array) -> None:
    rng = np.random.default_rng(2)
    sphere = Sphere(rows, rng.standard_normal(len(rows)))
    sphere.start()
    for _ in range(40):
        sphere.cut_worst()
    r = rng.standard_normal(len(rows))
    for _ in sphere.replace(r):
        pass
    for _ in range(300):
        sphere.cut_worst()
    u = rng.standard_normal((200_000, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    largest = max(
        float(np.abs(r @ np.maximum(sphere.Z @ part.T, 0.0)).max()) for part in np.split(u, 20)
    )
    assert largest <= sphere.bound + 1e-9 <= 1.01 * largest


@pytest.mark.parametrize("d", [2, 3, 6])
def test_moments_stay_inside_their_set(d: int) -> None:
    rng = np.random.default_rng(d)
    lo, hi = -np.ones(d), np.ones(d)
    lo[0], hi[0] = 0.30, 0.32
    mean, second, inside = interior(*uniform_moments(lo, hi), lo, hi)
    assert inside
    for _ in range(5):
        A = rng.standard_normal((d, d))
        A, g = A + A.T, rng.standard_normal(d)
        start = float(g @ mean + np.sum(A * second))
        to, square, distance, found = mirror_step(g, A, mean, second, lo, hi, 0.5)
        assert found
        assert distance >= -1e-6
        assert np.trace(square) == pytest.approx(1.0, abs=1e-3)
        assert barrier(to, square, lo, hi)[0] > -np.inf
        assert g @ to + np.sum(A * square) >= start + 0.5 * distance - 1e-3
        mean, second = to, square


def test_moments_outside_are_brought_in_and_an_empty_box_is_told() -> None:
    lo, hi = np.array([0.1, -1.0]), np.array([0.2, 1.0])
    far = np.eye(2) * 5.0
    mean, second, inside = interior(np.array([4.0, 4.0]), far, lo, hi)
    assert inside
    assert barrier(mean, second, lo, hi)[0] > -np.inf
    lo, hi = np.array([0.1, 0.1]), np.array([0.2, 0.2])  # all of it within the ball
    assert not interior(np.array([0.15, 0.15]), far, lo, hi)[2]


def averaged(Z: Array, r: Array, box: Box, rounds: int) -> float:
    """The least bound of fictitious play: slower, and with nothing but the verifier's parts."""
    mean, second = box.mean, box.second
    best, theta = np.inf, np.zeros(len(box.lo) + 1)
    for t in range(rounds):
        model = model_above(Z, r, box.sign, box.lo, box.hi, mean, second)
        _, m, M, theta = largest_on_box(*model[:3], box.lo, box.hi, np.zeros(len(box.lo) + 1))
        best = min(best, largest_value(model, box.lo, box.hi, theta))
        mean = mean + (m - mean) / (t + 2)
        second = second + (M - second) / (t + 2)
    return best


@pytest.mark.parametrize("n", [400, 20_000])
def test_tuning_reaches_what_long_averaging_reaches(n: int) -> None:
    rng = np.random.default_rng(4)
    Z = rng.standard_normal((n, 4)) * np.array([1.0, 0.5, 0.4, 0.3])
    r = rng.standard_normal(n)
    lo, hi = np.array([0.05, -1.0, -1.0, -1.0]), np.array([0.3, 1.0, 1.0, 1.0])
    everything = np.arange(n, dtype=np.int32)
    moments = uniform_moments(lo, hi)
    box = Box(1.0, lo, hi, everything, np.zeros(4), *moments)
    other = Box(1.0, lo, hi, everything, np.zeros(4), *moments)
    work = tune(Z, r, box, 0.0)
    assert n <= work <= 80 * n
    assert box.bound <= averaged(Z, r, other, 150) * 1.02
    assert box.evidence is not None
    mean, second, theta = box.evidence
    verified = largest_value(model_above(Z, r, 1.0, lo, hi, mean, second), lo, hi, theta)
    assert box.bound == pytest.approx(verified, rel=1e-7)
