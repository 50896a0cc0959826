"""A readout is a linear map and its adjoint; taps are torch's second convolution."""

import numpy as np
import pytest
import torch

from convexviz.core.readout import Pooled, Readout, Rows, Taps

READOUTS = {
    "rows": (Rows(), 12, 3),
    "pooled": (Pooled(4), 12, 3),
    "taps": (Taps((2, 3, 4), (3, 3)), 24, 1),
    "zero taps": (Taps((2, 3, 4), (3, 5), "zero"), 24, 1),
    "even taps": (Taps((1, 1, 7), (1, 2)), 7, 1),
}


@pytest.mark.parametrize("name", READOUTS)
def test_the_adjoint_is_the_adjoint(name: str) -> None:
    readout, rows, outputs = READOUTS[name]
    rng = np.random.default_rng(0)
    H = rng.standard_normal((rows, readout.width(outputs)))
    R = rng.standard_normal((readout.targets(rows), outputs))
    assert readout.apply(H).shape == R.shape
    assert np.vdot(readout.apply(H), R) == pytest.approx(np.vdot(H, readout.adjoint(R)))


@pytest.mark.parametrize("name", READOUTS)
def test_trailing_axes_are_carried_along(name: str) -> None:
    readout, rows, outputs = READOUTS[name]
    H = np.random.default_rng(1).standard_normal((rows, readout.width(outputs), 2, 3))
    out = readout.apply(H)
    np.testing.assert_allclose(out[..., 1, 2], readout.apply(H[..., 1, 2]))


@pytest.mark.parametrize("padding", ["circular", "zero"])
def test_taps_are_the_second_convolution_of_torch(padding: str) -> None:
    rng = np.random.default_rng(2)
    hidden, v = rng.standard_normal((2, 5, 6)), rng.standard_normal((3, 3))
    conv = torch.nn.Conv2d(
        1, 1, 3, padding=1, bias=False, dtype=torch.float64,
        padding_mode="circular" if padding == "circular" else "zeros",
    )  # fmt: skip
    conv.weight.data = torch.tensor(v)[None, None]
    expected = conv(torch.tensor(hidden)[:, None]).detach().numpy()[:, 0]
    readout: Readout = Taps((2, 5, 6), (3, 3), padding)
    H = hidden.reshape(-1, 1) * v.reshape(1, -1)
    np.testing.assert_allclose(readout.apply(H).reshape(2, 5, 6), expected, atol=1e-12)
