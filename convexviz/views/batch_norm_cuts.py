"""What is known of a batch-norm network at every cut of the spectrum: the results stored for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz.architectures.batch_norm import analysis
from convexviz.core.solution import Certificate
from convexviz.experiments import path, precomputed
from convexviz.experiments.result import Result
from convexviz.views import library

NEAR = 1.08  # a weight decay within this factor counts as the one asked; stored ladders differ so
SAME = 1.005  # within this one its digits need not be said


@dataclass(frozen=True, slots=True)
class Cut:
    """One number of directions, solved.

    Attributes:
        train, test: share of right answers, or the squared error of a row; NaN where unknown.
        filters: (outputs, d), what each output weighs.
        is_formula: whether it is the closed form.
        tolerance: the gap that it was solved to, or was to be.
    """

    k: int
    weight_decay: float
    certificate: Certificate
    train: float
    test: float
    explained: float
    n_neurons: int
    n_patterns: int
    seconds: float
    filters: NDArray[np.float64]
    is_formula: bool
    tolerance: float

    @property
    def proved(self) -> bool:
        """Whether it may be called the optimum."""
        return self.certificate.relative_gap <= self.tolerance

    def elsewhere(self, weight_decay: float) -> str:
        """Words that name its weight decay where it is not quite the one asked, else nothing."""
        same = _apart(self.weight_decay, weight_decay) <= SAME
        return "" if same else f" (at β = {self.weight_decay:.3g})"


def rank(result: Result) -> int:
    """How many directions the rows have."""
    return len(result.arrays["singular_values"])


def cut_of(result: Result) -> int:
    """How many directions a result keeps."""
    return analysis.kept_directions(result)


def known(result: Result) -> Mapping[int, Result]:
    """The results that differ from this one in the number of directions only, by that number."""
    digest = ""
    if result.provenance["dataset"] == "given":
        digest = result.provenance["data_sha256"]
    found = {}
    same = {name: value for name, value in result.spec.items() if name != "n_directions"}
    families = _families(repr(sorted(same.items())), rank(result), digest, result)
    for k, family in library.known(result.architecture, families).items():
        other = library.find(result.architecture, family)
        if other is not None:
            found[k] = other
    return {**found, cut_of(result): result}


def curve(results: Mapping[int, Result]) -> Mapping[str, Any]:
    """The other cuts that one of the results has beside it, and their weight decay; or nothing."""
    for result in results.values():
        found = {k: v for k, v in result.arrays.items() if k.startswith("curve_")}
        if found:
            return {**found, "weight_decay": float(result.spec["weight_decay"])}
    return {}


@st.cache_resource(show_spinner=False, max_entries=16)
def _families(
    same: str,  # noqa: ARG001 - the cache goes by it
    top: int,
    digest: str,
    _result: Result,
) -> Mapping[int, str]:
    """The family of each number of directions: hashing hundreds of specs takes a while."""
    name, spec = _result.architecture, dict(_result.spec)
    return {
        k: precomputed.family(name, {**spec, "n_directions": 0 if k == top else k}, digest)
        for k in range(1, top + 1)
    }


def cuts(results: Mapping[int, Result], weight_decay: float) -> Sequence[Cut]:
    """Each known cut that is solved within a few per cent of the weight decay, smallest first."""
    name = "/".join(f"{k}:{_name(each)}" for k, each in sorted(results.items()))
    return _cuts(f"{name}@{weight_decay:g}", results, weight_decay)


def _name(result: Result) -> str:
    return f"{result.provenance['key']}{result.provenance['created']}"


@st.cache_resource(show_spinner=False, max_entries=64)
def _cuts(
    name: str,  # noqa: ARG001 - the cache goes by it
    _results: Mapping[int, Result],
    weight_decay: float,
) -> Sequence[Cut]:
    found = (_cut(k, _results[k], weight_decay) for k in sorted(_results))
    return [cut for cut in found if cut is not None]


def _apart(one: float, other: float) -> float:
    """The factor, from 1 on, between two weight decays."""
    if one == other:
        return 1.0
    return max(one, other) / min(one, other) if min(one, other) > 0 else np.inf


def _cut(k: int, result: Result, weight_decay: float) -> Cut | None:
    """At the nearest of its weight decays; None where that is another one."""
    decays = result.arrays.get("path_weight_decay", [result.spec["weight_decay"]])
    apart = [_apart(float(decay), weight_decay) for decay in decays]
    index = int(np.argmin(apart))
    if apart[index] > NEAR:
        return None
    here = path.at(result, index)
    scalars: Mapping[str, Any] = here.scalars
    train, test = (_quality(here, part) for part in ("train", "test"))
    return Cut(
        k=k,
        weight_decay=float(here.spec["weight_decay"]),
        certificate=path.certificates(result)[index],
        train=train,
        test=test,
        explained=float(scalars["explained_variance"]),
        n_neurons=int(scalars["n_neurons"]),
        n_patterns=int(scalars["n_patterns"]),
        seconds=float(here.seconds),
        filters=analysis.class_filters(here),
        is_formula="class_outputs" in result.arrays,
        tolerance=float(result.spec["tolerance"]),
    )


def _quality(result: Result, part: str) -> float:
    """Accuracy where there are classes, else the loss of a row."""
    if analysis.classes(result) is not None:
        return float(result.scalars.get(f"{part}_accuracy", np.nan))
    targets = result.data.get("Y" if part == "train" else "test_Y")
    loss = result.scalars.get(f"{part}_loss")
    return np.nan if loss is None or targets is None else float(loss) / len(targets)
