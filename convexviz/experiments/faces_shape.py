"""What ships of the portraits as texture and shape: `faces_shape.npz`, of the same 85 people.

    images, people = ...                       # (204, 128, 128, 3) uint8, a name each
    np.savez_compressed(portraits.SHAPES, **faces_shape.learn(images, people))

Every face is registered to the mean of all by TV-L1 optical flow (Zach, Pock, Bischof: A Duality
Based Approach for Realtime TV-L1 Optical Flow, 2007), three times over; minutes of work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from convexviz.core.types import Array
from convexviz.datasets import portraits, warped
from convexviz.datasets.likeness import hundredths, nearest
from convexviz.datasets.warped import Warp, bilinear
from convexviz.experiments import faces

PASSES = 3
SMOOTH = 1.0  # pixels of the portraits: the flow's steps are not the face's
DIRECTIONS = 49  # one more than are kept
DRAWS = 8  # sets of latents
LUMA = np.array([0.299, 0.587, 0.114])
ASKED = (20, 40)  # directions at which sharpness is measured


def learn(images: NDArray[np.uint8], people: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """All of `faces_shape.npz`: the spectrum of texture and shape, and what was measured."""
    held = faces.held_out(people)
    train = images[~held] / 255.0
    rows, warp = warped.join(*_coordinates(train, registered(train @ LUMA)))
    stored = portraits.spectrum(rows[:, None, None], min(DIRECTIONS, len(rows) - 1))
    count = len(stored["directions"]) - 1
    latents = faces.draw_latents(count, np.random.default_rng(1))[:DRAWS]
    small = portraits.small(images)
    mean = small[~held].mean(axis=0)
    real = (small[~held] - mean).reshape(len(train), -1)
    unseen = (small[held] - mean).reshape(int(held.sum()), -1)
    plain = portraits.spectrum(small[~held], len(stored["directions"]))
    asked = [k for k in ASKED if k <= count]
    return {
        **stored,
        "texture": np.array(warp.texture),
        "field": np.array(warp.field),
        "unit": np.array(warp.unit),
        "latents": np.round(latents / faces.STEP).astype(np.int8),
        "nearest": hundredths(_nearest(stored, warp, latents, real + mean.ravel())),
        "held_out": nearest(unseen, real)[0].astype(np.float32),
        "sharpness_at": np.array(asked),
        "sharpness": np.array([_sharp(stored, warp, latents[0], k, small[held]) for k in asked]),
        "sharpness_plain": np.array(
            [_sharp(plain, None, latents[0], k, small[held]) for k in asked]
        ),
    }


def registered(luma: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n h w 2"]:
    """Where each point of the mean face is in every face, minus where it is itself.

    The mean is taken again after each pass, of the faces as registered so far.
    """
    from skimage.registration import optical_flow_tvl1

    n, h, w = luma.shape
    fields = np.zeros((n, h, w, 2))
    reference = luma.mean(axis=0)
    for _ in range(PASSES):
        for i in range(n):
            flow = optical_flow_tvl1(reference, luma[i], num_iter=10, num_warp=5)
            fields[i] = np.moveaxis(flow, 0, -1)
        fields -= fields.mean(axis=0)  # the mean shape stays where it is
        reference = np.mean([_pulled(luma[i][..., None], fields[i]) for i in range(n)], axis=0)
        reference = reference[..., 0]
    return fields


def _pulled(image: Array, field: Array) -> Array:
    y, x = np.meshgrid(np.arange(image.shape[0]), np.arange(image.shape[1]), indexing="ij")
    return bilinear(image, y + field[..., 0], x + field[..., 1])


def _coordinates(
    images: Float[np.ndarray, "n h w 3"], fields: Float[np.ndarray, "n h w 2"]
) -> tuple[Array, Array]:
    """Textures of the face alone and smooth fields; each texture taken with the field as stored."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    low, size = portraits.CROP.start, portraits.CROP.stop - portraits.CROP.start
    coarse, fine = (
        low + (np.arange(side) + 0.5) * size / side - 0.5 for side in (warped.FIELD, warped.TEXTURE)
    )
    step = size / warped.TEXTURE
    textures, kept = [], []
    for image, field in zip(images, fields, strict=True):
        smooth = gaussian_filter(field, (SMOOTH, SMOOTH, 0))
        kept.append(bilinear(smooth, *np.meshgrid(coarse, coarse, indexing="ij")) / step)
        move = step * warped.upsampled(kept[-1], warped.TEXTURE)
        y, x = np.meshgrid(fine, fine, indexing="ij")
        places = [y + move[..., 0], x + move[..., 1]]
        channels = [map_coordinates(image[..., c], places, mode="nearest") for c in range(3)]
        textures.append(np.stack(channels, axis=-1))  # cubic: sharper than between neighbours
    return np.array(textures), np.array(kept)


def drawn(stored: Any, latents: Float[np.ndarray, "m k"], kept: int) -> Float[np.ndarray, "m d"]:
    """The rows that the thresholded spectrum makes of these latents."""
    s2 = stored["singular_values"].astype(float) ** 2
    gains = np.sqrt((s2[:kept] - s2[kept]) / float(stored["n_images"]))
    V = stored["directions"][:kept] * stored["scale"][:kept, None]
    made: Array = stored["mean"] + (latents[:, :kept] * gains) @ V
    return made


def pictures(rows: Array, warp: Warp | None) -> Float[np.ndarray, "m s s 3"]:
    """As they are shown, at the size in which distances and sharpness are measured."""
    from PIL import Image

    side = portraits.SIDE
    if warp is None:
        plain: Array = rows.reshape(-1, side, side, 3).clip(0, 1)
        return plain
    levels = np.round(255 * warped.render(rows, warp).clip(0, 1)).astype(np.uint8)
    resample = Image.Resampling.LANCZOS
    small = [np.asarray(Image.fromarray(x).resize((side, side), resample)) for x in levels]
    return np.array(small) / 255.0


def _nearest(stored: Any, warp: Warp, latents: Array, real: Array) -> Float[np.ndarray, "s k t"]:
    """Distance of each drawn picture to the nearest real one, with 1, ..., k directions kept."""
    sets, count, k = latents.shape
    found = np.empty((sets, k, count))
    for draw in range(sets):
        for kept in range(1, k + 1):
            made = pictures(drawn(stored, latents[draw], kept), warp)
            found[draw, kept - 1] = nearest(made.reshape(count, -1), real)[0]
    return found


def _sharp(stored: Any, warp: Warp | None, latents: Array, kept: int, real: Array) -> float:
    """Root mean square of the Laplacian of what is drawn, over that of faces never seen."""
    made = pictures(drawn(stored, latents, kept), warp)
    return laplacian(made) / laplacian(real)


def laplacian(images: Float[np.ndarray, "n h w 3"]) -> float:
    """Root mean square of the discrete Laplacian of the luma."""
    luma = images @ LUMA
    inner = luma[:, 1:-1, 1:-1]
    around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    return float(np.sqrt(np.square(around - 4 * inner).mean()))
