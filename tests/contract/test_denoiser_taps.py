"""Output kernels larger than 1 x 1: vector-output programs, their networks, bounds and files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import convexviz
from convexviz.core.patches import patches
from convexviz.core.solution import Scope
from convexviz.errors import ConvexvizError, SpecError
from convexviz.experiments import path
from convexviz.experiments.export import torch_source
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.experiments.verify import verify
from convexviz.solvers.reference import Reference

RNG = np.random.default_rng(0)
CLEAN = RNG.random((1, 3, 3))
NOISY = CLEAN + 0.3 * RNG.standard_normal(CLEAN.shape)
DATA = {"noisy": NOISY, "clean": CLEAN, "test_noisy": NOISY, "test_clean": CLEAN}
RELU = {"neurons": "relu", "arrangements": "all", "tolerance": 1e-8}
CASES: dict[str, dict[str, Any]] = {
    "every pattern": RELU,
    "zeros, adaptive": {**RELU, "arrangements": "adaptive", "padding": "zero"},
    "sampled, residual": {
        "neurons": "relu", "n_gates": 5, "residual": True, "normalise": "standard",
    },
    "sampled, wide": {"neurons": "relu", "kernel_size": 3, "n_gates": 2, "tolerance": 0.1},
    "gated": {"n_gates": 4, "bias": True, "padding": "zero"},
    "five taps": {"n_gates": 3, "output_kernel": 5},
    "two blocks": {"n_gates": 3, "blocks": 2, "residual": True, "tolerance": 1e-5},
    "nothing": {"n_gates": 3, "weight_decay": 1e6},
}  # fmt: skip
_SOLVED: dict[str, Result] = {}


def solved(case: str) -> Result:
    fields = {"kernel_size": 2, "output_kernel": 3, "weight_decay": 0.1, **CASES[case]}
    if case not in _SOLVED:
        _SOLVED[case] = convexviz.solve("denoiser", data=DATA, **fields)
    return _SOLVED[case]


@pytest.fixture(params=CASES)
def result(request: pytest.FixtureRequest) -> Result:
    return solved(request.param)


def padded(images: torch.Tensor, side: int, padding: str) -> torch.Tensor:
    before, after = side // 2, side - 1 - side // 2
    mode = "circular" if padding == "circular" else "constant"
    return functional.pad(images, (before, after, before, after), mode=mode)


def by_hand(result: Result) -> float:
    """The objective of the last block's weights with PyTorch's own convolutions."""
    spec, k, q = result.spec, result.spec["kernel_size"], result.spec["output_kernel"]
    U, V = result.arrays["first_layer"], result.arrays["second_layer"]
    mean, scale = result.arrays["normalisation"]
    network = result.network
    stage = network.block_inputs(result.data["noisy"])[-2]
    target = (result.data["clean"] - mean) / scale
    target = target - stage if spec["residual"] else target
    images = padded(torch.from_numpy(stage)[:, None], k, spec["padding"])

    def first(columns: np.ndarray) -> torch.Tensor:
        filters = torch.from_numpy(np.ascontiguousarray(columns[: k * k].T)).reshape(-1, 1, k, k)
        bias = torch.from_numpy(columns[k * k].copy()) if spec["bias"] else None
        return functional.conv2d(images, filters, bias)

    if not U.shape[1]:
        return float(0.5 * np.sum(target**2))
    hidden = torch.relu(first(U))
    if "gates" in result.arrays:
        on = first(result.arrays["gates"][:, result.arrays["gate_of_neuron"]]) >= 0
        hidden = first(U) * on
    taps = torch.from_numpy(np.ascontiguousarray(V)).reshape(1, -1, q, q)
    out = functional.conv2d(padded(hidden, q, spec["padding"]), taps)[:, 0].numpy()
    squares = np.sum(U**2) + np.sum(V**2)
    return float(0.5 * np.sum((out - target) ** 2) + 0.5 * spec["weight_decay"] * squares)


def test_the_objective_is_that_of_two_convolutions(result: Result) -> None:
    m, q = int(result.scalars["n_neurons"]), result.spec["output_kernel"]
    if result.spec["blocks"] == 1:
        assert result.arrays["second_layer"].shape == (m, q * q)
    assert by_hand(result) == pytest.approx(result.scalars["network_objective"], rel=1e-10)
    assert by_hand(result) == pytest.approx(result.certificate.primal, rel=1e-8)
    assert 0 <= result.certificate.dual <= result.certificate.primal


def test_the_scope_says_what_is_covered(result: Result) -> None:
    scope = Scope.RELU_NETWORK
    if result.spec["neurons"] == "gated":
        scope = Scope.GATED_NETWORK
    elif result.spec["arrangements"] == "sampled":
        scope = Scope.SAMPLED_PROGRAM
    assert result.certificate.scope is scope


def test_the_file_verifies_and_pytorch_computes_the_same(result: Result, tmp_path: Path) -> None:
    assert not verify(result.save(tmp_path / "result.h5"))
    source, state = torch_source(result, "net")
    space: dict[str, Any] = {}
    exec(source, space)
    model = space["Model"]()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    out = model(torch.from_numpy(NOISY)).detach().numpy()
    np.testing.assert_allclose(out, result.arrays["denoised"], atol=1e-12)


def test_a_pixel_is_filtered_by_the_filter_of_its_pattern(result: Result) -> None:
    side = result.spec["kernel_size"] + result.spec["output_kernel"] - 1
    stage = result.network.block_inputs(NOISY)[-2]
    X = patches(stage, (side, side), result.spec["padding"])
    filters, index = result.arrays["filters"], result.arrays["pattern_map"].ravel()
    assert filters.shape[1:] == (side, side)
    out = np.sum(X * filters.reshape(len(filters), -1)[index], axis=1)
    out += result.arrays["filter_offset"][index]
    out = out.reshape(stage.shape) + (stage if result.spec["residual"] else 0)
    mean, scale = result.arrays["normalisation"]
    np.testing.assert_allclose(out * scale + mean, result.arrays["denoised"], atol=1e-12)


def test_every_pattern_is_the_optimum_and_more_taps_are_never_worse() -> None:
    exact = solved("every pattern").certificate
    assert exact.relative_gap < 1e-8
    fields = {"kernel_size": 2, "weight_decay": 0.1, **RELU}
    one = convexviz.solve("denoiser", data=DATA, **fields)
    assert exact.primal <= one.certificate.dual  # a 1 x 1 kernel is the middle tap alone
    some = convexviz.solve(
        "denoiser",
        data=DATA,
        **{**fields, "arrangements": "sampled", "n_gates": 5, "output_kernel": 3},
    )
    assert some.certificate.primal >= exact.dual


def test_the_figures_are_drawn_and_free_neurons_are_for_larger_images() -> None:
    from convexviz.architectures import get
    from convexviz.architectures.denoiser.figures import FIGURES
    from convexviz.solvers.choose import choose
    from convexviz.solvers.free_neurons import FreeNeurons

    for case in ("every pattern", "gated", "nothing"):
        for picture in FIGURES.values():
            assert picture.alt(solved(case))
    fields = {"neurons": "relu", "arrangements": "adaptive", "output_kernel": 3, "kernel_size": 3}
    asked = request("denoiser", LARGE, fields)
    program = get("denoiser").build(asked.spec, asked.arrays, ())
    assert isinstance(choose(program, 1e-2, 0), FreeNeurons)


def test_the_gated_optimum_is_that_of_cvxpy() -> None:
    from convexviz.architectures import get

    asked = request("denoiser", DATA, {"kernel_size": 2, "output_kernel": 3, "n_gates": 3})
    program = get("denoiser").build(asked.spec, asked.arrays, ())
    reference = Reference(1e-5).solve(program)
    mine = convexviz.solve("denoiser", data=DATA, kernel_size=2, output_kernel=3, n_gates=3)
    assert mine.certificate.primal == pytest.approx(reference.certificate.primal, rel=1e-4)


def test_the_path_serves_every_weight_decay(tmp_path: Path) -> None:
    for case in ({"n_gates": 3}, {"neurons": "relu", "arrangements": "all"}):
        asked = request("denoiser", DATA, {"kernel_size": 2, "output_kernel": 3, **case})
        result = path.solve_path(asked, [2.0, 1.0, 0.2])
        assert not verify(result.save(tmp_path / "path.h5"))
        for index in range(3):
            here = path.at(result, index)
            assert here.scalars["network_objective"] == pytest.approx(
                here.certificate.primal, rel=1e-8
            )


LARGE = {"noisy": RNG.random((1, 40, 40)), "clean": RNG.random((1, 40, 40))}


@pytest.mark.parametrize(
    ("data", "fields", "words"),
    [
        (DATA, {"output_kernel": 2}, "odd, got 2; use 1 or 3"),
        (LARGE, {"neurons": "relu", "arrangements": "all"}, "'adaptive', or 'sampled'"),
        (LARGE, {"neurons": "relu", "n_gates": 500}, "use neurons='gated'"),
        (LARGE, {"arrangements": "all"}, "use arrangements='sampled'"),
    ],
)
def test_what_is_out_of_reach_is_refused_in_one_line(data: Any, fields: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words) as refused:
        convexviz.solve("denoiser", data=data, **{"output_kernel": 3, **fields})
    assert isinstance(refused.value, ConvexvizError)
    assert "\n" not in str(refused.value)
    with pytest.raises(SpecError, match="use output_kernel=1"):
        convexviz.descend("denoiser", data=DATA, output_kernel=3, width=2, steps=2, seeds=1)
