"""The denoiser's row of the design: its arrays and scalars, and what anyone can recompute."""

from typing import Any

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import convexviz
from convexviz.core.solution import Scope
from convexviz.experiments.result import Result

RNG = np.random.default_rng(0)
CLEAN = RNG.random((2, 5, 4))
NOISY = CLEAN + 0.3 * RNG.standard_normal(CLEAN.shape)
DATA = {
    "noisy": NOISY,
    "clean": CLEAN,
    "test_noisy": NOISY[:1, :4, :3],
    "test_clean": CLEAN[:1, :4, :3],
}
SCALARS = {
    "network_objective", "n_neurons", "n_patterns", "psnr_noisy", "psnr_denoised", "ssim_denoised",
    "test_psnr_noisy", "test_psnr_denoised", "test_ssim_denoised",
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "gated": {},
    "relu": {"neurons": "relu"},
    "adaptive": {"neurons": "relu", "arrangements": "adaptive"},
    "residual": {"residual": True},
    "bias": {"bias": True, "neurons": "relu"},
    "normalised": {"normalise": "standard"},
    "everything": {"residual": True, "bias": True, "normalise": "standard", "neurons": "relu"},
    "two blocks": {"blocks": 2, "bias": True},
    "four blocks": {"blocks": 4, "residual": True, "bias": True, "normalise": "standard"},
    "relu blocks": {"blocks": 2, "neurons": "relu", "normalise": "standard"},
    "zero padding": {"padding": "zero", "kernel_size": 3, "neurons": "relu"},
    "kernel of one": {"kernel_size": 1},
    "kernel above the image": {"kernel_size": 6},
    "kernel above the image, zeros": {"kernel_size": 7, "padding": "zero", "bias": True},
    "no neuron": {"weight_decay": 1e3, "neurons": "relu", "bias": True},
    "no gated neuron": {"weight_decay": 1e3, "residual": True, "normalise": "standard"},
    "no neuron in any block": {"weight_decay": 1e3, "blocks": 3},
}
_SOLVED: dict[str, Result] = {}


def solved(case: str) -> Result:
    fields = {"kernel_size": 2, "n_gates": 6, "weight_decay": 0.1, **CASES[case]}
    if case not in _SOLVED:
        _SOLVED[case] = convexviz.solve("denoiser", data=DATA, **fields)
    return _SOLVED[case]


def rows(result: Result, images: np.ndarray) -> np.ndarray:
    """Patches by rolling the image, or the image in a frame of zeros."""
    k, (_, h, w) = result.spec["kernel_size"], images.shape
    if result.spec["padding"] == "zero":
        images = np.pad(images, ((0, 0), (k, k), (k, k)))
    moves = [(k // 2 - a, k // 2 - b) for a in range(k) for b in range(k)]
    moved = [np.roll(images, move, (1, 2)) for move in moves]
    if result.spec["padding"] == "zero":
        moved = [image[:, k : k + h, k : k + w] for image in moved]
    columns = [image.ravel() for image in moved]
    return np.stack(columns + [np.ones(columns[0].size)] * result.spec["bias"], axis=1)


def forward(result: Result, X: np.ndarray, prefix: str = "") -> np.ndarray:
    """Three lines of NumPy: the two layers of one block."""
    U, V = result.arrays[f"{prefix}first_layer"], result.arrays[f"{prefix}second_layer"]
    G = U if result.spec["neurons"] == "relu" else result.arrays[f"{prefix}gates"]
    if result.spec["neurons"] == "gated":
        G = G[:, result.arrays[f"{prefix}gate_of_neuron"]]
    return (((X @ G >= 0) * (X @ U)) @ V)[:, 0]


def replayed(result: Result, noisy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Input of the last block and output of the network, normalised, from the arrays alone."""
    mean, scale = 0.0, 1.0
    if result.spec["normalise"] == "standard":
        mean, scale = NOISY.mean(), NOISY.std()
    stage = (noisy - mean) / scale
    for t in range(1, result.spec["blocks"] + 1):
        prefix = "" if t == result.spec["blocks"] else f"block{t}_"
        before = stage
        out = forward(result, rows(result, stage), prefix).reshape(stage.shape)
        stage = before + out if result.spec["residual"] else out
    return before, stage * scale + mean


@pytest.fixture(params=CASES)
def result(request: pytest.FixtureRequest) -> Result:
    return solved(request.param)


def test_every_array_of_the_table_is_there_with_its_shape(result: Result) -> None:
    k, d = result.spec["kernel_size"], result.spec["kernel_size"] ** 2 + result.spec["bias"]
    m, K = int(result.scalars["n_neurons"]), len(result.arrays["filters"])
    if result.spec["blocks"] > 1:
        m = result.arrays["first_layer"].shape[1]
    expected = {
        "first_layer": (d, m),
        "second_layer": (m, 1),
        "denoised": NOISY.shape,
        "filters": (K, k, k),
        "pattern_map": NOISY.shape,
    }
    if result.spec["neurons"] == "gated":
        P = int(result.scalars["n_patterns"])
        expected |= {"gates": (d, P), "gate_of_neuron": (m,)}
        assert result.arrays["gate_of_neuron"].dtype.kind == "i"
        assert set(result.arrays["gate_of_neuron"]) <= set(range(P))
    assert {name: result.arrays[name].shape for name in expected} == expected
    assert result.arrays["pattern_map"].dtype.kind == "i"
    assert set(result.arrays["pattern_map"].ravel()) == set(range(K))  # every filter is in use
    for name, array in result.arrays.items():
        assert np.isfinite(array).all(), name


def test_every_scalar_of_the_table_is_a_number(result: Result) -> None:
    assert set(result.scalars) >= SCALARS
    assert not any(np.isnan(value) for value in result.scalars.values())


def test_three_lines_of_numpy_give_the_objective_of_the_network(result: Result) -> None:
    stage, _ = replayed(result, NOISY)
    mean, scale = result.arrays["normalisation"]
    clean = (CLEAN - mean) / scale
    y = (clean - stage if result.spec["residual"] else clean).ravel()
    error = forward(result, rows(result, stage)) - y
    weights = [result.arrays["first_layer"], result.arrays["second_layer"]]
    squares = sum((w**2).sum() for w in weights)
    value = 0.5 * error @ error + 0.5 * result.spec["weight_decay"] * squares
    assert value == pytest.approx(result.scalars["network_objective"], rel=1e-12)
    assert value == pytest.approx(result.certificate.primal, rel=1e-9)
    assert result.certificate.dual <= value * (1 + 1e-12)


def test_the_network_gives_what_was_stored_and_what_the_weights_give(result: Result) -> None:
    np.testing.assert_array_equal(result.network.predict(NOISY), result.arrays["denoised"])
    np.testing.assert_allclose(replayed(result, NOISY)[1], result.arrays["denoised"], atol=1e-12)
    other = np.random.default_rng(1).standard_normal((3, 7, 6))
    np.testing.assert_allclose(
        replayed(result, other)[1], result.network.predict(other), atol=1e-11
    )
    assert result.network.objective(NOISY, CLEAN) == result.scalars["network_objective"]


def test_each_pixel_is_filtered_by_the_filter_of_its_pattern(result: Result) -> None:
    stage, _ = replayed(result, NOISY)
    k, index = result.spec["kernel_size"], result.arrays["pattern_map"]
    filters = result.arrays["filters"][index].reshape(-1, k * k)
    out = np.einsum("nd,nd->n", rows(result, stage)[:, : k * k], filters).reshape(stage.shape)
    out = out + result.arrays["filter_offset"][index] + stage * result.spec["residual"]
    mean, scale = result.arrays["normalisation"]
    np.testing.assert_allclose(out * scale + mean, result.arrays["denoised"], atol=1e-12)


def test_pixels_of_one_pattern_have_the_same_neurons_on(result: Result) -> None:
    stage, _ = replayed(result, NOISY)
    G = result.arrays["first_layer"]
    if result.spec["neurons"] == "gated":
        G = result.arrays["gates"][:, result.arrays["gate_of_neuron"]]
    on = rows(result, stage) @ G >= 0
    bits = result.arrays["pattern_bits"][result.arrays["pattern_map"].ravel()]
    np.testing.assert_array_equal(bits.astype(bool), on)
    assert len(np.unique(on, axis=0)) == len(result.arrays["filters"])


def test_the_qualities_are_those_of_skimage(result: Result) -> None:
    denoised = result.arrays["denoised"]
    test = result.network.predict(DATA["test_noisy"])
    psnr = {
        "psnr_noisy": (NOISY, CLEAN),
        "psnr_denoised": (denoised, CLEAN),
        "test_psnr_noisy": (DATA["test_noisy"], DATA["test_clean"]),
        "test_psnr_denoised": (test, DATA["test_clean"]),
    }
    for name, (image, clean) in psnr.items():
        expected = peak_signal_noise_ratio(clean, image, data_range=1.0)
        assert result.scalars[name] == pytest.approx(expected, rel=1e-9), name
    for name, images, clean in [
        ("ssim_denoised", denoised, CLEAN),
        ("test_ssim_denoised", test, DATA["test_clean"]),
    ]:
        ssim = [
            structural_similarity(a, b, data_range=1.0, win_size=3)
            for a, b in zip(images, clean, strict=True)
        ]
        assert result.scalars[name] == pytest.approx(np.mean(ssim), rel=1e-9), name


def test_the_bound_says_what_it_covers(result: Result) -> None:
    kind = (result.spec["neurons"], result.spec["arrangements"])
    scope = {
        ("gated", "sampled"): Scope.GATED_NETWORK,
        ("relu", "sampled"): Scope.SAMPLED_PROGRAM,
        ("relu", "adaptive"): Scope.RELU_NETWORK,
    }[kind]
    assert result.certificate.scope is scope
    assert result.certificate.dual <= result.certificate.primal
    if result.spec["neurons"] == "relu":
        assert result.scalars["network_bound"] <= result.certificate.primal
        assert result.scalars["network_bound"] <= result.scalars["estimated_bound"] * (1 + 1e-9)
        if result.certificate.scope is Scope.RELU_NETWORK and result.scalars["n_neurons"]:
            # A neuron that is kept has M >= beta; a few rows may leave one to be found.
            assert 0.999 < result.scalars["estimated_m_over_beta"] < 1.1


def test_above_the_largest_weight_decay_there_is_no_neuron() -> None:
    for case in ("no neuron", "no gated neuron", "no neuron in any block"):
        result = solved(case)
        assert result.scalars["n_neurons"] == 0
        assert result.certificate.gap <= 1e-12 * result.certificate.primal
        assert len(result.arrays["filters"]) == 1
        assert not result.arrays["filters"].any()
    residual = solved("no gated neuron")
    np.testing.assert_allclose(residual.arrays["denoised"], NOISY, atol=1e-12)


def test_each_block_has_its_own_certificate_against_the_same_target() -> None:
    result = solved("four blocks")
    primals = [result.scalars[f"block{t}_primal"] for t in range(1, 5)]
    duals = [result.scalars[f"block{t}_dual"] for t in range(1, 5)]
    assert all(low <= high for low, high in zip(duals, primals, strict=True))
    assert (primals[-1], duals[-1]) == (result.certificate.primal, result.certificate.dual)
    # A residual block may always do nothing, so the next one is no worse than this one's fit.
    assert primals == sorted(primals, reverse=True)
