"""The parameters of a denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from convexviz.architectures import base
from convexviz.architectures.spec import Param
from convexviz.errors import SpecError

GIVEN = "given"  # the dataset's name where the arrays come from the caller
DATASETS = ("mri", "camera", "digits", "shapes", "tiny", GIVEN)


@dataclass(frozen=True, kw_only=True)
class Spec(base.Spec):
    """What to train: patches, penalty, patterns and depth (P4; THEORY 2)."""

    dataset: Annotated[str, Param("data set", choices=DATASETS)] = "mri"
    noise_std: Annotated[float, Param("noise σ (range = 1)", 0, 10)] = 0.08
    kernel_size: Annotated[int, Param("filter size k", 1, 64)] = 7
    neurons: Annotated[str, Param("neurons", choices=("relu", "gated"))] = "gated"
    arrangements: Annotated[
        str, Param("activation patterns", choices=("all", "sampled", "adaptive"))
    ] = "sampled"
    n_gates: Annotated[int, Param("gates sampled", 1, 10_000, log=True)] = 64
    weight_decay: Annotated[float, Param("weight decay β", 1e-12, 1e12, log=True)] = 1.0
    padding: Annotated[str, Param("padding", choices=("circular", "zero"))] = "circular"
    residual: Annotated[bool, Param("residual network")] = False
    normalise: Annotated[str, Param("normalise pixels", choices=("none", "standard"))] = "none"
    bias: Annotated[bool, Param("bias (a ones column)")] = False
    blocks: Annotated[int, Param("unrolled blocks", 1, 8)] = 1
    output_kernel: Annotated[int, Param("output kernel (odd)", 1, 15)] = 1
    seed: Annotated[int, Param("seed", 0, 2**31 - 1)] = 0
    tolerance: Annotated[float, Param("relative gap to reach", 1e-10, 0.1, log=True)] = 1e-6

    def __post_init__(self) -> None:
        base.Spec.__post_init__(self)
        if self.output_kernel % 2 == 0:
            raise SpecError(f"output_kernel must be odd, got {self.output_kernel}")
        if self.output_kernel > 1:
            raise SpecError(
                f"output_kernel must be 1 in this version, got {self.output_kernel}: a larger one "
                "is a vector-output program with a nuclear norm"
            )
        if self.neurons == "gated" and self.arrangements == "adaptive":
            raise SpecError(
                "arrangements='adaptive' chooses the neurons of a ReLU network; "
                "use neurons='relu', or 'sampled' gates"
            )
