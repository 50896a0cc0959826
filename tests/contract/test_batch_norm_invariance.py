"""What changes nothing for batch norm: maps of the features, and features that say nothing new."""

import numpy as np
import pytest

import convexviz
from tests.contract.test_batch_norm import A2, Y2


@pytest.mark.parametrize("neurons", ["relu", "gated"])
def test_an_invertible_affine_map_of_the_features_changes_nothing(neurons: str) -> None:
    rng = np.random.default_rng(5)
    X, Y = rng.standard_normal((7, 2)), rng.standard_normal(7)
    M, shift = rng.standard_normal((2, 2)), rng.standard_normal(2)
    asked = {"weight_decay": 0.2, "arrangements": "all", "tolerance": 1e-8, "neurons": neurons}
    one, other = (
        convexviz.solve("batch_norm", data={"X": rows, "Y": Y}, **asked)
        for rows in (X, X @ M + shift)
    )
    assert other.certificate.primal == pytest.approx(one.certificate.primal, rel=1e-7)
    assert other.certificate.dual == pytest.approx(one.certificate.dual, rel=1e-7)


def test_constant_and_duplicated_features_change_nothing() -> None:
    more = np.hstack([A2, A2[:, :1], np.full((7, 1), 3.0)])
    asked = {"weight_decay": 0.3, "arrangements": "all", "tolerance": 1e-8}
    result = convexviz.solve("batch_norm", data={"X": more, "Y": Y2}, **asked)
    assert result.certificate.primal == pytest.approx(1.757351486, rel=2e-8)
    assert result.scalars["rank"] == 2
