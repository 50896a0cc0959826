"""The parameters of a denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from convexviz.architectures import base
from convexviz.architectures.spec import Param
from convexviz.errors import SpecError

GIVEN = "given"  # the dataset's name where the arrays come from the caller
SHIPPED = ("mri", "camera", "digits", "shapes", "tiny")
ELSEWHERE = (
    "mnist", "fashion_mnist", "cifar10", "cifar100", "celeba",
    "fastmri_singlecoil", "fastmri_multicoil",
)  # fmt: skip
DATASETS = (*SHIPPED, *ELSEWHERE, GIVEN)
TITLES = (
    "MRI slice", "Cameraman", "Digits, 8x8", "Shapes", "Tiny, 4x4",
    *("" for _ in ELSEWHERE), "Your images",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Spec(base.Spec):
    """What to train: patches, penalty, patterns and depth (P4; THEORY 2)."""

    dataset: Annotated[str, Param("data set", choices=DATASETS, titles=TITLES)] = "mri"
    noise_std: Annotated[
        float,
        Param(
            "noise σ (range = 1)",
            0,
            10,
            help="Standard deviation of the Gaussian noise added to the clean image.",
            page_high=1.0,
        ),
    ] = 0.08
    kernel_size: Annotated[
        int, Param("filter size k", 1, 64, help="Each neuron sees k by k pixels.", page_high=15)
    ] = 7
    neurons: Annotated[
        str,
        Param(
            "neurons",
            choices=("relu", "gated"),
            titles=("ReLU", "Gated"),
            help="ReLU: on where its own filter is positive. Gated: a fixed random filter decides.",
        ),
    ] = "gated"
    arrangements: Annotated[
        str,
        Param(
            "activation patterns",
            choices=("all", "sampled", "adaptive"),
            help="All: every on/off pattern there is (tiny images). Sampled: those of random "
            "filters. Adaptive: ReLU neurons found one by one.",
        ),
    ] = "sampled"
    n_gates: Annotated[
        int,
        Param(
            "gates sampled",
            1,
            10_000,
            log=True,
            help="How many random filters are drawn, each of which gives a pattern.",
            page_high=200,
        ),
    ] = 64
    weight_decay: Annotated[float, Param("weight decay β", 1e-12, 1e12, log=True)] = 1.0
    padding: Annotated[
        str,
        Param(
            "padding",
            choices=("circular", "zero"),
            help="Beyond the border: the opposite side, or zeros.",
        ),
    ] = "circular"
    residual: Annotated[
        bool,
        Param("residual network", help="The network computes what is added to the noisy image."),
    ] = False
    normalise: Annotated[
        str,
        Param(
            "normalise pixels",
            choices=("none", "standard"),
            titles=("No", "Standardise"),
            help="Subtract the noisy pixels' mean and divide by their deviation.",
        ),
    ] = "none"
    bias: Annotated[
        bool,
        Param(
            "bias (a ones column)",
            help="A constant beside the pixels, which a neuron may weigh too.",
        ),
    ] = False
    blocks: Annotated[
        int,
        Param(
            "unrolled blocks",
            1,
            8,
            help="Networks one after another, each trained on what the one before gives.",
            page_high=4,
        ),
    ] = 1
    output_kernel: Annotated[
        int,
        Param(
            "output kernel (odd)",
            1,
            15,
            help="The second layer sees q by q hidden pixels: one output weight a tap.",
            page_high=7,
            step=2,
        ),
    ] = 1
    seed: Annotated[int, Param("seed", 0, 2**31 - 1, help="Noise and gates are drawn from it.")] = 0
    tolerance: Annotated[
        float, Param("relative gap to reach", 1e-10, 0.1, log=True, on_page=False)
    ] = 1e-6

    def __post_init__(self) -> None:
        base.Spec.__post_init__(self)
        if self.output_kernel % 2 == 0:
            raise SpecError(
                f"output_kernel must be odd, got {self.output_kernel}; use "
                f"{self.output_kernel - 1} or {self.output_kernel + 1}"
            )
        if self.neurons == "gated" and self.arrangements == "adaptive":
            raise SpecError(
                "arrangements='adaptive' chooses the neurons of a ReLU network; "
                "use neurons='relu', or 'sampled' gates"
            )
