"""Two-stage generators: the golden fits, exact samples, and bounds on all such weights."""

import numpy as np
import pytest

import convexviz
from convexviz.errors import SpecError
from convexviz.solvers.generator_fit import fit

Z = np.array([[1, 0.3], [-0.6, 1], [0.2, -1.1], [-1, -0.4]])
G = np.array([[1, 0.5], [0, 1], [-0.5, 0.2], [0.3, -0.4]])


# In a new clone it waits for compiled loops.
@pytest.mark.parametrize(
    ("kind", "rows", "value", "loss"),
    [("relu", 4, 3.067343208, 2e-4), ("square", 3, 3.199537427, 1e-8)],
)
def test_the_golden_fits_are_met(kind: str, rows: int, value: float, loss: float) -> None:
    found = fit(Z[:rows], G[:rows], kind)
    assert found.penalty == pytest.approx(value, rel=1e-7)
    assert value * (1 - loss) <= found.bound <= value * (1 + 1e-9)
    np.testing.assert_allclose(found.generator.predict(Z[:rows]), G[:rows], atol=1e-12)


def test_samples_that_no_such_generator_makes_are_refused() -> None:
    with pytest.raises(SpecError, match="give at least 3 latents in general position"):
        fit(Z, G, "square")
    with pytest.raises(SpecError, match="two rows of Z lie on one line"):
        fit(np.array([[1.0, 0], [2, 0], [0, 1]]), G[:3], "relu")


@pytest.mark.parametrize("generator", ["relu", "polynomial"])
def test_a_game_with_a_two_layer_generator_is_certified_and_makes_its_samples(
    generator: str,
) -> None:
    rng = np.random.default_rng(0)
    data = {"X": rng.standard_normal((5, 2)), "Z": rng.standard_normal((5, 3))}
    result = convexviz.solve("wgan", data=data, generator=generator, weight_decay=0.5)
    free = convexviz.solve("wgan", data=data, weight_decay=0.5)
    assert result.certificate.primal == pytest.approx(free.certificate.primal, rel=1e-9)
    W1, W2 = (result.arrays[f"generator_{name}_layer"] for name in ("first", "second"))
    hidden = data["Z"] @ W1
    made = (np.maximum(hidden, 0) if generator == "relu" else hidden**2) @ W2
    np.testing.assert_allclose(made, free.arrays["generated"], atol=1e-9)
    assert result.scalars["network_objective"] == pytest.approx(free.certificate.primal, rel=1e-9)
    assert result.arrays["generator_bound"][0] <= result.scalars["generator_penalty"] * (1 + 1e-9)
    run = convexviz.descend("wgan", data=data, generator=generator, weight_decay=0.5, steps=20)
    assert np.isfinite(run.records["lower_bound"]).all()


def test_outputs_that_share_a_neuron_do_not_blow_up_rounding() -> None:
    """Two columns made by one square each: the least weights are |0.4| + |-0.2|, to the bound."""
    Z = np.hstack([np.random.default_rng(0).standard_normal((6, 3)), np.ones((6, 1))])
    fitted = fit(Z, np.ones((6, 1)) * np.array([[0.4, -0.2]]), "square")
    assert fitted.penalty == pytest.approx(0.6, rel=1e-7)
    assert fitted.bound == pytest.approx(0.6, rel=1e-6)
