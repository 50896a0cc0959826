"""Real images that come with the packages convexviz depends on; nothing is downloaded."""

from __future__ import annotations

import gzip
from functools import cache

import numpy as np

from convexviz.datasets import digits as handwritten
from convexviz.datasets.base import Dataset, Images


@cache
def mri_slice() -> Images:
    """The sagittal head of matplotlib's sample data; the right half is held out."""
    import matplotlib.cbook

    path = matplotlib.cbook.get_sample_data("s1045.ima.gz", asfileobj=False)
    with gzip.open(path) as file:
        raw = np.frombuffer(file.read(), ">u2").reshape(256, 256)  # big-endian
    return halves(raw / raw.max())


@cache
def camera() -> Images:
    """scikit-image's cameraman, 512 by 512; the right half is held out."""
    import skimage.data

    return halves(skimage.data.camera() / 255.0)


@cache
def digits() -> Images:
    """Sixty 8x8 digits to train on and sixty held out, from scikit-learn."""
    images = handwritten.digits()[0] / 16.0
    return Images(images[:60], images[60:120])


def halves(image: np.ndarray) -> Images:
    """Train on the left half of one picture, test on the right."""
    middle = image.shape[1] // 2
    left, right = image[None, :, :middle], image[None, :, middle:]
    return Images(np.ascontiguousarray(left), np.ascontiguousarray(right), split=middle)


DATASETS = (
    Dataset(
        name="mri",
        title="MRI slice of a head",
        source="matplotlib sample data, s1045.ima.gz: sagittal head, 256 x 256",
        licence="shipped with matplotlib (PSF-based licence)",
        load=mri_slice,
    ),
    Dataset(
        name="camera",
        title="Cameraman",
        source="scikit-image data, camera.png, 512 x 512",
        licence="CC0",
        load=camera,
    ),
    Dataset(
        name="digits",
        title="8x8 digits",
        source="scikit-learn digits (UCI optical recognition of handwritten digits)",
        licence="CC BY 4.0",
        load=digits,
    ),
)
