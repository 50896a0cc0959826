"""The parameters of a vector-output network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from convexviz.architectures import base
from convexviz.architectures.spec import Param
from convexviz.errors import SpecError

GIVEN = "given"  # the dataset's name where the arrays come from the caller
DATASETS = (
    "three_classes",
    "spiral",
    "loose_relaxation",
    "whitened",
    "teacher",
    "digit_classes",
    "digit_patches",
    "photo_patches",
    "photo_pools",
    "cifar10",
    GIVEN,
)


@dataclass(frozen=True, kw_only=True)
class Spec(base.Spec):
    """What to train: data, method, patterns, loss and penalty (P3; THEORY 3)."""

    dataset: Annotated[str, Param("data set", choices=DATASETS)] = "three_classes"
    n_train: Annotated[
        int,
        Param(
            "training samples",
            0,
            100_000,
            help="How many are drawn to train on; 0 takes the data set's own number.",
        ),
    ] = 0
    method: Annotated[
        str,
        Param(
            "method",
            choices=("exact", "copositive", "frank_wolfe", "closed_form", "gated"),
            help="Exact: proved optimal over every network. Copositive: the relaxation, a lower "
            "bound. Frank-Wolfe: one neuron a step. Closed form: whitened data. Gated: fixed "
            "gates, plain nuclear norm.",
        ),
    ] = "exact"
    loss: Annotated[
        str,
        Param("loss", choices=("squared", "cross_entropy"), help="Squared error, or of classes."),
    ] = "squared"
    arrangements: Annotated[
        str,
        Param(
            "activation patterns",
            choices=("all", "sampled", "adaptive"),
            help="All: every on/off pattern there is (few rows or dimensions). Sampled: those of "
            "random gates. Adaptive: ReLU neurons found one by one.",
        ),
    ] = "all"
    n_gates: Annotated[
        int,
        Param(
            "gates sampled",
            1,
            10_000,
            log=True,
            help="How many random gates are drawn, each of which gives a pattern.",
        ),
    ] = 60
    path_norm: Annotated[
        float,
        Param(
            "path norm t",
            0,
            1e12,
            help="Of Frank-Wolfe; 0 takes that of the optimum at this weight decay.",
        ),
    ] = 0.0
    steps: Annotated[int, Param("Frank-Wolfe steps", 1, 100_000, log=True)] = 200
    line_search: Annotated[
        bool, Param("line search", help="Frank-Wolfe goes as far as helps, not 2/(k+2) of the way.")
    ] = False
    prune: Annotated[
        bool,
        Param("prune neurons", help="Drop neurons that others can stand for (Caratheodory)."),
    ] = False
    weight_decay: Annotated[float, Param("weight decay β", 1e-12, 1e12, log=True)] = 0.1
    seed: Annotated[int, Param("seed", 0, 2**31 - 1, help="Data and gates are drawn from it.")] = 0
    tolerance: Annotated[float, Param("relative gap to reach", 1e-10, 0.1, log=True)] = 1e-8

    def __post_init__(self) -> None:
        base.Spec.__post_init__(self)
        if self.path_norm and self.method != "frank_wolfe":
            raise SpecError(
                f"path_norm is of method='frank_wolfe', got path_norm={self.path_norm:g} with "
                f"method={self.method!r}; use path_norm=0"
            )
        if self.method == "closed_form" and self.loss != "squared":
            raise SpecError("method='closed_form' takes loss='squared'; use method='exact'")
        if self.arrangements == "adaptive" and self.method != "exact":
            raise SpecError(
                f"arrangements='adaptive' is of method='exact', got method={self.method!r}; "
                "use arrangements='all' or 'sampled'"
            )
