"""Faces as texture and shape: rows part as they were joined, and pictures are pulled back."""

import numpy as np
import pytest

import convexviz
from convexviz.datasets import portraits, warped
from convexviz.datasets.warped import Warp
from convexviz.experiments import faces_shape, gallery

RNG = np.random.default_rng(0)


def smooth(n: int, side: int, channels: int, size: float) -> np.ndarray:
    """A few waves."""
    y, x = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")
    waves = [np.sin(2 * np.pi * (a * y + b * x)) for a, b in ((1, 0), (0, 1), (1, 1))]
    mix = RNG.standard_normal((n, channels, 3))
    return size * np.einsum("nck,kyx->nyxc", mix, np.array(waves))


def test_rows_part_into_what_they_were_joined_of() -> None:
    textures, fields = RNG.random((5, 8, 8, 3)), RNG.standard_normal((5, 4, 4, 2))
    rows, warp = warped.join(textures, fields)
    assert rows.shape == (5, warp.columns)
    back, moves = warped.parted(rows, warp)
    np.testing.assert_allclose(back, textures)
    np.testing.assert_allclose(moves, fields)
    centred = rows - rows.mean(axis=0)
    split = np.square(centred[:, : 3 * 64]).sum(), np.square(centred[:, 3 * 64 :]).sum()
    assert split[0] == pytest.approx(split[1])  # neither outweighs the other


def test_no_move_draws_the_texture_and_a_shift_shifts_it() -> None:
    texture = smooth(1, 24, 3, 0.2)
    warp = Warp(24, 8, 0.5)
    still = np.concatenate([texture.ravel(), np.zeros(128)])[None]
    np.testing.assert_allclose(warped.render(still, warp), texture, atol=1e-12)
    down = np.zeros((8, 8, 2))
    down[..., 0] = 3.0  # the face was found three pixels below the mean: it is drawn there
    moved = warped.render(np.concatenate([texture.ravel(), 0.5 * down.ravel()])[None], warp)[0]
    np.testing.assert_allclose(moved[3:], texture[0, :-3], atol=1e-12)


def test_what_was_pulled_onto_the_mean_shape_is_pulled_back() -> None:
    image, field = smooth(1, 48, 3, 0.2)[0], smooth(1, 16, 2, 0.8)[0]
    move = warped.upsampled(field, 48)
    y, x = np.meshgrid(np.arange(48), np.arange(48), indexing="ij")
    texture = warped.bilinear(image, y + move[..., 0], x + move[..., 1])
    rows = np.concatenate([texture.ravel(), field.ravel()])[None]
    inner = slice(6, 42)
    apart = (warped.render(rows, Warp(48, 16, 1.0))[0] - image)[inner, inner]
    moved = np.abs((texture - image)[inner, inner]).max()
    assert np.abs(apart).max() < 0.1 * moved


def test_flow_finds_a_shift_and_what_is_learned_holds_no_image() -> None:
    base = 0.5 + smooth(1, 128, 1, 0.15)[0, ..., 0]
    shifts = [-2, 0, 2, 0]
    found = faces_shape.registered(np.array([np.roll(base, s, axis=0) for s in shifts]))
    inner = found[:, 40:88, 40:88, 0].mean(axis=(1, 2))
    np.testing.assert_allclose(inner, shifts, atol=0.5)


def test_what_ships_of_the_shapes_is_small_and_sharper_at_as_many_directions() -> None:
    found = portraits.warped_faces()
    stored = portraits.stored_warps()
    assert portraits.SHAPES.stat().st_size < 1.5e6
    assert found.warp is not None
    assert found.X.shape == (49, found.warp.columns)
    assert set(stored) == {
        "directions", "scale", "singular_values", "mean", "n_images", "texture", "field", "unit",
        "latents", "nearest", "held_out", "sharpness_at", "sharpness", "sharpness_plain",
    }  # fmt: skip
    # Not from what is stored of it: drawn again, here of other latents.
    latents = np.random.default_rng(5).standard_normal((12, 100))
    sharp = []
    for spectrum, warp in ((stored, found.warp), (portraits.stored_faces(), None)):
        rows = faces_shape.drawn(spectrum, latents, 40)
        sharp.append(faces_shape.laplacian(faces_shape.pictures(rows, warp)))
    assert sharp[0] > 1.05 * sharp[1]
    assert (stored["sharpness"] > stored["sharpness_plain"]).all()


def test_the_shapes_are_a_game_in_closed_form() -> None:
    shown = gallery.of("warped_faces", portraits.warped_faces())
    beta = shown.opening
    assert shown.kept(beta) == 40
    result = convexviz.solve(
        "wgan", dataset="warped_faces", generator="linear", n_latents=48, weight_decay=beta
    )
    assert result.scalars["n_kept"] == 40
    assert result.certificate.relative_gap < 1e-9
    assert result.certificate.primal == pytest.approx(shown.certificate(beta).primal, rel=1e-6)
    assert "sharpness of unseen ones" in shown.note
