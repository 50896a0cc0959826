"""The game's row of the design: arrays and scalars, what NumPy says of them, and odd data."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.core import reach
from convexviz.core.discriminator import Discriminator, Neurons
from convexviz.core.game import GameProgram
from convexviz.core.solution import Scope
from convexviz.errors import ConvexvizError, DataError, SpecError
from convexviz.experiments.result import Result
from convexviz.experiments.verify import verify

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 2)) * [1.4, 0.6] + [0.4, -0.2]
Z = np.hstack([RNG.standard_normal((6, 3)), np.ones((6, 1))])
G0 = 0.5 * RNG.standard_normal((6, 2))
DATA = {"X": X, "Z": Z, "G0": G0}
BETA = {"linear": 0.6, "quadratic": 1.5, "polynomial": 0.3, "relu": 0.6}
GRID = np.stack([np.cos(t := np.linspace(0, 2 * np.pi, 721)), np.sin(t)], axis=1)
# Every discriminator with every generator, penalty and constant column that go together; those of
# two layers are fitted to the samples of a free one, so that one penalty says it all.
PLAYED = [
    (kind, generator, penalty, bias)
    for kind, generator, penalty, bias in product(
        BETA, ("free", "linear", "relu", "polynomial"), ("samples", "displacement"), (False, True)
    )
    if (generator in ("free", "linear") or (penalty, bias) == ("samples", False))
    and (kind != "relu" or not bias)  # those that see a constant column too: test_relu_game
]


def solved(kind: str, **fields: Any) -> Result:
    fields = {"data": DATA, "weight_decay": BETA[kind], **fields}
    return convexviz.solve("wgan", discriminator=kind, **fields)


def activation(kind: str, t: np.ndarray) -> np.ndarray:
    if kind == "relu":
        return np.maximum(t, 0)
    return {"linear": t, "quadratic": t**2, "polynomial": 0.09 * t**2 + 0.5 * t + 0.47}[kind]


def seen_apart(kind: str, bias: bool, real: np.ndarray, made: np.ndarray) -> float:
    """F on a grid of neurons."""
    apart = 0.0
    for height in np.linspace(-1, 1, 21) if bias else np.zeros(1):
        U = GRID * np.sqrt(1 - height**2)
        one, other = (activation(kind, S @ U.T + height).sum(axis=0) for S in (real, made))
        apart = max(apart, float(np.abs(one - other).max()))
    return apart


@pytest.mark.parametrize(("kind", "generator", "penalty", "bias"), PLAYED)
def test_every_pair_is_played_and_numpy_agrees(
    kind: str, generator: str, penalty: str, bias: bool
) -> None:
    result = solved(kind, generator=generator, penalty=penalty, bias=bias)
    arrays, scalars, beta = result.arrays, result.scalars, BETA[kind]
    G = arrays["generated"]
    assert G.shape == X.shape
    np.testing.assert_allclose(arrays["singular_values"], np.linalg.svd(X, compute_uv=False))
    np.testing.assert_array_equal(arrays["kept"], arrays["singular_values"] ** 2 > beta)
    value = float(np.square(G - (G0 if penalty == "displacement" else 0)).sum())
    assert scalars["regulariser"] == pytest.approx(value, rel=1e-9)
    assert result.certificate.primal == pytest.approx(value, rel=1e-9)
    assert seen_apart(kind, bias, X, G) <= beta * (1 + 1e-7)
    assert scalars["discriminator_value"] <= beta * (1 + 1e-8)
    assert scalars["violation"] == pytest.approx(scalars["discriminator_value"] - beta, abs=1e-12)
    assert result.certificate.scope is Scope.GAN_GAME
    assert 0 < result.certificate.dual <= result.certificate.primal
    if kind != "relu":
        assert result.certificate.relative_gap < 1e-6
    # The certificate's critic is stored, and its bound is what weak duality makes of it.
    U, v = arrays["discriminator_directions"].T, arrays["discriminator_weights"]
    assert np.linalg.norm(U, axis=1).max(initial=0.0) <= 1 + 1e-9
    start = G0 if penalty == "displacement" else None
    inside = reach.linear(Z, 2, start=start) if generator == "linear" else reach.free(6, 2, start)
    game = GameProgram(X, 6, inside, Discriminator(kind, bias=bias), beta)
    assert game.bound(Neurons(U, v)) == pytest.approx(result.certificate.dual, rel=1e-7)
    if generator != "free":
        assert result.network.predict(Z) == pytest.approx(G, abs=1e-7 * np.abs(G).max())
    if generator in ("relu", "polynomial"):
        hidden = Z @ arrays["generator_first_layer"]
        hidden = np.maximum(hidden, 0) if generator == "relu" else hidden**2
        made = hidden @ arrays["generator_second_layer"]
        np.testing.assert_allclose(made, G, atol=1e-7 * np.abs(G).max())
        assert arrays["generator_bound"][0] <= scalars["generator_penalty"] * (1 + 1e-9)
        assert arrays["generator_bound"][0] >= scalars["generator_penalty"] * (1 - 1e-2)


@pytest.mark.parametrize("kind", BETA)
@pytest.mark.parametrize("generator", ["free", "linear"])
def test_above_its_largest_value_nothing_is_generated_and_that_is_said(
    kind: str, generator: str
) -> None:
    zero = np.zeros_like(X)
    beta = 1.01 * Discriminator(kind).value(X, zero)
    result = solved(kind, generator=generator, weight_decay=beta)
    assert not result.arrays["generated"].any()
    assert result.certificate.primal == result.certificate.dual == 0.0
    assert result.status == "optimal"
    assert result.scalars["violation"] < 0
    moved = solved(kind, penalty="displacement", weight_decay=1e6)
    np.testing.assert_array_equal(moved.arrays["generated"], G0)
    assert moved.certificate.relative_gap == 0.0


ODD: dict[str, dict[str, np.ndarray]] = {
    "one sample": {"X": X[:1], "Z": Z[:1], "G0": G0[:1]},
    "one latent": {"X": X, "Z": Z[:, :1], "G0": G0},
    "all the same": {"X": np.repeat(X[:1], 6, axis=0), "Z": Z, "G0": G0},
    "on a line": {"X": np.outer(np.arange(6.0), [1, 2]), "Z": Z, "G0": G0},
    "one column": {"X": X[:, :1], "Z": Z, "G0": G0[:, :1]},
    "more generated": {"X": X, "Z": np.vstack([Z, Z]), "G0": np.vstack([G0, G0])},
    "zero": {"X": np.zeros((6, 2)), "Z": Z, "G0": G0},
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("kind", ["linear", "quadratic", "polynomial"])
def test_odd_data_are_played_or_refused_in_one_line(case: str, kind: str) -> None:
    data = ODD[case]
    for generator, penalty in product(("free", "linear"), ("samples", "displacement")):
        try:
            result = solved(kind, data=data, generator=generator, penalty=penalty)
        except ConvexvizError as refused:
            assert "\n" not in str(refused)  # noqa: PT017 - which of the two depends on the case
            continue
        assert np.isfinite(result.arrays["generated"]).all()
        assert np.isfinite(list(result.scalars.values())).all()
        assert result.certificate.dual <= result.certificate.primal
        assert result.certificate.relative_gap < 1e-5
        if data["X"].shape[1] == 2:
            F = seen_apart(kind, False, data["X"], result.arrays["generated"])
            assert 0 <= F <= BETA[kind] * (1 + 1e-7)


@pytest.mark.parametrize("kind", BETA)
@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_the_value_scales_as_it_must(kind: str, scale: float) -> None:
    """Linear and ReLU critics scale with the samples, the quadratic one with their squares."""
    if kind == "polynomial":
        return  # 1 and t and t^2 scale differently: there is no law
    beta = BETA[kind] * (scale**2 if kind == "quadratic" else scale)
    one = solved(kind)
    other = solved(kind, data={"X": scale * X, "Z": Z}, weight_decay=beta)
    assert other.certificate.primal == pytest.approx(scale**2 * one.certificate.primal, rel=1e-3)
    assert other.certificate.dual == pytest.approx(scale**2 * one.certificate.dual, rel=1e-4)


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "few latents": (
        {"data": {"X": X, "Z": Z[:, :1]}, "generator": "linear", "weight_decay": 0.1},
        SpecError, "keeps 2 directions, the generator has rank 1",
    ),
    "constants": (
        {"data": {"X": X, "Z": Z[:4]}, "discriminator": "polynomial", "weight_decay": 0.5},
        SpecError, "6 real and 4 generated samples .* constant alone tells them apart",
    ),
    "nan": ({"data": {"X": X * np.nan, "Z": Z}}, DataError, "X must be finite"),
    "infinite": ({"data": {"X": X, "Z": Z * np.inf}}, DataError, "Z must be finite"),
    "huge": ({"data": {"X": 1e150 * X, "Z": Z}}, DataError, "rescale it"),
    "tiny": ({"data": {"X": 1e-150 * X, "Z": Z}}, DataError, "rescale it"),
    "complex": ({"data": {"X": 1j * X, "Z": Z}}, DataError, "must be real"),
    "no latents": ({"data": {"X": X}}, DataError, "data needs 'Z'"),
    "no start": ({"data": {"X": X, "Z": Z}, "penalty": "displacement"}, DataError, "needs 'G0'"),
    "zero latents": (
        {"data": {"X": X, "Z": 0 * Z}, "generator": "linear"}, DataError, "Z must not be zero",
    ),
    "weights of a free one": ({"penalty": "weights"}, SpecError, "has weights and one layer"),
    "sees nothing": (
        {"discriminator": "polynomial", "poly_a": 0, "poly_b": 0}, SpecError, "sees nothing",
    ),
    "no sum": (
        {"data": {"X": X, "Z": (Z - Z.mean(0))[:, :3]}, "generator": "linear",
         "discriminator": "linear", "weight_decay": 0.1},
        SpecError, "latents sum to zero",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_played_is_refused_in_one_line(case: str) -> None:
    fields, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words) as refused:
        convexviz.solve("wgan", **{"data": DATA, "weight_decay": 1.0, **fields})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["quadratic", "relu"])
def test_a_stored_game_verifies_and_a_changed_critic_does_not(kind: str, tmp_path: Path) -> None:
    result = solved(kind)
    assert verify(result.save(tmp_path / "game.h5")) == []
    swapped = result.arrays["discriminator_directions"][::-1].copy()
    wrong = {**result.arrays, "discriminator_directions": swapped}
    fields = {name: getattr(result, name) for name in Result.__slots__}
    changed = Result(**fields | {"arrays": wrong}).save(tmp_path / "wrong.h5")
    assert "dual" in [one.what for one in verify(changed)]
