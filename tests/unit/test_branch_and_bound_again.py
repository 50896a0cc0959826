"""The search goes on from an earlier proof, and its moments fit the boxes they are about."""

from itertools import pairwise

import numpy as np
import pytest

from convexviz.core.neurons import NeuronProgram
from convexviz.core.proof import balanced, residual_from, verified_lower_bound
from convexviz.core.solution import Progress
from convexviz.errors import DataError
from convexviz.solvers.branch_and_bound import BranchAndBound, Proved
from convexviz.solvers.branch_and_bound_box import largest_on_box
from convexviz.solvers.branch_and_bound_start import recipe_of, regrown


@pytest.fixture(scope="module")
def program() -> NeuronProgram:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3)) + np.array([1.0, 0.0, 0.0])
    y = np.maximum(X @ [1.0, 0.5, 0.0], 0.0) + 0.3 * rng.standard_normal(300)
    return NeuronProgram(X, y, 0.02 * float(np.linalg.norm(X.T @ y)))


class Ticks:
    """A clock that gains a little at every look: the same search on any machine."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.002
        return self.now


def search(seconds: float) -> BranchAndBound:
    return BranchAndBound(tolerance=1e-9, max_seconds=seconds, clock=Ticks())


@pytest.fixture(scope="module")
def first(program: NeuronProgram) -> Proved:
    return search(0.2).prove(program, np.array([[1.0, 0.5, 0.0, 1.0]]))


def test_a_search_goes_on_from_an_earlier_proof(program: NeuronProgram, first: Proved) -> None:
    seen: list[Progress] = []
    again = search(0.4).prove(
        program, np.array([[1.0, 0.5, 0.0, 1.0]]), known=first.proof, on_iteration=seen.append
    )
    assert 0 < first.certificate.dual <= seen[0].dual  # never a worse one than is proved already
    assert all(a.dual <= b.dual for a, b in pairwise(seen))
    assert again.certificate.dual > first.certificate.dual
    bound = verified_lower_bound(again.proof, program.X, program.y, program.weight_decay)
    assert bound == again.certificate.dual


def test_no_time_at_all_leaves_the_earlier_proof(program: NeuronProgram, first: Proved) -> None:
    again = search(0.0).prove(program, np.zeros((0, 4)), known=first.proof)
    assert again.certificate.dual == first.certificate.dual
    assert again.proof is first.proof


def test_a_proof_about_other_inputs_is_refused(program: NeuronProgram, first: Proved) -> None:
    narrow = NeuronProgram(np.ascontiguousarray(program.X[:, :2]), program.y, program.weight_decay)
    with pytest.raises(DataError, match="basis"):
        search(0.1).prove(narrow, np.zeros((0, 3)), known=first.proof)


def test_the_regrown_boxes_are_those_of_the_proof(program: NeuronProgram, first: Proved) -> None:
    problem = balanced(program.X, program.y, program.weight_decay)
    recipe = recipe_of(first.proof)
    r, _ = residual_from(
        problem, first.proof.basis, recipe.neurons, recipe.blurs, recipe.blur_weights
    )
    sphere, leaves = regrown(problem.X, r, first.proof)
    assert len(leaves) == np.count_nonzero(first.proof.axis == -1)
    rng = np.random.default_rng(1)
    for u in rng.standard_normal((200, 3)):
        v = u / np.linalg.norm(u) @ sphere.basis
        for sign in (1.0, -1.0):
            mine = [leaf for leaf in leaves if leaf.sign == sign]
            assert any((leaf.lo <= v).all() and (v <= leaf.hi).all() for leaf in mine)


def test_moments_from_a_warm_start_are_those_of_a_cold_one() -> None:
    """A warm start has the least value at once: its moments then were of the first barrier."""
    rng = np.random.default_rng(2)
    d = 5
    A = rng.standard_normal((d, d))
    A, g = 0.5 * (A + A.T), rng.standard_normal(d)
    lo, hi = np.full(d, -1.0), np.ones(d)
    lo[0], hi[0] = 0.70, 0.72
    value, mean, second, theta = largest_on_box(0.0, g, A, lo, hi, np.zeros(d + 1))
    again, mean_again, second_again, _ = largest_on_box(0.0, g, A, lo, hi, theta)
    assert again == pytest.approx(value, rel=1e-5)
    assert mean_again == pytest.approx(mean, abs=1e-3)
    assert second_again == pytest.approx(second, abs=1e-3)
    assert np.sqrt(second_again[0, 0] - mean_again[0] ** 2) <= 0.5 * (hi[0] - lo[0]) + 1e-6
