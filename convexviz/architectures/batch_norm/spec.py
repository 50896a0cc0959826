"""The parameters of a network with batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from convexviz.architectures import base
from convexviz.architectures.spec import Param
from convexviz.errors import SpecError

GIVEN = "given"  # the dataset's name where the arrays come from the caller
DATASETS = (
    "digit_classes",
    "photo_patches",
    "cifar10",
    "cifar100",
    "order",
    "signal_top",
    "signal_all",
    "signal_bottom",
    "toy",
    "mnist",
    "fashion_mnist",
    GIVEN,
)


@dataclass(frozen=True, kw_only=True)
class Spec(base.Spec):
    """What to train: data, directions kept, patterns, loss and penalty (P2; THEORY 4)."""

    dataset: Annotated[str, Param("data set", choices=DATASETS)] = "digit_classes"
    n_train: Annotated[
        int,
        Param(
            "training samples",
            0,
            100_000,
            help="How many are drawn to train on; 0 takes the data set's own number.",
        ),
    ] = 0
    label_noise: Annotated[
        float,
        Param(
            "labels drawn anew",
            0,
            1,
            help="The share of training labels replaced by random classes; the test set keeps its.",
        ),
    ] = 0.0
    position: Annotated[
        str,
        Param(
            "batch norm",
            choices=("before", "after"),
            help="Before the ReLU, or after it.",
        ),
    ] = "before"
    n_directions: Annotated[
        int,
        Param(
            "directions kept k",
            0,
            100_000,
            help="The k largest principal directions; 0 keeps all that the data have.",
        ),
    ] = 0
    loss: Annotated[
        str,
        Param(
            "loss",
            choices=("squared", "logistic", "hinge", "cross_entropy"),
            help="Squared error, two classes of +1 and -1, or one of several classes.",
        ),
    ] = "squared"
    hidden_layers: Annotated[
        int,
        Param(
            "hidden layers",
            1,
            8,
            help="With more than one, the last two layers in closed form on random features.",
        ),
    ] = 1
    neurons: Annotated[
        str,
        Param(
            "neurons",
            choices=("relu", "gated"),
            help="ReLU: on where its own filter is positive. Gated: a fixed random filter decides.",
        ),
    ] = "relu"
    arrangements: Annotated[
        str,
        Param(
            "activation patterns",
            choices=("all", "sampled", "adaptive"),
            help="All: every on/off pattern there is (few rows). Sampled: those of random filters. "
            "Adaptive: ReLU neurons of their own, whatever their patterns.",
        ),
    ] = "adaptive"
    n_gates: Annotated[
        int,
        Param(
            "gates sampled",
            1,
            10_000,
            log=True,
            help="How many random filters of the whitened data are drawn, each giving a pattern.",
        ),
    ] = 60
    weight_decay: Annotated[float, Param("weight decay β", 1e-12, 1e12, log=True)] = 0.1
    seed: Annotated[
        int, Param("seed", 0, 2**31 - 1, help="Training samples and gates are drawn from it.")
    ] = 0
    tolerance: Annotated[float, Param("relative gap to reach", 1e-10, 0.1, log=True)] = 1e-6

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Spec:
        """The spec with these fields, the others at their defaults; gated neurons, whose gates
        are given, sample theirs unless patterns are asked for.
        """
        if fields.get("neurons") == "gated":
            fields = {"arrangements": "sampled", **fields}
        return super().of(fields)

    def __post_init__(self) -> None:
        base.Spec.__post_init__(self)
        if self.neurons == "gated" and self.arrangements == "adaptive":
            raise SpecError(
                "arrangements='adaptive' chooses the neurons of a ReLU network; "
                "use neurons='relu', or arrangements='sampled' for gates"
            )
        if self.hidden_layers > 1 and (self.neurons == "gated" or self.position == "after"):
            raise SpecError(
                "hidden_layers > 1 has a closed form for neurons='relu' with position='before' "
                f"only, got neurons={self.neurons!r}, position={self.position!r}"
            )
        if self.hidden_layers > 1 and self.n_directions:
            raise SpecError(
                "hidden_layers > 1 keeps every direction of its features, got "
                f"n_directions={self.n_directions}; use n_directions=0"
            )
