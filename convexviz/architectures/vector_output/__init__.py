"""Vector outputs: a nuclear norm on cones, and the copositive program behind it."""

from __future__ import annotations

from convexviz.architectures.base import Architecture
from convexviz.architectures.vector_output.build import build
from convexviz.architectures.vector_output.cost import follows_path, seconds
from convexviz.architectures.vector_output.data import INPUTS, check, load
from convexviz.architectures.vector_output.descend import problem
from convexviz.architectures.vector_output.outputs import (
    derived,
    on_path,
    outputs,
    recompute,
    revive,
)
from convexviz.architectures.vector_output.quiz import FACTOR
from convexviz.architectures.vector_output.solver import solver
from convexviz.architectures.vector_output.spec import Spec
from convexviz.architectures.vector_output.torch_module import torch_module

OPENING = {"dataset": "three_classes", "weight_decay": 0.1}
SPIRAL = {"dataset": "spiral", "weight_decay": 0.2}
STEPS = {**OPENING, "method": "frank_wolfe"}
LOOSE = {"dataset": "loose_relaxation", "weight_decay": 0.3, "method": "copositive"}
WHITENED = {"dataset": "whitened", "weight_decay": 0.1, "method": "closed_form"}
DIGITS = {
    "dataset": "digit_classes",
    "n_train": 50,
    "arrangements": "sampled",
    "n_gates": 20,
    "weight_decay": 4.0,
    "tolerance": 1e-3,
}
PATCHES = {
    "dataset": "digit_patches",
    "n_train": 100,
    "arrangements": "sampled",
    "n_gates": 400,
    "weight_decay": 2.0,
    "tolerance": 1e-6,
}
FREE_DIGITS = {
    "dataset": "digit_classes",
    "n_train": 50,
    "arrangements": "adaptive",
    "weight_decay": 1.0,
    "tolerance": 1e-3,
}

ARCHITECTURE = Architecture(
    name="vector_output",
    title="Vector output",
    source="Sahiner, Ergen, Pauly, Pilanci: Vector-output ReLU Neural Network Problems are "
    "Copositive Programs, ICLR 2021, Theorem 3.1 and Algorithm 1",
    spec=Spec,
    inputs=INPUTS,
    load=load,
    check=check,
    depth=lambda _spec: 1,
    build=build,
    solver=solver,
    outputs=outputs,
    revive=revive,
    derived=derived,
    on_path=on_path,
    recompute=recompute,
    descent=problem,
    smoke={"dataset": "teacher", "weight_decay": 0.2},
    stored=(OPENING, SPIRAL, STEPS, LOOSE, WHITENED, DIGITS, PATCHES, FREE_DIGITS),
    race_widths=(3, 40),
    torch_module=torch_module,
    line="Several outputs share each neuron: the penalty is a nuclear norm on cones.",
    follows_path=follows_path,
    seconds=seconds,
    path_ratio=FACTOR,
)
