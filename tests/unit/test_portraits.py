"""Sets of images for generators: centred rows, and a spectrum in place of portraits."""

import numpy as np
import pytest

import convexviz
from convexviz import datasets
from convexviz.datasets import portraits


@pytest.mark.parametrize("name", list(portraits.OF))
def test_rows_are_centred_images(name: str) -> None:
    found = portraits.OF[name]()
    pixels = int(np.prod(found.shape))
    assert found.X.shape[1] == len(found.mean) >= pixels
    assert (len(found.mean) > pixels) == (found.warp is not None)
    assert 0 <= found.mean[:pixels].min() < found.mean[:pixels].max() <= 1
    assert datasets.get(name).licence
    assert datasets.get(name).source
    if name not in ("faces", "warped_faces"):
        assert np.abs(found.X.mean(axis=0)).max() < 1e-12
        assert (found.X + found.mean).min() >= 0
        assert len(found.held_out)


def test_what_ships_of_the_faces_is_their_spectrum_and_measures() -> None:
    found = portraits.faces()
    stored = np.load(portraits.FACES, allow_pickle=False)
    assert portraits.FACES.stat().st_size < 1.5e6
    assert found.n_images == 170
    assert len(found.X) == 101
    singular = np.linalg.svd(found.X, compute_uv=False)
    np.testing.assert_allclose(singular, stored["singular_values"][:101], rtol=1e-9)
    V = stored["directions"] * stored["scale"][:, None]
    turned = found.X / singular[:, None] - V  # eight bits a pixel
    assert np.linalg.norm(turned, axis=1).max() < 0.02
    assert set(stored) == {
        "directions", "scale", "singular_values", "mean", "n_images", "latents", "nearest",
        "held_out", "stage_kept", "stage_f_over_beta", "published_f_over_beta",
        *(f"stage_{side}" for side in (4, 8, 16, 32, 64)),
    }  # fmt: skip
    np.testing.assert_allclose(stored["stage_f_over_beta"], 1.0, atol=1e-8)


def test_a_spectrum_keeps_the_leading_directions() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 128, 128, 3), dtype=np.uint8)
    small = portraits.small(images)
    assert small.shape == (12, 64, 64, 3)
    learned = portraits.spectrum(small)
    assert learned["directions"].dtype == np.int8
    singular = learned["singular_values"]
    assert (np.diff(singular) <= 0).all()
    V = learned["directions"] * learned["scale"][:, None]
    np.testing.assert_allclose(V[:5] @ V[:5].T, np.eye(5), atol=0.05)


# Over 2 s: 170 samples of 12,288 values each.
def test_forty_directions_of_the_faces_are_kept_and_certified() -> None:
    beta = float(np.linalg.svd(portraits.faces().X, compute_uv=False)[40] ** 2)
    result = convexviz.solve(
        "wgan", dataset="faces", generator="linear", n_latents=60, weight_decay=beta
    )
    assert result.scalars["n_kept"] == 40
    assert result.scalars["discriminator_value"] == pytest.approx(beta, rel=1e-9)
    assert result.certificate.relative_gap < 1e-9
    Z = np.random.default_rng(1).standard_normal((300, 60))
    made = np.square(result.network.predict(Z)).sum() / 300
    assert made == pytest.approx(result.certificate.primal / 170, rel=0.1)  # of 300 draws
