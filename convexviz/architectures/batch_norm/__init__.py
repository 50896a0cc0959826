"""Batch normalisation: the data are whitened in the convex program, and the spectrum can be cut."""

from __future__ import annotations

from convexviz.architectures.base import Architecture
from convexviz.architectures.batch_norm.cost import seconds
from convexviz.architectures.batch_norm.data import INPUTS, check, load
from convexviz.architectures.batch_norm.descend import problem
from convexviz.architectures.batch_norm.draws import beside
from convexviz.architectures.batch_norm.outputs import derived, outputs, recompute, restarted
from convexviz.architectures.batch_norm.parametrisations import PARAMETRISATIONS
from convexviz.architectures.batch_norm.path import weights
from convexviz.architectures.batch_norm.programs import build
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.architectures.batch_norm.torch_module import torch_module
from convexviz.architectures.batch_norm.weights import revive
from convexviz.solvers.choose import choose

CLOSED_FORM = {"dataset": "digit_classes", "weight_decay": 0.3}
CUTS = tuple(
    {**CLOSED_FORM, "n_directions": k, "tolerance": 1e-3} for k in (15, 2, 5, 10, 20, 25, 30, 40)
)
_GATED = {"neurons": "gated", "arrangements": "sampled"}
# Where truncation helps, does not matter, and fails: the signal is in the four largest of sixteen
# directions, in all of them, in the four smallest.
SIGNALS = tuple(
    {**_GATED, "dataset": f"signal_{where}", "weight_decay": 0.5, "n_directions": k}
    for where in ("bottom", "top", "all")
    for k in (0, 4, 8, 12)
)
# Three labels in ten drawn anew: the small directions are what fits them.
WRONG_LABELS = tuple(
    {
        **_GATED,
        "dataset": "digit_classes",
        "n_train": 600,
        "label_noise": 0.3,
        "weight_decay": 1.0,
        "n_directions": k,
        "tolerance": 1e-5,
    }
    for k in (12, 5, 20, 30, 0)
)
# Handwritten digits whose images are their visitors' to download; k = 0 keeps all 591 directions.
MNIST = tuple(
    {
        **_GATED,
        "dataset": "mnist",
        "weight_decay": 0.3,
        "n_directions": k,
        "tolerance": 1e-4,
    }
    for k in (40,)
)

ARCHITECTURE = Architecture(
    name="batch_norm",
    title="Batch norm",
    source="Ergen, Sahiner, Ozturkler, Pauly, Mardani, Pilanci: Demystifying Batch Normalization "
    "in ReLU Networks, ICLR 2022, Theorem 2.2 and the closed forms of its section 2",
    spec=Spec,
    inputs=INPUTS,
    load=load,
    check=check,
    depth=lambda _spec: 1,
    build=build,
    solver=lambda spec, program: choose(program, spec.tolerance, spec.seed),
    outputs=outputs,
    revive=revive,
    derived=derived,
    on_path=weights,
    recompute=recompute,
    descent=problem,
    beside=beside,
    parametrisations=PARAMETRISATIONS,
    smoke={"dataset": "toy", "arrangements": "all", "weight_decay": 0.1},
    stored=(CLOSED_FORM, *CUTS, *SIGNALS, *WRONG_LABELS, *MNIST),
    torch_module=torch_module,
    line="Batch norm hides a whitening. Made explicit, the spectrum can be cut where the noise "
    "begins.",
    seconds=seconds,
    restarted=restarted,
)
