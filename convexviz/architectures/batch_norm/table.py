"""What the fifty digits are compared with over draws: descent in other forms, and least squares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import setting
from convexviz.architectures.batch_norm.data import check, load
from convexviz.architectures.batch_norm.descend import problem
from convexviz.architectures.batch_norm.outputs import quality
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.solvers.descent import Options

RUNS, DRAWS = 5, 10
CUT = 15
ADAM = Options(width=50, steps=1500)
AFTER = {"position": "after", "arrangements": "sampled"}
CENTRED = "adam_after_centred"  # rows less their mean: nothing shifts what the ReLU sees
DESCENTS: dict[str, tuple[dict[str, Any], Options]] = {
    "gd": ({}, Options(width=50, steps=6000, optimizer="gd", learning_rate=0.05)),
    "adam_cut": ({"n_directions": CUT}, ADAM),
    "adam_after": (AFTER, ADAM),
    CENTRED: (AFTER, ADAM),
}


def table(spec: Spec) -> dict[str, Any]:
    """`table_<descent>_test_accuracy` (runs, records) and `_step` for gradient descent, for Adam on
    the cut spectrum and for Adam with batch norm after the ReLU, on rows as they are and on centred
    ones, a run a draw; and `table_least_squares` (draws, 2), test accuracy of a linear map of CUT
    and of all directions.
    """
    found: dict[str, Any] = {}
    for name, (fields, options) in DESCENTS.items():
        runs = []
        for seed in range(RUNS):
            own = replace(spec, seed=seed, **fields)
            rows = load(own)
            made = problem(own, check(own, centred(rows) if name == CENTRED else rows))
            runs.append(made.train(options, seed, lambda *_: None))
        found[f"table_{name}_step"] = runs[0].records["step"]
        found[f"table_{name}_test_accuracy"] = np.array([r.records["test_accuracy"] for r in runs])
    found["table_least_squares"] = np.array([_linear(spec, seed) for seed in range(DRAWS)])
    return found


def centred(rows: Arrays) -> Arrays:
    """The same rows and those held out, less the mean of those to train on."""
    mean = rows["X"].mean(axis=0)
    return {**rows, **{name: rows[name] - mean for name in ("X", "test_X")}}


def _linear(spec: Spec, seed: int) -> list[float]:
    """Least squares on the whitened rows: a linear model fails with all directions as well."""
    own = replace(spec, seed=seed)
    rows, tested = check(own, load(own)), []
    for k in (CUT, 0):
        at = setting(replace(own, n_directions=k), rows)
        weights = np.linalg.lstsq(at.features, at.targets, rcond=None)[0]
        F = at.whitening.features(rows["test_X"]) @ weights
        tested.append(quality(own, "test", F, rows["test_Y"])["test_accuracy"])
    return tested
