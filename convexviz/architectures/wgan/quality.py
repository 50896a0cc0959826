"""How near generated images come to real ones, and their colours made alike for display.

`frechet_distance` is between Gaussians fitted to pixels, or to the leading principal components of
the real pixels: a Frechet distance in pixel space. It is not the FID, which is taken in features of
a trained network, and must not be compared with published FIDs. A generator that matches second
moments lowers it by construction on what it was trained on, so held-out images are what to ask.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from convexviz.architectures import inputs
from convexviz.errors import DataError

COMPONENTS = 50


def frechet_distance(
    generated: Float[np.ndarray, "m _"],
    real: Float[np.ndarray, "n _"],
    components: int | None = COMPONENTS,
) -> float:
    """`|mu - nu|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)`, a squared distance of flat images.

    `components`: how many principal components of `real` it is taken in; None: all pixels.

    Raises:
        DataError: rows of other widths, fewer than two of either, NaN, or `components` below 1.
    """
    made, seen = inputs.real("generated", generated, "m d"), inputs.real("real", real, "n d")
    if made.shape[1] != seen.shape[1]:
        raise DataError(
            f"generated and real must have the same columns, got {made.shape[1]} and "
            f"{seen.shape[1]}; flatten images of one size"
        )
    for name, rows in (("generated", made), ("real", seen)):
        if len(rows) < 2:
            raise DataError(f"{name} must have at least 2 rows to have a covariance, got 1")
    if components is not None and components < 1:
        raise DataError(f"components must be at least 1, got {components}; None takes all pixels")
    centre = seen.mean(axis=0)
    basis = np.linalg.svd(seen - centre, full_matrices=False)[2]
    if components is None:
        # Outside the span of both sets nothing is there to be compared.
        both = np.vstack([seen - centre, made - centre])
        basis = np.linalg.svd(both, full_matrices=False)[2]
    few = basis[: components or len(basis)].T
    one, other = (made - centre) @ few, (seen - centre) @ few
    apart = float(np.square(one.mean(axis=0) - other.mean(axis=0)).sum())
    A, B = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, other))
    # tr (A^1/2 B A^1/2)^1/2 is the nuclear norm of A^1/2 B^1/2.
    together = float(np.linalg.svd(_root(A) @ _root(B), compute_uv=False).sum())
    return max(apart + float(np.trace(A) + np.trace(B)) - 2 * together, 0.0)


def _root(A: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k k"]:
    values, V = np.linalg.eigh(A)
    return (V * np.sqrt(np.maximum(values, 0.0))) @ V.T


def histogram_matched(
    generated: Float[np.ndarray, "m h w c"], real: Float[np.ndarray, "n _ _ _"]
) -> Float[np.ndarray, "m h w c"]:
    """Each generated image with the distribution of values of all the real ones, a channel each.

    What the released code of ProCoGAN does before it shows or scores images: cosmetic, so
    nothing here applies it unasked: pages and scores have the images as they are generated.

    Raises:
        DataError: images of other channels, or NaN.
    """
    made, seen = (
        inputs.real("generated", generated, "m h w c"),
        inputs.real("real", real, "n h w c"),
    )
    if made.shape[3] != seen.shape[3]:
        raise DataError(
            f"generated and real must have the same channels, got {made.shape[3]} and "
            f"{seen.shape[3]}"
        )
    out = np.empty_like(made)
    for channel in range(made.shape[3]):
        values = np.sort(seen[..., channel], axis=None)
        for image, flat in zip(out[..., channel], made[..., channel], strict=True):
            image[...] = _as(flat, values)
    return out


def _as(image: Float[np.ndarray, "h w"], values: Float[np.ndarray, " v"]) -> np.ndarray:
    """Equal pixels share the value at the middle of their ranks."""
    _, inverse, counts = np.unique(image, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - 0.5 * counts) / image.size
    places = (np.arange(len(values)) + 0.5) / len(values)
    found: np.ndarray = np.interp(middle, places, values)[inverse].reshape(image.shape)
    return found
