"""The panels of the batch-norm lab: a spectrum that is cut, and what follows from the cut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convexviz.architectures import quiz
from convexviz.architectures.batch_norm import analysis
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import batch_norm_descent, certificate
from convexviz.views.batch_norm_cuts import Cut, rank
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Frames, Series, Spectrum, shades
from convexviz.views.board_small import Certificates, Question, Say, Slider

K, BETA = "k", "beta"  # the variables that the panels share
MOST_FILTERS = 10
SMALLEST_SIDE, FEWEST_ACROSS = 6, 5


def panels(result: Result, cuts: Sequence[Cut], decays: Sequence[float]) -> list[AbstractPanel]:
    """Everything that the lab shows of these cuts, all at one weight decay."""
    found: list[AbstractPanel] = [
        _spectrum(result),
        _quality(result, cuts),
        _sentence(result, cuts),
        *_filters(cuts),
        *batch_norm_descent.panels(result, cuts),
        *_decay(decays),
        _certificate(result, cuts),
    ]
    return [*found, *_question(result)]


def is_classes(result: Result) -> bool:
    """Whether it is right answers that count, and not squared errors."""
    return analysis.classes(result) is not None


def _spectrum(result: Result) -> Spectrum:
    return Spectrum(
        slot=Slot(
            id="spectrum", title="Spectrum of the centred data", note="drag the line", columns=6
        ),
        values=result.arrays["singular_values"],
        variable=K,
        x_label="direction, largest first; height: singular value (log)",
        alt="Directions kept, of the singular values of the centred data",
    )


def _quality(result: Result, cuts: Sequence[Cut]) -> Curves:
    """Right answers, or error, against the number of directions."""
    ks = np.array([cut.k for cut in cuts], dtype=float)
    test = np.array([cut.test for cut in cuts])
    train = np.array([cut.train for cut in cuts])
    dots = len(ks) <= 60
    series = [Series(x=ks, y=train, role="noise", words="trained on", width=1.5, dots=dots, at=0.3)]
    if np.isfinite(test).any():
        series.insert(0, Series(x=ks, y=test, words="not seen", dots=dots, up=False))
    classes = is_classes(result)
    baselines = [
        {"y": value, "words": name, "role": "ink2", "above": i == 0}
        for i, (name, value) in enumerate(analysis.baselines(result).items())
    ]
    return Curves(
        slot=Slot(
            id="quality",
            title="Right answers" if classes else "Squared error of a row",
            columns=6,
        ),
        series=tuple(series),
        references=tuple(baselines),
        cursor=K,
        cursor_at=None,
        x_range=(0.0, float(rank(result))),
        y_range=(0.0, 1.05) if classes else None,
        y_unit="%" if classes else "",
        x_label="directions kept, k",
        height=15,
        alt="Quality against the number of directions kept",
    )


def _sentence(result: Result, cuts: Sequence[Cut]) -> Say:
    """In words, for every k: what is kept, and whether it is solved."""
    sizes = np.asarray(result.arrays["singular_values"], dtype=float)
    share, solved = np.cumsum(sizes**2) / np.sum(sizes**2), {cut.k: cut for cut in cuts}
    texts = []
    for k in range(1, len(sizes) + 1):
        blown = f"{sizes[0] / sizes[k - 1]:.3g}"
        words = (
            f"**{k}** of {len(sizes)} directions are kept, with "
            f"**{numbers.share(share[k - 1])}** of the variance. The smallest is blown up "
            f"**{blown}** times against the largest. "
        )
        if k in solved:
            cut = solved[k]
            words += f"The network has **{numbers.count(cut.n_neurons)}** neurons."
        else:
            words += f"k = {k} is not solved yet."
        texts.append(words)
    at = tuple(float(k) for k in range(1, len(sizes) + 1))
    return Say(slot=Slot(id="say"), texts=tuple(texts), variable=K, at=at)


def _filters(cuts: Sequence[Cut]) -> list[AbstractPanel]:
    """The filters of the outputs where inputs are square pictures."""
    outputs, d = cuts[0].filters.shape
    side = math.isqrt(d)
    if side * side != d or side < SMALLEST_SIDE:
        return []
    shown = min(outputs, MOST_FILTERS)
    stack = np.stack([cut.filters[:shown].reshape(shown, side, side) for cut in cuts])
    panel = Frames(
        slot=Slot(
            id="filters",
            title="What each class looks for",
            note="at the nearest solved k; magenta adds, green subtracts",
        ),
        frames=shades(stack),
        variable=K,
        at=tuple(float(cut.k) for cut in cuts),
        across=max(shown, FEWEST_ACROSS),
        labels=tuple(str(j) for j in range(shown)),
        each="filter of class",
    )
    return [panel]


def _decay(decays: Sequence[float]) -> list[AbstractPanel]:
    if len(decays) < 2:
        return []
    return [
        Slider(
            slot=Slot(id="decay", area="side"),
            variable=BETA,
            label="Weight decay β",
            values=tuple(sorted(decays)),
            ends=("larger weights", "smaller"),
        )
    ]


def _certificate(result: Result, cuts: Sequence[Cut]) -> Certificates:
    """One card a k; a k that is not solved proves nothing."""
    solved = {cut.k: cut for cut in cuts}
    every = range(1, rank(result) + 1)
    states = [_card(result, solved.get(k), k) for k in every]
    slot = Slot(id="certificate", area="side")
    at = tuple(float(k) for k in every)
    return Certificates(slot=slot, states=tuple(states), variable=K, at=at)


def _card(result: Result, cut: Cut | None, k: int) -> Mapping[str, Any]:
    if cut is None:
        return {"missing": f"k = {k} is not solved yet: let go of the line, then press Solve."}
    fields = certificate.fields(
        cut.certificate,
        tolerance=float(result.spec["tolerance"]),
        n_patterns=cut.n_patterns,
        foot=f"Solved in {numbers.seconds(cut.seconds)}, CPU.",
    )
    return {**fields, "n_neurons": cut.n_neurons}


def _question(result: Result) -> list[AbstractPanel]:
    asked = quiz.of("batch_norm")(result)
    if asked is None:
        return []
    return [
        Question(
            slot=Slot(id="question", area="side"),
            question=asked.question,
            options=asked.options,
            answer=asked.options.index(asked.answer),
            why=asked.why,
            hides=("quality", "turns"),
        )
    ]
