"""Axes say what varies; designs spread cells over them; what is refused is refused first."""

from pathlib import Path

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.errors import DataError, SpecError
from convexviz.experiments.sweep_axes import axes_of, combinations
from convexviz.experiments.sweep_plan import CellSpec, Plan, plan, tasks

ARCH = architectures.get("denoiser")
FIXED = {"dataset": "tiny", "n_gates": 12, "kernel_size": 2}


def cells(axes: object, design: str = "grid", count: int | None = None, seed: int = 0) -> list:
    return list(combinations(axes_of(ARCH, axes), design, count, seed))


@pytest.mark.parametrize(
    ("name", "given", "values"),
    [
        ("weight_decay", [1, 0.5], [1.0, 0.5]),
        ("weight_decay", np.array([0.5, 0.25]), [0.5, 0.25]),
        ("weight_decay", "0.1,0.3, 1", [0.1, 0.3, 1.0]),
        ("weight_decay", "geom:1e-3:1:4", [0.001, 0.01, 0.1, 1.0]),
        ("weight_decay", "geom:1:1e-3:4", [1.0, 0.1, 0.01, 0.001]),
        ("noise_std", "lin:0:1:5", [0, 0.25, 0.5, 0.75, 1]),
        ("seed", range(3), [0, 1, 2]),
        ("seed", "range:2:5", [2, 3, 4]),
        ("seed", "range:0:10:5", [0, 5]),
        ("n_gates", "geom:1:1000:4", [1, 10, 100, 1000]),
        ("neurons", "relu,gated", ["relu", "gated"]),
        ("residual", "true,false", [True, False]),
        ("residual", [True], [True]),
        ("seed", [1, 1.0, 1], [1]),
    ],
)
def test_an_axis_takes_the_values_it_says(name: str, given: object, values: list) -> None:
    found = [cell[name] for cell in cells({name: given})]
    assert found == values
    assert {type(value) for value in found} == {type(ARCH.spec.of({}).as_dict()[name])}


def test_a_grid_is_every_combination_the_last_axis_fastest() -> None:
    assert cells({"seed": [0, 1], "neurons": ["relu", "gated"]}) == [
        {"seed": 0, "neurons": "relu"},
        {"seed": 0, "neurons": "gated"},
        {"seed": 1, "neurons": "relu"},
        {"seed": 1, "neurons": "gated"},
    ]


@pytest.mark.parametrize("design", ["random", "latin"])
def test_drawn_cells_lie_between_the_ends_and_the_seed_draws_them(design: str) -> None:
    axes = {"weight_decay": "log:1e-3:1", "n_gates": "uniform:10:20", "seed": [3, 4]}
    found = cells(axes, design, 40)
    assert len(found) == 40
    assert all(1e-3 <= cell["weight_decay"] <= 1 for cell in found)
    assert {cell["n_gates"] for cell in found} <= set(range(10, 21))
    assert {cell["seed"] for cell in found} == {3, 4}
    assert found == cells(axes, design, 40) != cells(axes, design, 40, seed=1)


def test_a_latin_design_has_one_cell_in_every_share_of_every_axis() -> None:
    found = cells({"weight_decay": "log:1e-3:1", "noise_std": "uniform:0:1"}, "latin", 25)
    logs = (np.log10([cell["weight_decay"] for cell in found]) + 3) / 3
    for shares in (logs, np.array([cell["noise_std"] for cell in found])):
        assert sorted((25 * shares).astype(int)) == list(range(25))
    random = cells({"noise_std": "uniform:0:1"}, "random", 25)
    assert len({int(25 * cell["noise_std"]) for cell in random}) < 25


@pytest.mark.parametrize(
    ("axes", "why"),
    [
        ({}, "axes must name at least one field"),
        ([1], "axes must name at least one field"),
        ({"weight_deca": [1]}, "unknown parameter 'weight_deca'; did you mean 'weight_decay'"),
        ({"weight_decay": []}, "axis weight_decay must have 1 to 100,000 values, got 0"),
        ({"weight_decay": 1.0}, "axis weight_decay must be a list of values"),
        ({"weight_decay": [0.0]}, "weight_decay must be a number in"),
        ({"weight_decay": ["a"]}, "weight_decay must be a number in"),
        ({"weight_decay": "a,b"}, "weight_decay must be a number in"),
        ({"weight_decay": "geom:0:1:3"}, "geom needs ends above 0"),
        ({"weight_decay": "geom:1:2"}, "axis weight_decay must be a,b,c or geom"),
        ({"weight_decay": "geom:1:2:0"}, "must have 1 to 100,000 values"),
        ({"weight_decay": "geom:1:2:2.5"}, "must have 1 to 100,000 values"),
        ({"weight_decay": "geom:1:nan:2"}, "axis weight_decay must be a,b,c or geom"),
        ({"neurons": "geom:1:2:3"}, "axis neurons must be one of"),
        ({"residual": "yes"}, "residual must be True or False"),
        ({"seed": "range:5:5"}, "must have 1 to 100,000 values"),
        ({"weight_decay": "log:1e-3:1"}, "axis weight_decay of a grid needs values"),
        ({"seed": range(1000), "n_gates": range(1, 1001)}, "may have 100,000 cells, .* 1,000,000"),
    ],
)
def test_axes_that_make_no_sense_are_refused_in_one_line(axes: object, why: str) -> None:
    with pytest.raises(SpecError, match=why) as refused:
        cells(axes)
    assert "\n" not in str(refused.value)


def test_designs_need_what_they_need() -> None:
    with pytest.raises(SpecError, match="design must be one of grid, random, latin"):
        cells({"seed": [1]}, "sobol")
    with pytest.raises(SpecError, match="cells must be in"):
        cells({"seed": [1]}, "latin")
    with pytest.raises(SpecError, match="a grid has its own"):
        cells({"seed": [1]}, "grid", 5)


def planned(axes: dict, **fields: object) -> Plan:
    return plan("denoiser", axes, None, {**FIXED, **fields})


def test_cells_that_differ_only_in_weight_decay_are_one_task_largest_first() -> None:
    made = planned({"seed": [0, 1], "weight_decay": [0.1, 1.0, 0.3]})
    found = tasks(made, [])
    assert [[made.cells[c].weight_decay for c in task.cells] for task in found] == [
        [1, 0.3, 0.1]
    ] * 2
    assert [{made.cells[c].seed for c in task.cells} for task in found] == [{0}, {1}]


def test_what_is_stored_is_solved_again_only_on_the_way_to_what_is_not() -> None:
    made = planned({"weight_decay": [1.0, 0.3, 0.1]})
    (task,) = tasks(made, stored=[0])
    assert (task.cells, task.wanted) == ((0, 1, 2), {1, 2})
    (task,) = tasks(made, stored=[1, 2])
    assert (task.cells, task.wanted) == ((0,), {0})
    assert tasks(made, stored=[0, 1, 2]) == []
    (task,) = tasks(made, stored=[], left_out=[1])
    assert task.cells == (0, 2)


def test_networks_of_several_blocks_have_no_path() -> None:
    made = planned({"weight_decay": [1.0, 0.3]}, blocks=2)
    assert [task.cells for task in tasks(made, [])] == [(0,), (1,)]


def test_fields_that_do_not_fit_together_are_a_refused_cell_and_not_a_refused_sweep() -> None:
    made = planned({"neurons": ["relu", "gated"], "arrangements": ["adaptive", "sampled"]})
    refused = [dict(made.cells[place]) for place in made.refused]
    assert [(c["neurons"], c["arrangements"]) for c in refused] == [("gated", "adaptive")]
    assert "use neurons='relu'" in made.refused[2]
    with pytest.raises(SpecError, match="no cell of this sweep can be computed: arrangements="):
        planned({"neurons": ["gated"]}, arrangements="adaptive")


def test_fields_and_data_are_refused_before_any_work() -> None:
    with pytest.raises(SpecError, match="seed is an axis and has a fixed value"):
        planned({"seed": [1]}, seed=2)
    with pytest.raises(SpecError, match="unknown parameter 'weight_deca'"):
        planned({"seed": [1]}, weight_deca=2)
    with pytest.raises(DataError, match="data needs 'clean'"):
        plan("denoiser", {"seed": [1]}, {"noisy": np.ones((1, 4, 4))}, {})
    with pytest.raises(SpecError, match="no architecture"):
        plan("nonsense", {"seed": [1]}, None, {})


def test_the_same_cells_on_the_same_data_are_the_same_sweep() -> None:
    first = planned({"seed": [0, 1]})
    assert first.name == planned({"seed": "range:0:2"}).name
    assert first.name != planned({"seed": [0, 2]}).name
    data = {"noisy": np.ones((1, 4, 4)), "clean": np.ones((1, 4, 4))}
    given = plan("denoiser", {"seed": [0, 1]}, data, {"n_gates": 12, "kernel_size": 2})
    data["clean"] = 2 * data["clean"]
    other = plan("denoiser", {"seed": [0, 1]}, data, {"n_gates": 12, "kernel_size": 2})
    assert len({first.name, given.name, other.name}) == 3


def test_a_cell_is_a_mapping_that_can_be_a_key() -> None:
    spec = ARCH.spec.of(FIXED).as_dict()
    cell = CellSpec(spec)
    assert dict(cell) == spec
    assert cell.kernel_size == cell["kernel_size"] == 2
    assert {cell: 1}[CellSpec(spec)] == 1
    with pytest.raises(AttributeError, match="no field 'x'"):
        cell.x  # noqa: B018


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"workers": "two"}, "workers must be in"),
        ({"workers": 1.5}, "workers must be in"),
        ({"memory": "lots"}, "memory must be auto or a size such as 2GiB, got 'lots'"),
        ({"memory": "-1GiB"}, "memory must be"),
        ({"memory": 7}, "memory must be"),
        ({"store": 3}, "store must be the path of a folder, got 3"),
        ({"store": "a\0b"}, "store must be the path of a folder"),
        ({"design": "latin", "cells": 2.5}, "cells must be in"),
        ({"design": "latin", "cells": "x"}, "cells must be in"),
        ({"design": "random", "cells": 2, "design_seed": -1}, "design_seed must be an integer"),
        ({"retry_failed": "yes"}, "retry_failed must be True or False"),
    ],
)
def test_odd_options_are_refused_before_any_work(options: dict, why: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=why) as told:
        convexviz.sweep("denoiser", {"seed": [0]}, **{"store": tmp_path, **options}, **FIXED)
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_arrays_of_another_shape_and_two_sources_of_data_are_refused() -> None:
    for values in (np.array(0.1), np.ones((2, 2)), b"ab"):
        with pytest.raises(SpecError, match="axis weight_decay must be a list") as told:
            axes_of(ARCH, {"weight_decay": values})
        assert "\n" not in str(told.value)
    arrays = {"noisy": np.ones((1, 4, 4)), "clean": np.ones((1, 4, 4))}
    with pytest.raises(SpecError, match="dataset is an axis and data is given"):
        convexviz.sweep("denoiser", {"dataset": ["tiny"]}, data=arrays)
