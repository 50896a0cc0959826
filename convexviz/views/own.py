"""A visitor's own data, as the inputs of an architecture: a picture or rows of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from convexviz.architectures.base import Architecture
from convexviz.experiments.key import sha256_of
from convexviz.views import controls, heroes, own_images, own_pictures, own_rows

Make = Callable[[Any], Mapping[str, Any]]


def title(arch: Architecture) -> str:
    """What the button says."""
    return "Your data" if arch.from_images is None else "Your images"


def chooser(arch: Architecture, seed: int) -> Make | None:
    """The uploader and its choices: how a spec makes inputs of what was uploaded, or None."""
    slot, version = f"{arch.name}.own", controls.version(arch.name)  # Reset lets go of the file
    make: Make | None = None
    if arch.from_images is None:
        if heroes.of(arch.name).pictures:
            own_pictures.chooser(arch.name)
        arrays = own_rows.chooser(arch, slot, version, seed)
        make = None if arrays is None else lambda _spec: arrays
    else:
        image, convert = own_images.chooser(slot, version), arch.from_images
        if image is not None:
            images = own_images.images_of(image)
            make = lambda spec: convert(spec, images)  # noqa: E731
    if make is not None:
        st.caption("It takes the place of the data set until you remove it or press Reset.")
    return make


def digest(arrays: Mapping[str, Any]) -> str:
    """The checksum that tells one visitor's data from another's."""
    return sha256_of(arrays)
