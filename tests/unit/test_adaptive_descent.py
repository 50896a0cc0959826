"""Descent on all neurons in the coordinates of a Hessian, and what it starts from."""

import numpy as np
import pytest

from convexviz.core.neurons import NeuronProgram, join
from convexviz.solvers.adaptive import Adaptive
from convexviz.solvers.adaptive_curvature import coordinates, sample, worth_it
from convexviz.solvers.adaptive_descent import descend, without_short
from convexviz.solvers.adaptive_refine import Neurons, Training, evaluate, residual_of, training

Array = np.ndarray


def never(*_: object) -> bool:
    return False


def teacher(n: int, d: int, noise: float = 0.1) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    X = rng.standard_normal((n, d))
    y = np.maximum(X @ rng.standard_normal((d, 4)), 0) @ [1.0, -1.0, 0.5, 2.0]
    return X, y + noise * rng.standard_normal(n)


def random_neurons(data: Training, m: int) -> Neurons:
    rng = np.random.default_rng(2)
    return evaluate(data, rng.standard_normal((m, data.X.shape[1])), np.sign(rng.normal(size=m)))


def test_the_coordinates_invert_the_hessian_where_no_row_is_near_a_kink() -> None:
    rng = np.random.default_rng(0)
    X, y, beta = rng.uniform(1, 2, (40, 3)), rng.standard_normal(40), 3.0
    W, signs = np.array([[1.0, 2.0, 0.5], [-2.0, -1.0, -1.0]]), np.array([1.0, -1.0])
    program, h = NeuronProgram(X, y, beta), 1e-5
    exact = np.empty((6, 6))
    for k, step in enumerate(h * np.eye(6).reshape(6, 2, 3)):
        up, down = (program.gradient(join(W + side * step, signs)) for side in (1, -1))
        exact[:, k] = ((up - down) / (2 * h)).ravel()
    P = coordinates(X, y, W, signs, beta)
    # The floor is 1e-4 of the mean curvature; the products are in float32.
    np.testing.assert_allclose(np.linalg.inv(P @ P.T), exact, atol=1e-3 * np.trace(exact) / 6)


def test_the_coordinates_exist_where_neurons_bend_down_or_are_alike() -> None:
    X, y = teacher(200, 3)
    W = np.repeat(np.random.default_rng(1).standard_normal((2, 3)), 2, axis=0)
    signs = np.array([1.0, 1.0, -1.0, -1.0])
    P = coordinates(X, 100 * y, W, signs, 1e-6)  # residuals a hundred times the fit
    assert np.isfinite(P).all()
    assert np.linalg.matrix_rank(P) == W.size


@pytest.mark.parametrize("n", [4096, 30_000])  # in float64 only, and in float32 first
def test_descent_ends_where_no_slope_is_longer_than_what_one_row_adds(n: int) -> None:
    X, y = teacher(n, 9)
    data = training(X, y, 1e-3 * float(np.linalg.norm(X.T @ y)))
    assert data.sample is not None
    assert (data.single is not None) == (n == 30_000)
    start = random_neurons(data, 6)
    end = descend(data, start, 12, 1e-3, never)
    assert end.F < start.F
    residual, slope = residual_of(data, end)
    one_row = float((np.abs(residual) * np.linalg.norm(X, axis=1)).max())
    assert slope * data.beta <= max(one_row, 1e-3 * data.beta)


def test_it_needs_fewer_gradients_than_descent_without_a_hessian() -> None:
    X, y = teacher(6000, 9)
    X = X @ np.diag(np.geomspace(1, 0.02, 9))  # as patches are: badly conditioned
    beta = 1e-4 * float(np.linalg.norm(X.T @ y))
    seen: list[int] = []
    ends = []
    for data in (training(X, y, beta), Training(X, y, beta)):  # with a sample, and without
        ticks = 0

        def count(*_: object) -> bool:
            nonlocal ticks
            ticks += 1
            return False

        ends.append(descend(data, random_neurons(data, 8), 2, 1e-9, count).F)
        seen.append(ticks)
    assert seen[0] < seen[1]
    assert ends[0] < ends[1]


def test_a_short_neuron_goes_unless_it_is_missed() -> None:
    data = Training(np.eye(3), np.array([1.0, 1.0, 0.0]), 0.1)
    W = np.array([[0.9, 0.9, 0.0], [0.0, 0.0, 0.01]])
    fewer = without_short(data, evaluate(data, W, np.ones(2)))
    np.testing.assert_array_equal(fewer.W, W[:1])
    needed = evaluate(Training(np.eye(3), np.array([1.0, 1.0, 0.5]), 0.1), W, np.ones(2))
    assert len(without_short(Training(np.eye(3), np.array([1.0, 1.0, 0.5]), 0.1), needed)) == 2


def test_a_hessian_is_made_only_where_it_is_worth_it() -> None:
    assert sample(4095) is None
    few, most = sample(10_000), sample(10**6)
    assert few is not None
    assert most is not None
    assert len(np.unique(few)) == 2500
    assert len(most) < 10_000
    assert worth_it(225, 8192, 65_536)
    assert not worth_it(5000, 8192, 10**6)  # more weights than the rows can tell apart
    assert not worth_it(2000, 4096, 16_384)  # dearer than the steps


def test_on_many_rows_it_beats_descent_from_several_random_networks() -> None:
    X, y = teacher(33_000, 4, noise=1.0)
    beta = 3e-4 * float(np.linalg.norm(X.T @ y))
    solution = Adaptive(tolerance=1e-5, max_rounds=6).solve(NeuronProgram(X, y, beta))
    data = Training(X, y, beta)
    rng = np.random.default_rng(0)
    for _ in range(3):
        W, signs = rng.standard_normal((20, 4)), np.sign(rng.standard_normal(20))
        rival = descend(data, evaluate(data, W, signs), 1, 1e-6, never)
        assert solution.certificate.primal <= rival.F * (1 + 1e-6)


@pytest.mark.parametrize("tiny", [1e-100, 5e-324])
def test_a_neuron_next_to_zero_does_not_hold_the_others_back(tiny: float) -> None:
    X, y = teacher(4096, 3)
    data = training(X, y, 1e-3 * float(np.linalg.norm(X.T @ y)))
    start = random_neurons(data, 4)
    W = start.W.copy()
    W[2] = [tiny, 0.0, 0.0]
    end = descend(data, evaluate(data, W, start.signs), 1, 1e-3, never)
    W[2] = 0.0
    assert end.F <= descend(data, evaluate(data, W, start.signs), 1, 1e-3, never).F


def test_rows_may_be_zero_wherever_a_hessian_looks() -> None:
    few = sample(4096)
    assert few is not None
    bright = np.setdiff1d(np.arange(4096), few)[:9]
    X = np.zeros((4096, 2))
    X[bright] = np.random.default_rng(0).random((9, 2))
    y = np.where(X[:, 0] > 0, X[:, 0], 10.0)  # nothing fits the dark rows
    dark, weight_decay = 50.0 * (4096 - 9), 0.01  # `w = (1, 0)` fits all others
    found = Adaptive(max_rounds=2).solve(NeuronProgram(X, y, weight_decay)).certificate.primal
    assert dark < found <= dark + weight_decay


def test_who_wants_to_stop_is_asked_on_both_sides_of_a_hessian(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = teacher(4096, 3)
    data = training(X, y, 1.0)
    start, made = random_neurons(data, 4), []

    def counted(*_: object) -> Array:
        made.append(1)
        return np.full((12, 12), np.nan)  # no step can be made in these

    monkeypatch.setattr("convexviz.solvers.adaptive_curvature.coordinates", counted)
    assert descend(data, start, 2, 1e-6, lambda *_: True) is start
    assert not made
    assert descend(data, start, 2, 1e-6, lambda *_: bool(made)) is start
    assert len(made) == 1


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_neurons_than_asked_for_on_many_rows(most: int) -> None:
    X, y = teacher(33_000, 3)
    beta = 1e-4 * float(np.linalg.norm(X.T @ y))
    found = Adaptive(max_neurons=most, max_rounds=4, tolerance=1e-9)
    assert len(found.solve(NeuronProgram(X, y, beta)).variables) <= most
