"""Batch norm's row of the design: golden values, and what anyone can recompute."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convexviz
from convexviz.core.losses import loss_named
from convexviz.core.solution import Scope
from convexviz.experiments.path import at as on_path
from convexviz.experiments.path import solve_path
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.experiments.verify import verify

SCALARS = {
    "network_objective", "n_neurons", "n_patterns", "rank", "dropped_directions",
    "explained_variance", "train_loss", "train_accuracy",
}  # fmt: skip


def normal(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def one_hot(*labels: int) -> np.ndarray:
    return np.eye(max(labels) + 1)[list(labels)]


A1 = np.array([[0, 0], [1, 0.5], [2, -1], [-1, 1], [-2, -0.5], [0.5, 2]])
A2, Y2 = normal(10, (7, 2), (7,))
B1, B2 = normal(11, (6, 1))[0], normal(12, (6, 2))[0]
D1 = normal(14, (2, 4, 2))[0].transpose(1, 0, 2)
C1 = normal(13, (5, 6))[0]
E, YE = normal(15, (8, 3), (8,))
F1, YF = normal(16, (6, 2), (6,))
DEEP = np.random.default_rng(3).standard_normal((5, 3))

# name: (X, Y, fields, optimum to seven digits, scope); THEORY 7, table p2.
GOLDEN: dict[str, tuple[Any, Any, dict[str, Any], float]] = {
    "A1 scalar": (A1, [1, -1, 2, 0, -1, 0.5], {"weight_decay": 0.1}, 1.176811012),
    "A2 scalar": (A2, Y2, {"weight_decay": 0.3}, 1.757351486),
    "A3 affine map of A2": (
        A2 @ [[100, 3], [0, 0.01]] + [5, -7], Y2, {"weight_decay": 0.3}, 1.757351486,
    ),
    "B1 one direction, two outputs": (
        B1, one_hot(0, 1, 0, 1, 1, 0), {"weight_decay": 0.2}, 1.826410162,
    ),
    "B2 three outputs": (B2, one_hot(0, 1, 2, 0, 1, 2), {"weight_decay": 0.1}, 1.357015387),
    "D1 patches": (D1, [1, -1, 0.5, 2], {"weight_decay": 0.2}, 1.257517736),
    "C1 closed form": (C1, [1, -2, 0.5, 0, 3], {"weight_decay": 0.5}, 2.350781059),
    "C2 one-hot": (C1, one_hot(0, 0, 1, 1, 2), {"weight_decay": 0.3}, 1.013528137),
    "E1 one direction": (
        E * [3, 1, 0.2], YE, {"weight_decay": 0.2, "n_directions": 1}, 3.619195964,
    ),
    "E2 two directions": (
        E * [3, 1, 0.2], YE, {"weight_decay": 0.2, "n_directions": 2}, 2.066865151,
    ),
    "E3 three directions": (
        E * [3, 1, 0.2], YE, {"weight_decay": 0.2, "n_directions": 3}, 0.980585492,
    ),
    "F1 after the ReLU": (F1, YF, {"weight_decay": 0.2, "position": "after"}, 0.428970348),
    "F1, features of any scale": (
        F1 * [1e50, 1e-50], YF, {"weight_decay": 0.2, "position": "after"}, 0.428970348,
    ),
    "G1 deep": (DEEP, [1, 2, -1, 0.5, -2], {"weight_decay": 0.4, "hidden_layers": 2}, 1.650942330),
    "G1 deeper": (
        DEEP, [1, 2, -1, 0.5, -2], {"weight_decay": 0.4, "hidden_layers": 4}, 1.650942330,
    ),
}  # fmt: skip
SIGNS = np.sign(Y2)
CLASSES = {"loss": "cross_entropy"}
OTHERS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "gated": (A2, Y2, {"neurons": "gated"}),
    "gated, after": (F1, YF, {"neurons": "gated", "position": "after"}),
    "sampled": (A2, Y2, {"arrangements": "sampled", "n_gates": 5}),
    "logistic": (A2, SIGNS, {"loss": "logistic"}),
    "hinge, gated": (A2, SIGNS, {"loss": "hinge", "neurons": "gated"}),
    "logistic, closed form": (C1, [1, -1, 1, 1, -1], {"loss": "logistic"}),
    "cross-entropy, closed form": (C1, [0, 2, 2, 1, 1], {"loss": "cross_entropy"}),
    "adaptive, three outputs": (
        B2,
        one_hot(0, 1, 2, 0, 1, 2),
        {"weight_decay": 0.1, "arrangements": "adaptive", "tolerance": 1e-3},
    ),
    "patches, two outputs": (D1, one_hot(0, 1, 0, 1), {}),
    "cross-entropy, three outputs": (B2, [0, 1, 2, 0, 1, 2], {"loss": "cross_entropy"}),
    "logistic, three outputs": (B2, 2 * one_hot(0, 1, 2, 0, 1, 2) - 1, {"loss": "logistic"}),
    "logistic, adaptive": (
        A2,
        SIGNS,
        {"loss": "logistic", "arrangements": "adaptive", "tolerance": 1e-3},
    ),
    "sampled, two outputs": (
        B1,
        one_hot(0, 1, 0, 1, 1, 0),
        {"arrangements": "sampled", "n_gates": 6, "tolerance": 1e-3},
    ),
    "gated, three outputs": (A2, one_hot(0, 1, 2, 0, 1, 2, 0), {"neurons": "gated"}),
    "gated, patches": (D1, [1, -1, 0.5, 2], {"neurons": "gated"}),
    "gated, cross-entropy": (A2, [0, 1, 2, 0, 1, 2, 0], {"neurons": "gated"} | CLASSES),
    "after, three outputs": (
        A2,
        one_hot(0, 1, 2, 0, 1, 2, 0),
        {"position": "after", "tolerance": 1e-7},
    ),
    "after, patches, two outputs": (
        D1,
        one_hot(0, 1, 0, 1),
        {"position": "after", "tolerance": 1e-7},
    ),
    "after, cross-entropy": (
        A2,
        [0, 1, 2, 0, 1, 2, 0],
        {"position": "after", "tolerance": 1e-7} | CLASSES,
    ),
    "after, logistic, a bias": (
        np.hstack([A2, np.ones((7, 1))]),
        SIGNS,
        {"position": "after", "loss": "logistic", "tolerance": 1e-7},
    ),
    "after, gated, three outputs": (
        A2,
        one_hot(0, 1, 2, 0, 1, 2, 0),
        {"position": "after", "neurons": "gated", "tolerance": 1e-6},
    ),
    "after, sampled, patches": (
        D1,
        [1, -1, 0.5, 2],
        {"position": "after", "arrangements": "sampled", "n_gates": 6, "tolerance": 1e-7},
    ),
    "no neuron after": (
        A2,
        one_hot(0, 1, 2, 0, 1, 2, 0),
        {"position": "after", "weight_decay": 1e3},
    ),
    "no neuron": (A2, Y2, {"weight_decay": 1e3}),
}
_SOLVED: dict[str, Result] = {}


def solved(name: str) -> Result:
    if name not in _SOLVED:
        X, Y, fields = (GOLDEN | OTHERS)[name][:3]
        asked = {"weight_decay": 0.2, "arrangements": "all", "tolerance": 1e-8, **fields}
        _SOLVED[name] = convexviz.solve("batch_norm", data={"X": X, "Y": Y}, **asked)
    return _SOLVED[name]


@pytest.fixture(params=[*GOLDEN, *OTHERS])
def result(request: pytest.FixtureRequest) -> Result:
    return solved(request.param)


def forward(result: Result) -> np.ndarray:
    """A few lines of NumPy: the network on its training rows, with their own statistics."""
    a, rows, n = result.arrays, result.data["X"], len(result.data["X"])
    for depth in range(1, result.spec["hidden_layers"]):
        H = rows @ a[f"hidden{depth}_first_layer"]
        H = (H - H.mean(0)) / np.linalg.norm(H - H.mean(0), axis=0)
        rows = np.maximum(
            H * a[f"hidden{depth}_gamma"] + a[f"hidden{depth}_alpha"] / np.sqrt(n), 0.0
        )
    rows = rows.reshape(-1, rows.shape[-1])  # statistics over the patches of all samples
    n, H, on = len(rows), rows @ a["first_layer"], None
    if result.spec["neurons"] == "gated":
        white = np.hstack([(rows - a["centre"]) @ a["whitening"], np.full((n, 1), n**-0.5)])
        inputs = rows if result.spec["position"] == "after" else white
        on = inputs @ a["gates"][:, a["gate_of_neuron"]] >= 0
    if result.spec["position"] == "after":
        H = np.maximum(H, 0.0) if on is None else H * on
    H = H - H.mean(0)
    lengths = np.linalg.norm(H, axis=0)  # 0 for a neuron that is a constant
    H = H / np.where(lengths > 0, lengths, 1.0) * a["gamma"] + a["alpha"] / np.sqrt(n)
    if result.spec["position"] == "before":
        H = np.maximum(H, 0.0) if on is None else H * on
    K = n // len(result.data["X"])
    return H.reshape(-1 if H.size else n // K, K, H.shape[1]).sum(1) @ a["second_layer"]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_values_hold(name: str) -> None:
    result, optimum = solved(name), GOLDEN[name][3]
    assert result.certificate.primal == pytest.approx(optimum, rel=2e-8)
    assert result.certificate.dual == pytest.approx(optimum, rel=2e-8)
    assert result.certificate.scope is Scope.RELU_NETWORK
    assert result.status == "optimal"
    closed = {"C1 closed form", "C2 one-hot", "G1 deep", "G1 deeper"}
    assert (result.provenance["solver"] == "ClosedForm") is (name in closed)


def test_the_arrays_and_scalars_of_the_design_are_there(result: Result) -> None:
    Y, m = result.data["Y"], int(result.scalars["n_neurons"])
    c = result.arrays["second_layer"].shape[1]
    assert result.arrays["gamma"].shape == result.arrays["alpha"].shape == (m,)
    assert result.arrays["second_layer"].shape == (m, c)
    assert (
        set(result.scalars) - {"network_bound", "estimated_bound", "setup_seconds", "solve_seconds"}
        == SCALARS
    )
    if result.spec["loss"] != "cross_entropy":
        assert result.arrays["predictions"].shape == Y.shape
    rows = result.data["X"].reshape(-1, result.data["X"].shape[-1])
    s = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    if result.spec["hidden_layers"] == 1:
        found = result.arrays["singular_values"]
        np.testing.assert_allclose(found, s[: len(found)], rtol=1e-8)
        assert result.arrays["first_layer"].shape == (rows.shape[1], m)


def test_the_weights_give_the_predictions_and_the_objective(result: Result) -> None:
    F, Y = forward(result), result.data["Y"]
    predictions = result.arrays["predictions"]
    np.testing.assert_allclose(F.reshape(predictions.shape), predictions, atol=1e-9)
    if result.spec["loss"] == "cross_entropy":
        Y = one_hot(*Y.astype(int))
    value = loss_named(result.spec["loss"]).value(F, Y.reshape(F.shape))
    squares = sum(np.sum(result.arrays[k] ** 2) for k in ("gamma", "alpha", "second_layer"))
    value += 0.5 * result.spec["weight_decay"] * squares
    assert value == pytest.approx(result.scalars["network_objective"], rel=1e-9)
    assert value == pytest.approx(result.certificate.primal, rel=1e-8)


def test_pytorch_agrees_at_test_time_and_in_training(result: Result) -> None:
    new = np.random.default_rng(1).standard_normal((4, *result.data["X"].shape[1:]))
    model = result.network.to_torch()
    assert not model.training
    with torch.no_grad():
        here = model(torch.tensor(new)).numpy()
        np.testing.assert_allclose(here, result.network.predict(new), atol=1e-9)
        model.train()
        there = model(torch.tensor(result.data["X"])).numpy()
    np.testing.assert_allclose(there, result.arrays["predictions"], atol=1e-8)


def test_what_is_stored_verifies_and_changes_are_found(result: Result, tmp_path: Path) -> None:
    file = result.save(tmp_path / "result.h5")
    assert verify(file) == []


def test_no_bound_is_above_a_value(result: Result) -> None:
    bound = result.scalars.get("network_bound", 0.0)
    assert bound <= result.certificate.primal * (1 + 1e-12)
    if result.certificate.scope is Scope.RELU_NETWORK and result.status == "optimal":
        assert result.certificate.dual >= bound * (1 - 1e-9)


@pytest.mark.parametrize("name", ["A2 scalar", "gated", "C2 one-hot", "F1 after the ReLU"])
def test_every_place_of_a_path_is_a_result_of_its_own(name: str) -> None:
    X, Y, fields = (GOLDEN | OTHERS)[name][:3]
    fields = {"arrangements": "all", "tolerance": 1e-6, "weight_decay": 0.2, **fields}
    whole = solve_path(request("batch_norm", {"X": X, "Y": Y}, fields), [0.6, 0.2, 0.05])
    for index in range(3):
        here = on_path(whole, index)
        assert here.certificate.relative_gap <= 1e-6
        assert here.scalars["network_objective"] == pytest.approx(here.certificate.primal, rel=1e-8)


def test_the_optimum_never_rises_with_the_number_of_directions() -> None:
    names = ("E1 one direction", "E2 two directions", "E3 three directions")
    values = [solved(name).certificate.primal for name in names]
    assert values == sorted(values, reverse=True)


def test_held_out_rows_are_predicted_by_running_statistics() -> None:
    data = {"X": A2, "Y": Y2, "test_X": A2[:3] + 0.1, "test_Y": Y2[:3]}
    result = convexviz.solve("batch_norm", data=data, weight_decay=0.1, arrangements="all")
    np.testing.assert_array_equal(
        result.arrays["test_predictions"], result.network.predict(data["test_X"])
    )
    one_by_one = [result.network.predict(row[None])[0] for row in data["test_X"]]
    np.testing.assert_allclose(one_by_one, result.arrays["test_predictions"], atol=1e-12)
    loss = 0.5 * np.sum((result.arrays["test_predictions"] - Y2[:3]) ** 2)
    assert result.scalars["test_loss"] == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(
    "fields", [{}, {"batch_size": 4}, {"position": "after"}, {"neurons": "gated"}]
)
def test_descent_on_the_network_itself_ends_above_the_optimum(fields: Mapping[str, Any]) -> None:
    asked = {"weight_decay": 0.3, "arrangements": "all"}
    rows = {"X": A2, "Y": Y2}
    spec = {k: v for k, v in fields.items() if k != "batch_size"}
    optimum = convexviz.solve("batch_norm", data=rows, **asked, **spec).certificate.dual
    descent = convexviz.descend(
        "batch_norm", data=rows, width=40, steps=600, seeds=2, **asked, **fields
    )
    assert descent.best_objective >= optimum * (1 - 1e-9)
    if "batch_size" not in fields:  # the theorem is about the full batch
        assert descent.best_objective <= optimum * 1.1
    assert descent.best_objective == pytest.approx(descent.best.objective(A2, Y2), rel=1e-12)
    assert descent.records["train_loss"].shape == descent.objectives.shape
