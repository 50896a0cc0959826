"""ReLU discriminators: exact distances, bounds that hold, golden values, and no claim beyond."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.core import reach, ridges
from convexviz.core.discriminator import Discriminator, Neurons
from convexviz.core.game import GameProgram
from convexviz.core.relu_distance import _by_cells, distance, free_bias_distance, stacked
from convexviz.core.relu_reply import Replies
from convexviz.core.solution import Progress
from convexviz.errors import Cancelled, IncompatibleSolver
from convexviz.solvers.relu_polish import Polish, least_distance

X22 = np.random.default_rng(22).standard_normal((4, 2))
D2 = np.array([[1.5], [0.5], [-0.5], [-1]])
LINE = np.array([[-1.0], [1]])


def spread(s: int, count: int = 20_000) -> np.ndarray:
    U = np.random.default_rng(0).standard_normal((count, s))
    return U / np.linalg.norm(U, axis=1, keepdims=True)


def test_the_golden_distances_are_met() -> None:
    other = np.random.default_rng(23).standard_normal((5, 2))
    assert distance(X22, other).upper == pytest.approx(2.653377469, rel=1e-9)  # p1.D3
    for weight, value in ((0.0, 1.0), (0.7, 0.3), (-0.7, 0.3)):  # p1.D1
        assert distance(LINE, weight * LINE).upper == pytest.approx(value, rel=1e-12)
    x, g = np.array([-1, 0, 0.5, 2]), np.array([-0.5, 0.2, 0.3, 1])
    assert free_bias_distance(x, g) == pytest.approx(1.2, rel=1e-12)  # p1.D4


@pytest.mark.parametrize("s", [1, 2, 3, 4])
def test_the_distance_is_above_every_direction_and_is_met(s: int) -> None:
    rng = np.random.default_rng(s)
    X, G = rng.standard_normal((5, s)), rng.standard_normal((4, s))
    G[0], G[1] = X[0], -2 * X[1]  # rows that are equal, or on one line
    A, w = stacked(X, G)
    found = distance(X, G)
    seen = float(np.abs(ridges.ridge_sum(A, w, spread(s))).max())
    assert found.is_exact
    assert seen <= found.upper * (1 + 1e-12)
    assert seen >= 0.95 * found.upper
    assert _by_cells(A, w) == pytest.approx(found.upper, rel=1e-9)


def test_beyond_that_the_bracket_says_so() -> None:
    rng = np.random.default_rng(5)
    X, G = rng.standard_normal((30, 6)), rng.standard_normal((30, 6))
    found = distance(X, G)
    assert not found.is_exact
    A, w = stacked(X, G)
    seen = float(np.abs(ridges.ridge_sum(A, w, spread(6))).max())
    assert seen <= found.lower * (1 + 1e-9) <= found.upper * (1 + 1e-9)
    assert distance(X, X).upper < 1e-12
    assert distance(X, X + 1e-3 * G).upper <= 1e-3 * np.linalg.norm(G, axis=1).sum()


def solved(**fields: Any) -> Any:
    return convexviz.solve("wgan", discriminator="relu", **fields)


def test_the_best_known_samples_of_the_golden_table_are_found() -> None:
    """p1.D5: the value is the best that was found, not a proven optimum; the bound is proven."""
    result = solved(data={"X": X22, "Z": np.ones((4, 1))}, weight_decay=1.0)
    assert result.certificate.primal <= 4.519320350 * (1 + 1e-3)
    assert 4.2184601 < 4.38 < result.certificate.dual <= 4.519320350
    assert result.status == "max_iterations"
    assert result.provenance["solver"].startswith("numerical")
    assert distance(X22, result.arrays["generated"]).upper <= 1.0 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("data", "beta", "value"),
    [({"X": LINE, "Z": LINE}, 0.3, 0.49), ({"X": X22, "Z": D2}, 2.5, 0.330449292)],
)
def test_a_linear_generator_reaches_the_golden_value(
    data: dict[str, np.ndarray], beta: float, value: float
) -> None:
    result = solved(data=data, weight_decay=beta, generator="linear", penalty="weights")
    assert result.certificate.primal == pytest.approx(value, rel=1e-6)
    assert result.certificate.dual <= value * (1 + 1e-9)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("penalty", ["samples", "displacement"])
def test_samples_are_allowed_and_the_bound_is_below_them(bias: bool, penalty: str) -> None:
    fields = {"dataset": "moons", "n_samples": 10, "weight_decay": 1.0}
    result = solved(**fields, bias=bias, penalty=penalty)
    G, X = result.arrays["generated"], result.data["X"]
    if bias:
        G, X = (np.hstack([S, np.ones((10, 1))]) for S in (G, X))
    A, w = stacked(X, G)
    assert np.abs(ridges.ridge_sum(A, w, spread(A.shape[1]))).max() <= 1.0 * (1 + 1e-9)
    assert 0 < result.certificate.dual <= result.certificate.primal
    assert result.certificate.relative_gap < 0.5  # of ten samples; far less with more of them


@pytest.mark.parametrize("start", [None, 0.5 * np.random.default_rng(1).standard_normal((4, 2))])
@pytest.mark.parametrize("bias", [False, True])
def test_no_samples_that_are_allowed_beat_any_bound(start: np.ndarray | None, bias: bool) -> None:
    game = GameProgram(X22, 4, reach.free(4, 2, start), Discriminator("relu", bias=bias), 1.0)
    rng = np.random.default_rng(2)
    allowed = []
    while len(allowed) < 5:
        G = X22[rng.permutation(4)] * rng.uniform(0.6, 1.0) + 0.1 * rng.standard_normal((4, 2))
        if game.discriminator.value(X22, G) <= 1.0:
            allowed.append(game.reach.penalty(G))
    for _ in range(25):
        U = rng.standard_normal((5, game.width - 1))
        U /= np.linalg.norm(U, axis=1, keepdims=True)
        assert game.bound(Neurons(U, rng.standard_normal(5))) <= min(allowed) * (1 + 1e-9)


def test_the_reply_to_a_discriminator_is_the_least_there_is() -> None:
    from convexviz.core.relu_reply import Replies

    rng = np.random.default_rng(4)
    U = rng.standard_normal((6, 3))
    lines = Replies(Neurons(U / np.linalg.norm(U, axis=1, keepdims=True), rng.standard_normal(6)))
    start = rng.standard_normal((3, 2))
    grid = np.stack(np.meshgrid(*[np.linspace(-6, 6, 601)] * 2), axis=-1).reshape(-1, 2)
    psi = lines.psi(grid)
    for g0, least in zip(start, lines.least(start, 1.5, 1.0), strict=True):
        seen = float((np.square(grid - g0).sum(axis=1) - 1.5 * psi).min())
        assert least <= seen + 1e-9
        assert seen - least < 5e-3  # of the grid's spacing, 0.02


def test_the_nearest_point_obeys_its_constraints_and_is_proved_by_multipliers() -> None:
    rng = np.random.default_rng(6)
    A, centre = rng.standard_normal((5, 8)), rng.standard_normal(8)
    b = A @ centre + rng.uniform(0.1, 1, 5)
    found = least_distance(centre, A, b)
    assert found is not None
    x, multipliers = found
    assert (A @ x >= b - 1e-9).all()
    np.testing.assert_allclose(x - centre, A.T @ multipliers, atol=1e-9)
    assert multipliers @ (A @ x - b) == pytest.approx(0.0, abs=1e-9)
    assert least_distance(np.zeros(1), np.array([[1.0], [-1]]), np.array([1.0, 1])) is None


def test_the_dual_over_the_plane_proves_what_its_samples_nearly_reach() -> None:
    """Of the moons with a constant column: polishing alone proved less than two thirds of this."""
    result = solved(
        dataset="moons", n_samples=30, weight_decay=1.0, bias=True, penalty="displacement"
    )
    assert 0 <= result.certificate.relative_gap < 0.06
    game = GameProgram(
        result.data["X"], 30, reach.free(30, 2, result.data["G0"]),
        Discriminator("relu", bias=True), 1.0,
    )  # fmt: skip
    exact = result.certificate.dual
    U, v = (result.arrays[f"discriminator_{name}"] for name in ("directions", "weights"))
    assert game.bound(Neurons(U.T.copy(), v)) == pytest.approx(exact, rel=1e-9)
    # Rounding the weights' scale away and back changes nothing: the best scale is found again.
    assert game.bound(Neurons(U.T.copy(), 7.0 * v)) == pytest.approx(exact, rel=1e-3)


def test_where_no_neuron_has_a_line_the_reply_stays() -> None:
    from convexviz.core.relu_reply import Replies

    constant = Replies(Neurons(np.array([[0.0, 0.0, 1.0]]), np.array([2.0])))
    start = np.array([[0.3, -1.0], [4.0, 2.0]])
    np.testing.assert_allclose(constant.least(start, 1.5, 1.0), [-3.0, -3.0])


def test_where_no_generator_is_allowed_a_line_says_so() -> None:
    rng = np.random.default_rng(3)
    data = {"X": rng.standard_normal((8, 2)), "Z": rng.standard_normal((8, 2))}
    with pytest.raises(IncompatibleSolver, match=r"no generator that weight_decay=0\.3 allows"):
        solved(data=data, weight_decay=0.3, generator="linear")


def test_neurons_that_share_a_line_are_all_asked() -> None:
    """Rounding decides on which side of its own line a neuron's twin is."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        u = rng.standard_normal(3)
        u /= np.linalg.norm(u[:2])
        twins = np.stack([u, u, -u, 1.7 * u])
        neurons = Neurons(twins, rng.standard_normal(4))
        replies, starts = Replies(neurons), rng.standard_normal((5, 2))
        found = replies.least(starts, 1.3, 0.7)
        # Only along u does psi change: a fine search on that line, through each start.
        steps = np.linspace(-6.0, 6.0, 20_001)
        for g0, value in zip(starts, found, strict=True):
            points = g0 + steps[:, None] * u[:2]
            values = 0.7 * steps**2 - 1.3 * replies.psi(points)
            assert value <= values.min() + 1e-9
            assert value == pytest.approx(values.min(), abs=2e-3)  # a kink between two steps


def test_samples_of_any_size_report_in_their_own_units_and_can_be_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond a hundred they are rescaled first; Cancel ends the search after its first start."""
    rng = np.random.default_rng(0)
    X, Z = rng.random((7, 2)), rng.standard_normal((7, 2))
    runs, improved, run = [], [0], Polish.run

    def counted(*known: Any) -> Any:
        improved[0] += 1
        return run(*known)

    monkeypatch.setattr(Polish, "run", counted)
    for size in (1.0, 1e-4, 1e4):
        heard: list[Progress] = []

        def stop(progress: Progress, heard: list[Progress] = heard) -> None:
            heard.append(progress)
            raise Cancelled

        improved[0] = 0
        result = convexviz.solve(
            "wgan", data={"X": size * X, "Z": Z}, weight_decay=2.0 * size, discriminator="relu",
            generator="free", on_iteration=stop, tolerance=1e-8,
        )  # fmt: skip
        assert result.status == "cancelled"
        assert improved[0] == len(heard) == len(result.trace) == 1
        assert heard[0].primal == pytest.approx(result.certificate.primal, rel=1e-6)
        runs.append(np.array([heard[0].primal, heard[0].dual]) / size**2)
    assert np.allclose(runs[1:], runs[0], rtol=1e-3)


def test_a_refusal_names_the_numbers_that_were_given() -> None:
    rng = np.random.default_rng(0)
    data = {"X": 255 * rng.random((12, 2)), "Z": rng.standard_normal((12, 2))}
    with pytest.raises(IncompatibleSolver, match=r"weight_decay=50 .*F = 1105,"):
        convexviz.solve(
            "wgan", data=data, weight_decay=50.0, discriminator="relu", generator="linear"
        )
