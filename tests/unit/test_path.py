"""A path of weight decays is the results that single solves give, in one file."""

from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.core.solution import Progress
from convexviz.errors import Cancelled
from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.experiments.run import request

RNG = np.random.default_rng(0)
CLEAN = RNG.random((1, 3, 4)).round(3)
NOISY = (CLEAN + 0.3 * RNG.standard_normal(CLEAN.shape)).round(3)
KINDS: dict[str, dict[str, Any]] = {
    "gated": {"neurons": "gated"},
    "relu": {"neurons": "relu"},
    "everything": {"neurons": "gated", "residual": True, "bias": True, "normalise": "standard"},
    "relu residual": {"neurons": "relu", "residual": True, "bias": True},
}
FIELDS = {"kernel_size": 2, "n_gates": 5, "weight_decay": 0.1}
BETAS = [1.0, 0.3, 0.1, 0.03]


def asked(noisy: np.ndarray = NOISY, clean: np.ndarray = CLEAN, **fields: Any) -> Any:
    return request("denoiser", {"noisy": noisy, "clean": clean}, {**FIELDS, **fields})


def solved(kind: str, betas: Any = BETAS, **fields: Any) -> Result:
    return path.solve_path(asked(**KINDS[kind], **fields), betas)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_decay_of_a_path_is_what_a_solve_gives(kind: str) -> None:
    result = solved(kind, tolerance=1e-8)
    assert result.spec["weight_decay"] == 0.1
    np.testing.assert_array_equal(result.arrays["path_weight_decay"], BETAS)
    for index, beta in enumerate(BETAS):
        here = path.at(result, index)
        fields = {**FIELDS, **KINDS[kind], "weight_decay": beta, "tolerance": 1e-8}
        alone = convexviz.solve("denoiser", data={"noisy": NOISY, "clean": CLEAN}, **fields)
        assert here.spec == alone.spec
        assert here.status == "optimal"
        assert here.certificate.dual <= here.certificate.primal
        assert here.certificate.scope is alone.certificate.scope
        # Ten times the tolerance.
        assert here.certificate.primal == pytest.approx(alone.certificate.primal, rel=1e-7)
        assert here.scalars["network_objective"] == pytest.approx(here.certificate.primal, rel=1e-9)
        # 1e-8 of the objective is some 1e-4 of the weights; the pictures agree to less.
        np.testing.assert_allclose(here.arrays["denoised"], alone.arrays["denoised"], atol=1e-3)
        assert here.arrays["first_layer"].shape[1] == here.scalars["n_neurons"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_a_path_verifies_like_a_result(kind: str) -> None:
    result = solved(kind)
    arch = architectures.get("denoiser")
    for index in range(len(BETAS)):
        here = path.at(result, index)
        certificate, arrays, scalars = arch.recompute(
            arch.spec.of(here.spec), here.data, here.arrays
        )
        assert certificate.primal == pytest.approx(here.certificate.primal, rel=1e-9)
        assert certificate.dual == pytest.approx(here.certificate.dual, rel=1e-9)
        for name, array in arrays.items():
            np.testing.assert_allclose(here.arrays[name], array, atol=1e-9, err_msg=name)
        shared = set(scalars) & set(here.scalars)
        assert {name: scalars[name] for name in shared} == pytest.approx(
            {name: here.scalars[name] for name in shared}, rel=1e-9
        )


@pytest.mark.parametrize("kind", KINDS)
def test_more_weight_decay_is_never_cheaper(kind: str) -> None:
    result = solved(kind, betas=None)
    grid, primal = result.arrays["path_weight_decay"], result.arrays["path_primal"]
    assert (np.diff(grid) < 0).all()
    assert (np.diff(primal) <= 1e-6 * primal[:-1]).all()
    assert (result.arrays["path_dual"] <= primal).all()
    for certificate in path.certificates(result):
        assert certificate.relative_gap <= 1e-6


def test_the_grid_is_round_descending_and_holds_the_weight_decay_asked() -> None:
    program: Any = architectures.get("denoiser").build(asked().spec, asked().arrays, ())
    grid = path.weight_decays(program, 0.12345)
    assert 0.12345 in grid
    assert len(grid) == path.LENGTH + 1
    assert grid == sorted(grid, reverse=True)
    assert all(beta == path.rounded(beta) for beta in grid if beta != 0.12345)
    assert 0.1 < grid[0] / program.beta_max < 1


@pytest.mark.parametrize("kind", ["gated", "relu"])
@pytest.mark.parametrize(
    ("scale", "weight_decay"), [(1.0, 1e-12), (1.0, 1e12), (1e-9, 0.1), (1e20, 1e12), (0.0, 0.1)]
)
def test_no_weight_decay_of_the_grid_is_out_of_range(
    scale: float, weight_decay: float, kind: str
) -> None:
    few = {"n_gates": 2, "tolerance": 1e-2}
    request = asked(scale * NOISY, scale * CLEAN, weight_decay=weight_decay, **few, **KINDS[kind])
    result = path.solve_path(request)
    assert result.spec["weight_decay"] == weight_decay
    for index in range(len(result.arrays["path_weight_decay"])):
        here = path.at(result, index)
        assert here.certificate.dual <= here.certificate.primal


def test_the_weight_decay_asked_is_the_result_itself() -> None:
    result = solved("gated")
    assert path.at(result, BETAS.index(0.1)) is result
    assert path.at(result, 0) is not result
    assert path.at(result, 0).spec["weight_decay"] == 1.0


@pytest.mark.parametrize("kind", ["gated", "relu"])
def test_a_cancelled_path_is_shorter_and_true(kind: str) -> None:
    count = 0

    def stop(_: Progress) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise Cancelled

    whole = solved(kind)
    result = path.solve_path(asked(**KINDS[kind], tolerance=1e-10), BETAS, stop)
    assert 1 <= len(result.arrays["path_weight_decay"]) < len(BETAS)
    for index, certificate in enumerate(path.certificates(result)):
        assert certificate.dual <= whole.arrays["path_primal"][index]
        assert path.at(result, index).certificate == certificate


def test_deeper_networks_have_no_path() -> None:
    result = path.solve_path(asked(blocks=2))
    assert "path_weight_decay" not in result.arrays
    assert path.certificates(result) == [result.certificate]
    assert path.at(result, 0) is result


@pytest.mark.parametrize("kind", ["gated", "relu"])
def test_a_stored_path_is_read_as_it_was(kind: str, tmp_path: Any) -> None:
    result = solved(kind)
    loaded = convexviz.load(result.save(tmp_path / "path.h5"))
    assert loaded == result
    assert path.at(loaded, 0).certificate == path.at(result, 0).certificate


def test_weight_decays_may_come_as_an_array_in_any_order() -> None:
    result = solved("gated", np.array([0.1, 1.0, 0.3]))
    np.testing.assert_array_equal(result.arrays["path_weight_decay"], [1.0, 0.3, 0.1])
