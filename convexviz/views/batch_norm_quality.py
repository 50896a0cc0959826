"""Right answers, or error, against the number of directions kept, with what that is compared to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convexviz.architectures.batch_norm import analysis
from convexviz.experiments.result import Result
from convexviz.views.batch_norm_cuts import rank
from convexviz.views.board_labels import Frame, placed, span
from convexviz.views.board_panels import Slot
from convexviz.views.board_pictures import Curves, Series

if TYPE_CHECKING:
    from convexviz.views.batch_norm_board import Known

K = "k"  # the variable: how many directions are kept
LEAST_SHARE = 0.45  # from which on the axis of shares need not begin at 0
NEAR = 0.06  # baselines as near as that share one label


def is_classes(result: Result) -> bool:
    """Whether it is right answers that count, and not squared errors."""
    return analysis.classes(result) is not None


def quality(known: Known) -> Curves:
    """Right answers, or error, against the number of directions."""
    result, cuts = known.result, known.cuts
    ks = np.array([cut.k for cut in cuts], dtype=float)
    test = np.array([cut.test for cut in cuts])
    train = np.array([cut.train for cut in cuts])
    dots = len(ks) <= 60
    curve = len(ks) > 2  # on fewer points the words would lie on each other; the note has them
    seen, unseen = "trained on", "not seen"
    words = seen if curve else ""
    series = [
        Series(x=ks, y=train, role="noise", words=words, said=seen, width=1.5, dots=dots, at=0.3)
    ]
    if np.isfinite(test).any():
        words = unseen if curve else ""
        series.insert(0, Series(x=ks, y=test, words=words, said=unseen, dots=dots, up=False))
    classes = is_classes(result)
    shown, lines = [*series, *_band(known)], references(known.baselines) if classes else []
    y_range = (_shares if classes else span)(shown, lines)
    x_range = (0.0, float(rank(result)))
    shown, lines = placed(shown, lines, Frame(x_range, y_range))
    return Curves(
        slot=Slot(
            id="quality",
            title="Right answers" if classes else "Squared error of a row",
            columns=6,
        ),
        series=tuple(shown),
        references=tuple(lines),
        cursor=K,
        cursor_at=None,
        x_range=x_range,
        y_range=y_range,
        y_unit="%" if classes else "",
        x_label="directions kept, k",
        height=15,
        alt="Quality against the number of directions kept",
    )


def _shares(series: Sequence[Series], lines: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The axis of shares: from 0, or from the tenth below them all where none is small."""
    values = [np.asarray(each.y, dtype=float) for each in series]
    values += [np.asarray(each.low, dtype=float) for each in series if each.low is not None]
    values.append(np.array([float(line["y"]) for line in lines]))
    least = float(np.nanmin(np.concatenate(values), initial=1.0))
    return (math.floor(10 * least - 0.5) / 10 if least > LEAST_SHARE else 0.0), 1.05


def _band(known: Known) -> list[Series]:
    """Test accuracy over draws of the data set: mean and one deviation to either side."""
    if known.curve:
        ks, test = known.curve["curve_n_directions"], known.curve["curve_test_accuracy"]
        return [Series(x=ks, y=test, width=1, dashed=True, quiet=True)]
    arrays = {} if known.whole is None else known.whole.arrays
    drawn = arrays.get("draws_test_accuracy")
    if drawn is None or len(drawn) < 2:
        return []
    mean, spread = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
    low, high = np.clip(mean - spread, 0, 1), np.clip(mean + spread, 0, 1)
    ks = np.asarray(arrays["draws_n_directions"], dtype=float)
    return [Series(x=ks, y=mean, low=low, high=high, width=1, dashed=True, quiet=True)]


def references(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A line for each method without batch norm; those that lie together share a label."""
    values = [
        (float(found[f"baseline_{name}"]), words)
        for name, words in (("nearest", "nearest neighbour"), ("logistic", "logistic regression"))
        if f"baseline_{name}" in found
    ]
    if "baseline_plain_test_accuracy" in found:
        plain = float(np.ravel(found["baseline_plain_test_accuracy"])[-1])
        values.append((plain, "network without batch norm"))
    values.sort(reverse=True)
    lines: list[dict[str, Any]] = []
    for value, words in values:
        together = bool(lines) and abs(lines[0]["y"] - value) < NEAR
        own = "" if together else words
        lines.append({"y": value, "words": own, "role": "ink2", "shares": together})
        if together:
            lines[0]["words"] = "three methods without batch norm"
            if len(lines) == 2:
                lines[0]["words"] = "two without batch norm"
    return [{**line, "above": i == 0} for i, line in enumerate(lines)]
