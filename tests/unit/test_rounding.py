"""Where rounding decides: the point that is kept is the one that is certified, and it verifies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.core.arrangements import decided, enumerate_all, patterns_of, sample
from convexviz.core.gated import GatedProgram
from convexviz.core.relu import ReluProgram
from convexviz.core.solution import Progress, Status
from convexviz.errors import Cancelled
from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.experiments.verify import _shaken, verify
from convexviz.solvers.constrained import ActiveSet
from convexviz.solvers.gated_wide import GatedWide


def images(seed: int, shape: tuple[int, int, int] = (1, 4, 4)) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"noisy": rng.standard_normal(shape), "clean": rng.standard_normal(shape)}


def corners(rng: np.random.Generator) -> dict[str, Any]:
    """Pixels that are nearly one, and zeros around them: patches on very thin cells."""
    noisy = 1e8 + rng.standard_normal((1, 2, 4))
    clean = 10.0 ** rng.uniform(-3, 3, (1, 2, 4)) * rng.standard_normal((1, 2, 4))
    return {"noisy": noisy, "clean": clean}


@pytest.mark.parametrize("output_kernel", [1, 3])
def test_a_gated_network_has_the_value_that_is_certified(output_kernel: int) -> None:
    found = convexviz.solve(
        "denoiser", data=corners(np.random.default_rng(13)), kernel_size=2, padding="zero",
        neurons="gated", arrangements="all", weight_decay=4e8, tolerance=1e-4,
        output_kernel=output_kernel,
    )  # fmt: skip
    primal = found.certificate.primal
    assert found.scalars["network_objective"] == pytest.approx(primal, rel=1e-6)


def test_gates_are_all_kept_on_ordinary_data_and_left_out_in_thin_cells() -> None:
    plain = np.random.default_rng(1).standard_normal((6, 3))
    every = enumerate_all(plain)
    assert decided(every, plain) is every
    image = np.pad(corners(np.random.default_rng(13))["noisy"][0], ((1, 0), (1, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(image, (2, 2)).reshape(-1, 4)
    thin = np.ascontiguousarray(patches)
    found = enumerate_all(thin)
    kept = decided(found, thin)
    assert 0 < len(kept) < len(found)
    for i in range(len(kept)):  # one at a time is another product, with other rounding
        assert np.array_equal(patterns_of(thin, kept.gates[:, [i]])[:, 0], kept.patterns[:, i])


def test_a_point_just_outside_its_cones_is_kept_where_it_was_certified() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((8, 3))
    program = ReluProgram(X, np.zeros(8), sample(X, 6, rng), 1e-3)
    start = np.zeros(program.shape)
    unit, gates = X / np.linalg.norm(X, axis=1)[:, None], program.arrangements.gates
    for group, gate in enumerate((gates / np.linalg.norm(gates, axis=0)).T):
        row = unit[np.argmin(np.abs(unit @ gate))]  # the nearest wall, and a little beyond it
        start[group % 2, group] = 1e4 * (gate - (row @ gate) * (1 + 1e-8) * row)
    y = program.fit(start) + 0.1
    program = ReluProgram(X, y, program.arrangements, 1e-6)

    def stop(_: Progress) -> None:
        raise Cancelled("enough")

    found = ActiveSet().solve_from(program, start, on_iteration=stop)
    network = program.to_network(found.variables).objective(X, y[:, None])
    assert network == pytest.approx(found.certificate.primal, rel=1e-9)


def test_single_precision_is_left_where_numbers_leave_it() -> None:
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((6, 2)), rng.standard_normal(6)
    patterns = sample(X, 9, rng)
    for a, b, beta in ((1e25, 1.0, 1e22), (1.0, 1e45, 1e12), (1e-25, 1e20, 1e-9)):
        program = GatedProgram(a * X, b * y, patterns, beta)
        certificate = GatedWide(max_iterations=5).solve(program).certificate  # no RuntimeWarning
        assert 0.0 <= certificate.dual <= certificate.primal


SMALL = {"kernel_size": 1, "bias": True, "neurons": "relu", "normalise": "standard"}


@pytest.fixture(scope="module")
def perfect() -> Result:
    """A fit whose residual is rounding, nearly: weight decay is 1e-9 of what makes it zero."""
    data = images(4, (1, 3, 4))
    data["clean"] = np.sign(data["clean"])
    return convexviz.solve(
        "denoiser", data=data, arrangements="adaptive", weight_decay=1e-8, tolerance=1e-3, **SMALL
    )


def test_what_rounding_leaves_verifies(perfect: Result, tmp_path: Path) -> None:
    assert verify(perfect.save(tmp_path / "perfect.h5")) == []


@pytest.mark.parametrize("name", ["primal", "dual"])
def test_more_than_rounding_is_found(perfect: Result, tmp_path: Path, name: str) -> None:
    certificate = perfect.certificate
    lower = replace(certificate, **{name: 0.99 * getattr(certificate, name)})
    forged = replace(perfect, certificate=lower, status="max_iterations")
    assert any(each.what == name for each in verify(forged.save(tmp_path / "forged.h5")))


def test_weights_that_are_read_back_give_the_same_to_the_last_bit(tmp_path: Path) -> None:
    data = images(1905740, (1, 1, 7))  # filters of an optimum lie on the edge of some pixels
    for seed in range(3):
        found = convexviz.solve(
            "denoiser", data=data, kernel_size=5, bias=True, neurons="relu", padding="zero",
            residual=True, n_gates=20, weight_decay=0.5, seed=seed,
        )  # fmt: skip
        back = convexviz.load(found.save(tmp_path / "back.h5"))
        assert np.array_equal(back.network.predict(data["noisy"]), found.arrays["denoised"])
        assert verify(tmp_path / "back.h5") == []
        layer = found.network.blocks[0].first_layer
        assert layer.flags.c_contiguous


def test_large_weights_are_shaken_and_signs_are_not() -> None:
    rng = np.random.default_rng(6)
    moved = _shaken(np.array([1e25, 0.3, -1.0, 3.0, 0.0]), rng)
    assert moved[0] != 1e25
    assert moved[1] != 0.3
    assert moved[2:].tolist() == [-1.0, 3.0, 0.0]


@pytest.mark.parametrize("arrangements", ["sampled", "adaptive"])
def test_a_changed_filter_is_found_though_neurons_end_at_pixels(
    tmp_path: Path, arrangements: str
) -> None:
    found = convexviz.solve(
        "denoiser", data=images(3), kernel_size=2, neurons="relu", bias=True, n_gates=6,
        arrangements=arrangements, weight_decay=0.3,
    )  # fmt: skip
    for name in ("filters", "filter_offset"):
        forged = found.arrays[name].copy()
        forged.flat[np.argmax(np.abs(forged))] *= 1.001
        file = replace(found, arrays={**found.arrays, name: forged}).save(tmp_path / "forged.h5")
        assert [each.what for each in verify(file)] == [f"arrays/{name}"]


@pytest.mark.parametrize("arrangements", ["all", "adaptive"])
def test_places_of_a_path_verify_with_an_output_kernel(tmp_path: Path, arrangements: str) -> None:
    fields = {
        "kernel_size": 1, "bias": True, "neurons": "relu", "arrangements": arrangements,
        "output_kernel": 3, "weight_decay": 0.2, "tolerance": 1e-2,
    }  # fmt: skip
    found = path.solve_path(request("denoiser", images(7, (1, 2, 3)), fields), [0.8, 0.2])
    place = path.at(found, 0)
    assert place.scalars["n_patterns"] == found.scalars["n_patterns"]
    assert verify(place.save(tmp_path / "place.h5")) == []


def test_a_path_of_wide_data_ends_where_it_is_cancelled_optimal_or_not() -> None:
    rng = np.random.default_rng(8)
    X, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    program = GatedProgram(X, y, sample(X, 9, rng), 1.0)
    calls: list[Progress] = []

    def stop(step: Progress) -> None:
        calls.append(step)
        if step.dual >= 0.9 * step.primal:  # near enough for the solver, too
            raise Cancelled("enough")

    betas = [0.5 * program.beta_max, 0.4 * program.beta_max]
    found = GatedWide(tolerance=0.1).path(program, betas, on_iteration=stop)
    assert [each.status for each in found] == [Status.CANCELLED]


def test_a_cancelled_path_of_repeated_weight_decays_verifies(tmp_path: Path) -> None:
    fields = {"kernel_size": 2, "neurons": "relu", "n_gates": 5, "output_kernel": 3}

    def stop(_: Progress) -> None:
        raise Cancelled("enough")

    asked = request("denoiser", images(9, (1, 3, 3)), {**fields, "weight_decay": 0.1})
    found = path.solve_path(asked, [0.1, 0.1], stop)
    assert found.status == "cancelled"
    assert found.arrays["path_weight_decay"].tolist() == [0.1]
    assert verify(found.save(tmp_path / "twice.h5")) == []


def test_places_of_a_closed_form_count_their_own_neurons(tmp_path: Path) -> None:
    data = {"X": np.array([[0.0, 1.0], [2.0, 1.0]]), "Y": np.array([1.0, -1.0])}
    asked = request("batch_norm", data, {"loss": "logistic", "weight_decay": 0.3})
    found = path.solve_path(asked, [1e6, 0.3])
    assert verify(path.at(found, 0).save(tmp_path / "none.h5")) == []
    assert path.at(found, 0).scalars["n_patterns"] == 0.0 < found.scalars["n_patterns"]


@pytest.mark.parametrize("neurons", ["gated", "relu"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_lengths_after_the_relu_are_those_that_scaled_the_weights(
    neurons: str, outputs: int
) -> None:
    rng = np.random.default_rng(10)
    X = 1 + 1e-9 * rng.standard_normal((4, 3))  # centring leaves seven digits
    found = convexviz.solve(
        "batch_norm", data={"X": X, "Y": rng.standard_normal((4, outputs))}, position="after",
        neurons=neurons, arrangements="sampled", n_gates=5, weight_decay=1e-3, tolerance=1e-3,
    )  # fmt: skip
    arch = architectures.get("batch_norm")
    _, again, _ = arch.recompute(arch.spec.of(found.spec), found.data, found.arrays)
    assert found.arrays["group_norms"].any()
    assert again["group_norms"] == pytest.approx(found.arrays["group_norms"], rel=1e-12)
