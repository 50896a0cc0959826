"""Networks are re-evaluated from their weights alone, on patches and on images."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.architectures.denoiser.network import DenoiserNetwork
from convexviz.core.network import Network
from convexviz.errors import DataError


def network(m: int = 3, d: int = 4, c: int = 1, gated: bool = False, beta: float = 0.3) -> Network:
    rng = np.random.default_rng(m)
    gates = rng.standard_normal((d, m)) if gated else None
    return Network(rng.standard_normal((d, m)), rng.standard_normal((m, c)), beta, gates)


def denoiser(**fields: Any) -> DenoiserNetwork:
    settings = {"kernel_size": 2, "padding": "circular", "residual": False, "bias": False}
    block = network(d=4 + bool(fields.get("bias")), gated=fields.pop("gated", False))
    return DenoiserNetwork((block,) * fields.pop("blocks", 1), **{**settings, **fields})


@given(m=st.integers(0, 5), c=st.integers(1, 3), gated=st.booleans())
def test_predictions_and_objective_are_the_plain_sums(m: int, c: int, gated: bool) -> None:
    net, rng = network(m, 4, c, gated), np.random.default_rng(0)
    X, Y = rng.standard_normal((7, 4)), rng.standard_normal((7, c))
    out = np.zeros((7, c))
    for j in range(m):
        linear = X @ net.first_layer[:, j]
        on = (linear if net.gates is None else X @ net.gates[:, j]) >= 0
        out += np.outer(on * linear, net.second_layer[j])
    np.testing.assert_allclose(net.predict(X), out, atol=1e-12)
    squares = (net.first_layer**2).sum() + (net.second_layer**2).sum()
    value = 0.5 * ((out - Y) ** 2).sum() + 0.5 * 0.3 * squares
    assert net.objective(X, Y) == pytest.approx(value, rel=1e-12)


def test_the_boundary_of_a_gate_is_active() -> None:
    net = Network(np.ones((1, 1)), np.ones((1, 1)), 1.0, np.zeros((1, 1)))
    np.testing.assert_array_equal(net.predict(np.array([[-2.0]])), [[-2.0]])


def test_scaling_a_relu_neuron_and_its_weight_apart_changes_the_penalty_alone() -> None:
    net, X = network(), np.random.default_rng(0).standard_normal((6, 4))
    other = Network(3 * net.first_layer, net.second_layer / 3, 0.3)
    np.testing.assert_allclose(other.predict(X), net.predict(X))
    assert other.penalty() != net.penalty()


def test_many_rows_are_streamed_to_the_same_numbers() -> None:
    net = network(m=64)
    X = np.random.default_rng(0).standard_normal((70_000, 4))  # more than one block of rows
    np.testing.assert_allclose(net.predict(X), net.hidden(X) @ net.second_layer)


def test_no_neuron_predicts_zero() -> None:
    net = network(m=0)
    assert net.objective(np.ones((3, 4)), np.ones((3, 1))) == 1.5
    assert not denoiser().predict(np.zeros((1, 2, 3))).any()


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("blocks", [1, 3])
def test_a_denoiser_is_its_blocks_on_rolled_images(residual, bias, gated, blocks) -> None:
    net = denoiser(residual=residual, bias=bias, gated=gated, blocks=blocks, mean=0.4, scale=2.0)
    noisy = np.random.default_rng(0).standard_normal((2, 3, 4))
    stage = (noisy - 0.4) / 2.0
    for block in net.blocks:
        shifts = [np.roll(stage, (-a, -b), (1, 2)).ravel() for a in (-1, 0) for b in (-1, 0)]
        X = np.stack([*shifts, *([np.ones(24)] if bias else [])], axis=1)
        before, stage = stage, block.predict(X).reshape(stage.shape)
        stage = before + stage if residual else stage
    np.testing.assert_allclose(net.predict(noisy), 2.0 * stage + 0.4, atol=1e-12)
    y = ((np.ones((2, 3, 4)) - 0.4) / 2.0 - (before if residual else 0)).reshape(-1, 1)
    assert net.objective(noisy, np.ones((2, 3, 4))) == pytest.approx(block.objective(X, y))
    assert net.n_neurons == 3 * blocks


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 9), (3, 8, 5), (1, 40, 1)])
def test_a_denoiser_takes_images_of_any_size(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).standard_normal(shape)
    out = denoiser().predict(images)
    assert out.shape == shape
    np.testing.assert_array_equal(denoiser().predict(images.tolist()), out)
    assert denoiser().predict(images.astype(np.float32)).dtype == np.float64


def test_images_do_not_see_each_other() -> None:
    images = np.random.default_rng(0).standard_normal((3, 4, 5))
    together = denoiser().predict(images)
    np.testing.assert_allclose(together[1:2], denoiser().predict(images[1:2]), atol=1e-14)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.ones((3, 3)), r"add an axis, noisy\[None\]"),
        (np.ones((1, 3, 3)) + 1j, "must be real"),
        (np.full((1, 3, 3), np.nan), "must be finite"),
        ("x", "must hold real numbers"),
        (np.zeros((0, 3, 3)), "must not be empty"),
    ],
)
def test_what_is_no_stack_of_images_is_refused(images: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        denoiser().predict(images)
    with pytest.raises(DataError, match=said):
        denoiser().objective(images, images)


def test_an_objective_needs_two_stacks_of_one_shape() -> None:
    with pytest.raises(DataError, match="noisy and clean must have the same shape"):
        denoiser().objective(np.ones((2, 3, 3)), np.ones((1, 3, 3)))
