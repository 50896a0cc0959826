"""The dense product that a GPU computes gives the Gram that the CPU sums without it."""

import numpy as np
import pytest

from convexviz.core import arrangements
from convexviz.core.gram import masked_gram
from convexviz.core.gram_device import masked_gram_on

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rows", [2**28, 64])
def test_both_grams_agree(device: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexviz.core.gram_device.ROWS", rows)  # 64: many blocks of rows
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 4)), rng.standard_normal(50)
    patterns = arrangements.sample(X, 6, rng).patterns
    dense, summed = masked_gram_on(device, X, patterns, y), masked_gram(X, patterns, y)
    np.testing.assert_allclose(dense.G, summed.G, atol=1e-12)
    np.testing.assert_allclose(dense.b, summed.b, atol=1e-12)
    np.testing.assert_allclose(dense.eigenvalues, summed.eigenvalues, atol=1e-12)
    assert dense.yy == summed.yy
