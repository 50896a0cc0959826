"""F of a ReLU discriminator over all linear generators of one latent: what a picture needs.

found = landscape(X, z, beta)      # X (n, 2), z (m,): some 0.1 s for 80 points
found.value, found.allowed         # (scales, angles): F, and where it is within beta
found.first, found.last            # the border of the allowed set, an angle at a time
found.proved.lower                 # no allowed generator is shorter
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core import one_latent
from convexviz.core.one_latent import Proved
from convexviz.core.ridges import on_circle
from convexviz.errors import DataError

DRAWN = 1e-4  # relative gap of what is proved beside a picture


@dataclass(frozen=True, slots=True, eq=False)
class Landscape:
    """F of a ReLU discriminator over all linear generators of one latent, `w = r (cos t, sin t)`.

    Attributes:
        angles: t, evenly spaced; of samples on a line 0 and pi.
        scales: r, evenly spaced from 0.
        value: F, exact, a row a scale and a column an angle.
        first, last: between which r each angle is allowed (F is convex along it); NaN where never.
        mean_first, mean_last: the same for what every allowed generator must obey, that the sums
            are within 2 beta: an allowed w outside of it there is none.
        islands: how many separate sets of allowed generators there are.
        proved: bracket on the least `|w|` of all of them, by branch and bound.
    """

    angles: Float[np.ndarray, " a"]
    scales: Float[np.ndarray, " r"]
    value: Float[np.ndarray, "r a"]
    first: Float[np.ndarray, " a"]
    last: Float[np.ndarray, " a"]
    mean_first: Float[np.ndarray, " a"]
    mean_last: Float[np.ndarray, " a"]
    islands: int
    proved: Proved
    beta: float

    @property
    def allowed(self) -> Bool[np.ndarray, "r a"]:
        """Where F is within beta."""
        return self.value <= self.beta * (1 + one_latent.ROUNDING)


def landscape(
    X: Float[np.ndarray, "n d"],
    z: Float[np.ndarray, " m"],
    beta: float,
    *,
    grid: tuple[int, int] = (60, 60),
    largest: float | None = None,
) -> Landscape:
    """F over a grid of angles and scales, the allowed sets, and what is proved (some 0.3 s).

    `grid`: how many scales and angles; `largest`: the last scale, None: a little more than is
    allowed anywhere.

    Raises:
        DataError: samples of more than two columns, latents that are all zero, no beta > 0.
    """
    if X.ndim != 2 or X.shape[1] not in (1, 2):
        raise DataError(f"X must have one or two columns to draw F over, got shape {X.shape}")
    if not np.any(z):
        raise DataError("z must not be zero: a linear generator makes samples of it")
    if not beta > 0:
        raise DataError(f"beta must be positive, got {beta:g}")
    game, line = one_latent.segment(X, z), X.shape[1] == 1
    angles = one_latent.ENDS if line else np.arange(grid[1]) * 2 * np.pi / grid[1]
    first, met = one_latent.first_allowed(game, beta, angles, np.zeros(len(angles)))
    first = np.where(met, first, np.nan)
    last = one_latent.last_allowed(game, beta, angles, np.where(met, first, np.inf))
    if largest is None:
        seen = float(np.abs(X.sum(axis=0)).sum()) / max(abs(float(z.sum())), game.steep)
        largest = 1.3 * float(np.nanmax(np.append(last, seen))) or 1.0
    scales = np.linspace(0.0, largest, grid[0])
    W = (scales[:, None, None] * on_circle(angles)[None]).reshape(-1, 2)
    value = np.abs(game.farthest(W)[0]).reshape(len(scales), len(angles))
    means = _within(game.X.sum(axis=0), game.positive - game.negative, 2 * beta, angles)
    proved = one_latent.least(game, beta, DRAWN, line=line)
    return Landscape(angles, scales, value, first, last, *means, _islands(first), proved, beta)


def _within(
    total: np.ndarray, sum_z: float, radius: float, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Between which r `|total - r sum_z (cos t, sin t)| <= radius`; NaN where nowhere."""
    along = on_circle(angles) @ total * sum_z
    square, rest = sum_z**2, float(total @ total) - radius**2
    if square == 0.0:
        nowhere = rest > 0
        return np.full(len(angles), np.nan if nowhere else 0.0), np.full(
            len(angles), np.nan if nowhere else np.inf
        )
    inner = along**2 - square * rest
    root = np.sqrt(np.where(inner >= 0, inner, np.nan))
    low, high = (along - root) / square, (along + root) / square
    return np.where(high >= 0, np.maximum(low, 0.0), np.nan), np.where(high >= 0, high, np.nan)


def _islands(first: Float[np.ndarray, " a"]) -> int:
    """Runs of allowed angles around the circle; one where the generator of zeros is allowed."""
    on = np.isfinite(first)
    if on.any() and float(np.nanmin(first)) == 0.0:
        return 1
    if on.all():
        return 1 if len(on) > 2 else int(on.sum())
    return int(np.sum(on & ~np.roll(on, 1))) if len(on) > 2 else int(on.sum())
