"""The search: bounds below exact optima on hostile data, close on kind data, and interruptible."""

import itertools

import numpy as np
import pytest
from scipy.optimize import nnls

from convexviz.core.arrangements import enumerate_all
from convexviz.core.neurons import NeuronProgram
from convexviz.core.proof import (
    balanced,
    residual_from,
    verified_lower_bound,
    verified_norm,
)
from convexviz.core.solution import Scope, Status
from convexviz.errors import Cancelled
from convexviz.solvers.branch_and_bound import BranchAndBound, Proved
from convexviz.solvers.branch_and_bound_proof import Recipe, written
from convexviz.solvers.branch_and_bound_tree import Sphere
from convexviz.solvers.reference import Reference
from convexviz.solvers.robust_dual import RobustDual, raw_recipe, train


class Ticks:
    """A clock that gains a little at every look: the same search every time, on any machine."""

    def __init__(self, tick: float = 0.002) -> None:
        self.tick, self.now = tick, 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def prove(program: NeuronProgram, variables: np.ndarray, seconds: float = 2.0) -> Proved:
    return BranchAndBound(max_seconds=seconds, clock=Ticks()).prove(program, variables)


def data(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Eight rows or fewer of a kind that breaks careless bounds."""
    X, y = rng.standard_normal((7, 2)) + 0.4, rng.standard_normal(7)
    plain = {
        "plain": (X, y),
        "three dimensions": (rng.standard_normal((7, 3)), y),
        "constant": (np.full((7, 2), 0.7), y),
        "duplicated": (np.repeat(X[:3], 2, axis=0), y[:6]),
        "opposite rows": (np.vstack([X[:3], -X[:3]]), y[:6]),
        "zero rows": (np.vstack([X[:4], np.zeros((3, 2))]), y),
        "all zero": (np.zeros((5, 2)), y[:5]),
        "zero target": (X, np.zeros(7)),
        "tiny": (X * 1e-150, y * 1e-150),
        "huge": (X * 1e150, y * 1e100),
        "tiny and huge": (X * 1e-150, y * 1e140),
        "a tiny column": (X * np.array([1.0, 1e-150]), y),
        "a tiny row": (np.vstack([X, 1e-150 * X[:1]]), np.append(y, 1.0)),
        "one dimension": (X[:, :1], y),
        "one dimension, one sign": (np.abs(X[:, :1]), y),
        "rank one": (np.outer(X[:, 0], [1.0, -2.0]), y),
        "ones column": (np.column_stack([X[:, 0], np.ones(7)]), y),
        "one row": (X[:1], y[:1]),
        "one number": (np.array([[-2.0]]), np.array([3.0])),
        "on a gate": (np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [1.0, 1.0]]), y[:4]),
    }
    return plain[kind]


KINDS = (
    "plain, three dimensions, constant, duplicated, opposite rows, zero rows, all zero, "
    "zero target, tiny, huge, tiny and huge, a tiny column, a tiny row, one dimension, "
    "one dimension+ one sign, rank one, ones column, one row, one number, on a gate"
)
NAMES = [name.replace("+", ",") for name in KINDS.split(", ")]


def exact_norm(X: np.ndarray, r: np.ndarray) -> float:
    """M(r), over every pattern: the distance to the polar cone of each (THEORY 1.5)."""
    best = 0.0
    for pattern in enumerate_all(X).patterns.T:
        K = (2.0 * pattern - 1)[:, None] * X
        for sign in (1.0, -1.0):
            best = max(best, nnls(K.T, -sign * (X.T @ (pattern * r)))[1])
    return best


def exact_optimum(X: np.ndarray, y: np.ndarray, weight_decay: float) -> float:
    """The optimum of the network, solved at unit scale, where Clarabel works."""
    problem = balanced(X, y, weight_decay)
    program = NeuronProgram(problem.X, problem.y, problem.weight_decay)
    solution = Reference().solve(program)
    return problem.objective(solution.certificate.primal)


def decay(X: np.ndarray, y: np.ndarray, part: float) -> float:
    problem = balanced(X, y, 1.0)
    size = part * float(np.linalg.norm(problem.X.T @ problem.y))
    return float(np.ldexp(size, problem.exponent_X + problem.exponent_y))


@pytest.mark.parametrize("kind", NAMES)
def test_no_bound_is_above_the_exact_optimum(kind):
    rng = np.random.default_rng(len(kind))
    X, y = data(kind, rng)
    for part, neurons in ((0.3, 0), (0.02, 2)):
        beta = decay(X, y, part)
        best = exact_optimum(X, y, beta)
        program = NeuronProgram(X, y, beta)
        w = rng.standard_normal((neurons, X.shape[1]))
        start = np.column_stack([w, rng.choice([-1.0, 1.0], neurons)])
        proved = prove(program, start, seconds=0.15)
        # The reference is exact to 1e-7 of |y|^2/2 at worst, the objective of zero.
        slack = 1e-7 * 0.5 * float(y @ y)
        assert 0.0 <= proved.certificate.dual <= best + slack
        assert proved.certificate.dual <= proved.certificate.primal
        verified = verified_lower_bound(proved.proof, X, y, beta)
        assert verified >= proved.certificate.dual
        problem, proof = balanced(X, y, beta), proved.proof
        r, _ = residual_from(problem, proof.basis, proof.neurons, proof.blurs, proof.blur_weights)
        assert verified_norm(proof, problem.X, r) >= exact_norm(problem.X, r) * (1 - 1e-12)


def test_bounds_on_the_norm_are_above_the_exact_norm_and_close():
    rng = np.random.default_rng(2)
    for _ in range(4):
        n, d = int(rng.integers(4, 9)), int(rng.integers(1, 4))
        X, y = rng.standard_normal((n, d)) + 0.5 * rng.random(), rng.standard_normal(n)
        program = NeuronProgram(X, y, 0.5 * exact_norm(X, y))
        proof = prove(program, np.zeros((0, d + 1)), seconds=0.4).proof
        problem = balanced(X, y, program.weight_decay)
        r, exponent = residual_from(
            problem, proof.basis, proof.neurons, proof.blurs, proof.blur_weights
        )
        bound = verified_norm(proof, problem.X, r)
        exact = exact_norm(problem.X, r)
        assert exact * (1 - 1e-9) <= bound <= 1.2 * exact
        assert exponent == 0 or r.any()


def test_the_exact_norm_is_reached_by_sampling_but_never_passed():
    rng = np.random.default_rng(3)
    X, r = rng.standard_normal((8, 2)), rng.standard_normal(8)
    angles = np.linspace(0, 2 * np.pi, 20_001)
    U = np.vstack([np.cos(angles), np.sin(angles)])
    sampled = np.abs(r @ np.maximum(X @ U, 0.0)).max()
    assert sampled <= exact_norm(X, r) * (1 + 1e-12)
    assert sampled >= exact_norm(X, r) * (1 - 1e-5)  # a grid of 3e-4 on ridges


def test_a_small_optimum_is_proved_to_the_tolerance():
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((9, 3)) + 0.5, rng.standard_normal(9)
    program = NeuronProgram(X, y, decay(X, y, 0.15))
    variables = Reference(tolerance=1e-12).solve(program).variables  # as near as Clarabel comes
    proved = prove(program, variables, seconds=20.0)
    assert proved.certificate.scope is Scope.RELU_NETWORK
    assert proved.status is Status.OPTIMAL
    assert proved.certificate.relative_gap <= 1e-4


def test_bounds_only_rise_and_pass_the_pattern_free_one():
    program, variables = noisy_problem()
    proved = prove(program, variables, seconds=0.5)
    bounds = [record.dual for record in proved.objectives]
    assert bounds == sorted(bounds)
    assert proved.certificate.dual == bounds[-1]
    assert proved.certificate.dual > program.certify(variables).dual


def test_a_residual_trained_for_coarse_boxes_bounds_better_than_the_networks_own():
    """The robust dual, and its proof with blurred neurons, verified."""
    program, variables = noisy_problem()
    problem = balanced(program.X, program.y, program.weight_decay)
    neurons = variables.copy()
    neurons[:, :-1] = np.ldexp(variables[:, :-1], problem.exponent_X - problem.exponent_y)
    recipe = raw_recipe(neurons)
    r, exponent = residual_from(
        problem, np.eye(3), recipe.neurons, recipe.blurs, recipe.blur_weights
    )
    sphere = Sphere(problem.X, r)
    sphere.start()
    bounds, blurs = [bound_of(sphere, recipe, program)], 0
    robust = RobustDual(problem, neurons)
    for _ in range(3):
        limit = float(np.ldexp(problem.weight_decay, -exponent))
        recipe = robust.retrain(sphere, limit)
        r, exponent = residual_from(
            problem, sphere.basis, recipe.neurons, recipe.blurs, recipe.blur_weights
        )
        list(sphere.replace(r))
        bounds.append(bound_of(sphere, recipe, program))
        blurs += len(recipe.blurs)
        sphere.cut_worst()
    assert blurs > 0
    assert max(bounds[1:]) > bounds[0] > 0
    assert max(bounds) <= program.objective(variables)


def bound_of(sphere: Sphere, recipe: Recipe, program: NeuronProgram) -> float:
    proof = written(sphere, recipe)
    return verified_lower_bound(proof, program.X, program.y, program.weight_decay)


def noisy_problem() -> tuple[NeuronProgram, np.ndarray]:
    rng = np.random.default_rng(0)
    level = np.abs(rng.standard_normal((300, 1)))
    X = level + 0.5 * rng.standard_normal((300, 3))
    y = level[:, 0] + 0.3 * rng.standard_normal(300)
    program = NeuronProgram(X, y, decay(X, y, 0.003))
    w = np.linalg.lstsq(X, y, rcond=None)[0]
    return program, np.append(w, 1.0)[None]


def test_the_same_inputs_give_the_same_proof():
    program, variables = noisy_problem()
    one, two = (prove(program, variables, seconds=0.4) for _ in range(2))
    assert one.certificate == two.certificate
    np.testing.assert_array_equal(one.proof.cut, two.proof.cut)
    np.testing.assert_array_equal(one.proof.multipliers, two.proof.multipliers)


def test_a_cancelled_search_returns_the_best_bound_so_far():
    program, variables = noisy_problem()
    seen = []

    def cancel(progress):
        seen.append(progress.dual)
        if progress.dual > 0:
            raise Cancelled("enough")

    solver = BranchAndBound(max_seconds=30.0, clock=Ticks())
    proved = solver.prove(program, variables, on_iteration=cancel)
    assert proved.status is Status.CANCELLED
    assert proved.certificate.dual >= seen[-1] > 0
    assert verified_lower_bound(
        proved.proof, program.X, program.y, program.weight_decay
    ) == pytest.approx(proved.certificate.dual, rel=1e-12)


def test_cancelling_at_once_leaves_the_bound_zero():
    program, variables = noisy_problem()

    def cancel(_progress):
        raise Cancelled("at once")

    proved = BranchAndBound().prove(program, variables, on_iteration=cancel)
    assert proved.status is Status.CANCELLED
    assert proved.certificate.dual == 0.0
    assert verified_lower_bound(proved.proof, program.X, program.y, program.weight_decay) == 0.0


def test_without_weight_decay_the_bound_is_zero():
    program, variables = noisy_problem()
    proved = prove(program.with_weight_decay(0.0), variables, seconds=0.2)
    assert proved.certificate.dual == 0.0


def test_scaling_by_powers_of_two_scales_the_bound():
    program, variables = noisy_problem()
    plain = prove(program, variables, seconds=0.5).certificate.dual
    for a, b in ((400, -300), (-400, 200)):
        scaled = NeuronProgram(
            np.ldexp(program.X, a),
            np.ldexp(program.y, b),
            float(np.ldexp(program.weight_decay, a + b)),
        )
        moved = variables.copy()
        moved[:, :-1] = np.ldexp(variables[:, :-1], b - a)
        assert prove(scaled, moved, seconds=0.5).certificate.dual == np.ldexp(plain, 2 * b)


def test_the_master_problem_of_true_neurons_is_the_lasso():
    rng = np.random.default_rng(5)
    A, y = rng.standard_normal((4, 30)), rng.standard_normal(30)
    w = train(A, A, y, 2.0, np.zeros(4))
    slopes = 2.0 - A @ (y - w @ A)
    assert (w >= 0).all()
    assert (slopes >= -1e-5).all()
    assert np.abs(slopes[w > 0]).max(initial=0.0) < 1e-5


def test_the_master_problem_of_intervals_beats_other_weights():
    rng = np.random.default_rng(6)
    low = rng.standard_normal((3, 40))
    high = low + rng.random((3, 40))
    y = 2 * rng.standard_normal(40)

    def value(w):
        r = y - np.clip(y, w @ low, w @ high)
        return 0.5 * r @ r + 0.5 * w.sum()

    w = train(low, high, y, 0.5, np.zeros(3))
    grid = itertools.product(np.linspace(0, 3, 13), repeat=3)
    others = [value(np.array(other)) for other in grid]
    assert value(w) <= min(others) * (1 + 1e-6)
