"""What must hold of every architecture in the registry; a new one is tested by existing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
import plotly.graph_objects as go
import pytest

import convexviz
from convexviz import architectures, figures
from convexviz.architectures.base import Architecture, describe, params
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Scope, Solution
from convexviz.errors import DataError, SpecError
from convexviz.experiments import precomputed, store
from convexviz.experiments.key import key
from convexviz.experiments.result import Result
from convexviz.experiments.run import request

ALL = list(architectures.registry().values())
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.parametrize("arch", ALL, ids=lambda arch: arch.name)


def solved(arch: Architecture, **fields: Any) -> Result:
    return convexviz.solve(arch.name, **{**arch.smoke, **fields})


def program_of(arch: Architecture) -> tuple[AbstractConvexProgram, Solution]:
    """The first program of the smoke spec, and the answer of the solver it gets."""
    asked = request(arch.name, None, arch.smoke)
    program = arch.build(asked.spec, asked.arrays, ())
    return program, arch.solver(asked.spec, program).solve(program)


def other(field: Any, value: Any) -> Any:
    """Another value that the field allows."""
    if field.kind is bool:
        return not value
    if field.param.numbers:
        return "1 2"
    if field.kind is str:
        return next(choice for choice in field.param.choices if choice != value)
    return value + 1 if value + 1 <= field.param.high else value / 2


def outside(field: Any) -> list[Any]:
    """Values that the field refuses."""
    if field.kind is bool:
        return [1, "yes", None]
    if field.kind is str:
        return ["nonsense", 1, None]
    return [field.param.high * 2 + 1, field.param.low - 1, float("nan"), "1", True, None]


def test_the_row_is_filled_in(arch: Architecture) -> None:
    assert arch.title
    assert arch.source
    assert any(field.required for field in arch.inputs)
    assert len(describe(arch.spec)) == len(params(arch.spec))
    for fields in (arch.smoke, *arch.stored):
        assert arch.spec.of(arch.spec.of(fields).as_dict()).as_dict().items() >= fields.items()
    assert {"weight_decay", "seed", "tolerance", "dataset"} <= set(params(arch.spec))


def test_the_page_and_the_story_are_there(arch: Architecture) -> None:
    assert f'"{arch.name}"' in (ROOT / "pages" / f"{arch.name}.py").read_text()
    assert (ROOT / "convexviz" / "architectures" / arch.name / "story.md").stat().st_size > 0


def test_what_ships_is_what_is_declared(arch: Architecture) -> None:
    assert arch.stored
    for name, fields, file in precomputed.declared():
        if name == arch.name:
            assert precomputed.is_current(name, fields, file), f"run `convexviz precompute`: {file}"


# The first call takes some 3 s: it imports cvxpy.
def test_the_solver_matches_cvxpy(arch: Architecture) -> None:
    program, solution = program_of(arch)
    problem = program.to_cvxpy()
    problem.solve(solver=cp.CLARABEL)  # to 1e-8
    assert problem.status == cp.OPTIMAL  # not optimal_inaccurate
    assert solution.require_optimal().certificate.primal == pytest.approx(problem.value, rel=2e-6)
    assert solution.certificate.dual <= problem.value * (1 + 1e-7)


def test_the_certificate_brackets_the_optimum(arch: Architecture) -> None:
    certificate = solved(arch).certificate
    assert np.isfinite([certificate.primal, certificate.dual]).all()
    assert certificate.dual <= certificate.primal
    assert certificate.relative_gap == certificate.gap / abs(certificate.primal)
    assert 0 <= certificate.relative_gap <= arch.spec.of(arch.smoke).as_dict()["tolerance"]
    assert isinstance(certificate.scope, Scope)


def test_a_wrong_answer_is_not_certified(arch: Architecture) -> None:
    """The certificate must be able to fail, or the tests above prove nothing."""
    program, solution = program_of(arch)
    right = solution.variables
    wrong = right + 0.1 * np.eye(*right.shape[-2:])
    assert program.certify(wrong).relative_gap > 1e-3
    assert program.certify(wrong).dual <= solution.certificate.primal


def test_no_small_step_improves_the_solution(arch: Architecture) -> None:
    program, solution = program_of(arch)
    best, rng = solution.variables, np.random.default_rng(0)
    value = program.objective(best)
    for _ in range(50):
        step = 1e-3 * rng.standard_normal(best.shape)
        assert program.objective(best + step) >= value * (1 - 1e-5)  # ten times the tolerance


def test_the_network_reaches_the_convex_optimum(arch: Architecture) -> None:
    result = solved(arch)
    reached = result.scalars["network_objective"]
    assert reached == pytest.approx(result.certificate.primal, rel=1e-9)


def test_the_same_spec_gives_the_same_result_and_the_seed_reaches_the_data(
    arch: Architecture,
) -> None:
    first, second, there = solved(arch), solved(arch), solved(arch, seed=1)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name], err_msg=name, strict=True)
    assert first.certificate == second.certificate
    assert there.certificate.primal != first.certificate.primal
    assert there.provenance["data_sha256"] != first.provenance["data_sha256"]
    assert there.provenance["key"] != first.provenance["key"] == second.provenance["key"]


def test_a_result_survives_the_store(arch: Architecture, tmp_path: Path) -> None:
    result = solved(arch)
    loaded = convexviz.load(result.save(tmp_path / "result.h5"))
    assert loaded == result
    assert loaded != replace(result, status="cancelled")
    changed = {name: array + 1 for name, array in result.arrays.items()}
    assert loaded != replace(result, arrays=changed)
    name = next(field.name for field in arch.inputs if field.required)
    np.testing.assert_array_equal(
        loaded.network.predict(result.data[name]), result.network.predict(result.data[name])
    )


def test_the_result_is_plain_data_with_its_provenance(arch: Architecture) -> None:
    result = solved(arch)
    assert dict(result.spec) == arch.spec.of(arch.smoke).as_dict()
    assert result.architecture == arch.name
    assert result.status == "optimal"
    assert 0 < result.scalars["solve_seconds"] <= result.seconds
    assert set(result.provenance) == {
        "dataset", "dataset_source", "dataset_licence", "data_sha256", "key", "device",
        "created", "versions", "solver",
    }  # fmt: skip
    assert all(type(text) is str for text in result.provenance.values())
    assert all(type(value) is float for value in result.scalars.values())
    assert {type(value) for value in result.spec.values()} <= {int, float, str, bool}
    assert all(array.dtype.kind in "fiu" for array in result.arrays.values())
    assert result.trace
    for step in result.trace:
        assert step.dual <= step.primal * (1 + 1e-12)


def test_what_verify_recomputes_is_what_was_stored(arch: Architecture) -> None:
    result = solved(arch)
    spec = arch.spec.of(result.spec)
    certificate, arrays, scalars = arch.recompute(spec, result.data, result.arrays)
    assert certificate.scope is result.certificate.scope
    assert certificate.primal == pytest.approx(result.certificate.primal, rel=1e-9)
    assert certificate.dual == pytest.approx(result.certificate.dual, rel=1e-9)
    clocks = {"setup_seconds", "solve_seconds"}
    assert set(scalars) == set(result.scalars) - clocks
    assert scalars == pytest.approx({name: result.scalars[name] for name in scalars}, rel=1e-9)
    for name, array in arrays.items():
        stored = result.arrays[name]
        assert stored.shape == np.shape(array)
        scale = np.abs(stored).max(initial=0.0)
        np.testing.assert_allclose(stored, array, rtol=0, atol=1e-9 * scale, err_msg=name)


def test_recomputing_notices_changed_weights(arch: Architecture) -> None:
    result = solved(arch)
    arrays = {**result.arrays, arch.weights: 1.001 * result.arrays[arch.weights]}
    certificate, _, scalars = arch.recompute(arch.spec.of(result.spec), result.data, arrays)
    assert certificate.primal > result.certificate.primal * (1 + 1e-9)
    assert scalars["network_objective"] != result.scalars["network_objective"]


def test_every_parameter_changes_the_key(arch: Architecture) -> None:
    spec = arch.spec.of(arch.smoke).as_dict()
    keys = {key(arch.name, spec)}
    for name, field in params(arch.spec).items():
        keys.add(key(arch.name, {**spec, name: other(field, spec[name])}))
    keys.add(key(arch.name, spec, "digest of given data"))
    assert len(keys) == len(spec) + 2


def test_int_and_float_spelling_share_a_key(arch: Architecture) -> None:
    specs = [arch.spec.of({**arch.smoke, "weight_decay": one}) for one in (1, 1.0, np.float32(1))]
    assert len({key(arch.name, spec.as_dict()) for spec in specs}) == 1


def test_out_of_range_parameters_are_refused_by_name(arch: Architecture) -> None:
    for name, field in params(arch.spec).items():
        for value in outside(field):
            with pytest.raises(SpecError, match=rf"^{name} must be ") as refused:
                convexviz.solve(arch.name, **{**arch.smoke, name: value})
            assert field.rule in str(refused.value)
            assert "\n" not in str(refused.value)


def test_unknown_names_are_refused_with_a_suggestion(arch: Architecture) -> None:
    with pytest.raises(SpecError, match="unknown parameter 'weight_deca'; did you mean 'weight_d"):
        convexviz.solve(arch.name, **arch.smoke, weight_deca=1.0)
    name = next(field.name for field in arch.inputs if field.required)
    with pytest.raises(DataError, match=f"unknown array '{name}s'; did you mean '{name}'"):
        convexviz.solve(arch.name, data={f"{name}s": [0.0]}, **arch.smoke)
    with pytest.raises(SpecError, match=f"did you mean '{arch.name}'"):
        architectures.get(arch.name[:-1])


def test_solve_writes_no_file(
    arch: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEXVIZ_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    solved(arch)
    assert not list(tmp_path.rglob("*"))
    assert store.default_folder() == tmp_path / "store"


def test_every_figure_draws(arch: Architecture) -> None:
    result = solved(arch)
    for title, picture in figures.for_architecture(arch.name).items():
        drawn = picture(result)
        assert isinstance(drawn, go.Figure), title
        assert drawn.data or drawn.layout.annotations, f"{title} is empty"
        drawn.to_json()
        assert picture.alt(result), title
        assert picture.caption(result), title


# The first call takes some 5 s: it imports torch.
def test_descent_runs_on_the_same_objective(arch: Architecture) -> None:
    descent = convexviz.descend(arch.name, **arch.smoke, width=3, steps=5, seeds=2)
    assert descent.objectives.shape == descent.seconds.shape == (2, descent.objectives.shape[1])
    assert descent.spec == arch.spec.of(arch.smoke).as_dict()
