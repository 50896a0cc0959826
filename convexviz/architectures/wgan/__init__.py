"""The Wasserstein game of a generator with a two-layer discriminator."""

from __future__ import annotations

from convexviz.architectures.base import Architecture
from convexviz.architectures.wgan.build import INPUTS, build, check, load
from convexviz.architectures.wgan.descend import problem, races
from convexviz.architectures.wgan.outputs import derived, on_path, outputs, recompute, revive
from convexviz.architectures.wgan.spec import PLANAR, Spec, follows_path, seconds
from convexviz.architectures.wgan.stages import solver
from convexviz.architectures.wgan.torch_module import torch_module

CRITICS = (  # with a weight decay of a fiftieth of the samples, or less
    ("linear", False, 1.6),
    ("quadratic", False, 1.6),
    ("polynomial", False, 0.16),
    ("relu", False, 1.6),
    ("relu", True, 1.6),
)
PLANES = tuple(
    {
        "dataset": dataset,
        "discriminator": discriminator,
        "bias": bias,
        "penalty": "displacement",
        "weight_decay": beta,
    }
    for dataset in PLANAR
    for discriminator, bias, beta in CRITICS
)
DIGITS = {
    "dataset": "handwriting",
    "generator": "linear",
    "stages": 3,
    "n_latents": 24,
    "kept_per_stage": "3 10 24",
    "published": True,
}

ARCHITECTURE = Architecture(
    name="wgan",
    title="Wasserstein GAN",
    source="Sahiner, Ergen, Ozturkler, Bartan, Pauly, Mardani, Pilanci: Hidden Convexity of "
    "Wasserstein GANs: Interpretable Generative Models with Closed-Form Solutions, ICLR 2022",
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
    races=races,
    smoke={
        "dataset": "gaussians",
        "n_samples": 12,
        "n_latents": 3,
        "generator": "linear",
        "weight_decay": 1.0,
    },
    stored=(*PLANES, DIGITS),
    torch_module=torch_module,
    weights="generator_weights",
    line="Against a quadratic critic the best generator is a thresholded spectrum, in closed form.",
    follows_path=follows_path,
    seconds=seconds,
)
