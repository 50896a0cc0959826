"""The face mode of the game's lab: which images, which threshold, which latents, and the address.

Every threshold has a closed form, so what is on screen needs no solve: the board comes first. The
same game is then solved like any other, for the figures below and for Export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from convexviz.architectures.base import params
from convexviz.architectures.wgan.spec import IMAGES, Spec
from convexviz.datasets import london, portraits
from convexviz.datasets.portraits import Portraits
from convexviz.experiments import gallery as galleries
from convexviz.experiments.gallery import EACH, Gallery
from convexviz.solvers.procogan import whitened
from convexviz.views import board, own_pictures, wgan_faces
from convexviz.views.format import literal
from convexviz.views.wgan_board import BETA, Options
from convexviz.views.wgan_faces import DRAW, ENDS, SHARE

OWN = "pictures"  # the gallery's name where the images are the visitor's
TITLES = {
    "faces": "Faces",
    "warped_faces": "Faces, shape + texture",
    "handwriting": "Digits",
    "lfw": "Faces, 25×25 (poor)",
}
BETA_NAME = "wgan.weight_decay"
NAMES = {DRAW: "wgan.draw", ENDS: "wgan.ends", SHARE: "wgan.between"}
LONDON = (
    "Learned from the [Face Research Lab London Set]"
    "(https://doi.org/10.6084/m9.figshare.5047666) by Lisa DeBruine and Benedict Jones, "
    "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/): 170 images of 85 people, {}; "
    "34 images of 17 other people held out. The images themselves do not ship, and no generated "
    "face is a person."
)
CREDITS = {
    "faces": LONDON.format("cropped and averaged") + " With a copy of the set in `london` under "
    "`CONVEXVIZ_DATA`, the nearest real face stands under each.",
    "warped_faces": LONDON.format("registered to their mean by optical flow, cropped and averaged"),
    "handwriting": "Learned from scikit-learn's 8×8 digits (UCI optical recognition of handwritten "
    "digits, CC BY 4.0): 1 500 of them, 297 held out.",
    "lfw": "Learned from 80 of the hundred 25×25 faces that scikit-image has (Labeled Faces in the "
    "Wild); 20 held out. Too few and too small: the poor case, shown as it is.",
    OWN: "Learned from your pictures. They stay on this server, in memory, and are never stored.",
}


def fixes(name: str, own: Portraits | None) -> dict[str, Any]:
    """The fields that this mode decides: the pair of players that has the closed form."""
    gallery = gallery_of(name, own)
    others = {
        field.name: field.default
        for field in params(Spec).values()
        if field.name not in ("dataset", "seed", "tolerance")
    }
    return others | {
        "discriminator": "quadratic",
        "generator": "linear",
        "penalty": "samples",
        "n_latents": len(gallery.stops),
        "weight_decay": beta_of(gallery),
    }


def is_on(name: str) -> bool:
    """Whether a data set is drawn in this mode."""
    return name in IMAGES or name == OWN


def gallery_of(name: str, own: Portraits | None) -> Gallery:
    """The gallery of a data set, or of the visitor's pictures."""
    if own is not None:
        return own_pictures.kept("wgan", own, lambda: galleries.of(OWN, own))
    with st.spinner("Looking for the faces in your pictures"):  # seen only where it takes a while
        return _gallery(name, london.listing() if name == "faces" else "")


@st.cache_resource(show_spinner=False, max_entries=8)
def _gallery(
    name: str,
    listing: str,  # noqa: ARG001 - the cache goes by it: a copy of the set may come or change
) -> Gallery:
    return galleries.of(name, portraits.OF[name]())


def beta_of(gallery: Gallery) -> float:
    """The threshold in the address, at the nearest that is offered."""
    try:
        asked = float(st.query_params.get(BETA_NAME, "nan"))
    except ValueError:
        asked = np.nan
    if not (np.isfinite(asked) and asked > 0):
        return gallery.opening
    return gallery.stop(asked)


def listen(moved: Mapping[str, Any], gallery: Gallery) -> None:
    """What the visitor moved, into the address."""
    if BETA in moved:
        beta = gallery.stop(float(moved[BETA]))
        _keep(BETA_NAME, f"{beta:.6g}", beta != gallery.opening)
    if DRAW in moved:
        _keep(NAMES[DRAW], str(int(moved[DRAW])), bool(moved[DRAW]))
    if ENDS in moved:
        ends = [int(end) for end in moved[ENDS]]
        _keep(NAMES[ENDS], "_".join(map(str, ends)), ends != wgan_faces.ENDS_FIRST)
    if SHARE in moved:
        _keep(NAMES[SHARE], f"{float(moved[SHARE]):g}", float(moved[SHARE]) != 0.5)


def _keep(name: str, words: str, differs: bool) -> None:
    if differs:
        st.query_params[name] = words
    elif name in st.query_params:
        del st.query_params[name]


def forget() -> None:
    """Take what this mode keeps out of the address."""
    for name in (BETA_NAME, *NAMES.values()):
        if name in st.query_params:
            del st.query_params[name]


def held(gallery: Gallery) -> dict[str, Any]:
    """What the address asks for; nonsense is ignored."""
    found: dict[str, Any] = {}
    draw = st.query_params.get(NAMES[DRAW], "")
    if draw.isdecimal() and int(draw) < len(gallery.latents):
        found[DRAW] = int(draw)
    ends = st.query_params.get(NAMES[ENDS], "").split("_")
    if len(ends) == 2 and all(end.isdecimal() and int(end) < EACH for end in ends):
        found[ENDS] = [int(end) for end in ends]
    try:
        share = float(st.query_params.get(NAMES[SHARE], "nan"))
    except ValueError:
        share = np.nan
    if 0 <= share <= 1:
        found[SHARE] = share
    return found


def show(gallery: Gallery, data: str, options: Options, key: str) -> None:
    """Draw the board and the credit under it."""
    beta = beta_of(gallery)
    values = wgan_faces.values(gallery, held(gallery), beta, data)
    pairs = [gallery.closest(beta, values[DRAW], tile) for tile in values[ENDS]]
    nearest = [pair for pair in pairs if pair is not None]
    board.board(wgan_faces.panels(gallery, options, nearest), values, key=key)
    words = f"{CREDITS[gallery.name]} {gallery.note} {literal(gallery.trouble)}"
    st.caption(words.strip())


def arrays(own: Portraits, seed: int) -> dict[str, Any]:
    """The visitor's pictures as a game: rows with the same second moment, and whitened latents."""
    rng = np.random.default_rng([seed, 1])
    count = min(len(gallery_of(OWN, own).stops), own.n_images - 1)
    return {"X": own.X, "Z": whitened(own.n_images, count, rng)}
