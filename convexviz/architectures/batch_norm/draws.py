"""What ships beside a result: the fifty digits drawn ten times, and MNIST at every cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import setting
from convexviz.architectures.batch_norm.data import check, load
from convexviz.architectures.batch_norm.descend import problem
from convexviz.architectures.batch_norm.outputs import quality
from convexviz.architectures.batch_norm.programs import program_of
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.architectures.batch_norm.table import table
from convexviz.core.vector import VectorProgram
from convexviz.solvers.choose import choose
from convexviz.solvers.descent import Options

DRAWS, ADAM_DRAWS = 10, 5
CUTS = (2, 5, 10, 15, 20, 25, 30, 40, 49)
WEIGHT_DECAY = 0.1
CURVE = (40, 5, 10, 20, 80, 200, 0)  # of MNIST; 0 keeps all
FOUND = 0.05  # of beta: training stops where no neuron is found that is this much above it


def beside(spec: Spec) -> dict[str, Any]:
    """Measured on other draws of the same data set; `draws_*`, a row a draw, a column a cut.

    `draws_primal` is the network's objective and `draws_dual` what bounds every ReLU network's at
    that cut; `draws_closed_form` is the test accuracy of the closed form at the spec's own
    weight decay, and `draws_optimum` its objective. `draws_adam_*` are runs of Adam, one a draw,
    with their test accuracy at the recorded steps, and `table_*` other methods. Nothing for other
    data sets, or where directions are cut already; MNIST has `curve`.
    """
    if spec.dataset == "mnist" and spec.n_directions == CURVE[0]:
        return curve(spec)
    if spec.dataset != "digit_classes" or spec.n_directions or spec.hidden_layers > 1:
        return {}
    if spec.neurons == "gated" or spec.label_noise:
        return {}
    found = np.zeros((4, DRAWS, len(CUTS)))
    closed, optimum = np.zeros(DRAWS), np.zeros(DRAWS)
    for seed in range(DRAWS):
        own = replace(spec, seed=seed)
        rows = check(own, load(own))
        for place, k in enumerate(CUTS):
            found[:, seed, place] = cell(replace(own, weight_decay=WEIGHT_DECAY), rows, k)
        optimum[seed], _, _, closed[seed] = cell(own, rows, CUTS[-1])
    primal, dual, train, test = found
    return {
        "draws_n_directions": np.array(CUTS),
        "draws_weight_decay": np.array(WEIGHT_DECAY),
        "draws_primal": primal,
        "draws_dual": dual,
        "draws_train_accuracy": train,
        "draws_test_accuracy": test,
        "draws_closed_form": closed,
        "draws_optimum": optimum,
        **adam_runs(spec),
        **table(spec),
    }


def curve(spec: Spec) -> dict[str, Any]:
    """`curve_*`: this spec at other cuts of the spectrum, each solved to its tolerance."""
    rows = check(spec, load(spec))
    found = []
    for k in sorted(CURVE):
        at = setting(replace(spec, n_directions=k), rows)
        program = program_of(spec, at)
        solution = choose(program, spec.tolerance, spec.seed).solve(program)
        network = program.to_network(solution.variables)
        accuracy = [
            quality(spec, part, network.predict(Z), rows[Y])[f"{part}_accuracy"]
            for part, Z, Y in (
                ("train", at.features, "Y"),
                ("test", at.whitening.features(rows["test_X"]), "test_Y"),
            )
        ]
        kept = at.whitening.n_directions
        certificate = solution.certificate
        found.append((kept, certificate.primal, certificate.dual, *accuracy))
    columns = ("n_directions", "primal", "dual", "train_accuracy", "test_accuracy")
    table = np.array(sorted(found), dtype=float)
    return {f"curve_{name}": table[:, j] for j, name in enumerate(columns)}


def adam_runs(spec: Spec) -> dict[str, Any]:
    """Adam on the network with batch norm, full batch, one run on each of the first draws."""
    runs = []
    for seed in range(ADAM_DRAWS):
        own = replace(spec, seed=seed)
        made = problem(own, check(own, load(own)))
        runs.append(made.train(Options(width=50, steps=1500), seed, lambda *_: None))
    return {
        "draws_adam_step": runs[0].records["step"],
        "draws_adam_objective": np.array([run.objectives for run in runs]),
        "draws_adam_test_accuracy": np.array([run.records["test_accuracy"] for run in runs]),
    }


def cell(spec: Spec, rows: Arrays, k: int) -> tuple[float, float, float, float]:
    """Objective, bound, train and test accuracy with k directions, or all that there are."""
    whole = setting(replace(spec, n_directions=0), rows)
    at = whole
    if k < whole.whitening.rank:
        at = setting(replace(spec, n_directions=k), rows)
    program: Any = program_of(spec, at)
    solution = choose(program, FOUND, spec.seed).solve(program)
    features = {"train": at.features, "test": at.whitening.features(rows["test_X"])}
    accuracy = {}
    for part, Z in features.items():
        network = program.to_network(solution.variables)
        F = np.maximum(Z @ network.first_layer, 0.0) @ network.second_layer
        Y = rows["Y" if part == "train" else "test_Y"]
        accuracy[part] = quality(spec, part, F, Y)[f"{part}_accuracy"]
    certificate = solution.certificate
    assert isinstance(program, VectorProgram) or certificate.relative_gap < 1e-9
    return certificate.primal, certificate.dual, accuracy["train"], accuracy["test"]
