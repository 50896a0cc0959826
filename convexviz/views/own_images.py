"""A visitor's own image: looked into and decoded in a limited child."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.datasets import uploads
from convexviz.datasets.base import Images
from convexviz.datasets.bundled import halves
from convexviz.datasets.uploads_images import Choice
from convexviz.errors import ConvexvizError
from convexviz.views.format import literal

TYPES = ["png", "jpg", "jpeg", "npy", "npz", "h5"]
LARGEST_MB = 64
NARROWEST_HALF = 24  # pixels: narrower pictures are trained on whole


def images_of(image: NDArray[np.float64]) -> Images:
    """One picture as a data set: its right half is held out where it is wide enough."""
    if image.shape[1] >= 2 * NARROWEST_HALF:
        return halves(image)
    return Images(image[None], np.zeros((0, *image.shape)))


def chooser(slot: str, version: int) -> NDArray[np.float64] | None:
    """The uploader and its choices; the chosen image, or None. A new version lets go of it."""
    file = st.file_uploader(
        "PNG, JPEG, npy, npz or fastMRI HDF5",
        type=TYPES,
        key=f"{slot}.file.{version}",
        max_upload_size=LARGEST_MB,
        help="It stays on this server, in memory, and is never stored. Up to 25 megapixels.",
    )
    if file is None:
        return None
    try:
        upload = _described(file.file_id, file.name, file)
        return _chosen(slot, file.file_id, upload)
    except ConvexvizError as error:
        st.error(literal(str(error)))
        return None


@st.cache_resource(show_spinner="Looking into the file…", max_entries=4)
def _described(
    file_id: str,  # noqa: ARG001 - the cache goes by it
    name: str,
    _file: Any,
) -> uploads.Upload:
    return uploads.describe(_file.getvalue(), name)


def _chosen(slot: str, file_id: str, upload: uploads.Upload) -> NDArray[np.float64]:
    names = [choice.name for choice in upload.choices]
    name = names[0]
    if len(names) > 1:
        name = st.selectbox("What to show", names, key=f"{slot}.choice")
    choice = upload.choice(name)
    index = 0
    if choice.slices > 1:
        index = st.slider("Slice", 0, choice.slices - 1, choice.slices // 2, key=f"{slot}.slice")
    crop = _crop(slot, choice)
    side = st.select_slider("Largest side", [64, 128, 256, 512], 256, key=f"{slot}.side")
    for warning in upload.warnings:
        st.caption(literal(warning))
    image = _loaded(file_id, name, (index, crop, side), upload)
    st.image(image.clip(0, 1), caption=literal(choice.says or upload.filename), width=160)
    return image


def _crop(slot: str, choice: Choice) -> int | None:
    """A centre square, where the visitor wants one; else what the file itself means to show."""
    smallest = min(choice.height, choice.width)
    sides = [side for side in (64, 128, 192, 256, 320, 384, 512) if side < smallest]
    if not sides:
        return None
    label = st.select_slider("Centre crop", ["none", *map(str, sides)], key=f"{slot}.crop")
    return None if label == "none" else int(label)


@st.cache_resource(show_spinner=False, max_entries=8)
def _loaded(
    file_id: str,  # noqa: ARG001 - the cache goes by it
    name: str,
    what: tuple[int, int | None, int],
    _upload: uploads.Upload,
) -> NDArray[np.float64]:
    index, crop, side = what
    return uploads.load(_upload, choice=name, slice=index, crop=crop, max_side=side)[0]
