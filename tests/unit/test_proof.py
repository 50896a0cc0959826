"""The verifier: never above the optimum, whatever a proof holds; not a proof, refused."""

from dataclasses import replace
from math import inf, isfinite

import numpy as np
import pytest

from convexviz.core import proof as verifier
from convexviz.core import proof_quadratic, proof_rows
from convexviz.core.neurons import NeuronProgram
from convexviz.core.proof import (
    LEAF,
    OUTSIDE,
    Proof,
    balanced,
    has_proof,
    proof_arrays,
    proof_from,
    verified_lower_bound,
)
from convexviz.errors import DataError
from convexviz.solvers.branch_and_bound import BranchAndBound
from convexviz.solvers.reference import Reference

ROWS, TOLERANCE = 9, 1e-9


def problem() -> NeuronProgram:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((ROWS, 3)) + 0.5
    y = rng.standard_normal(ROWS)
    return NeuronProgram(X, y, 0.15 * float(np.linalg.norm(X.T @ y)))


@pytest.fixture(scope="module")
def program() -> NeuronProgram:
    return problem()


@pytest.fixture(scope="module")
def optimum(program: NeuronProgram) -> tuple[float, np.ndarray]:
    solution = Reference().solve(program)
    return solution.certificate.primal, solution.variables


@pytest.fixture(scope="module")
def proof(program: NeuronProgram, optimum: tuple[float, np.ndarray]) -> Proof:
    return BranchAndBound(max_seconds=0.5).prove(program, optimum[1]).proof


def bound(proof: Proof, program: NeuronProgram) -> float:
    return verified_lower_bound(proof, program.X, program.y, program.weight_decay)


def test_the_proof_comes_close_to_the_exact_optimum_and_stays_below(proof, program, optimum):
    value = bound(proof, program)
    assert 0.99 * optimum[0] < value <= optimum[0] * (1 + TOLERANCE)


def test_a_stored_proof_verifies_to_the_same_number(proof, program):
    arrays = {"denoised": np.zeros(3), **proof_arrays(proof)}
    assert has_proof(arrays)
    assert not has_proof({"denoised": np.zeros(3)})
    assert bound(proof_from(arrays), program) == bound(proof, program)


@pytest.mark.parametrize("size", [1e-4, 1e-1, 1.0, 1e3, 1e200])
def test_garbage_moments_and_multipliers_give_bounds_below_the_optimum(
    proof, program, optimum, size
):
    for seed in range(8):
        rng = np.random.default_rng(seed)

        def noisy(array, rng=rng):
            with np.errstate(over="ignore"):
                noise = rng.standard_normal(array.shape) * size
                return (array + noise * (1 + np.abs(array))).astype(array.dtype)

        garbage = replace(
            proof,
            mean=noisy(proof.mean),
            second=noisy(proof.second),
            multipliers=noisy(proof.multipliers),
        )
        value = bound(garbage, program)
        assert 0.0 <= value <= optimum[0] * (1 + TOLERANCE)


@pytest.mark.parametrize("what", ["mean", "second", "multipliers"])
def test_numbers_that_are_not_finite_prove_nothing_wrong(proof, program, optimum, what):
    for value in (np.nan, inf, -inf):
        broken = replace(proof, **{what: np.full_like(getattr(proof, what), value)})
        assert 0.0 <= bound(broken, program) <= optimum[0] * (1 + TOLERANCE)


def test_other_neurons_give_bounds_below_the_optimum(proof, program, optimum):
    rng = np.random.default_rng(3)
    for size in (1e-3, 1.0, 1e6):
        neurons = proof.neurons + size * rng.standard_normal(proof.neurons.shape)
        value = bound(replace(proof, neurons=neurons), program)
        assert 0.0 <= value <= optimum[0] * (1 + TOLERANCE)


def test_a_proof_for_other_data_is_below_their_optimum(proof, program):
    rng = np.random.default_rng(4)
    for _ in range(5):
        X = rng.standard_normal(program.X.shape)
        other = NeuronProgram(X, rng.standard_normal(ROWS), program.weight_decay)
        best = Reference().solve(other).certificate.primal
        assert bound(proof, other) <= best * (1 + 1e-6)


def test_a_box_left_out_is_refused(proof, program):
    for k in np.flatnonzero(proof.axis == LEAF):
        axis = proof.axis.copy()
        axis[k] = OUTSIDE
        with pytest.raises(DataError, match="meets the sphere"):
            bound(replace(proof, axis=axis), program)
        shorter = {name: np.delete(getattr(proof, name), k) for name in ("axis", "cut", "proved")}
        with pytest.raises(DataError, match="not a proof"):
            bound(replace(proof, **shorter), program)


def test_a_tree_that_ends_early_or_late_is_refused(proof, program):
    for fields in (slice(0, -1), slice(0, 0)):
        shorter = {name: getattr(proof, name)[fields] for name in ("axis", "cut", "proved")}
        with pytest.raises(DataError, match="not a proof"):
            bound(replace(proof, **shorter), program)
    longer = {
        name: np.append(getattr(proof, name), getattr(proof, name)[-1:])
        for name in ("axis", "cut", "proved")
    }
    with pytest.raises(DataError, match="not a proof"):
        bound(replace(proof, **longer), program)


def test_moved_cuts_are_refused_or_still_cover_the_sphere(proof, program, optimum):
    for k in np.flatnonzero(proof.axis >= 0):
        for to in (-2.0, 1.0, np.nan):
            cut = proof.cut.copy()
            cut[k] = to
            with pytest.raises(DataError, match="outside its box"):
                bound(replace(proof, cut=cut), program)
        cut = proof.cut.copy()
        cut[k] += 1e-9
        value = bound(replace(proof, cut=cut), program)
        assert value <= optimum[0] * (1 + TOLERANCE)


def test_exchanged_signs_prove_less_and_nothing_wrong(proof, program, optimum):
    """Exchanging the trees of r and -r hands each the other's multipliers."""
    ends = _first_tree(proof)
    count = int(proof.proved[:ends].sum())
    order, proofs = _exchanged(ends, len(proof.axis)), _exchanged(count, len(proof.mean))
    exchanged = replace(
        proof,
        axis=proof.axis[order],
        cut=proof.cut[order],
        proved=proof.proved[order],
        mean=proof.mean[proofs],
        second=proof.second[proofs],
        multipliers=proof.multipliers[proofs],
    )
    assert 0.0 <= bound(exchanged, program) <= optimum[0] * (1 + TOLERANCE)


def _first_tree(proof: Proof) -> int:
    open_boxes = 1
    for k, axis in enumerate(proof.axis):
        open_boxes += 1 if axis >= 0 else -1
        if open_boxes == 0:
            return k + 1
    raise AssertionError("no tree")


def _exchanged(first: int, n: int) -> np.ndarray:
    return np.r_[first:n, 0:first]


def test_a_basis_that_loses_a_direction_is_refused(proof, program):
    for factor in (0.0, 1.01, np.nan):
        basis = proof.basis.copy()
        basis[:, -1] *= factor
        with pytest.raises(DataError, match="basis"):
            bound(replace(proof, basis=basis), program)


def test_a_proof_of_other_shapes_is_refused_by_name(proof, program):
    arrays = proof_arrays(proof)
    for name in arrays:
        without = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(DataError, match=f"{name} is missing"):
            proof_from(without)
        with pytest.raises(DataError, match=name):
            proof_from({**arrays, name: np.zeros((2, 3, 4))})
    with pytest.raises(DataError, match="fit X"):
        verified_lower_bound(proof, program.X[:, :2], program.y, 1.0)


def test_powers_of_two_balance_any_scale_and_lose_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((4, 2)), rng.standard_normal(4)
    for a, b in ((500, -490), (-500, 480), (0, 0)):
        scaled = balanced(np.ldexp(X, a), np.ldexp(y, b), np.ldexp(0.3, a + b))
        unit = balanced(X, y, 0.3)
        np.testing.assert_array_equal(scaled.X, unit.X)
        np.testing.assert_array_equal(scaled.y, unit.y)
        assert scaled.weight_decay == unit.weight_decay
        assert scaled.objective(0.5) == np.ldexp(unit.objective(0.5), 2 * b)


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
        {"rest_radius": rest_halved},
        {"reach": range_shrunk},
    ],
    ids=lambda mistake: next(iter(mistake.values())).__name__,
)
def test_the_row_test_finds_each_planted_mistake(mistake):
    assert rows_below(with_mistake(**mistake)) > 0


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


def test_dual_values_are_rounded_down():
    from fractions import Fraction

    rng = np.random.default_rng(9)
    for _ in range(50):
        y, r = rng.standard_normal(20), rng.standard_normal(20)
        largest, weight_decay = 10.0 ** rng.uniform(-3, 3, 2)
        value = verifier.dual_below(y, r, float(largest), float(weight_decay))
        exact_y = [Fraction(float(v)) for v in y]
        exact_r = [Fraction(float(v)) for v in r]
        along = sum(a * b for a, b in zip(exact_y, exact_r, strict=True))
        size = sum(a * a for a in exact_r)
        limit = Fraction(float(weight_decay)) / Fraction(float(largest))
        scale = min(max(along / size, -limit), limit)
        truth = scale * along - scale * scale * size / 2
        assert 0.0 <= Fraction(value) <= max(truth, Fraction(0))
        assert value >= 0.999999 * float(truth) - 1e-12
