"""What is drawn of a set of images: a generator for every threshold, and how near its
pictures come to real ones.

Against a quadratic discriminator the best generator of images is `mean + sum_i g_i z_i v_i` with
`g_i = sqrt((s_i^2 - beta)_+ / n)`: all thresholds share the directions, so the browser draws them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.wgan import quality
from convexviz.core.solution import Certificate, Scope
from convexviz.datasets import likeness, london, portraits
from convexviz.datasets.portraits import Portraits
from convexviz.datasets.warped import Warp
from convexviz.errors import DataError
from convexviz.solvers import procogan

MOST = 100  # directions kept
OPENING = {"faces": 40, "warped_faces": 40}  # of the set; others open on a third of what they have
SETS, EACH = 8, 25  # of latents
STEP = 1 / 32  # latents are multiples of it
SIDES = (4, 8, 16, 32, 64)
STRIP = 2
ENOUGH = 20  # held out, to speak of their distribution
SHARPNESS = ("sharpness_at", "sharpness", "sharpness_plain")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """One set of images, as a generator knows it.

    Attributes:
        name: of the data set.
        mean: (h, w, channels), 0..255; flat where pictures are made of texture and shape.
        directions, scale: (k, h, w, channels) int8, or flat as the mean, and 255ths a step.
        squares: all squared singular values of the centred images.
        n: how many images.
        stops: the betas that keep 1, ..., k directions.
        latents: (sets, EACH, k).
        nearest: (sets, k, EACH) hundredths; distances in [0, 1] to the nearest real image.
        held_out: distances of images that nothing was learned from.
        real, which: the images themselves, centred, and the number of the nearest, as `nearest`;
            None where they do not ship.
        stages: (words, (h, w, channels) uint8) of the progressive generator; none for tiny images.
        note: what its stages prove, or what was measured, in a sentence or two.
        trouble: why the copy of the set on this machine is not shown; may quote file names.
        warp: how texture and shape make a picture; None where the sum is the picture.
    """

    name: str
    mean: Array
    directions: NDArray[np.int8]
    scale: Array
    squares: Array
    n: int
    stops: tuple[float, ...]
    latents: Array
    nearest: NDArray[np.uint16]
    held_out: Array
    real: Array | None
    stages: tuple[tuple[str, NDArray[np.uint8]], ...]
    note: str
    which: NDArray[np.intp] | None = None
    warp: Warp | None = None
    trouble: str = ""

    @property
    def opening(self) -> float:
        """The beta that it opens with."""
        kept = OPENING.get(self.name, max(1, len(self.stops) // 3))
        return self.stops[min(kept, len(self.stops)) - 1]

    def kept(self, beta: float) -> int:
        """How many directions lie above beta."""
        return int(np.sum(self.squares > beta * (1 + 1e-12)))

    def stop(self, beta: float) -> float:
        """The nearest beta that is offered, by ratio."""
        apart = np.abs(np.log(self.stops) - np.log(max(beta, 1e-300)))
        return self.stops[int(np.argmin(apart))]

    def certificate(self, beta: float) -> Certificate:
        """In closed form: what the thresholded spectrum pays, and what its critic proves.

        The critic has weight one on each direction kept: no generator pays less than it asks,
        `sum_i s_i^2 - k beta`.
        """
        gains = np.sqrt(np.maximum(self.squares - beta, 0.0))
        kept = self.kept(beta)
        dual = float(self.squares[:kept].sum()) - kept * beta
        primal = float(np.square(gains).sum())
        return Certificate(primal=primal, dual=min(dual, primal), scope=Scope.GAN_GAME)

    def closest(self, beta: float, draw: int, tile: int) -> tuple[Array, Array] | None:
        """A generated image and the real one nearest to it, both (h, w, channels) in [0, 1]."""
        if self.real is None:
            return None
        k = self.kept(beta)
        gains = np.sqrt((self.squares[:k] - beta) / self.n)
        V = (self.directions[:k] * self.scale[:k, None, None, None] / 255).reshape(k, -1)
        made = (gains * self.latents[draw, tile, :k]) @ V
        _, at = likeness.nearest(made[None], self.real)
        mean = self.mean / 255
        return mean + made.reshape(mean.shape), mean + self.real[at[0]].reshape(mean.shape)


def of(name: str, found: Portraits, seed: int = 0) -> Gallery:
    """The gallery of a set whose images are here; what does not ship comes from its file."""
    if name == "faces":
        return _with_own(_shipped(found))
    if name == "warped_faces":
        return _shaped(found)
    images = (found.X + found.mean).reshape(-1, *found.shape)
    stored = portraits.spectrum(images, MOST + 1)
    squares = stored["singular_values"].astype(float) ** 2
    rank = int(np.sum(squares > 1e-9 * squares[0]))
    k = min(MOST, rank - 1)
    rng = np.random.default_rng(seed)
    latents = STEP * np.clip(np.round(rng.standard_normal((SETS, EACH, k)) / STEP), -127, 127)
    V = stored["directions"][: k + 1] * stored["scale"][: k + 1, None]
    nearest, which = likeness.nearest_table((V, squares), found.X, latents)
    unseen = likeness.nearest(found.held_out, found.X)[0] if len(found.held_out) else np.zeros(0)
    stages, note = _progressive(images, min(OPENING["faces"], k))
    shown = Gallery(
        name=name,
        mean=255 * found.mean.reshape(found.shape),
        directions=stored["directions"][:k].reshape(k, *found.shape),
        scale=255 * stored["scale"][:k],
        squares=squares[:rank],
        n=len(images),
        stops=tuple(squares[1 : k + 1].tolist()),
        latents=latents,
        nearest=likeness.hundredths(nearest),
        held_out=unseen,
        real=found.X,
        which=which,
        stages=stages,
        note=note,
    )
    return replace(shown, note=f"{note} {_frechet(shown, found, V)}".strip())


def _frechet(shown: Gallery, found: Portraits, V: Array) -> str:
    """How near the drawn distribution is to the real ones and to unseen ones, named for what it is;
    nothing where few are held out.
    """
    if len(found.held_out) < ENOUGH:
        return ""
    count = min(quality.COMPONENTS, shown.latents.shape[2])
    kept = shown.kept(shown.opening)
    gains = np.zeros(shown.latents.shape[2])
    gains[:kept] = np.sqrt((shown.squares[:kept] - shown.opening) / shown.n)
    made = (shown.latents.reshape(-1, len(gains)) * gains)[:, :count]
    learned, unseen = (
        quality.frechet_distance(made, rows @ V[:count].T, None)
        for rows in (found.X, found.held_out)
    )
    return (
        f"Fréchet distance of {len(made)} draws with {kept} directions, in {count} principal "
        f"components of pixels (not the FID, and not to be compared with one): {learned:.2f} to "
        f"those it learned from, {unseen:.2f} to unseen ones."
    )


def _with_own(shown: Gallery) -> Gallery:
    """The portraits with their images, where a copy of the set lies on this machine.

    Distances are measured anew, to the people that it learned from, so that picture and number
    belong together. Who these are goes by the names of the files.
    """
    try:
        own = london.here()
    except (DataError, OSError) as error:
        words = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
        return replace(shown, trouble=f"The copy on this server: {london.without_place(words)}.")
    if own is None:
        return shown
    rows, people = own
    learned = np.isin(people, london.LEARNED)
    if not learned.any():
        words = "The copy on this server: none of its pictures has the name of one learned from."
        return replace(shown, trouble=words)
    real = rows[learned] - shown.mean.ravel() / 255
    k = len(shown.directions)
    V = shown.directions.reshape(k, -1) * (shown.scale[:, None] / 255)
    table = likeness.nearest_table((V, shown.squares), real, shown.latents, count_real=shown.n)
    note = (
        f"{shown.note} Of the copy on this server {int(learned.sum())} pictures are by their names "
        "those it learned from, each found on the mean face; the nearest is shown and measured."
    )
    nearest, which = likeness.hundredths(table[0]), table[1]
    gone = london.left_out(len(rows))
    trouble = f"Left out: {gone} unreadable, too narrow or without a face." if gone else ""
    return replace(shown, real=real, which=which, nearest=nearest, note=note, trouble=trouble)


def _shipped(found: Portraits) -> Gallery:
    """The portraits, with pictures of the progressive stages."""
    stored = portraits.stored_faces()
    kept, checks = stored["stage_kept"], stored["stage_f_over_beta"]
    pictures = [
        (f"{side}×{side}, {int(kept[i])}", stored[f"stage_{side}"][face])
        for face in range(STRIP)
        for i, side in enumerate(SIDES)
    ]
    note = (
        f"{_checked(checks)} As published, without fresh latents and with a constant column, "
        f"F/β = {_all(stored['published_f_over_beta'])}."
    )
    return _of_file("faces", found, stored, tuple(pictures), note)


def _shaped(found: Portraits) -> Gallery:
    """The same portraits as texture and shape, with what that gains."""
    stored = portraits.stored_warps()
    at, sharp, plain = (stored[name][-1] for name in SHARPNESS)
    note = (
        f"Second moments of texture and shape are matched, the same game in other coordinates: "
        f"the mean face's, where eyes lie on eyes. Drawn with {int(at)} directions its faces have "
        f"**{float(sharp):.2f}** of the sharpness of unseen ones (Laplacian at 64×64), those of "
        f"pixels alone **{float(plain):.2f}**. Distances are between the pictures, at 64×64."
    )
    return _of_file("warped_faces", found, stored, (), note)


def _of_file(
    name: str,
    found: Portraits,
    stored: Mapping[str, NDArray[Any]],
    stages: tuple[tuple[str, NDArray[np.uint8]], ...],
    note: str,
) -> Gallery:
    """What ships without its images: distances were measured where they were."""
    squares = stored["singular_values"].astype(float) ** 2
    latents = STEP * stored["latents"].astype(float)
    k = latents.shape[2]
    shape = found.shape if found.warp is None else (found.warp.columns,)
    return Gallery(
        name=name,
        mean=255 * found.mean.reshape(shape),
        directions=stored["directions"][:k].reshape(k, *shape),
        scale=255 * stored["scale"][:k],
        squares=squares[squares > 1e-9 * squares[0]],
        n=found.n_images,
        stops=tuple(squares[1 : k + 1].tolist()),
        latents=latents,
        nearest=stored["nearest"],
        held_out=stored["held_out"].astype(float),
        real=None,
        stages=stages,
        note=note,
        warp=found.warp,
    )


def _checked(checks: Array) -> str:
    worst = float(np.abs(checks - 1).max())
    return (
        f"The progressive stages are solved one by one, F/β = 1 at each of {len(checks)} to "
        f"{max(worst, 1e-15):.0e}, and end at the distribution of a single stage: a story, no gain."
    )


def _all(checks: Array) -> str:
    """Each F over beta."""
    return ", ".join(f"{check:.0f}" for check in checks)


def _progressive(images: Array, kept: int) -> tuple[tuple[tuple[str, NDArray[np.uint8]], ...], str]:
    """Closed-form stages from 4 x 4 to the size of the images, where that is a power of two."""
    n, side, width, channels = images.shape
    sides = [s for s in SIDES if s <= side]
    if side != width or len(sides) < 2 or sides[-1] != side or n < 4:
        return (), ""
    counts = procogan.schedule(kept, sides, n, channels)
    if any(b < a for a, b in pairwise(counts)) or min(counts) < 1:
        return (), ""
    trained = procogan.train(images, counts, np.random.default_rng(2))
    Z = np.random.default_rng(3).standard_normal((STRIP, trained.n_latents))
    made = trained.sample(Z)
    pictures = [
        (
            f"{stage.resolution}×{stage.resolution}, {stage.kept}",
            np.round(255 * made[i][face].clip(0, 1)).astype(np.uint8),
        )
        for face in range(STRIP)
        for i, stage in enumerate(trained.stages)
    ]
    return tuple(pictures), _checked(np.array([stage.f_over_beta for stage in trained.stages]))
