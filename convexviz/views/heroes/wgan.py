"""The hero of the Wasserstein lab: two sets of samples, and what the critic sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from convexviz import architectures
from convexviz.architectures import quiz
from convexviz.architectures.quiz import Quiz
from convexviz.architectures.wgan.build import beside
from convexviz.architectures.wgan.spec import DISCRIMINATORS, GIVEN, IMAGES, PLANAR, TITLES, Spec
from convexviz.datasets.portraits import Portraits
from convexviz.errors import SpecError
from convexviz.experiments import precomputed
from convexviz.experiments.result import Result
from convexviz.views import (
    board,
    controls,
    library,
    own_pictures,
    wgan_board,
    wgan_face_mode,
    wgan_faces_race,
    wgan_race,
)
from convexviz.views.heroes.base import Arrays, Example, Hero
from convexviz.views.wgan_board import BETA, CRITIC, DATA, POINTS
from convexviz.views.wgan_points import read, write
from convexviz.views.wgan_states import Game, game_of

KEY = "wgan.hero"
OWN = f"{KEY}.points"  # the points that the visitor made, as they are on screen
SENT = f"{KEY}.sent"  # the points that were shown before
ASKED = f"{KEY}.asked"  # the question, and the critic that answers it
ADDRESS = "wgan.points"
CRITICS = {
    "linear": ("linear", False, "Linear"),
    "quadratic": ("quadratic", False, "Quadratic"),
    "polynomial": ("polynomial", False, "Polynomial"),
    "relu": ("relu", False, "ReLU"),
    "relu+1": ("relu", True, "ReLU + constant"),
}
NEXT = {"linear": "quadratic", "quadratic": "relu", "polynomial": "relu"}  # whom a quiz asks about


def _hold(name: str, value: Any) -> None:
    arch = architectures.get("wgan")
    controls.hold(arch, name, value, arch.stored[0].get(name, _default(name)))


def _held(name: str) -> Any:
    arch = architectures.get("wgan")
    return controls.held(arch, name, arch.stored[0].get(name, _default(name)))


def _default(name: str) -> Any:
    return architectures.base.params(Spec)[name].default


def listen() -> None:
    """What the visitor moved, into the address and the session."""
    if OWN not in st.session_state:
        st.session_state[OWN] = read(st.query_params.get(ADDRESS))
    moved = board.held(KEY)
    if not moved:
        return
    before = _data()
    chosen = moved.get(DATA, before)
    if chosen != before and chosen in (*PLANAR, *IMAGES):
        _hold("dataset", chosen)
        st.session_state[OWN] = None
        wgan_face_mode.forget()
        if _pictures() is not None:
            own_pictures.forget("wgan")
        return
    if wgan_face_mode.is_on(before):
        wgan_face_mode.listen(moved, wgan_face_mode.gallery_of(before, _pictures()))
        return
    critic = moved.get(CRITIC)
    if critic in CRITICS and critic != _critic():
        kind, bias, _ = CRITICS[critic]
        _hold("discriminator", kind)
        _hold("bias", bias)
        _forget_beta()
        return
    points = moved.get(POINTS)
    if points is not None and SENT in st.session_state and points != st.session_state[SENT]:
        st.session_state[OWN] = points
    if BETA in moved:
        _hold("weight_decay", float(moved[BETA]))


def _forget_beta() -> None:
    """Another game opens at its own weight decay."""
    name = "wgan.weight_decay"
    if name in st.query_params and st.session_state.get(OWN) is None:
        del st.query_params[name]


def _critic() -> str:
    wanted = _held("discriminator"), _held("bias")
    return next((name for name, each in CRITICS.items() if each[:2] == wanted), str(wanted[0]))


def _pictures() -> Portraits | None:
    """The visitor's own pictures."""
    return own_pictures.held("wgan")


def _data() -> str:
    if _pictures() is not None:
        return wgan_face_mode.OWN
    return GIVEN if st.session_state.get(OWN) is not None else str(_held("dataset"))


def arrays(fields: Mapping[str, Any]) -> Arrays | None:
    """The visitor's points with noise of their own, or their pictures, or None."""
    pictures = _pictures()
    if pictures is not None:
        return wgan_face_mode.arrays(pictures, int(fields.get("seed", 0)))
    points = st.session_state.get(OWN)
    if points is None:
        return None
    spec = Spec.of({**architectures.get("wgan").stored[0], **fields})
    assert isinstance(spec, Spec)
    return beside(spec, np.array([point[:2] for point in points], dtype=float))


def fixes() -> Mapping[str, Any]:
    """What the face mode decides."""
    data = _data()
    return wgan_face_mode.fixes(data, _pictures()) if wgan_face_mode.is_on(data) else {}


def ahead() -> bool:
    """The face mode needs no result: every threshold has a closed form."""
    data = _data()
    if not wgan_face_mode.is_on(data):
        return False
    gallery = wgan_face_mode.gallery_of(data, _pictures())
    wgan_face_mode.show(gallery, data, _data_options(data), KEY)
    return True


def show(result: Result, index: int) -> int:
    """Draw the game; the address says which critic and which data."""
    game = _game(_name(result), result)
    points = st.session_state.get(OWN)
    drawn = result.provenance["dataset"] != GIVEN or points is not None
    editable = drawn and game.real.shape[1] == 2 and len(game.real) <= wgan_board.MOST
    if points is None:
        points = [[float(x), float(y), 0] for x, y in game.real[:, :2]] if editable else []
    st.session_state[SENT] = points
    live = not game.has_path and game.kind != "relu" and result.provenance["dataset"] == GIVEN
    data, critic = _data(), _critic()
    asked = _asked(result, critic)
    ways = wgan_board.Ways(
        data=_data_options(data),
        critics=_critic_options(critic),
        question=asked,
        editable=editable,
        live=wgan_board.LIVE if live else 0,
    )
    board.board(
        wgan_board.panels(game, ways), wgan_board.values(game, index, data, critic, points), key=KEY
    )
    write(ADDRESS, st.session_state.get(OWN))
    return index


def _data_options(data: str) -> list[tuple[str, str]]:
    titles = dict(zip((*PLANAR, GIVEN), TITLES, strict=False))
    found = [(name, titles[name]) for name in PLANAR]
    found += wgan_face_mode.TITLES.items()
    own = {GIVEN: "Yours", wgan_face_mode.OWN: "Your pictures"}
    return [*found, (data, own[data])] if data in own else found


def _critic_options(critic: str) -> list[tuple[str, str]]:
    known = [(name, each[2]) for name, each in CRITICS.items() if each[0] in DISCRIMINATORS]
    return known if critic in dict(known) else [*known, (critic, f"{critic.title()} + constant")]


def _asked(result: Result, critic: str) -> tuple[Quiz, str] | None:
    """The question of this critic; one that led here stays, with its answer."""
    known: tuple[Quiz, str] | None = st.session_state.get(ASKED)
    if known is None or known[1] != critic or result.spec["dataset"] != "ring":
        known = st.session_state[ASKED] = _question(result, critic)
    return known


def _question(result: Result, critic: str) -> tuple[Quiz, str] | None:
    """Of the next critic, whose answer is stored; asked before its picture is seen."""
    other = NEXT.get(critic)
    if other is None or CRITICS[other][0] not in DISCRIMINATORS:
        return None
    kind, bias, _ = CRITICS[other]
    try:
        fields = {**result.spec, "discriminator": kind, "bias": bias}
        spec = architectures.get("wgan").spec.of(fields)
    except SpecError:
        return None
    found = library.find("wgan", precomputed.family("wgan", spec.as_dict()))
    asked = None if found is None else quiz.of("wgan")(found)
    return None if asked is None else (asked, other)


def reset() -> None:
    """Let go of the visitor's points and moves, and go back to the plane."""
    board.forget(KEY)
    wgan_face_mode.forget()  # the weight decay too: what comes next opens at its own
    if wgan_face_mode.is_on(_data()):
        _hold("dataset", architectures.get("wgan").stored[0]["dataset"])
    own_pictures.forget("wgan")
    st.session_state[OWN] = None
    for name in (SENT, ASKED):
        st.session_state.pop(name, None)


def _name(result: Result) -> str:
    return f"{result.provenance['key']}{result.provenance['created']}"


@st.cache_resource(show_spinner=False, max_entries=24)
def _game(
    key: str,  # noqa: ARG001 - the cache goes by it
    _result: Result,
) -> Game:
    return game_of(_result)


PLANE = (
    "What the discriminator can see is *all that is matched*: means, second moments, or every "
    "half-plane. Change it, and watch what the samples do."
)
FACES = (
    "Against a quadratic discriminator the best generator is one line: *keep the directions whose "
    "variance exceeds β, subtract β, drop the rest.*"
)
EXAMPLES = (
    Example(
        "Nothing but the mean",
        "A linear discriminator sees sums: the noise moves as one.",
        {"dataset": "cluster", "discriminator": "linear"},
    ),
    Example(
        "The hole in the ring",
        "Second moments agree, and the hole is filled all the same.",
        {"dataset": "ring", "discriminator": "quadratic"},
    ),
    Example(
        "A mean that is missed",
        "Quadratic: the second moment about the origin agrees, the mean need not.",
        {"dataset": "cluster", "discriminator": "quadratic"},
    ),
    Example(
        "One line solves it",
        "The smallest samples: each eigenvalue loses β. Drag it.",
        {
            "dataset": "gaussians",
            "discriminator": "quadratic",
            "penalty": "samples",
            "generator": "linear",
            "weight_decay": 20.0,
        },
    ),
    Example(
        "Faces",
        "The same line draws faces, without adversarial training.",
        {"dataset": "faces", "discriminator": "quadratic", "penalty": "samples"},
    ),
)


def sentence() -> str:
    """What stands under the title."""
    return FACES if wgan_face_mode.is_on(_data()) else PLANE


HERO = Hero(
    sentence=PLANE,
    says=sentence,
    examples=EXAMPLES,
    show=show,
    holds=("dataset", "discriminator", "bias", "weight_decay"),
    arrays=arrays,
    listen=listen,
    reset=reset,
    fixes=fixes,
    ahead=ahead,
    live_seconds=0.3,
    pictures=True,
    race=wgan_race.show,
    raced=wgan_faces_race.show,
)
