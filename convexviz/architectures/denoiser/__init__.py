"""The denoiser: a two-layer convolutional network with a k x k and a 1 x 1 layer."""

from __future__ import annotations

from functools import partial

from convexviz.architectures.base import Architecture
from convexviz.architectures.denoiser.build import INPUTS, build, check, from_images, load
from convexviz.architectures.denoiser.descend import problem
from convexviz.architectures.denoiser.outputs import derived, outputs, recompute, revive
from convexviz.architectures.denoiser.path import weights
from convexviz.architectures.denoiser.spec import Spec
from convexviz.architectures.denoiser.torch_module import torch_module
from convexviz.solvers.choose import choose

GATED = {
    "dataset": "mri",
    "kernel_size": 7,
    "n_gates": 64,
    "bias": True,
    "weight_decay": 10.0,
    "tolerance": 1e-5,
}

ADAPTIVE = {
    "dataset": "mri",
    "kernel_size": 7,
    "bias": True,
    "neurons": "relu",
    "arrangements": "adaptive",
    "weight_decay": 10.0,
    "tolerance": 1e-3,
}

ARCHITECTURE = Architecture(
    name="denoiser",
    title="Denoiser",
    source="Sahiner, Mardani, Ozturkler, Pilanci, Pauly: Convex Regularization Behind Neural "
    "Reconstruction, ICLR 2021, Theorem 1 and Corollary 1.1",
    spec=Spec,
    inputs=INPUTS,
    load=load,
    check=check,
    depth=lambda spec: spec.blocks,
    build=build,
    solver=lambda spec, program: choose(program, spec.tolerance, spec.seed),
    outputs=outputs,
    lean_outputs=partial(outputs, filters=False),
    revive=revive,
    derived=derived,
    on_path=weights,
    recompute=recompute,
    descent=problem,
    smoke={"dataset": "tiny", "kernel_size": 2, "weight_decay": 0.1, "n_gates": 12},
    stored=(ADAPTIVE, GATED),
    torch_module=torch_module,
    line="A network that cleans an image is a bank of linear filters. "
    "Every pixel opens its own few.",
    from_images=from_images,
)
