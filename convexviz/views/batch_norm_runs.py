"""What is known of descent on the rows of a batch-norm lab: stored runs, and their optimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.architectures.batch_norm import analysis
from convexviz.experiments import baselines
from convexviz.experiments.result import Result
from convexviz.figures.race_picture import Runs

FLOOR = 1e-9
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Race:
    """Runs of descent with every direction; the first is on the rows on screen.

    Attributes:
        steps: (records,), the same for all runs.
        height: (runs, records); `(objective - bound) / |optimum|` of each run where all optima are
            proved, else the objectives.
        bound: what no network lies below, of the rows on screen; None where heights are gaps.
        tested: (runs, records), of unseen rows: the share that is right, or the squared error of a
            row where targets name no classes; or None.
        classes: which of the two.
        draws: whether the runs after the first are on other draws of the data set.
    """

    steps: Array
    height: Array
    bound: float | None
    tested: Array | None
    classes: bool
    draws: bool
    weight_decay: float

    @property
    def best(self) -> int:
        """The record at which the rows on screen are tested best."""
        assert self.tested is not None
        return int(np.argmax(self.tested[0]) if self.classes else np.argmin(self.tested[0]))

    @property
    def last(self) -> int:
        """The number of the last record."""
        return len(self.steps) - 1


def race_of(whole: Result | None) -> Race | None:
    """The race stored with the result that keeps every direction, or None.

    None too where a run is below the bound: it was of another network.
    """
    if whole is None or whole.spec["n_directions"]:
        return None
    return _race(f"{whole.provenance['key']}{whole.provenance['created']}", whole)


@st.cache_resource(show_spinner=False, max_entries=32)
def _race(name: str, _whole: Result) -> Race | None:  # noqa: ARG001 - the cache goes by it
    proof, beta = _whole.certificate, float(_whole.spec["weight_decay"])
    proved = proof.relative_gap <= float(_whole.spec["tolerance"])
    drawn = _draws(_whole) if proved else None
    if drawn is not None:
        return drawn
    runs = Runs.of(_whole.arrays, "descent_")
    if runs is None or runs.objectives.shape[1] < 2 or "step" not in runs.records:
        return None
    if (runs.objectives < proof.dual).any():
        return None
    height, bound = runs.objectives, proof.dual
    if proved:
        height = np.maximum((height - proof.dual) / (abs(proof.primal) or 1.0), FLOOR)
    classes = analysis.classes(_whole) is not None
    tested = runs.records.get("test_accuracy" if classes else "test_loss")
    if tested is not None and not classes:
        tested = tested / len(_whole.data["test_Y"])
    return Race(
        steps=runs.records["step"][0],
        height=height,
        bound=None if proved else bound,
        tested=tested,
        classes=classes,
        draws=False,
        weight_decay=beta,
    )


def _draws(whole: Result) -> Race | None:
    """Adam on several draws of the data set, each against the closed form of its own rows."""
    arrays, seed = whole.arrays, int(whole.spec["seed"])
    objectives, tested = (
        arrays.get(f"draws_adam_{name}") for name in ("objective", "test_accuracy")
    )
    if objectives is None or tested is None or seed >= len(objectives):
        return None
    order = [seed, *(k for k in range(len(objectives)) if k != seed)]
    optima = arrays.get("draws_optimum")
    if optima is None or len(optima) < len(objectives):  # then the gap of these rows is known only
        optima, known = np.array([whole.certificate.primal]), order[:1]
    else:
        optima, known = np.asarray(optima)[order], order
    above = np.asarray(objectives)[known] - optima[: len(known), None]
    if (above < 0).any():
        return None
    return Race(
        steps=np.asarray(arrays["draws_adam_step"], dtype=float),
        height=np.maximum(above / optima[: len(known), None], FLOOR),
        bound=None,
        tested=np.asarray(tested)[order],
        classes=True,
        draws=True,
        weight_decay=float(whole.spec["weight_decay"]),
    )


def compared(result: Result) -> Mapping[str, Any]:
    """The baselines of these rows: stored with the result, else computed where that is short."""
    stored = {k: v for k, v in result.arrays.items() if k.startswith("baseline_")}
    return stored or _compared(str(result.provenance["data_sha256"]), result)


@st.cache_resource(show_spinner=False, max_entries=32)
def _compared(
    digest: str,  # noqa: ARG001 - the cache goes by it
    _result: Result,
) -> Mapping[str, Any]:
    beta = float(_result.spec["weight_decay"])
    return baselines.of(_result.data, beta, most=baselines.MOST_WORK)
