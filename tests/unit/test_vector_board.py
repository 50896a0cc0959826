"""What the vector-output page draws is what was solved."""

import numpy as np
import pytest

from convexviz.core.dual_norm import AllFaces
from convexviz.core.vector import VectorProgram
from convexviz.experiments.result import Result
from convexviz.solvers.dual_newton import DualNewton
from convexviz.views import vector_plane, vector_play
from convexviz.views.board_panels import packed

TOY = np.array(((1, 0.2), (0.8, -0.3), (-0.5, 1), (-0.9, 0.4), (-0.2, -1), (0.4, -0.9)))
CLASSES = np.repeat(np.eye(3), 2, axis=0)


def solved(X: np.ndarray, Y: np.ndarray, weight_decay: float = 0.1, **arrays) -> Result:
    program = VectorProgram(X, Y, weight_decay, AllFaces(X))
    solution = DualNewton(tolerance=1e-9).solve(program)
    network = program.to_network(solution.variables)
    layers = {"first_layer": network.first_layer, "second_layer": network.second_layer}
    return Result(
        architecture="vector_output",
        spec={"weight_decay": weight_decay, "tolerance": 1e-9, "loss": "squared"},
        certificate=solution.certificate,
        status="optimal",
        seconds=0.1,
        scalars={"n_neurons": float(network.n_neurons), "n_patterns": 12.0},
        arrays={**layers, **arrays},
        data={"X": X, "Y": Y},
        provenance={},
        network=network,
    )


@pytest.fixture(scope="module")
def toy() -> Result:
    return solved(TOY, CLASSES)


def test_walls_are_where_a_row_changes_sides() -> None:
    angles = vector_plane.walls(TOY)
    assert len(angles) == 12
    assert (np.diff(angles) > 0).all()
    middles = (angles + np.append(angles[1:], angles[0] + 2 * np.pi)) / 2
    on = TOY @ np.array([np.cos(middles), np.sin(middles)]) >= 0
    # From one cell to the next exactly one row goes on or off.
    assert (np.sum(on != np.roll(on, 1, axis=1), axis=0) == 1).all()
    assert len(vector_plane.walls(np.vstack([TOY, 2 * TOY, 0 * TOY]))) == 12


def test_the_pull_reaches_its_limit_exactly_where_neurons_stand(toy: Result) -> None:
    theta = np.linspace(0, 2 * np.pi, 2000)
    everywhere = vector_plane.pull(toy, np.column_stack([np.cos(theta), np.sin(theta)]))
    U = toy.arrays["first_layer"].T
    at_neurons = vector_plane.pull(toy, U / np.linalg.norm(U, axis=1)[:, None])
    assert everywhere.max() <= 1 + 1e-4  # the square root of the gap
    np.testing.assert_allclose(at_neurons, 1, atol=1e-4)


def test_moved_points_become_the_rows_that_are_solved(toy: Result) -> None:
    points = vector_plane.points_of(toy)
    assert vector_plane.is_editable(toy)
    again = vector_plane.arrays(points, 3, ones=False)
    np.testing.assert_array_equal(again["X"], TOY)
    np.testing.assert_array_equal(again["Y"], CLASSES)
    with_ones = vector_plane.arrays(points, 3, ones=True)["X"]
    assert vector_plane.has_ones(with_ones)
    assert not vector_plane.has_ones(TOY)


def test_targets_that_are_no_classes_are_drawn_and_not_edited() -> None:
    result = solved(TOY, TOY @ np.array([[1.0, 0.3], [-0.2, 0.8]]))
    assert vector_plane.has_plane(result)
    assert not vector_plane.is_editable(result)
    meta, _ = packed(vector_plane.plane(result, editable=False))
    assert len(meta["layers"][0]["layers"]) == 1  # no decision regions
    assert meta["points"]["classes"] == 1


def test_with_a_ones_column_neurons_are_lines_through_what_they_divide() -> None:
    result = solved(np.column_stack([TOY, np.ones(6)]), CLASSES)
    meta, _ = packed(vector_plane.plane(result, editable=True))
    drawn = meta["layers"][0]["layers"][0]
    ends = np.concatenate([each["segments"] for each in drawn if each["type"] == "segments"])
    foot = (ends[:, :2] + ends[:, 2:]) / 2
    values = np.column_stack([foot, np.ones(len(foot))]) @ result.arrays["first_layer"]
    # Each line's middle is on the boundary of a neuron; layers are written in five digits.
    assert (np.abs(values).min(axis=1) < 1e-3).all()


def test_frank_wolfe_weighs_each_neuron_as_later_steps_leave_it(toy: Result) -> None:
    shares, t = np.array([1.0, 2 / 3, 0.5, 0.4]), 3.0
    weights = np.zeros(0)
    for share in shares:
        weights = np.append((1 - share) * weights, share * t)
    np.testing.assert_allclose(vector_play._weights(shares, t), weights)
    rows = np.array([[1.0, 0, 1, 0, 0], [0, 1.0, 0, 1, 0], [1.0, 0, 1, 0, 0], [-1.0, 0, 0, 0, 1]])
    more = {
        "frank_wolfe_neurons": rows,
        "frank_wolfe_share": shares,
        "frank_wolfe_gap": np.array([4.0, 2.0, 1.0, 0.5]),
        "frank_wolfe_path_norm": np.array([t]),
    }
    result = solved(TOY, CLASSES, **more)
    assert vector_play.steps(toy) == []
    assert vector_play.steps(result) == [1, 2, 3, 4]
    last = vector_play.frames(result, 1.0)[-1]
    assert len(last[1].meta["arrows"]) == 3  # equal directions are one neuron
    assert last[1].meta["colours"].count("class 2") == 1
