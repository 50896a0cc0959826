"""The verifier: never above the optimum, whatever a proof holds; not a proof, refused."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from convexviz.core import proof as verifier
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
    search = BranchAndBound(max_seconds=0.5)
    search.prove(program, optimum[1])  # in a new clone this one compiles
    return search.prove(program, optimum[1]).proof


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
    for k in np.flatnonzero(proof.axis == LEAF)[::5]:
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
    for k in np.flatnonzero(proof.axis >= 0)[::7]:
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
