"""`convexviz.solve` as a caller meets it: what it takes, refuses, survives and promises."""

import time
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.errors import ConvexvizError, DataError, SpecError
from convexviz.experiments.result import Result

RNG = np.random.default_rng(0)
CLEAN = RNG.random((2, 4, 3)).round(3)
NOISY = (CLEAN + 0.3 * RNG.standard_normal(CLEAN.shape)).round(3)
SMALL = {"noisy": NOISY[:1, :3, :3], "clean": CLEAN[:1, :3, :3]}
KINDS: dict[str, dict[str, Any]] = {
    "gated": {"neurons": "gated"},
    "relu": {"neurons": "relu"},
    "adaptive": {"neurons": "relu", "arrangements": "adaptive"},
}


def solve(data: Any = None, **fields: Any) -> Result:
    data = {"noisy": NOISY, "clean": CLEAN} if data is None else data
    settings = {"kernel_size": 2, "n_gates": 6, "weight_decay": 0.1, **fields}
    return convexviz.solve("denoiser", data=data, **settings)


def images(noisy: Any, clean: Any) -> dict[str, Any]:
    return {"noisy": np.asarray(noisy, dtype=float), "clean": np.asarray(clean, dtype=float)}


def is_true(result: Result) -> None:
    """The promises of any result, whatever the data."""
    primal, dual = result.certificate.primal, result.certificate.dual
    assert np.isfinite([primal, dual]).all()
    assert 0 <= dual <= primal
    assert result.scalars["network_objective"] == pytest.approx(primal, rel=1e-7, abs=1e-300)
    assert not any(np.isnan(value) for value in result.scalars.values())
    assert all(np.isfinite(array).all() for array in result.arrays.values())
    if result.status == "optimal":
        assert result.certificate.relative_gap <= result.spec["tolerance"]
    if "network_bound" in result.scalars:
        assert result.scalars["network_bound"] <= primal


@pytest.mark.parametrize(
    "way",
    [np.ndarray.tolist, np.asfortranarray, lambda a: a.astype(">f8"), lambda a: a.view(),
     lambda a: np.repeat(a, 2, axis=1)[:, ::2], lambda a: np.broadcast_to(a, a.shape)],
    ids=["lists", "Fortran", "big-endian", "view", "strided", "read-only"],
)  # fmt: skip
def test_arrays_may_come_in_any_form_and_are_not_touched(way: Any) -> None:
    noisy, clean = way(NOISY.copy()), way(CLEAN.copy())
    result = solve({"noisy": noisy, "clean": clean})
    assert result.certificate == solve().certificate
    np.testing.assert_array_equal(noisy, NOISY)
    np.testing.assert_array_equal(clean, CLEAN)
    if isinstance(noisy, np.ndarray):
        assert not np.shares_memory(result.data["noisy"], noisy)


def test_float32_and_integers_are_computed_in_float64() -> None:
    small = solve({"noisy": NOISY.astype(np.float32), "clean": CLEAN.astype(np.float32)})
    assert small.certificate.primal == pytest.approx(solve().certificate.primal, rel=1e-5)
    whole = {"noisy": np.arange(12).reshape(1, 3, 4), "clean": np.ones((1, 3, 4), np.uint8)}
    assert solve(whole).data["noisy"].dtype == np.float64


TWO = {"noisy": NOISY, "clean": CLEAN}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"noisy": NOISY}, "data needs 'clean'"),
        ({}, "data needs 'noisy'"),
        ([NOISY, CLEAN], "data must be a mapping"),
        (NOISY, "data must be a mapping"),
        ({**TWO, "clean": CLEAN[:1]}, "noisy and clean must have the same shape"),
        ({**TWO, "test_noisy": NOISY}, "data needs 'test_clean'"),
        ({**TWO, "test_clean": NOISY}, "data needs 'test_noisy'"),
        ({**TWO, "test_noisy": NOISY, "test_clean": CLEAN[:1]}, "test_noisy and test_clean must"),
        ({**TWO, "test_noise": NOISY}, "did you mean 'test_noisy'"),
        ({**TWO, "test_noisy": NOISY * np.nan, "test_clean": CLEAN}, "test_noisy must be finite"),
        (images(NOISY[0], CLEAN[0]), r"add an axis, noisy\[None\]"),
    ],
)
def test_wrong_data_are_refused_by_name(data: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as refused:
        solve(data)
    assert "\n" not in str(refused.value)


# The first call takes some 3 s: it imports torch.
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"device": "tpu"}, "device must be 'cpu' or 'cuda', got 'tpu'"),
        ({"device": None}, "device must be"),
        ({"device": "cuda:99"}, "device='cuda:99' needs a CUDA GPU and there is none; use device"),
        ({"on_iteration": 3}, "on_iteration must be a function"),
        ({"dataset": "knee"}, "dataset must be one of"),  # also where data are given
        ({"weight_decays": 1.0}, "unknown parameter 'weight_decays'; did you mean 'weight_decay'"),
    ],
)
def test_other_wrong_values_are_refused_before_any_work(
    fields: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    started = time.process_time()
    with pytest.raises(SpecError, match=said):
        solve({"noisy": np.ones((1, 2000, 2000)), "clean": np.ones((1, 2000, 2000))}, **fields)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("name", ["denoise", "", "Denoiser", "../denoiser"])
def test_an_unknown_architecture_lists_those_there_are(name: str) -> None:
    with pytest.raises(SpecError, match=r"no architecture .*there are: .*denoiser"):
        convexviz.solve(name)


ONES = np.ones((1, 4, 4))
ODD = {
    "one pixel": images([[[0.3]]], [[[0.5]]]),
    "one row": images(NOISY[:, :1], CLEAN[:, :1]),
    "one column": images(NOISY[:, :, :1], CLEAN[:, :, :1]),
    "constant": images(ONES / 2, ONES / 2),
    "all zero": images(0 * ONES, 0 * ONES),
    "zero noisy": images(0 * ONES, ONES),
    "zero clean": images(ONES, 0 * ONES),
    "opposite": images(-ONES, ONES),
    "nothing to remove": images(NOISY, NOISY),
    "tiny scale": images(1e-8 * NOISY, 1e-8 * CLEAN),
    "huge scale": images(1e5 * NOISY, 1e5 * CLEAN),
    "bytes": images((255 * CLEAN).round(), (255 * CLEAN).round()),
    "repeated image": images(np.repeat(NOISY[:1], 3, 0), np.repeat(CLEAN[:1], 3, 0)),
}


@pytest.mark.parametrize("kind", ["gated", "relu"])
@pytest.mark.parametrize("name", ODD)
def test_odd_images_give_true_numbers(name: str, kind: str) -> None:
    squares = float((ODD[name]["noisy"] ** 2).max()) or 1.0
    fields = {**KINDS[kind], "weight_decay": max(0.1 * squares, 1e-12)}
    is_true(solve(ODD[name], **fields))
    is_true(solve(ODD[name], **fields, bias=True, residual=True, padding="zero"))


@pytest.mark.parametrize("name", ["one pixel", "all zero", "zero clean", "opposite", "tiny scale"])
def test_odd_images_give_true_numbers_with_adaptive_neurons(name: str) -> None:
    is_true(solve(ODD[name], **KINDS["adaptive"], weight_decay=0.4))


@pytest.mark.parametrize("kind", ["gated", "relu"])
@pytest.mark.parametrize("weight_decay", [1e-9, 1e-4, 1e3, 1e12])
def test_any_weight_decay_gives_true_numbers(weight_decay: float, kind: str) -> None:
    result = solve(SMALL, weight_decay=weight_decay, n_gates=2, **KINDS[kind])
    is_true(result)
    assert (result.scalars["n_neurons"] == 0) == (weight_decay > 1)


@pytest.mark.parametrize("kind", ["gated", "relu"])
@pytest.mark.parametrize("tolerance", [1e-10, 0.1])
def test_the_ends_of_the_tolerance_are_met(tolerance: float, kind: str) -> None:
    result = solve(tolerance=tolerance, **KINDS[kind])
    is_true(result)
    assert result.status == "optimal"


def test_normalising_needs_a_deviation_and_makes_scale_and_offset_irrelevant() -> None:
    with pytest.raises(DataError, match="the deviation of the noisy pixels, which is 0"):
        solve(ODD["constant"], normalise="standard")
    plain = solve(normalise="standard").certificate.primal
    moved = solve(images(1e4 * NOISY + 3e4, 1e4 * CLEAN + 3e4), normalise="standard")
    assert moved.certificate.primal == pytest.approx(plain, rel=1e-9)


def test_one_gate_is_enough_for_every_seed() -> None:
    for seed in range(8):  # on non-negative pixels with k = 1, half of all gates are off everywhere
        is_true(solve(images(CLEAN, CLEAN), n_gates=1, kernel_size=1, seed=seed))


@pytest.mark.parametrize("kind", ["gated", "relu"])
def test_all_patterns_out_of_reach_are_refused_within_a_second_with_the_count(kind: str) -> None:
    size = {"noisy": RNG.random((1, 512, 512)), "clean": np.zeros((1, 512, 512))}
    solve(SMALL)  # imports are not the work meant here
    started = time.process_time()
    with pytest.raises(SpecError, match="262,144 rows of 9 values have up to 1e39; use arrangemen"):
        solve(size, arrangements="all", kernel_size=3, **KINDS[kind])
    assert time.process_time() - started < 1
    with pytest.raises(SpecError, match="24 rows of 9 values have up to 1,761,940; use"):
        solve(arrangements="all", kernel_size=3, **KINDS[kind])


def test_a_count_beyond_float64_is_still_a_message() -> None:
    size = {"noisy": RNG.random((1, 128, 128)), "clean": np.zeros((1, 128, 128))}
    with pytest.raises(SpecError, match="16,384 rows of 226 values have up to 1e5"):
        solve(size, arrangements="all", kernel_size=15, bias=True)


def test_patches_that_do_not_fit_are_refused_with_their_size() -> None:
    big = dict.fromkeys(("noisy", "clean"), np.broadcast_to(1.0, (1, 2000, 2000)))
    with pytest.raises(DataError, match=r"4,000,000 pixels with 31x31 patches need 28\.7 GiB"):
        solve(big, kernel_size=31)


def test_given_data_name_no_data_set() -> None:
    result = solve(dataset="mri")
    assert result.spec["dataset"] == result.provenance["dataset"] == "given"


def test_the_public_names_are_listed() -> None:
    assert {"solve", "descend", "load", "architectures", "datasets"} <= set(dir(convexviz))
    with pytest.raises(AttributeError, match="no attribute 'solved'"):
        _ = convexviz.solved
    assert issubclass(SpecError, ConvexvizError)
