"""The vector-output row of the design: its arrays, scalars and methods."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convexviz
from convexviz.core.solution import Scope
from convexviz.errors import Cancelled, SpecError
from convexviz.experiments.export import torch_source
from convexviz.experiments.result import Result
from convexviz.experiments.verify import verify
from tests.unit.vector_golden import C2, GOLDEN, one_hot

RNG = np.random.default_rng(0)
ROWS = {"X": RNG.standard_normal((7, 2)), "Y": one_hot(0, 1, 2, 0, 1, 2, 0)}
PATCHES = {"X": RNG.standard_normal((4, 3, 2)), "Y": one_hot(0, 1, 0, 1)}
WHITE = {"X": np.linalg.qr(RNG.standard_normal((8, 5)))[0].T, "Y": one_hot(0, 0, 0, 1, 1)}
WIDE = {"X": RNG.standard_normal((20, 10)), "Y": np.eye(3)[RNG.integers(0, 3, 20)]}
RANK_FIVE = {"X": RNG.standard_normal((5, 5)), "Y": RNG.standard_normal((5, 2))}
MANY = {"X": WIDE["X"][:9, :7], "Y": WIDE["Y"][:9]}  # cells: more than are searched each time
CASES: dict[str, tuple[dict[str, np.ndarray], dict[str, Any]]] = {
    "exact": (ROWS, {}),
    "classes": (ROWS, {"loss": "cross_entropy"}),
    "pooled": (PATCHES, {}),
    "pruned": (ROWS, {"prune": True}),
    "frank wolfe": (ROWS, {"method": "frank_wolfe", "steps": 50}),
    "line search": (ROWS, {"method": "frank_wolfe", "steps": 50, "line_search": True}),
    "copositive": (ROWS, {"method": "copositive"}),
    "closed form": (WHITE, {"method": "closed_form", "weight_decay": 0.4}),
    "gated": (ROWS, {"method": "gated", "arrangements": "sampled", "n_gates": 5}),
    "gated patches": (PATCHES, {"method": "gated", "tolerance": 1e-6}),
    "adaptive": (MANY, {"arrangements": "adaptive", "tolerance": 1e-1}),
    "adaptive, few cells": (RANK_FIVE, {"arrangements": "adaptive", "tolerance": 1e-6}),
    "sampled": (ROWS, {"arrangements": "sampled", "n_gates": 5}),
    "sampled patches": (PATCHES, {"arrangements": "sampled", "n_gates": 4, "tolerance": 1e-6}),
    "sampled, wide": (WIDE, {"arrangements": "sampled", "n_gates": 4, "tolerance": 1e-2}),
    "sampled, relaxed": (ROWS, {"arrangements": "sampled", "n_gates": 5, "method": "copositive"}),
    "sampled, step by step": (
        ROWS, {"arrangements": "sampled", "n_gates": 5, "method": "frank_wolfe", "steps": 50}
    ),
    "wide, relaxed": (
        WIDE, {"arrangements": "sampled", "n_gates": 4, "tolerance": 1e-2, "method": "copositive"}
    ),
    "wide, step by step": (
        WIDE,
        {
            "arrangements": "sampled", "n_gates": 4, "tolerance": 1e-2, "method": "frank_wolfe",
            "steps": 20,
        },
    ),
    "rank five": (RANK_FIVE, {"tolerance": 1e-6}),
    "nothing": (ROWS, {"weight_decay": 1e3}),
}  # fmt: skip
_SOLVED: dict[str, Result] = {}


def solved(case: str) -> Result:
    data, fields = CASES[case]
    if case not in _SOLVED:
        fields = {"weight_decay": 0.2, **fields}
        _SOLVED[case] = convexviz.solve("vector_output", data=data, **fields)
    return _SOLVED[case]


@pytest.fixture(params=CASES)
def result(request: pytest.FixtureRequest) -> Result:
    return solved(request.param)


def test_every_array_and_scalar_of_the_table_is_there(result: Result) -> None:
    d, c = result.data["X"].shape[-1], result.data["Y"].shape[1]
    m = int(result.scalars["n_neurons"])
    assert result.arrays["first_layer"].shape == (d, m)
    assert result.arrays["second_layer"].shape == (m, c)
    assert result.arrays["predictions"].shape == result.data["Y"].shape
    assert {"network_objective", "n_neurons", "n_patterns", "path_norm", "train_loss"} <= set(
        result.scalars
    )
    assert not any(np.isnan(value) for value in result.scalars.values())


def test_three_lines_of_numpy_give_the_objective(result: Result) -> None:
    U, V = result.arrays["first_layer"], result.arrays["second_layer"]
    X, Y = result.data["X"], result.data["Y"]
    G = (
        result.arrays["gates"][:, result.arrays["gate_of_neuron"]]
        if "gates" in result.arrays
        else U
    )
    hidden = np.where(X @ G >= 0, X @ U, 0.0)
    F = (hidden if X.ndim == 2 else hidden.sum(axis=1)) @ V
    loss = 0.5 * np.sum((F - Y) ** 2)
    if result.spec["loss"] == "cross_entropy":
        loss = np.sum(np.log(np.exp(F).sum(axis=1)) - np.sum(F * Y, axis=1))
    value = loss + 0.5 * result.spec["weight_decay"] * (np.sum(U**2) + np.sum(V**2))
    assert value == pytest.approx(result.scalars["network_objective"], rel=1e-12)
    assert value == pytest.approx(result.certificate.primal, rel=1e-8)
    assert result.certificate.dual <= value * (1 + 1e-12)
    np.testing.assert_allclose(F, result.arrays["predictions"], atol=1e-12)
    np.testing.assert_array_equal(result.network.predict(X), result.arrays["predictions"])


def test_the_scope_says_what_is_covered(result: Result) -> None:
    expected = Scope.RELU_NETWORK
    if result.spec["arrangements"] == "sampled":
        expected = Scope.SAMPLED_PROGRAM
    if result.spec["method"] == "gated":
        expected = Scope.GATED_NETWORK
    assert result.certificate.scope is expected


def test_the_stored_file_verifies(result: Result, tmp_path: Path) -> None:
    assert not verify(result.save(tmp_path / "result.h5"))


def test_pytorch_code_computes_the_same(result: Result) -> None:
    source, state = torch_source(result, "net")
    space: dict[str, Any] = {}
    exec(source, space)
    model = space["Model"]()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    out = model(torch.from_numpy(np.array(result.data["X"]))).detach().numpy()
    np.testing.assert_allclose(out, result.arrays["predictions"], atol=1e-12)


def test_adaptive_neurons_of_few_cells_are_proved_over_all_of_them() -> None:
    found, exact = solved("adaptive, few cells"), solved("rank five")
    assert found.certificate.relative_gap <= 1e-6
    assert found.certificate.primal == pytest.approx(exact.certificate.primal, rel=1e-6)
    assert found.scalars["n_patterns"] == exact.scalars["n_patterns"]


def test_every_method_that_bounds_relu_networks_brackets_the_exact_optimum() -> None:
    exact = solved("exact").certificate
    for case in ("pruned", "frank wolfe", "line search", "copositive"):
        other = solved(case).certificate
        assert other.dual <= exact.primal * (1 + 1e-9)
        assert other.primal >= exact.dual * (1 - 1e-9)
    assert solved("copositive").scalars["copositive_bound"] == solved("copositive").certificate.dual


def test_sampled_patterns_have_one_optimum_whatever_the_method() -> None:
    for exact, others in (
        ("sampled", ("sampled, relaxed", "sampled, step by step")),
        ("sampled, wide", ("wide, relaxed", "wide, step by step")),
    ):
        best = solved(exact).certificate
        for name in others:
            other = solved(name).certificate
            assert other.dual <= best.primal * (1 + 1e-9), name
            assert other.primal >= best.dual * (1 - 1e-9), name
    relaxed, best = solved("sampled, relaxed"), solved("sampled").certificate
    assert relaxed.scalars["copositive_bound"] == relaxed.certificate.dual
    assert relaxed.certificate.primal == pytest.approx(best.primal, rel=1e-7)


def test_pruning_keeps_the_objective_and_counts() -> None:
    pruned, exact = solved("pruned"), solved("exact")
    assert pruned.scalars["n_neurons"] == exact.scalars["n_neurons"] - pruned.scalars["n_pruned"]
    assert pruned.scalars["n_pruned"] >= 0
    assert pruned.certificate.primal == pytest.approx(exact.certificate.primal, rel=1e-9)


def test_frank_wolfe_keeps_its_steps_and_its_gap_bounds_the_constrained_problem() -> None:
    result, exact = solved("frank wolfe"), solved("exact")
    gaps, losses = result.arrays["frank_wolfe_gap"], result.arrays["frank_wolfe_loss"]
    t = result.arrays["frank_wolfe_path_norm"][0]
    assert t == pytest.approx(exact.scalars["path_norm"], rel=1e-6)
    assert len(result.arrays["frank_wolfe_neurons"]) == len(gaps) == 50
    best = exact.scalars["train_loss"]  # the constrained optimum, at this t
    assert (losses >= best * (1 - 1e-6)).all()
    assert (losses - gaps <= best * (1 + 1e-6)).all()
    assert solved("line search").arrays["frank_wolfe_loss"][-1] <= losses[0]


def test_frank_wolfe_can_be_stopped_at_any_step() -> None:
    def stop(progress: Any) -> None:
        if progress.iteration == 5:
            raise Cancelled

    result = convexviz.solve(
        "vector_output", data=ROWS, method="frank_wolfe", path_norm=2.0, on_iteration=stop
    )
    assert result.status == "cancelled"
    assert len(result.arrays["frank_wolfe_gap"]) == 6


def test_closed_forms_have_their_golden_values_and_mixed_signs_are_refused() -> None:
    assert solved("closed form").certificate.primal == pytest.approx(1.098505748, abs=1e-9)
    assert solved("closed form").certificate.relative_gap < 1e-12
    with pytest.raises(SpecError, match=r"only a lower bound, 0\.7445446\d*; use method='exact'"):
        convexviz.solve(
            "vector_output", data={"X": np.eye(4), "Y": C2}, method="closed_form", weight_decay=0.3
        )


def test_the_path_serves_every_weight_decay() -> None:
    from convexviz.experiments import path
    from convexviz.experiments.run import request

    for method in (
        {},
        {"method": "gated", "tolerance": 1e-6},
        {"arrangements": "sampled", "n_gates": 5},
    ):
        fields = {"weight_decay": 0.2, **method}
        asked = request("vector_output", ROWS, fields)
        result = path.solve_path(asked, [2.0, 0.5, 0.2])
        for index in range(3):
            here = path.at(result, index)
            assert here.scalars["network_objective"] == pytest.approx(
                here.certificate.primal, rel=1e-8
            )


def test_a_path_over_cones_that_are_climbed_keeps_the_proof_of_every_place(tmp_path: Path) -> None:
    from convexviz.experiments import path
    from convexviz.experiments.run import request

    fields = {"arrangements": "sampled", "n_gates": 4, "tolerance": 3e-2, "weight_decay": 0.4}
    result = path.solve_path(request("vector_output", WIDE, fields), [0.8, 0.4])
    assert (1 - result.arrays["path_dual"] / result.arrays["path_primal"] <= 3e-2).all()
    assert not verify(result.save(tmp_path / "path.h5"))
    halved = {**result.arrays, "path0_cone_multipliers": np.zeros((0, 4))}
    worse = path.recheck(replace(result, arrays=halved))["path_dual"]
    assert worse[0] < result.arrays["path_dual"][0]
    assert worse[1] == pytest.approx(result.arrays["path_dual"][1])


ODD: dict[str, tuple[Any, Any]] = {
    "zero rows": (np.zeros((4, 2)), np.ones((4, 2))),
    "zero targets": (RNG.standard_normal((4, 2)), np.zeros((4, 2))),
    "one row": ([[1, 2]], [[1, 0]]),
    "one output": (RNG.standard_normal((4, 2)), np.array([[1], [-1], [2], [0]])),
    "twice, with other targets": (np.ones((4, 2)), np.diag([1.0, 2.0, 3.0, 4.0])[:, :3]),
    "opposite rows": (np.array([[1.0, 2.0], [-1.0, -2.0]]), np.eye(2)),
}


# Every pattern, sampled, gated and the relaxation, on six data sets; compiled code is loaded.
@pytest.mark.parametrize("name", ODD)
def test_odd_data_have_the_right_answer_in_every_method(name: str) -> None:
    X, Y = ODD[name]
    values = []
    for fields in (
        {}, {"method": "copositive"}, {"arrangements": "adaptive"},
        {"arrangements": "sampled", "n_gates": 3}, {"method": "gated"},
    ):  # fmt: skip
        result = convexviz.solve(
            "vector_output", data={"X": X, "Y": Y}, weight_decay=0.1, tolerance=1e-6, **fields
        )
        assert result.status == "optimal", fields
        objective = result.scalars["network_objective"]
        assert objective == pytest.approx(result.certificate.primal, rel=1e-9)
        values.append(objective)
    assert values[1:3] == pytest.approx(values[:1] * 2, rel=2e-6)  # twice the tolerance
    assert values[3] >= values[0] * (1 - 2e-6)  # fewer patterns


def test_a_penalty_that_outweighs_the_data_leaves_no_neuron_in_any_method() -> None:
    for fields in (
        {}, {"method": "copositive"}, {"arrangements": "sampled"}, {"method": "frank_wolfe"},
        {"method": "gated"},
    ):  # fmt: skip
        result = convexviz.solve("vector_output", data=ROWS, weight_decay=1e4, **fields)
        assert result.scalars["n_neurons"] == 0, fields
        assert result.certificate.gap <= 1e-12
    data = {"X": RNG.standard_normal((6, 7)), "Y": RNG.standard_normal((6, 2))}
    result = convexviz.solve("vector_output", data=data, weight_decay=1e4, arrangements="adaptive")
    assert result.scalars["n_neurons"] == 0


def test_tiny_weight_decay_is_approached_from_above() -> None:
    result = convexviz.solve("vector_output", data=ROWS, weight_decay=1e-6, tolerance=1e-4)
    assert result.status == "optimal"


def test_golden_values_come_out_of_the_public_call() -> None:
    for name in ("p3.A1", "p3.B2"):
        golden = GOLDEN[name]
        data = {"X": golden.X, "Y": golden.Y}
        result = convexviz.solve("vector_output", data=data, weight_decay=golden.weight_decay)
        assert result.certificate.primal == pytest.approx(golden.optimum, abs=2e-9)
