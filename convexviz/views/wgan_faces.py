"""The panels of the face mode: a spectrum with a threshold, and the pictures it lets through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.quiz import Quiz
from convexviz.datasets.warped import Warp
from convexviz.experiments.gallery import EACH, Gallery
from convexviz.figures import numbers
from convexviz.views import certificate
from convexviz.views.board_faces import Between, Button, Directions, Likeness, strip
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Factors, Spectrum
from convexviz.views.board_small import Certificates, Choice, Question, Say
from convexviz.views.wgan_board import BETA, DATA, Options
from convexviz.views.wgan_states import Array

DRAW, ENDS, SHARE = "draw", "ends", "share"
WORDS = {"faces": "face", "warped_faces": "face", "lfw": "face", "handwriting": "digit"}
ENDS_FIRST = [0, 1]
SMALL = 32  # pixels, of the real pictures under the generated ones
LOW_KEPT, FEW = 3, 12  # of more than a few directions, the threshold leaves at least three


def panels(
    gallery: Gallery, data: Options, nearest: Sequence[tuple[Array, Array]] = ()
) -> list[AbstractPanel]:
    """Everything above the fold, and the strips below it."""
    each = WORDS.get(gallery.name, "picture")
    stops = tuple(sorted(gallery.stops))
    found: list[AbstractPanel] = [
        Choice(slot=Slot(id="data"), variable=DATA, options=tuple(data), label="Data"),
        _spectrum(gallery, each, stops),
        _grid(gallery, each),
        Button(
            slot=Slot(id="again", columns=6),
            variable=DRAW,
            count=len(gallery.latents),
            words=f"New {each}s",
            sweep=BETA,
            stops=stops[: len(stops) - LOW_KEPT + 1] if len(stops) > FEW else stops,
            sweep_words="Sweep β",
        ),
        _likeness(gallery, each),
        Between(
            slot=Slot(
                id="between",
                title=f"From one {each} to another",
                note=f"click a {each} to take it",
                columns=6,
            ),
            source="faces",
            ends=ENDS,
            variable=SHARE,
        ),
        *([_nearest(nearest, each)] if nearest and gallery.mean.shape[0] > SMALL else []),
        Say(slot=Slot(id="say"), texts=_said(gallery, stops, each), variable=BETA, at=stops),
        _directions(gallery, each),
        *_strips(gallery, each),
        _certificates(gallery, stops),
    ]
    asked = question(gallery, each)
    if asked is not None:
        found.append(
            Question(
                slot=Slot(id="quiz", area="side"),
                question=asked.question,
                options=asked.options,
                answer=asked.options.index(asked.answer),
                why=asked.why,
                hides=("likeness",),
            )
        )
    return found


def _spectrum(gallery: Gallery, each: str, stops: tuple[float, ...]) -> Spectrum:
    shown = gallery.squares[: len(stops) + 1]
    offered = stops[: len(stops) - LOW_KEPT + 1] if len(stops) > FEW else stops
    return Spectrum(
        slot=Slot(
            id="spectrum",
            title=f"Variance of the real {each}s, by direction"
            if gallery.warp is None
            else "Variance of texture and shape",
            note="drag the line",
            columns=6,
        ),
        values=shown,
        variable=BETA,
        mode="threshold",
        words=("kept", "dropped"),
        low=offered[0],
        high=offered[-1],
        stops=offered,
        height=11,
        alt="Threshold beta on the variance by direction",
    )


def _things(gallery: Gallery, each: str) -> str:
    """What is matched."""
    return f"{each}s" if gallery.warp is None else "textures and shapes"


def _grid(gallery: Gallery, each: str) -> Factors:
    k = len(gallery.directions)
    beside, which = _beside(gallery)
    return Factors(
        slot=Slot(
            id="faces",
            title=f"{EACH} generated {each}s",
            note=f"distance to the nearest real {each}"
            if gallery.which is None
            else f"nearest real {each} under each",
            columns=6,
            rows=4,
        ),
        mean=gallery.mean,
        directions=gallery.directions,
        scale=gallery.scale,
        strength=gallery.squares[:k],
        latents=gallery.latents,
        n=gallery.n,
        variable=BETA,
        each=f"generated {each}",
        sets=DRAW,
        written=gallery.nearest,
        beside=beside,
        which=which,
        at=gallery.stops,
        ends=ENDS,
        warp=None if gallery.warp is None else _layout(gallery.warp),
    )


def _beside(
    gallery: Gallery,
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]] | tuple[None, None]:
    """The real pictures that are nearest to a generated one, at most half as wide, where they are
    here; and which is nearest to which.
    """
    if gallery.real is None or gallery.which is None:
        return None, None
    ever, places = np.unique(gallery.which, return_inverse=True)
    shape = gallery.mean.shape
    pictures = gallery.mean + 255 * gallery.real[ever].reshape(-1, *shape)
    step = -(-max(shape[:2]) // SMALL)
    h, w = shape[0] // step * step, shape[1] // step * step
    blocks = pictures[:, :h, :w].reshape(-1, h // step, step, w // step, step, shape[2])
    small = np.round(blocks.mean(axis=(2, 4)).clip(0, 255)).astype(np.uint8)
    return small, places.reshape(gallery.which.shape).astype(np.uint16)


def _layout(warp: Warp) -> dict[str, float]:
    """The sides of texture and field, and how many levels of 255 move a pixel by one."""
    return {"texture": warp.texture, "field": warp.field, "unit": 255 * warp.unit}


def _likeness(gallery: Gallery, each: str) -> Likeness:
    most = float(np.quantile(gallery.nearest, 0.999)) / 100  # a few far ones stand at the edge
    far = max(most, float(gallery.held_out.max(initial=0.0)))
    near = min(float(gallery.nearest.min()) / 100, float(gallery.held_out.min(initial=far)))
    return Likeness(
        slot=Slot(id="likeness", title="Is anything remembered?", columns=6),
        source="faces",
        variable=BETA,
        held_out=gallery.held_out,
        words=(f"generated {each}s", f"real {each}s that it never saw"),
        x_range=(max(0.0, near - 0.08 * (far - near)), far + 0.04 * (far - near)),
        x_label=f"distance to the nearest {each} it learned from",
    )


def _nearest(pairs: Sequence[tuple[Array, Array]], each: str) -> AbstractPanel:
    """The real pictures that are nearest to the two that are chosen, in full."""
    flat = [real for _, real in pairs]
    return strip(
        [np.round(255 * picture.clip(0, 1)).astype(np.uint8) for picture in flat],
        ("nearest to A", "nearest to B"),
        slot=Slot(id="nearest", title=f"The real {each} nearest to each", columns=6),
        across=3,
        across_phone=3,
    )


def _said(gallery: Gallery, stops: tuple[float, ...], each: str) -> tuple[str, ...]:
    total = float(gallery.squares.sum())
    found = []
    for beta in stops:
        made = gallery.certificate(beta).primal / total
        kept = gallery.kept(beta)
        found.append(
            f"The generator keeps **{kept}** of {len(gallery.squares)} directions, takes β off "
            f"each, and has **{numbers.share(made)}** of the variance of the real "
            f"{_things(gallery, each)}."
        )
    return tuple(found)


def _directions(gallery: Gallery, each: str) -> Directions:
    count = min(6, len(gallery.directions))
    return Directions(
        slot=Slot(
            id="directions",
            title=f"Mean {each}, leading directions",
            note="±2.5 deviations",
        ),
        source="faces",
        variable=BETA,
        count=count,
        across=2 * count + 1,
    )


def _strips(gallery: Gallery, each: str) -> list[AbstractPanel]:
    if not gallery.stages:
        return []
    labels = tuple(words for words, _ in gallery.stages)
    count = labels.count(labels[0])
    title = f"Progressive, {count} {each}s: size, directions kept"
    slot = Slot(id="stages", title=title, columns=12 if len(labels) > 6 else 6)
    return [
        strip(
            [picture for _, picture in gallery.stages],
            labels,
            slot=slot,
            across=len(labels),
            across_phone=max(4, len(labels) // 2),
            each="stage",
        )
    ]


def _certificates(gallery: Gallery, stops: tuple[float, ...]) -> Certificates:
    foot = "In closed form from one singular value decomposition; every β is then free."
    states = tuple(
        certificate.fields(
            gallery.certificate(beta),
            tolerance=1e-6,
            n_patterns=gallery.kept(beta),
            foot=foot,
        )
        for beta in stops
    )
    return Certificates(
        slot=Slot(id="certificate", area="side"), states=states, variable=BETA, at=stops
    )


def question(gallery: Gallery, each: str) -> Quiz | None:
    """Whether what it draws is copied, answered by distances; None where nothing was held out."""
    if len(gallery.held_out) < 5:
        return None
    at = gallery.stops.index(gallery.opening)
    made, unseen = gallery.nearest[0, at] / 100, gallery.held_out
    closer = int(np.sum(made < unseen.min()))
    options = ("Yes, some", "No, none")
    fewer = np.median(gallery.nearest[0, at // 4]) / 100
    blur = ""
    if fewer < np.median(made):
        blur = f" Blur brings them nearer: with {at // 4 + 1} directions the median is {fewer:.1f}."
    verb = "is" if closer == 1 else "are"
    return Quiz(
        question=f"Does it copy? Is any of these {EACH} {each}s nearer to one it learned from than "
        f"any unseen {each} is?",
        options=options,
        answer=options[closer == 0],
        why=f"With {at + 1} directions **{closer}** of {EACH} {verb}: they begin at "
        f"{made.min():.1f}, median {np.median(made):.1f}; unseen ones at {unseen.min():.1f}, "
        f"median {np.median(unseen):.1f}.{blur}",
    )


def values(gallery: Gallery, moved: Mapping[str, Any], beta: float, data: str) -> dict[str, Any]:
    """Where the variables stand."""
    ends = moved.get(ENDS, ENDS_FIRST)
    return {
        BETA: beta,
        DATA: data,
        DRAW: int(moved.get(DRAW, 0)) % len(gallery.latents),
        ENDS: [int(end) % EACH for end in ends],
        SHARE: float(moved.get(SHARE, 0.5)),
    }
