"""Images as rows: one row a pixel, the patch of the image around it (a convolution's input)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

_NUMPY_MODE: Mapping[str, Literal["wrap", "constant"]] = {"circular": "wrap", "zero": "constant"}


def patches(
    images: Float[np.ndarray, "N h w"],
    kernel: tuple[int, int],
    padding: str = "circular",
    *,
    ones: bool = False,
) -> Float[np.ndarray, "n d"]:
    """The `kernel` patch at every pixel, n = N h w rows of d = kh kw values (plus a one).

    Row p = (i, j) holds the pixels at offsets `a - kh // 2`, `b - kw // 2`, row-major: the order
    of cross-correlation, as `torch.nn.Conv2d`. `X @ filter.ravel()` is then the filtered image.
    """
    kh, kw = kernel
    before = (kh // 2, kw // 2)
    width = ((0, 0), (before[0], kh - 1 - before[0]), (before[1], kw - 1 - before[1]))
    padded = np.pad(images, width, mode=_NUMPY_MODE[padding])
    windows = sliding_window_view(padded, kernel, axis=(1, 2))
    X = np.empty((images.size, kh * kw + ones))
    # Splitting axes is a view: the windows are copied once.
    X[:, : kh * kw].reshape(windows.shape, copy=False)[:] = windows
    X[:, kh * kw :] = 1.0
    return X
