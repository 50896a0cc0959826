"""Progressive closed-form training: exact at every stage, and what the published schedule does."""

import numpy as np
import pytest

from convexviz.errors import SpecError
from convexviz.solvers import procogan, procogan_published, spectrum


def pictures(n: int = 40, side: int = 16) -> np.ndarray:
    """Smooth random images in colour: sums of a few waves."""
    rng = np.random.default_rng(0)
    i, j = np.mgrid[:side, :side] / side
    waves = [np.cos(np.pi * (a * i + b * j)) / (1 + a + b) for a in range(4) for b in range(4)]
    parts = np.einsum("nwc,wij->nijc", rng.standard_normal((n, 16, 3)), np.array(waves))
    return parts + 0.02 * rng.standard_normal(parts.shape)


def test_the_golden_two_stages_are_exact() -> None:
    """p1.F1: spectra as in the table; whitened latents change the weights, not what is matched."""
    r = np.random.default_rng(30)
    X4 = r.standard_normal((40, 16)) * np.linspace(2, 0.2, 16)
    images = X4.reshape(40, 4, 4, 1)
    for X, kept, beta, value in (
        (procogan.pooled(images, 2), 2, 5.65058088, 49.4176093),
        (X4, 3, 89.5263906, 289.570315561),
    ):
        singular, _ = spectrum.leading(X - X.mean(axis=0), kept + 1)
        assert singular[kept] ** 2 == pytest.approx(beta, rel=1e-7)
        found = np.maximum(singular[:kept] ** 2 - singular[kept] ** 2, 0).sum()
        assert found == pytest.approx(value, rel=1e-7)


def test_every_stage_matches_what_it_keeps_and_nothing_else() -> None:
    images = pictures()
    model = procogan.train(images, (8, 12, 20), np.random.default_rng(1))
    assert [stage.resolution for stage in model.stages] == [4, 8, 16]
    for stage in model.stages:
        assert stage.f_over_beta == pytest.approx(1.0, abs=1e-8)
        assert stage.identity_error < 1e-10
        assert stage.condition < 1e4
    Z = procogan.whitened(len(images), 20, np.random.default_rng(1))
    X = images.reshape(len(images), -1)
    X = X - X.mean(axis=0)
    G = model.sample(Z)[-1].reshape(len(images), -1) - model.stages[-1].mean
    assert np.linalg.norm(X.T @ X - G.T @ G, 2) == pytest.approx(model.stages[-1].beta, rel=1e-8)


def test_fresh_latents_have_the_variance_that_was_matched() -> None:
    images = pictures()
    model = procogan.train(images, (8, 12, 20), np.random.default_rng(1))
    fresh = model.sample(np.random.default_rng(2).standard_normal((4000, model.n_latents)))[-1]
    stage = model.stages[-1]
    matched = np.maximum(stage.singular[:20] ** 2 - stage.beta, 0).sum() / len(images)
    made = np.square(fresh.reshape(4000, -1) - stage.mean).sum() / 4000
    assert made == pytest.approx(matched, rel=0.1)  # of 4,000 draws


def test_the_published_schedule_divides_by_rounding_noise() -> None:
    images = pictures(60)
    ours = procogan.train(images, (10, 30, 50), np.random.default_rng(1))
    theirs = procogan_published.run(images, np.random.default_rng(1), (10, 30, 50))
    assert theirs[0].f_over_beta == pytest.approx(1.0, abs=1e-6)
    assert theirs[1].rank < theirs[1].kept
    assert theirs[1].condition > 1e12
    assert max(stage.f_over_beta for stage in ours.stages) < 1 + 1e-6
    assert max(stage.f_over_beta for stage in theirs) > 1.5


def flat(n: int, d: int) -> np.ndarray:
    """Four strong directions over noise, whose edge is nearly flat: beta is read off there."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 4)) @ rng.standard_normal((4, d)) + rng.standard_normal((n, d))


@pytest.mark.parametrize("shape", [(60, 90), (90, 60)])
@pytest.mark.parametrize("way", ["all", "few", "products", "torch", "torch products"])
def test_every_way_to_the_spectrum_is_exact(
    shape: tuple[int, int], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = flat(*shape)
    _, s, Vt = np.linalg.svd(X)
    if way != "all":
        monkeypatch.setattr(spectrum, "ALL", 10)
        monkeypatch.setattr(spectrum, "BLOCK", 7)
    if "products" in way:
        monkeypatch.setattr(spectrum, "GRAM_SIDE", 10)
    found, V = spectrum.leading(X, 9, "cpu:0" if "torch" in way else "cpu")
    assert len(found) >= 10
    np.testing.assert_allclose(found[:10], s[:10], rtol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(V * Vt[:9], axis=1)), 1.0, rtol=1e-8)


def test_a_spectrum_of_low_rank_ends_in_zeros() -> None:
    X = np.outer(np.arange(1.0, 5), np.ones(6))
    found, V = spectrum.leading(X, 3)
    assert found[0] == pytest.approx(np.linalg.norm(X))
    np.testing.assert_array_equal(found[1:], 0.0)
    assert V.shape == (1, 6)


def test_a_wrong_generator_is_noticed() -> None:
    images = pictures()
    X = images.reshape(len(images), -1)
    X = X - X.mean(axis=0)
    singular, V = spectrum.leading(X, 11)
    beta = singular[10] ** 2
    P = np.linalg.qr(np.random.default_rng(0).standard_normal((len(X), 10)))[0]
    right = np.sqrt(singular[:10] ** 2 - beta)[:, None] * V[:10]
    # Soft-thresholding singular values instead of eigenvalues is the usual mistake.
    wrong = (singular[:10] - singular[10])[:, None] * V[:10]
    assert procogan.check(X, P, right, (singular, V), beta)[0] == pytest.approx(1.0, abs=1e-8)
    assert procogan.check(X, P, wrong, (singular, V), beta)[0] > 1.2


def test_what_cannot_be_trained_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(SpecError, match="square with a side that 16 divides"):
        procogan.train(np.zeros((5, 12, 12, 3)), (2, 3, 4), rng)
    with pytest.raises(SpecError, match="kept must not fall"):
        procogan.train(np.zeros((5, 8, 8, 3)), (3, 2), rng)
    with pytest.raises(SpecError, match="at most 4 latents can be whitened"):
        procogan.train(pictures(5, 4), (7,), rng)
