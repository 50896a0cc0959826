"""Points of the plane drawn from a seed: what a discriminator sees of them can be drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from convexviz.datasets.base import Dataset, Images
from convexviz.errors import SpecError

Points = Float[np.ndarray, "n 2"]


def ring(n: int, rng: np.random.Generator) -> Points:
    """A circle of radius 2 about the origin, a little noisy: it has a hole."""
    angle = rng.uniform(0, 2 * np.pi, n)
    return 2 * _on_circle(angle) + 0.12 * rng.standard_normal((n, 2))


def gaussians(n: int, rng: np.random.Generator) -> Points:
    """Two clouds left and right of the origin."""
    left = rng.random(n)[:, None] < 0.5
    middle = np.where(left, np.array([-1.6, 0.4]), np.array([1.6, 0.9]))
    return middle + rng.standard_normal((n, 2)) * [0.35, 0.5]


def moons(n: int, rng: np.random.Generator) -> Points:
    """Two half circles that reach into each other, centred."""
    angle = rng.uniform(0, np.pi, n)
    upper = rng.random(n)[:, None] < 0.5
    above = _on_circle(angle)
    points = np.where(upper, above, np.array([1.0, 0.5]) - above)
    return 1.5 * (points - [0.5, 0.25]) + 0.1 * rng.standard_normal((n, 2))


def cluster(n: int, rng: np.random.Generator) -> Points:
    """One slanted cloud away from the origin: its mean matters."""
    return np.array([2.2, 1.2]) + rng.standard_normal((n, 2)) @ np.array([[0.7, 0.3], [0.0, 0.35]])


def _on_circle(angle: Float[np.ndarray, " n"]) -> Points:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


DRAWN: Mapping[str, Callable[[int, np.random.Generator], np.ndarray]] = MappingProxyType(
    {"ring": ring, "gaussians": gaussians, "moons": moons, "cluster": cluster}
)


def no_images() -> Images:
    """What `load` is where a data set holds points.

    Raises:
        SpecError: always.
    """
    raise SpecError("this data set holds points and no images; take `planar.DRAWN[name]`")


def _planar(name: str, title: str) -> Dataset:
    source = f"drawn by convexviz.datasets.planar.{name}"
    return Dataset(name=name, title=title, source=source, licence="MIT", load=no_images)


DATASETS = (
    _planar("ring", "Ring"),
    _planar("gaussians", "Two Gaussians"),
    _planar("moons", "Moons"),
    _planar("cluster", "Off-centre cluster"),
)
