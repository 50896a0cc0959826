"""The parameters of a Wasserstein game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from convexviz.architectures import base
from convexviz.architectures.spec import Param
from convexviz.errors import SpecError

GIVEN = "given"  # the dataset's name where the arrays come from the caller
PLANAR = ("ring", "gaussians", "moons", "cluster")
IMAGES = ("faces", "warped_faces", "handwriting", "lfw")
DATASETS = (*PLANAR, *IMAGES, GIVEN)
TITLES = (
    "Ring", "Two Gaussians", "Moons", "Off-centre cluster",
    "Faces", "Faces, shape + texture", "Digits", "Faces, 25x25", "Your data",
)  # fmt: skip
DISCRIMINATORS = ("linear", "quadratic", "polynomial", "relu")
GENERATORS = ("free", "linear", "relu", "polynomial")
ACTIVATIONS = {"relu": "relu", "polynomial": "square"}
PENALTIES = ("samples", "weights", "displacement")


@dataclass(frozen=True, kw_only=True)
class Spec(base.Spec):
    """What plays: discriminator, generator and the generator's penalty (P1; THEORY 5)."""

    dataset: Annotated[str, Param("data set", choices=DATASETS, titles=TITLES)] = "ring"
    discriminator: Annotated[
        str,
        Param(
            "discriminator",
            choices=DISCRIMINATORS,
            titles=("Linear", "Quadratic", "Polynomial", "ReLU"),
            help="Linear sees means, quadratic second moments, polynomial both, ReLU the mean of "
            "every half-plane.",
        ),
    ] = "quadratic"
    generator: Annotated[
        str,
        Param(
            "generator",
            choices=GENERATORS,
            titles=("Free", "Linear", "ReLU", "Squares"),
            help="Free: any samples. Linear: Z W. ReLU, squares: the best samples first, then the "
            "network of least weights that makes them.",
        ),
    ] = "free"
    penalty: Annotated[
        str,
        Param(
            "generator's penalty",
            choices=PENALTIES,
            help="Samples: the squares of what is generated. Weights: of W. Displacement: of how "
            "far fixed noise is moved.",
        ),
    ] = "samples"
    weight_decay: Annotated[
        float,
        Param(
            "discriminator's weight decay β",
            1e-12,
            1e12,
            log=True,
            help="How far apart what the discriminator sees may stay; sums over all samples.",
        ),
    ] = 1.6
    bias: Annotated[
        bool,
        Param("constant column", help="The discriminator sees a 1 beside every sample."),
    ] = False
    poly_a: Annotated[float, Param("a of a t² + b t + c", -10, 10)] = 0.09
    poly_b: Annotated[float, Param("b of a t² + b t + c", -10, 10)] = 0.5
    poly_c: Annotated[float, Param("c of a t² + b t + c", -10, 10)] = 0.47
    n_samples: Annotated[
        int,
        Param(
            "samples",
            2,
            10_000,
            log=True,
            help="How many points, real and generated.",
            page_high=200,
        ),
    ] = 80
    n_latents: Annotated[int, Param("latents", 1, 10_000, log=True, help="The columns of Z.")] = 4
    stages: Annotated[
        int,
        Param(
            "stages",
            1,
            8,
            help="Resolutions of a progressive generator of images, each twice the one before.",
            on_page=False,
        ),
    ] = 1
    kept_per_stage: Annotated[
        str,
        Param(
            "directions kept at each stage",
            0,
            10_000,
            help="Instead of β: as '20 30 40', the smallest images first.",
            on_page=False,
            numbers=True,
        ),
    ] = ""
    whiten: Annotated[
        bool,
        Param("whitened latents", help="Stages train on latents with Z'Z = n I.", on_page=False),
    ] = True
    published: Annotated[
        bool,
        Param(
            "published schedule beside it",
            help="Also what the released code's stages do on the same images.",
            on_page=False,
        ),
    ] = False
    seed: Annotated[
        int, Param("seed", 0, 2**31 - 1, help="Points and latents are drawn from it.")
    ] = 0
    tolerance: Annotated[
        float, Param("relative gap to reach", 1e-10, 0.1, log=True, on_page=False)
    ] = 1e-6

    def __post_init__(self) -> None:
        base.Spec.__post_init__(self)
        if self.penalty == "weights" and self.generator != "linear":
            raise SpecError(
                "penalty='weights' needs a generator that has weights and one layer; use "
                "generator='linear', or penalty='samples'"
            )
        if self.discriminator == "polynomial" and self.poly_a == 0 and self.poly_b == 0:
            raise SpecError("poly_a and poly_b must not both be 0: the discriminator sees nothing")
        self._check_stages()

    def _check_stages(self) -> None:
        kept = [int(one) for one in self.kept_per_stage.split()]
        if self.stages == 1:
            if kept or self.published:
                name = "kept_per_stage" if kept else "published"
                raise SpecError(f"{name} is for stages >= 2, got stages=1; set stages")
            return
        asked = (self.discriminator, self.generator, self.penalty, self.bias)
        if asked != ("quadratic", "linear", "samples", False):
            raise SpecError(
                f"stages={self.stages} are solved for discriminator='quadratic', "
                "generator='linear', penalty='samples', bias=False, got "
                f"{', '.join(map(repr, asked))}; use those, or stages=1"
            )
        if kept and len(kept) != self.stages:
            raise SpecError(
                f"kept_per_stage must have a number for each of {self.stages} stages, got "
                f"{self.kept_per_stage!r}"
            )
        if any(b < a for a, b in pairwise(kept)):
            raise SpecError(
                f"kept_per_stage must not fall from stage to stage, got {self.kept_per_stage!r}"
            )


def follows_path(spec: Spec) -> bool:
    """Whether a solve gives a path: points in the plane do; of images each is a solve of its own.

    A row of a path holds every sample, so a free generator's are all there is to keep.
    """
    return spec.generator == "free" and spec.dataset in PLANAR


def seconds(spec: Spec, data: Mapping[str, Any]) -> float:
    """About how long a solve takes: milliseconds in closed form, the rest by its size."""
    columns = data["X"].shape[1]
    if spec.discriminator == "linear":
        return 0.01
    if spec.discriminator == "quadratic" and spec.penalty != "displacement" and not spec.bias:
        return 0.01 + 1e-9 * float(data["X"].size) * min(data["X"].shape)
    if spec.discriminator == "relu":
        return (7.0 if spec.bias else 1.3) * (14 if follows_path(spec) else 1)
    return (1.0 if follows_path(spec) else 0.06) + 1e-5 * max(columns - 3, 0) ** 4
