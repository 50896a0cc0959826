"""What ships of the portraits, computed from them: `faces.npz` is `learn` of images of 85 people.

    images, people = ...                       # (204, 128, 128, 3) uint8, a name each
    np.savez_compressed(portraits.FACES, **faces.learn(images, people))

A face cannot be made of it again: the file holds what a generator knows (mean, directions, singular
values), pictures that generators drew, and distances; not how the directions add up to anyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.datasets import portraits
from convexviz.datasets.likeness import hundredths, nearest, nearest_table
from convexviz.solvers import procogan, procogan_published

HELD_OUT = 17  # people, whose images nothing is learned from
DRAWS, EACH = 16, 25  # sets of latents whose distances are measured, and faces in each
STEP = 1 / 32  # latents are multiples of it, so that the browser has the very same numbers
SIDES, STRIP = (4, 8, 16, 32, 64), 6
KEPT = 40

Array = NDArray[np.float64]


def learn(images: NDArray[np.uint8], people: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """All of `faces.npz`: the spectrum, and what was drawn and measured."""
    held = held_out(people)
    small = portraits.small(images)
    train, other = small[~held], small[held]
    stored = portraits.spectrum(train)
    mean = stored["mean"].astype(float)
    real = train.reshape(len(train), -1) - mean
    count = min(portraits.DIRECTIONS, len(train)) - 1
    latents = draw_latents(count, np.random.default_rng(1))
    unseen = other.reshape(len(other), -1) - mean
    return {
        **stored,
        "latents": np.round(latents / STEP).astype(np.int8),
        "nearest": hundredths(nearest_table(_factors(stored), real, latents)[0]),
        "held_out": nearest(unseen, real)[0].astype(np.float32),
        **progressive(train),
    }


def held_out(people: Sequence[str]) -> NDArray[np.bool_]:
    """Which images are of people that nothing is learned from."""
    names = np.array(people)
    chosen = np.random.default_rng(0).permutation(np.unique(names))[:HELD_OUT]
    return np.isin(names, chosen)


def _factors(stored: dict[str, NDArray[Any]]) -> tuple[Array, Array]:
    """Directions as the browser has them, and their squared singular values."""
    V = stored["directions"] * stored["scale"][:, None]
    return V, stored["singular_values"].astype(float) ** 2


def draw_latents(count: int, rng: np.random.Generator) -> Float[np.ndarray, "r t k"]:
    """Standard normal latents, rounded to multiples of STEP."""
    shape = (DRAWS, EACH, count)
    return STEP * np.clip(np.round(rng.standard_normal(shape) / STEP), -127, 127)


def progressive(train: Float[np.ndarray, "n s s c"]) -> dict[str, NDArray[np.generic]]:
    """Pictures of a few latents after each stage, the directions kept, and F over beta: of these
    stages, and of the published schedule.
    """
    kept = procogan.schedule(KEPT, SIDES, len(train), train.shape[3])
    stages = procogan.train(train, kept, np.random.default_rng(2))
    Z = np.random.default_rng(3).standard_normal((STRIP, stages.n_latents))
    pictures = {
        f"stage_{stage.resolution}": np.round(255 * made.clip(0, 1)).astype(np.uint8)
        for stage, made in zip(stages.stages, stages.sample(Z), strict=True)
    }
    checks = np.array([stage.f_over_beta for stage in stages.stages])
    most = [min(k, len(train) - 2) for k in procogan_published.SCHEDULE]
    published = procogan_published.run(train, np.random.default_rng(4), most)
    return {
        **pictures,
        "stage_kept": np.array(kept),
        "stage_f_over_beta": checks,
        "published_f_over_beta": np.array([stage.f_over_beta for stage in published]),
    }
