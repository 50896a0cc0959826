"""Progressive stages through `solve`: exact at each, drawn from fresh latents, refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.architectures.wgan.stages import stages_of
from convexviz.errors import ConvexvizError
from convexviz.experiments.result import Result
from convexviz.experiments.verify import verify
from tests.unit.test_procogan import pictures

IMAGES = pictures(40, 8)
X = IMAGES.reshape(40, -1)
Z = np.random.default_rng(5).standard_normal((50, 20))


def solved(**fields: Any) -> Result:
    return convexviz.solve(
        "wgan", data={"X": X, "Z": Z}, generator="linear", **{"stages": 3, **fields}
    )


@pytest.fixture(scope="module", params=[{"kept_per_stage": "4 8 12"}, {"weight_decay": 120.0}])
def result(request: pytest.FixtureRequest) -> Result:
    return solved(**request.param)


def test_the_last_stage_is_the_game_and_proved(result: Result) -> None:
    centred = X - X.mean(axis=0)
    squares = np.linalg.svd(centred, compute_uv=False) ** 2
    beta = result.scalars["last_weight_decay"]
    if result.spec["kept_per_stage"]:
        assert beta == pytest.approx(squares[12], rel=1e-9)
    else:
        assert beta == 120.0
    value = np.maximum(squares - beta, 0).sum()
    assert result.certificate.primal == pytest.approx(value, rel=1e-9)
    assert 0 <= result.certificate.relative_gap < 1e-9
    G = result.arrays["generated"]
    assert np.linalg.norm(centred.T @ centred - G.T @ G, 2) == pytest.approx(beta, rel=1e-9)
    np.testing.assert_allclose(result.network.predict(result.arrays["latents"]), G, atol=1e-9)


def test_every_stage_matches_its_size(result: Result) -> None:
    model, whitened = stages_of(result.arrays), result.arrays["latents"]
    np.testing.assert_allclose(whitened.T @ whitened, 50 * np.eye(20), atol=1e-9)
    np.testing.assert_allclose(whitened.sum(axis=0), 0, atol=1e-9)
    assert [stage.resolution for stage in model.stages] == [2, 4, 8]
    beta = result.scalars["last_weight_decay"]
    for stage, made in zip(model.stages, model.sample(whitened), strict=True):
        size = stage.resolution
        small = IMAGES.reshape(40, size, 8 // size, size, 8 // size, 3).mean(axis=(2, 4))
        real = small.reshape(40, -1)
        np.testing.assert_allclose(stage.mean, real.mean(axis=0), atol=1e-12)
        real, G = real - stage.mean, made.reshape(50, -1) - stage.mean
        _, s, Vt = np.linalg.svd(real)
        thresholded = np.zeros(real.shape[1])
        thresholded[: len(s)] = np.maximum(s**2 - stage.beta, 0)
        np.testing.assert_allclose(G.T @ G, (Vt.T * thresholded) @ Vt, atol=1e-8 * s[0] ** 2)
        assert stage.kept == int(np.sum(thresholded > 1e-9 * s[0] ** 2))
        if not result.spec["kept_per_stage"]:
            assert stage.beta == pytest.approx(beta * (size / 8) ** 2)
        if stage.kept:
            assert np.linalg.norm(real.T @ real - G.T @ G, 2) == pytest.approx(stage.beta, rel=1e-9)
    np.testing.assert_allclose(result.arrays["stage_f_over_beta"], 1.0, rtol=1e-9)


def test_what_is_stored_verifies_and_a_changed_stage_does_not(
    result: Result, tmp_path: Path
) -> None:
    assert verify(result.save(tmp_path / "right.h5")) == []
    name = "stage_4_directions"
    wrong = {**result.arrays, name: 3 * result.arrays[name]}
    changed = Result(
        **{field: getattr(result, field) for field in Result.__slots__} | {"arrays": wrong}
    )
    assert "arrays/stage_f_over_beta" in [
        one.what for one in verify(changed.save(tmp_path / "w.h5"))
    ]


def test_latents_that_are_not_whitened_are_exact_too_and_images_given_without_their_mean() -> None:
    raw = solved(kept_per_stage=(4, 8, 12), whiten=False)
    np.testing.assert_allclose(raw.arrays["stage_f_over_beta"], 1.0, rtol=1e-9)
    np.testing.assert_allclose(raw.network.predict(Z), raw.arrays["generated"], atol=1e-9)
    assert raw.spec["kept_per_stage"] == "4 8 12"
    mean = X.mean(axis=0)
    same = convexviz.solve(
        "wgan", data={"X": X - mean, "Z": Z, "mean": mean}, generator="linear", stages=3,
        kept_per_stage="4 8 12", whiten=False,
    )  # fmt: skip
    for name in ("generated", "stage_2_mean", "stage_8_directions"):
        np.testing.assert_allclose(np.abs(same.arrays[name]), np.abs(raw.arrays[name]), atol=1e-8)


def test_the_published_schedule_beside_it_inverts_rounding_noise() -> None:
    beside = solved(kept_per_stage="8 16 20", published=True)
    assert beside.arrays["published_rank"][1] < beside.arrays["published_kept"][1]
    assert beside.arrays["published_f_over_beta"].max() > 1.5
    assert beside.arrays["stage_f_over_beta"].max() < 1 + 1e-9


def test_above_the_largest_eigenvalue_no_stage_generates_anything() -> None:
    nothing = solved(weight_decay=1e6)
    assert nothing.certificate.primal == nothing.certificate.dual == 0.0
    assert not nothing.arrays["generated"].any()
    assert nothing.arrays["stage_f_over_beta"].max() < 1
    for image in stages_of(nothing.arrays).sample(Z):
        np.testing.assert_allclose(image, image[:1].repeat(50, axis=0))  # the mean image


def test_equal_images_and_colours_have_stages_of_low_rank() -> None:
    twice = {"X": np.repeat(X[:6], 7, axis=0), "Z": Z}
    found = convexviz.solve("wgan", data=twice, generator="linear", stages=3, weight_decay=0.5)
    assert found.certificate.relative_gap < 1e-9
    assert found.arrays["stage_kept"].max() <= 5


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "few latents": ({"kept_per_stage": "4 8 21"}, "keeps 21 directions, Z has 20 columns"),
    "few latents of beta": ({"weight_decay": 1e-6}, "stage|directions"),
    "all directions": (
        {"kept_per_stage": "12 12 12"},
        "must leave a direction out: images of 2 x 2",
    ),
    "falls": ({"kept_per_stage": "4 3 12"}, "must not fall"),
    "too few numbers": ({"kept_per_stage": "4 8"}, "a number for each of 3 stages"),
    "no number": ({"kept_per_stage": "4 x 8"}, "must be integers in"),
    "no integer": ({"kept_per_stage": [4, 8.5, 9]}, "must be integers in"),
    "negative": ({"kept_per_stage": "-1 8 9"}, "must be integers in"),
    "odd side": ({"stages": 5}, "halve the side 4 times"),
    "one stage": ({"stages": 1, "kept_per_stage": "3"}, "is for stages >= 2"),
    "relu": ({"discriminator": "relu"}, "discriminator='quadratic'"),
    "penalty": ({"penalty": "weights"}, "penalty='samples'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_stages_is_refused_in_one_line(case: str) -> None:
    fields, words = REFUSED[case]
    with pytest.raises(ConvexvizError, match=words) as refused:
        solved(**fields)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"X": np.ones((5, 7)), "Z": Z}, "must hold square images of 1 or 3 channels"),
        ({"X": X, "Z": np.ones((50, 3))}, "independent columns to be whitened"),
        ({"X": X, "Z": Z[:10]}, "at most 9 latents can be whitened"),
        ({"X": X, "Z": Z, "mean": np.ones(3)}, "mean must have a value for each"),
        ({"X": X * np.nan, "Z": Z}, "must be finite"),
        ({"X": X[:1], "Z": Z}, "can be kept|leave a direction out"),
    ],
)
def test_images_and_latents_that_do_not_fit_are_refused(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ConvexvizError, match=words) as refused:
        convexviz.solve("wgan", data=data, generator="linear", stages=2, kept_per_stage="2 3")
    assert "\n" not in str(refused.value)
