"""Every threshold of the face mode is the game's own optimum."""

import numpy as np
import pytest

import convexviz
from convexviz.datasets import portraits
from convexviz.datasets.portraits import portraits_of
from convexviz.experiments import gallery


@pytest.fixture(scope="module")
def lfw() -> gallery.Gallery:
    return gallery.of("lfw", portraits.lfw())


@pytest.mark.parametrize("kept", [1, 12, 60])
def test_a_threshold_is_what_the_solver_certifies(lfw: gallery.Gallery, kept: int) -> None:
    beta = lfw.stops[kept - 1]
    result = convexviz.solve(
        "wgan", dataset="lfw", generator="linear", n_latents=78, weight_decay=beta
    )
    closed = lfw.certificate(beta)
    assert result.scalars["n_kept"] == lfw.kept(beta) == kept
    assert closed.primal == pytest.approx(result.certificate.primal, rel=1e-9)
    assert closed.dual == pytest.approx(result.certificate.dual, rel=1e-9)
    assert closed.dual <= closed.primal


def test_what_is_drawn_has_the_second_moment_of_the_optimum(lfw: gallery.Gallery) -> None:
    beta = lfw.stops[9]
    k = lfw.kept(beta)
    gains = np.sqrt((lfw.squares[:k] - beta) / lfw.n)
    V = (lfw.directions[:k] * lfw.scale[:k, None, None, None] / 255).reshape(k, -1)
    X = portraits.lfw().X
    G = np.sqrt(lfw.n) * gains[:, None] * V  # latents whose second moment is the identity
    apart = np.linalg.eigvalsh(X.T @ X - G.T @ G)
    assert np.abs(apart).max() == pytest.approx(beta, rel=0.03)  # eight bits a pixel


def test_the_nearest_real_image_is_where_the_table_says(lfw: gallery.Gallery) -> None:
    beta = lfw.stops[20]
    found = lfw.closest(beta, 2, 7)
    assert found is not None
    made, real = found
    apart = float(np.linalg.norm(made - real))
    assert apart == pytest.approx(lfw.nearest[2, 20, 7] / 100, abs=0.006)
    assert lfw.which is not None
    assert lfw.real is not None
    np.testing.assert_allclose(lfw.real[lfw.which[2, 20, 7]], (real - lfw.mean / 255).ravel())


def test_the_frechet_distance_is_named_for_what_it_is(lfw: gallery.Gallery) -> None:
    assert "in 50 principal components of pixels (not the FID" in lfw.note
    to_learned, to_unseen = (
        float(lfw.note.split(f" to {words}")[0].split()[-1]) for words in ("those it", "unseen")
    )
    assert 0 < to_learned < to_unseen
    few = np.random.default_rng(0).random((9, 8, 8))
    assert "Fréchet" not in gallery.of("pictures", portraits_of(few, few[:2])).note


def test_stops_are_the_betas_that_keep_one_more_direction(lfw: gallery.Gallery) -> None:
    assert [lfw.kept(beta) for beta in lfw.stops] == list(range(1, len(lfw.stops) + 1))
    assert lfw.stop(1e99) == lfw.stops[0]
    assert lfw.stop(0.0) == lfw.stops[-1]
    assert lfw.stop(1.01 * lfw.stops[5]) == lfw.stops[5]


def test_the_portraits_come_with_distances_and_without_images() -> None:
    found = gallery.of("faces", portraits.faces())
    assert found.real is None
    assert found.closest(found.opening, 0, 0) is None
    assert found.kept(found.opening) == 40
    assert found.nearest.shape == (16, 100, 25)
    assert len(found.held_out) == 34
    assert [picture.shape[0] for _, picture in found.stages[:5]] == [4, 8, 16, 32, 64]
    # Blur is what makes them near: with every direction they lie farther away.
    assert np.median(found.nearest[:, 99]) > np.median(found.nearest[:, 9])


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 7, 9, 3), (30, 16, 16, 3), (6, 64, 64, 3)])
def test_any_few_images_make_a_gallery(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    found = gallery.of("pictures", portraits_of(rng.random(shape), rng.random(shape)[:2]))
    assert len(found.stops) == min(100, shape[0] - 2, int(np.prod(shape[1:])) - 1)
    assert np.isfinite(found.nearest).all()
    assert len(found.held_out) == 2
