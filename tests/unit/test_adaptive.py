from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convexviz.core.neurons import NeuronProgram, join
from convexviz.core.patches import patches
from convexviz.core.solution import Progress, Scope, Status
from convexviz.errors import Cancelled, IncompatibleSolver
from convexviz.solvers.adaptive import Adaptive
from convexviz.solvers.adaptive_descent import descend
from convexviz.solvers.adaptive_refine import Training, evaluate

GOLDEN = 0.189503744  # THEORY 7, p4.A3
QUICK = Adaptive(max_rounds=4)  # within 1e-4 of the end on the image below


def golden_program() -> NeuronProgram:
    clean = np.array([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]])
    noisy = clean + 0.5 * np.random.default_rng(0).standard_normal((3, 3))
    shifts = [np.roll(noisy, (1 - a, 1 - b), (0, 1)).ravel() for a in range(2) for b in range(2)]
    return NeuronProgram(np.stack(shifts, axis=1), clean.ravel(), 0.1)


def noisy_image(size: int = 48, bias: bool = True) -> NeuronProgram:
    """A disc on a ramp with noise, 3x3 patches; weight decay for about ten neurons.

    A few rounds on it take half a second; a first call compiles for seconds.
    """
    a, b = np.mgrid[:size, :size] / size
    clean = 0.3 * a + 0.5 * ((a - 0.4) ** 2 + (b - 0.5) ** 2 < 0.06) + 0.2 * (b > 0.8)
    noisy = clean + 0.1 * np.random.default_rng(1).standard_normal(clean.shape)
    moves = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    columns = [np.roll(noisy, move, (0, 1)).ravel() for move in moves]
    X = np.stack([*columns, np.ones(clean.size)][: 9 + bias], axis=1)
    return NeuronProgram(X, clean.ravel(), 1e-3 * float(np.linalg.norm(X.T @ clean.ravel())))


def exact(program: NeuronProgram) -> float:
    problem = program.to_cvxpy()
    problem.solve(solver="CLARABEL")
    assert problem.status == "optimal"
    return float(problem.value)


def test_the_golden_denoiser_is_solved_to_its_known_optimum() -> None:
    program = golden_program()
    solution = Adaptive().solve(program)
    # The golden value has nine digits.
    assert GOLDEN - 1e-9 <= solution.certificate.primal <= GOLDEN * (1 + 1e-6)
    assert solution.certificate.dual <= GOLDEN
    assert solution.certificate.scope is Scope.RELU_NETWORK
    assert Adaptive().estimate(program, solution.variables) == pytest.approx(1.0, abs=1e-4)


@settings(max_examples=10)  # each one enumerates every pattern and solves the cone program
@given(st.integers(1, 7), st.integers(1, 3), st.sampled_from([0.02, 0.2, 1.0]), st.integers(0, 999))
def test_small_problems_end_at_the_optimum_over_every_pattern(
    n: int, d: int, weight_decay: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    program = NeuronProgram(rng.standard_normal((n, d)), rng.standard_normal(n), weight_decay)
    best, solution = exact(program), Adaptive().solve(program)
    scale = 0.5 * program.y @ program.y
    assert solution.certificate.primal <= best * (1 + 1e-4) + 1e-7 * scale
    assert solution.certificate.primal >= best - 1e-6 * scale  # Clarabel's own tolerance
    assert solution.certificate.dual <= best + 1e-6 * scale


def test_the_comparison_with_the_optimum_can_fail() -> None:
    program = golden_program()
    first_only = Adaptive(max_neurons=1, max_rounds=1).solve(program)
    assert first_only.certificate.primal > GOLDEN * 1.01
    assert Adaptive().estimate(program, first_only.variables) > 1.01


@pytest.mark.parametrize("seed", [0, 1])
def test_a_tiny_image_ends_where_no_neuron_is_missing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean = rng.random((6, 6))
    X = patches((clean + 0.1 * rng.standard_normal((6, 6)))[None], (3, 3))
    program = NeuronProgram(X, clean.ravel(), 1e-3 * float(np.linalg.norm(X.T @ clean.ravel())))
    solution = Adaptive().solve(program)  # its neurons have rows exactly on their boundaries
    assert Adaptive().estimate(program, solution.variables) <= 1.001


def test_the_value_is_that_of_the_network_it_maps_to() -> None:
    program = noisy_image()
    solution = QUICK.solve(program)
    network = program.to_network(solution.variables)
    value = network.objective(program.X, program.y[:, None])
    np.testing.assert_allclose(value, solution.certificate.primal, rtol=1e-12)
    assert solution.certificate == replace(
        program.certify(solution.variables), dual=solution.certificate.dual
    )


def test_on_an_image_it_is_no_worse_than_descent_from_random_networks() -> None:
    program = noisy_image()
    ours = QUICK.solve(program).certificate.primal
    data = Training(program.X, program.y, program.weight_decay)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        start = evaluate(data, rng.standard_normal((40, 10)), rng.choice([-1.0, 1.0], 40))
        peer = descend(data, start, 2, 1e-6, lambda *_: False)
        assert ours <= peer.F * (1 + 1e-4)


def test_the_same_rng_gives_the_same_bits_and_is_left_as_it_was() -> None:
    program, solver = noisy_image(), Adaptive(max_rounds=3, rng=np.random.default_rng(3))
    first, second = solver.solve(program), solver.solve(program)
    np.testing.assert_array_equal(first.variables, second.variables)
    assert first.certificate == second.certificate
    assert solver.rng.integers(2**62) == np.random.default_rng(3).integers(2**62)


def test_another_rng_ends_at_nearly_the_same_objective() -> None:
    program = noisy_image()
    values = [
        Adaptive(max_rounds=4, rng=np.random.default_rng(seed)).solve(program).certificate.primal
        for seed in (1, 2)
    ]
    assert abs(values[0] - values[1]) <= 1e-3 * values[0]


def test_the_trace_never_rises_and_the_bound_never_falls() -> None:
    solution = QUICK.solve(noisy_image())
    primal = [record.primal for record in solution.objectives]
    dual = [record.dual for record in solution.objectives]
    assert primal == sorted(primal, reverse=True)
    assert dual == sorted(dual)
    assert solution.certificate.primal == primal[-1]
    assert max(dual) <= primal[-1]


@pytest.mark.parametrize("after", [0, 2, 6])
def test_a_cancelled_solve_returns_the_best_point_so_far(after: int) -> None:
    seen: list[Progress] = []

    def cancel(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) > after:
            raise Cancelled("enough")

    program = noisy_image()
    solution = QUICK.solve(program, on_iteration=cancel)
    assert solution.status is Status.CANCELLED
    assert len(seen) == after + 1
    assert solution.certificate.primal <= min(record.primal for record in seen)
    np.testing.assert_allclose(
        program.objective(solution.variables), solution.certificate.primal, rtol=1e-12
    )


def test_no_time_at_all_still_gives_a_point_and_a_true_bound() -> None:
    program = noisy_image()
    solution = Adaptive(max_seconds=0.0).solve(program)
    assert solution.status is Status.MAX_ITERATIONS
    assert 0 <= solution.certificate.dual <= solution.certificate.primal
    assert solution.certificate.primal <= 0.5 * program.y @ program.y * (1 + 1e-12)


def test_no_more_neurons_than_allowed() -> None:
    program = noisy_image()
    few = Adaptive(max_neurons=3, max_rounds=4).solve(program)
    assert 1 <= len(few.variables) <= 3
    assert few.certificate.primal >= QUICK.solve(program).certificate.primal


def test_at_large_weight_decay_the_network_is_zero_and_certified() -> None:
    program = noisy_image()
    beta_max = float(np.linalg.norm(program.X, axis=1) @ np.abs(program.y))  # M(y) is below
    solution = QUICK.solve(program.with_weight_decay(2 * beta_max))
    assert len(solution.variables) == 0
    assert solution.status is Status.OPTIMAL
    assert program.to_network(solution.variables).n_neurons == 0


def test_a_path_is_in_the_order_asked_and_falls_with_weight_decay() -> None:
    program = noisy_image()
    betas = [program.weight_decay * factor for factor in (1.0, 10.0, 3.0)]
    path = QUICK.path(program, betas)
    values = [solution.certificate.primal for solution in path]
    assert values[0] < values[2] < values[1]
    for beta, solution in zip(betas, path, strict=True):
        alone = QUICK.solve(program.with_weight_decay(beta)).certificate.primal
        assert abs(solution.certificate.primal - alone) <= 1e-3 * alone


def test_a_cancelled_path_stops_there() -> None:
    program = noisy_image()

    def cancel(_progress: Progress) -> None:
        raise Cancelled("enough")

    path = QUICK.path(program, [2.0, 1.0], on_iteration=cancel)
    assert [solution.status for solution in path] == [Status.CANCELLED]
    upwards = QUICK.path(program, [1.0, 2.0], on_iteration=cancel)
    assert [solution.status for solution in upwards] == 2 * [Status.CANCELLED]
    for beta, solution in zip([1.0, 2.0], upwards, strict=True):
        here = program.with_weight_decay(beta).objective(solution.variables)
        assert solution.certificate.primal == pytest.approx(here, rel=1e-12)


def degenerate() -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    return {
        "one row": (X[:1], y[:1], 0.1),
        "one number": (np.ones((1, 1)), -np.ones(1), 0.1),
        "zero X": (0 * X, y, 0.1),
        "zero y": (X, 0 * y, 0.1),
        # Seconds: the cone program falls back on Clarabel, and shapes are checked at every call.
        "no weight decay": (X[:3], y[:3], 0.0),
        "constant X": (np.ones((30, 3)), y, 1.0),
        "duplicated rows": (np.repeat(X[:6], 5, axis=0), y, 1.0),
        "rank one": (X[:, :1] @ np.ones((1, 3)), y, 1.0),
        "a zero column": (np.hstack([X, np.zeros((30, 1))]), y, 1.0),
        "tiny X": (1e-150 * X, y, 1e-150),
        "huge X, tiny y": (1e150 * X, 1e-150 * y, 1.0),
        "huge y": (X, 1e145 * y, 1e145),
        "columns of every scale": (X * [1e-150, 1.0, 1e150], y, 1.0),
    }


@pytest.mark.parametrize("case", degenerate())
def test_degenerate_data_give_a_finite_answer_and_a_true_bound(case: str) -> None:
    program = NeuronProgram(*degenerate()[case])
    solution = QUICK.solve(program)
    certificate = solution.certificate
    assert np.isfinite(solution.variables).all()
    assert 0 <= certificate.dual <= certificate.primal < np.inf
    assert certificate.primal <= program.objective(np.zeros((0, program.X.shape[1] + 1)))
    assert np.isfinite(Adaptive().estimate(program, solution.variables))


def test_scaling_the_data_scales_the_answer() -> None:
    program = noisy_image()
    plain = Adaptive(max_rounds=3).solve(program).certificate.primal
    scaled = NeuronProgram(
        2.0**90 * program.X, 2.0**-80 * program.y, 2.0**10 * program.weight_decay
    )
    there = Adaptive(max_rounds=3).solve(scaled).certificate.primal
    np.testing.assert_allclose(there * 2.0**160, plain, rtol=1e-3)


def test_another_program_is_refused_with_the_reason() -> None:
    class Other(NeuronProgram.__base__):
        objective = certify = to_network = to_cvxpy = from_cvxpy = None

    with pytest.raises(IncompatibleSolver, match="a NeuronProgram, got Other"):
        Adaptive().solve(Other())


def test_the_network_read_back_from_variables_is_the_solution() -> None:
    program = golden_program()
    variables = QUICK.solve(program).variables
    network = program.to_network(variables)
    W = (network.first_layer * np.abs(network.second_layer[:, 0])).T
    signs = np.sign(network.second_layer[:, 0])
    np.testing.assert_allclose(join(W, signs), variables, rtol=1e-12)
