"""Image quality: PSNR and SSIM against the clean images."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Image = Float[np.ndarray, "N h w"]


def data_range(clean: Image) -> float:
    """1 for images in [0, 1]; else their own range (1 where they are constant)."""
    low, high = float(clean.min()), float(clean.max())
    if low >= 0.0 and high <= 1.0:
        return 1.0
    return high - low or 1.0


def psnr(images: Image, clean: Image) -> float:
    """`10 log10(range^2 / MSE)` in dB over all images; infinite where they are equal."""
    error = float(np.mean((images - clean) ** 2))
    return float(10 * np.log10(data_range(clean) ** 2 / error)) if error else float("inf")


def ssim(images: Image, clean: Image) -> float:
    """Mean structural similarity (Wang et al., 2004): 7x7 windows, or one window below that."""
    from skimage.metrics import structural_similarity

    scale = data_range(clean)
    side = min(clean.shape[1:])
    if side < 3:
        return float(
            np.mean([_one_window(a, b, scale) for a, b in zip(images, clean, strict=True)])
        )
    window = min(7, side - 1 + side % 2)
    scores = [
        structural_similarity(a, b, win_size=window, data_range=scale)
        for a, b in zip(images, clean, strict=True)
    ]
    return float(np.mean(scores))


def _one_window(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    c1, c2 = (0.01 * scale) ** 2, (0.03 * scale) ** 2
    covariance = float(np.mean((a - a.mean()) * (b - b.mean())))
    mean = (2 * a.mean() * b.mean() + c1) / (a.mean() ** 2 + b.mean() ** 2 + c1)
    return float(mean * (2 * covariance + c2) / (a.var() + b.var() + c2))
