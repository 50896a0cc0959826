import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.core import neurons_kernels as kernels
from convexviz.core.neurons import NeuronProgram, directions, join, lengths, split
from convexviz.core.solution import Scope
from convexviz.errors import DataError, IncompatibleSolver, SpecError


def some_program(seed: int = 0, n: int = 700, d: int = 4) -> NeuronProgram:
    rng = np.random.default_rng(seed)
    return NeuronProgram(rng.standard_normal((n, d)), rng.standard_normal(n), 0.7)


def some_variables(seed: int = 1, m: int = 5, d: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return join(rng.standard_normal((m, d)), rng.choice([-1.0, 1.0], m))


def plain_objective(program: NeuronProgram, variables: np.ndarray) -> float:
    W, signs = variables[:, :-1], variables[:, -1]
    fit = np.maximum(program.X @ W.T, 0) @ signs
    penalty = program.weight_decay * np.linalg.norm(W, axis=1).sum()
    return 0.5 * np.sum((program.y - fit) ** 2) + penalty


@given(st.integers(1, 1100), st.integers(1, 7), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_the_fused_passes_are_the_plain_formulas_at_every_shape(
    n: int, d: int, m: int, seed: int
) -> None:
    program, variables = some_program(seed, n, d), some_variables(seed, m, d)
    W, signs = split(variables)
    fit = np.maximum(program.X @ W.T, 0) @ signs
    r = program.y - fit
    masked = (program.X @ W.T >= 0).T * r
    residual = np.empty(n)
    loss, C = kernels.residual_and_correlations(program.X, program.y, W, signs, residual)
    np.testing.assert_allclose(residual, r, atol=1e-12)
    np.testing.assert_allclose(C, masked @ program.X, atol=1e-9)
    np.testing.assert_allclose(kernels.correlations(program.X, r, W), masked @ program.X, atol=1e-9)
    np.testing.assert_allclose(loss, 0.5 * r @ r, rtol=1e-12)
    np.testing.assert_allclose(
        kernels.squared_loss(program.X, program.y, W, signs), loss, rtol=1e-12
    )


def test_the_gradient_is_the_finite_difference_of_the_objective() -> None:
    program, variables = some_program(), some_variables()
    gradient, step = program.gradient(variables), 1e-7
    for j in range(variables.shape[0]):
        for k in range(variables.shape[1] - 1):
            up, down = variables.copy(), variables.copy()
            up[j, k] += step
            down[j, k] -= step
            slope = (program.objective(up) - program.objective(down)) / (2 * step)
            # A row that crosses its boundary within the step changes the slope by about |r x| step.
            np.testing.assert_allclose(gradient[j, k], slope, rtol=1e-5, atol=1e-4)


def test_a_boundary_row_is_active_in_the_gradient() -> None:
    program = NeuronProgram(np.array([[1.0, 0.0]]), np.array([3.0]), 0.5)
    variables = np.array([[0.0, 2.0, 1.0]])
    np.testing.assert_allclose(program.gradient(variables), [[-3.0, 0.5]])


def test_the_boundary_curvature_is_the_smoothed_second_derivative() -> None:
    rng = np.random.default_rng(3)
    X, r, U = rng.standard_normal((900, 3)), rng.standard_normal(900), rng.standard_normal((2, 3))
    width = np.array([0.3, 0.6])
    packed = kernels.boundary_curvature(X, r, U, width)
    weights = r * np.maximum(1 - np.abs(X @ U.T).T / width[:, None], 0) / width[:, None]
    expected = np.einsum("ki,ia,ib->kab", weights, X, X)
    np.testing.assert_allclose(kernels.unpack(packed, 3), expected, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_the_lasso_leaves_no_weight_that_could_move(seed: int) -> None:
    rng = np.random.default_rng(seed)
    A, y, beta = rng.standard_normal((30, 8)), rng.standard_normal(30), rng.uniform(0.1, 5)
    a = kernels.lasso(A.T @ A, A.T @ y, beta, np.zeros(8), 5000)
    slope = A.T @ (y - A @ a)
    assert np.all(np.abs(slope) <= beta + 1e-5)
    np.testing.assert_allclose(slope[a != 0], beta * np.sign(a[a != 0]), atol=1e-5)


def test_the_network_costs_what_the_program_says() -> None:
    program, variables = some_program(), some_variables()
    value = program.objective(variables)
    np.testing.assert_allclose(value, plain_objective(program, variables), rtol=1e-12)
    network = program.to_network(variables)
    np.testing.assert_allclose(network.objective(program.X, program.y[:, None]), value, rtol=1e-12)
    assert network.n_neurons == 5


def test_zero_neurons_are_the_zero_network_and_zero_weights_are_no_neurons() -> None:
    program = some_program()
    nothing = np.zeros((0, 5))
    np.testing.assert_allclose(program.objective(nothing), 0.5 * program.y @ program.y)
    assert program.to_network(nothing).n_neurons == 0
    assert program.to_network(np.array([[0.0, 0.0, 0.0, 0.0, 1.0]])).n_neurons == 0


def test_a_sign_that_is_no_sign_is_outside_the_program() -> None:
    program, variables = some_program(), some_variables()
    variables[2, -1] = 0.5
    assert program.objective(variables) == np.inf
    certificate = program.certify(variables)
    assert certificate.primal == np.inf
    assert certificate.dual == 0.0


@given(st.integers(0, 2**32 - 1))
def test_the_certified_bound_is_below_every_network(seed: int) -> None:
    program = some_program(seed, 40, 3)
    certificate = program.certify(some_variables(seed, 3, 3))
    assert certificate.scope is Scope.RELU_NETWORK
    for other in range(5):
        assert certificate.dual <= program.objective(0.05 * some_scaled(seed + other)) + 1e-9
    assert certificate.dual <= program.objective(np.zeros((0, 4)))


def some_scaled(seed: int) -> np.ndarray:
    variables = some_variables(seed, 3, 3)
    variables[:, -1] *= 20.0  # the caller shrinks everything, signs included
    return variables


def test_cvxpy_solves_the_same_program_on_a_handful_of_rows() -> None:
    program = NeuronProgram(*toy())
    problem = program.to_cvxpy()
    problem.solve(solver="CLARABEL")
    assert problem.status == "optimal"
    variables = program.from_cvxpy(problem)
    np.testing.assert_allclose(program.objective(variables), problem.value, rtol=1e-6)
    for seed in range(20):  # no network is better
        other = join(np.random.default_rng(seed).standard_normal((4, 2)), np.ones(4))
        assert program.objective(other) >= problem.value - 1e-7


def toy() -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(5)
    return rng.standard_normal((5, 2)), rng.standard_normal(5), 0.05


def test_cvxpy_is_refused_for_an_image_with_the_way_out() -> None:
    with pytest.raises(IncompatibleSolver, match="at most 12 rows, got 700; use the Adaptive"):
        some_program().to_cvxpy()


@pytest.mark.parametrize(
    ("X", "y", "weight_decay", "error", "words"),
    [
        (np.ones((0, 2)), np.ones(0), 1.0, DataError, "n >= 1"),
        (np.full((1, 1), np.nan), np.ones(1), 1.0, DataError, "X must be finite"),
        (np.ones((1, 1)), np.full(1, np.inf), 1.0, DataError, "y must be finite"),
        (np.ones((1, 1)), np.full(1, 1e200), 1.0, DataError, "rescale y"),
        (np.ones((1, 1)), np.ones(1), -1.0, SpecError, "weight_decay must be finite and >= 0"),
        (np.ones((1, 1)), np.ones(1), np.nan, SpecError, "weight_decay must be finite and >= 0"),
    ],
)
def test_bad_input_is_refused_by_name(
    X: np.ndarray, y: np.ndarray, weight_decay: float, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        NeuronProgram(X, y, weight_decay)


def test_lengths_neither_overflow_nor_underflow() -> None:
    W = np.array([[3e200, 4e200], [3e-200, 4e-200], [0.0, 0.0]])
    np.testing.assert_allclose(lengths(W), [5e200, 5e-200, 0.0])
    np.testing.assert_allclose(directions(W), [[0.6, 0.8], [0.6, 0.8], [0.0, 0.0]])
