"""Faces as texture and shape: pictures in the coordinates of the mean face, and where they go.

A row holds a texture (side, side, 3), every face pulled onto the mean shape, and beside it the
displacement field that pulls it back, on a coarser grid and times a weight that gives both the
same variance. Matching second moments of such rows is the same game in other coordinates, where
eyes lie on eyes: an average of two faces is a face, not a double exposure.

    images = render(found.X[:3] + found.mean, found.warp)     # (3, 96, 96, 3)

The portraits do not ship; `experiments/faces_shape.py` makes what does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.types import Array

TEXTURE, FIELD = 96, 40  # sides
TURNS = 5  # of the fixed point that inverts the field


@dataclass(frozen=True, slots=True)
class Warp:
    """How a row is laid out: sides of texture and field, and the weight of a pixel's move."""

    texture: int
    field: int
    unit: float

    @property
    def columns(self) -> int:
        """Values of a row."""
        return 3 * self.texture**2 + 2 * self.field**2


def join(
    textures: Float[np.ndarray, "n t t 3"], fields: Float[np.ndarray, "n f f 2"]
) -> tuple[Float[np.ndarray, "n d"], Warp]:
    """Rows of both, the fields (moves down and right, in pixels of the texture) weighted alike."""
    variances = [float(np.square(a - a.mean(axis=0)).sum()) for a in (textures, fields)]
    unit = float(np.sqrt(variances[0] / max(variances[1], 1e-300)))
    n = len(textures)
    rows = np.hstack([textures.reshape(n, -1), unit * fields.reshape(n, -1)])
    return rows, Warp(textures.shape[1], fields.shape[1], unit)


def parted(
    rows: Float[np.ndarray, "n d"], warp: Warp
) -> tuple[Float[np.ndarray, "n t t 3"], Float[np.ndarray, "n f f 2"]]:
    """Textures and fields of rows."""
    t, f = warp.texture, warp.field
    cut = 3 * t * t
    return rows[:, :cut].reshape(-1, t, t, 3), rows[:, cut:].reshape(-1, f, f, 2) / warp.unit


def render(rows: Float[np.ndarray, "n d"], warp: Warp) -> Float[np.ndarray, "n t t 3"]:
    """The pictures: at each pixel the texture's colour from where the face was pulled from."""
    textures, fields = parted(rows, warp)
    return np.array([_render(t, f) for t, f in zip(textures, fields, strict=True)])


def upsampled(field: Float[np.ndarray, "f f 2"], side: int) -> Float[np.ndarray, "t t 2"]:
    """The field at every pixel of a texture."""
    places = (np.arange(side) + 0.5) * len(field) / side - 0.5
    return bilinear(field, *np.meshgrid(places, places, indexing="ij"))


def bilinear(
    image: Float[np.ndarray, "h w c"], y: Float[np.ndarray, "*p"], x: Float[np.ndarray, "*p"]
) -> Float[np.ndarray, "*p c"]:
    """The image at these places, its border continued."""
    h, w = image.shape[:2]
    y, x = np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)
    top, left = np.minimum(y.astype(int), h - 2), np.minimum(x.astype(int), w - 2)
    down, right = (y - top)[..., None], (x - left)[..., None]
    above = (1 - right) * image[top, left] + right * image[top, left + 1]
    below = (1 - right) * image[top + 1, left] + right * image[top + 1, left + 1]
    found: Array = (1 - down) * above + down * below
    return found


def _render(texture: Float[np.ndarray, "t t 3"], field: Float[np.ndarray, "f f 2"]) -> Array:
    side = len(texture)
    back = upsampled(inverse(field, side), side)
    y, x = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    return bilinear(texture, y + back[..., 0], x + back[..., 1])


def inverse(field: Float[np.ndarray, "f f 2"], side: int) -> Float[np.ndarray, "f f 2"]:
    """The field of the way back, `g(p) = -f(p + g(p))`, on the same grid."""
    step = side / len(field)  # pixels of the texture from one of the field to the next
    y, x = np.meshgrid(np.arange(len(field)), np.arange(len(field)), indexing="ij")
    back = np.zeros_like(field)
    for _ in range(TURNS):
        back = -bilinear(field, y + back[..., 0] / step, x + back[..., 1] / step)
    return back
