"""How near generated images come to real ones."""

import numpy as np

from convexviz.datasets import likeness, portraits
from convexviz.experiments import faces


def test_the_nearest_is_that_of_all_distances() -> None:
    rng = np.random.default_rng(0)
    rows, real = rng.standard_normal((7, 5)), rng.standard_normal((9, 5))
    every = np.linalg.norm(rows[:, None] - real[None], axis=2)
    apart, at = likeness.nearest(rows, real)
    np.testing.assert_allclose(apart, every.min(axis=1), rtol=1e-12)
    assert (at == every.argmin(axis=1)).all()
    assert likeness.nearest(real[3:4], real)[0][0] < 1e-6


def test_the_table_is_that_of_the_pictures_themselves() -> None:
    rng = np.random.default_rng(1)
    images = rng.random((14, 6, 6, 1))
    stored = portraits.spectrum(images, 9)
    V = stored["directions"] * stored["scale"][:, None]
    squares = stored["singular_values"] ** 2
    flat = images.reshape(14, -1)
    real = flat - flat.mean(axis=0)
    latents = rng.standard_normal((2, 3, 8))
    table, which = likeness.nearest_table((V, squares), real, latents)
    assert table.shape == (2, 8, 3)
    for kept in (1, 5, 8):
        gains = np.sqrt((squares[:kept] - squares[kept]) / 14)
        made = (latents[1, :, :kept] * gains) @ V[:kept]
        np.testing.assert_allclose(table[1, kept - 1], likeness.nearest(made, real)[0], rtol=1e-9)
        assert (which[1, kept - 1] == likeness.nearest(made, real)[1]).all()


def test_what_ships_of_portraits_holds_out_people_and_no_image() -> None:
    rng = np.random.default_rng(2)
    people = [f"{i // 2:03d}" for i in range(44)]
    base = rng.random((128, 128, 3))
    images = (255 * (0.5 * base + 0.5 * rng.random((44, 128, 128, 3)))).astype(np.uint8)
    learned = faces.learn(images, people)
    assert int(learned["n_images"]) == 44 - 2 * faces.HELD_OUT
    assert len(learned["held_out"]) == 2 * faces.HELD_OUT
    assert learned["latents"].shape == (faces.DRAWS, faces.EACH, 9)
    assert learned["nearest"].shape == (faces.DRAWS, 9, faces.EACH)
    flat = np.concatenate([np.ravel(learned[name]) for name in ("nearest", "held_out")])
    assert (flat > 0).all()
    assert max(learned[f"stage_{side}"].shape[0] for side in faces.SIDES) == faces.STRIP
