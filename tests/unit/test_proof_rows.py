"""Models of single rows and bounds on quadratics hold everywhere on a box, whatever tunes them.

Whole problems hide most mistakes in an envelope: one row at a time shows them.
"""

from math import isfinite

import numpy as np
import pytest

from convexviz.core import proof_quadratic, proof_rows


def sphere_box(rng: np.random.Generator, d: int) -> tuple[np.ndarray, ...]:
    """A box around a point of the sphere, and points of the sphere in it."""
    centre = rng.standard_normal(d)
    centre /= np.linalg.norm(centre)
    width = 10 ** rng.uniform(-2, 0.3)
    lo = np.maximum(centre - width * rng.random(d), -1.0)
    hi = np.minimum(centre + width * rng.random(d), 1.0)
    points = centre + width * rng.standard_normal((400, d))
    points /= np.linalg.norm(points, axis=1)[:, None]
    inside = points[((points >= lo) & (points <= hi)).all(axis=1)]
    return lo, hi, np.vstack([inside, centre])


def rows_below(model_above, trials: int = 1500) -> int:
    """In how many boxes a row's own value lies above its model at a point of the box."""
    rng = np.random.default_rng(5)
    bad = 0
    for t in range(trials):
        d = 2 + t % 3
        lo, hi, points = sphere_box(rng, d)
        z = rng.standard_normal((1, d))
        z[:, 0] *= rng.choice([1.0, 3.0])
        r, sign = rng.choice([-1.0, 1.0], 1), float(rng.choice([-1.0, 1.0]))
        mean = points[rng.integers(len(points))]
        spread = 10 ** rng.uniform(-6, 0) * (hi - lo).max() ** 2
        second = np.outer(mean, mean) + spread * np.eye(d)
        c, b, A, e = model_above(z, r, sign, lo, hi, mean, second)
        above = c + points @ b + np.einsum("id,de,ie->i", points, A, points) + e
        bad += bool((above < sign * r[0] * np.maximum(points @ z[0], 0.0) - 1e-15).any())
    return bad


def test_the_model_of_a_row_is_above_it_everywhere_on_the_box():
    assert rows_below(proof_rows.model_above) == 0


def plain(name: str):
    """The Python function under a compiled one."""
    return getattr(proof_rows, name).py_func


def with_mistake(**changed):
    """`model_above` as plain Python, with some of its parts replaced."""
    import types

    namespace = {
        **vars(proof_rows),
        **{
            name: plain(name)
            for name in ("reach", "rest_radius", "moments_along", "above_absolute")
        },
        "below_absolute": plain("below_absolute"),
        **changed,
    }
    return types.FunctionType(plain("model_above").__code__, namespace)


def tau_too_low(low, high, first, spread):
    q0, q1, q2 = plain("above_absolute")(low, high, first, spread)
    return (0.8 * q0, q1, q2) if q1 == 0.0 else (q0, q1, q2)


def chord_too_low(low, high, first, spread):
    q0, q1, q2 = plain("above_absolute")(low, high, first, spread)
    return (0.95 * q0, q1, q2) if q2 == 0.0 else (q0, q1, q2)


def tangent_too_low(low, high, first, spread):
    q0, q1, q2 = plain("above_absolute")(low, high, first, spread)
    return (0.95 * q0, q1, q2) if q1 != 0.0 and q2 != 0.0 else (q0, q1, q2)


def below_too_high(low, high, first, spread):
    q0, q1, q2 = plain("below_absolute")(low, high, first, spread)
    return q0, q1, 1.2 * q2


def mirror_turned(low, high, first, spread):
    """The parabola through the upper end, with the slope of the one through the lower."""
    q0, q1, q2 = plain("above_absolute")(low, high, first, spread)
    return (q0, q1 + 0.1 * abs(q1), q2) if q1 < 0.0 < q2 else (q0, q1, q2)


def touching_outside(low, high, first, spread):
    """The parabola through the lower end, wherever it touches |s|."""
    left = -low
    if left + first <= 0.0:
        return plain("above_absolute")(low, high, first, spread)
    p = (spread + first * left) / (left + first)
    c = 2 * left / ((p + left) * (p + left))
    return c * p * p, 1 - 2 * c * p, c


def wrong_line(low, high, first, spread):
    q0, q1, q2 = plain("below_absolute")(low, high, first, spread)
    return q0, 1.05 * q1, q2


def rest_halved(low, high):
    return 0.5 * plain("rest_radius")(low, high)


def range_shrunk(z, lo, hi, radius):
    low, high, length = plain("reach")(z, lo, hi, radius)
    return low + 0.02 * (high - low), high - 0.02 * (high - low), length


@pytest.mark.parametrize(
    "mistake",
    [
        {"above_absolute": tau_too_low},
        {"above_absolute": chord_too_low},
        {"above_absolute": tangent_too_low},
        {"below_absolute": below_too_high},
        {"below_absolute": wrong_line},
        {"above_absolute": mirror_turned},
        {"above_absolute": touching_outside},
        {"rest_radius": rest_halved},
        {"reach": range_shrunk},
    ],
    ids=lambda mistake: next(iter(mistake.values())).__name__,
)
def test_the_row_test_finds_each_planted_mistake(mistake):
    assert rows_below(with_mistake(**mistake)) > 0


def boxes_below(model_above, trials: int = 24) -> int:
    """How often `sign r'(Zu)_+` of a few hundred rows exceeds the bound of a whole box at one of
    its points: moments and multipliers are whatever they are."""
    rng = np.random.default_rng(9)
    bad = 0
    for t in range(trials):
        d, n = (3, 5, 9)[t % 3], 200
        lo, hi, points = sphere_box(rng, d)
        Z = 0.3 * rng.standard_normal((n, d))
        Z[:, 0] += np.abs(rng.standard_normal(n)) * (t % 2)
        r, sign = rng.standard_normal(n) - 0.8 * (t % 4 == 3), float(rng.choice([-1.0, 1.0]))
        mean = points.mean(axis=0)
        second = points.T @ points / len(points)
        model = model_above(Z, r, sign, lo, hi, mean, second)
        curved = float(np.abs(np.linalg.eigvalsh(model[2])).max())
        walls = (np.abs(model[1]) + curved) / (hi - lo)  # what makes bounds of small boxes sharp
        for multipliers in (np.zeros(d + 1), curved * rng.random(d + 1), np.r_[curved, walls]):
            value = proof_quadratic.largest_value(model, lo, hi, multipliers)
            bad += bool((sign * (np.maximum(points @ Z.T, 0.0) @ r)).max() > value + 1e-12)
    return bad


def test_no_point_of_a_box_is_above_the_bound_of_its_rows():
    assert boxes_below(proof_rows.model_above) == 0


def test_the_box_test_finds_forgotten_rows():
    def forgetful(Z, r, *others):
        return proof_rows.model_above(Z[::2], r[::2], *others)

    assert boxes_below(forgetful) > 0


def quadratics_below(largest_value, trials: int = 600) -> int:
    """How often a quadratic exceeds its bound at a point of the box."""
    rng = np.random.default_rng(6)
    bad = 0
    for t in range(trials):
        d = 1 + t % 4
        lo, hi, points = sphere_box(rng, d)
        A = rng.standard_normal((d, d))
        A, b = A + A.T, rng.standard_normal(d)
        mu = np.abs(rng.standard_normal(d)) * rng.choice([0.0, 1.0, 10.0])
        multipliers = np.append(3 * rng.standard_normal(), mu)
        value = largest_value((0.0, b, A, 0.0), lo, hi, multipliers)
        found = points @ b + np.einsum("id,de,ie->i", points, A, points)
        bad += bool(found.max() > value + 1e-13)
    return bad


def test_any_multipliers_bound_a_quadratic_on_the_box():
    assert quadratics_below(proof_quadratic.largest_value) == 0


def test_the_quadratic_test_finds_a_missing_definiteness_check(monkeypatch):
    monkeypatch.setattr(proof_quadratic, "is_positive", lambda _S: True)
    assert quadratics_below(proof_quadratic.largest_value) > 0


def test_the_quadratic_test_finds_a_box_counted_the_wrong_way(monkeypatch):
    dual = proof_quadratic._dual_value

    def wrong(model, lo, hi, point):
        mu = proof_quadratic._rationals(point[1])
        return dual(model, lo, hi, point) + 2 * sum(
            m * a * b for m, a, b in zip(mu, lo, hi, strict=True)
        )

    monkeypatch.setattr(proof_quadratic, "_dual_value", wrong)
    assert quadratics_below(proof_quadratic.largest_value) > 0


def test_a_factorisation_tells_positive_matrices_from_others():
    rng = np.random.default_rng(7)
    for d in range(1, 6):
        B = rng.standard_normal((d, d))
        S = B @ B.T + 1e-3 * np.eye(d)
        assert proof_quadratic.is_positive(S)
        lowest = float(np.linalg.eigvalsh(S)[0])
        assert not proof_quadratic.is_positive(S - (lowest + 1e-9) * np.eye(d))


def test_corners_of_the_sphere_are_bounded_despite_huge_multipliers():
    """A box whose far corner is just outside the ball: multipliers run to 1e8 there."""
    rng = np.random.default_rng(8)
    for t in range(60):
        d = 1 + t % 4
        outside = 10.0 ** rng.uniform(-12, -4)
        corner = np.abs(rng.standard_normal(d)) + 0.2
        corner /= np.linalg.norm(corner)
        hi = np.minimum(corner * (1 + outside), 1.0)
        lo = hi - 10 ** rng.uniform(-2, -0.5, d)
        b = rng.standard_normal(d)
        multipliers = 10.0 ** rng.uniform(0, 8, d + 1)
        value = proof_quadratic.largest_value((0.0, b, np.zeros((d, d)), 0.0), lo, hi, multipliers)
        point = np.clip(corner, lo, hi)
        point /= np.linalg.norm(point)
        if ((point >= lo) & (point <= hi)).all():
            assert value >= float(b @ point) - 1e-15
        assert isfinite(value)
