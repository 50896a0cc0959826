"""The panels of the batch-norm lab: a spectrum that is cut, and what follows from the cut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from convexviz.architectures import quiz
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import batch_norm_descent as descent
from convexviz.views import certificate
from convexviz.views.batch_norm_cuts import Cut, rank
from convexviz.views.batch_norm_quality import K, quality
from convexviz.views.batch_norm_runs import Race
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Frames, Spectrum, shades
from convexviz.views.board_small import Certificates, Question, Say, Slider

BETA = "beta"  # a variable that the panels share, as K
MOST_FILTERS = 10
SMALLEST_SIDE, FEWEST_ACROSS = 6, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the lab knows of the rows on screen.

    Attributes:
        result: at the cut that is asked for.
        whole: keeps every direction, or None.
        cuts: the solved ones, at the weight decay of the slider; `raced` at that of the race.
        weight_decay: of the slider.
        others: cuts that are solved at other weight decays only.
        baselines: as `experiments.baselines` names them.
        curve: more cuts at one weight decay, `curve_*` as stored beside a result, or nothing.
    """

    result: Result
    whole: Result | None
    cuts: Sequence[Cut]
    raced: Sequence[Cut]
    decays: Sequence[float]
    race: Race | None
    baselines: Mapping[str, Any]
    curve: Mapping[str, Any]
    weight_decay: float
    others: Set[int] = frozenset()

    def missing(self, k: int) -> str:
        """What is said of a cut that has no proof to show."""
        where = f"at this weight decay, {self.weight_decay:.3g}" if k in self.others else "yet"
        return f"k = {k} is not solved {where}"


def panels(known: Known) -> list[AbstractPanel]:
    """Everything that the lab shows of these cuts, all at one weight decay."""
    result, cuts = known.result, known.cuts
    found: list[AbstractPanel] = [
        _spectrum(result),
        quality(known),
        _sentence(known),
        *_filters(cuts),
    ]
    if known.race is not None:
        found += descent.panels(known.race, known.raced, known.baselines)
    return [*found, *_decay(known.decays), _certificate(known), *_question(known)]


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


def _sentence(known: Known) -> Say:
    """In words, for every k: what is kept, whether it is solved, and whether a formula holds."""
    result, cuts = known.result, known.cuts
    sizes = np.asarray(result.arrays["singular_values"], dtype=float)
    share, solved = np.cumsum(sizes**2) / np.sum(sizes**2), {cut.k: cut for cut in cuts}
    texts = []
    for k in range(1, len(sizes) + 1):
        words = (
            f"**{k}** of {len(sizes)} directions {'is' if k == 1 else 'are'} kept, with "
            f"**{numbers.share(share[k - 1])}** of the variance. "
        )
        if k > 1:
            blown = f"{sizes[0] / sizes[k - 1]:.3g}"
            words += f"The smallest is blown up **{blown}** times against the largest. "
        words += _solved(known, solved[k]) if k in solved else f"{known.missing(k)}."
        if k == len(sizes):
            words += _formula(result, solved.get(k))
        texts.append(words)
    drawn = () if known.whole is None else known.whole.arrays.get("draws_test_accuracy", ())
    if len(drawn) > 1 and known.whole is not None:
        beta = float(known.whole.arrays["draws_weight_decay"])
        note = f" Band: mean and deviation over {len(drawn)} draws of the rows, at β = {beta:g}."
        texts = [words + note for words in texts]
    if known.curve:
        beta, dual = known.curve["weight_decay"], known.curve["curve_dual"]
        gap = float((1.0 - dual / known.curve["curve_primal"]).max())
        note = f" Dashed: other cuts at β = {beta:g}, the largest gap is {numbers.gap(gap)}."
        texts = [words + note for words in texts]
    if known.race is None:
        texts = [words + descent.compared(known.baselines) for words in texts]
    at = tuple(float(k) for k in range(1, len(sizes) + 1))
    return Say(slot=Slot(id="say"), texts=tuple(texts), variable=K, at=at)


def _solved(known: Known, cut: Cut) -> str:
    where = cut.elsewhere(known.weight_decay)
    neurons = f"**{numbers.count(cut.n_neurons)}** neurons{where}"
    if cut.proved:
        return f"The optimum has {neurons}."
    gap = numbers.gap(cut.certificate.relative_gap)
    return f"The network found has {neurons}; how far it is from the best is open, at most {gap}."


def _formula(result: Result, cut: Cut | None) -> str:
    """Whether the closed form applies: where rank(CX) = n - 1 the whitened rows are square."""
    n, r = len(result.data["Y"]), rank(result)
    if result.data.get("X", np.zeros((0, 0))).ndim != 2:  # images of others do not ship
        return ""
    if r < n - 1:
        return f" The rank, {r}, is below n − 1 = {n - 1}: the closed form does not apply."
    if cut is not None and cut.is_formula:
        return f" The rank is n − 1 = {r}, so a closed form gives it, at once."
    return ""


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


def _certificate(known: Known) -> Certificates:
    """One card a k; a k that is not solved proves nothing."""
    solved = {cut.k: cut for cut in known.cuts}
    every = range(1, rank(known.result) + 1)
    states = [_card(known, solved.get(k), k) for k in every]
    slot = Slot(id="certificate", area="side")
    at = tuple(float(k) for k in every)
    return Certificates(slot=slot, states=tuple(states), variable=K, at=at)


def _card(known: Known, cut: Cut | None, k: int) -> Mapping[str, Any]:
    if cut is None:
        way = "" if k in known.others else ": let go of the line, then press Solve"
        return {"missing": f"{known.missing(k)}{way}."}
    fields = certificate.fields(
        cut.certificate,
        tolerance=cut.tolerance,
        n_patterns=cut.n_patterns,
        foot=f"Solved in {numbers.seconds(cut.seconds)}, CPU{cut.elsewhere(known.weight_decay)}.",
    )
    return {**fields, "n_neurons": cut.n_neurons}


def _question(known: Known) -> list[AbstractPanel]:
    """Where the best network tests, asked wherever the cut stands."""
    whole = known.whole
    asked = None if whole is None else quiz.of("batch_norm")(whole)
    if asked is None or whole is None:
        return []
    question = asked.question
    if "class_outputs" in whole.arrays:
        n, unseen = len(whole.data["Y"]), numbers.count(len(whole.data["test_Y"]))
        fifty = whole.spec["dataset"] == "digit_classes" and n == 50
        rows = "fifty digits" if fifty else f"{n} rows"
        question = (
            f"The closed form is the best possible network with batch norm for these {rows}, of "
            f"any width. Where will it test, on {unseen} unseen ones?"
        )
    return [
        Question(
            slot=Slot(id="question", area="side"),
            question=question,
            options=asked.options,
            answer=asked.options.index(asked.answer),
            why=asked.why,
            hides=("quality", "turns", "race-say"),
        )
    ]
