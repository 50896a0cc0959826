"""What a solver hands back: the point, and the evidence that it is optimal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from convexviz.core.types import Array
from convexviz.errors import NotConverged


class Status(StrEnum):
    """Why the solver stopped."""

    OPTIMAL = "optimal"  # the certified gap is within the tolerance
    MAX_ITERATIONS = "max_iterations"  # out of iterations or of progress; the bound still holds
    CANCELLED = "cancelled"  # stopped by the caller; the bound still holds


class Scope(StrEnum):
    """What a lower bound bounds; printed beside every gap."""

    RELU_NETWORK = "RELU_NETWORK"  # every pattern, cones kept (or a pattern-free bound)
    SAMPLED_PROGRAM = "SAMPLED_PROGRAM"  # cones kept, patterns sampled: the sampled program only
    GATED_NETWORK = "GATED_NETWORK"  # cones dropped: the gated ReLU network with these gates
    GAN_GAME = "GAN_GAME"  # the min-max value, from weak duality with any discriminator

    @property
    def covers(self) -> str:
        """The same in words."""
        return {
            Scope.RELU_NETWORK: "every ReLU network, of any width",
            Scope.SAMPLED_PROGRAM: "the program with the sampled patterns only",
            Scope.GATED_NETWORK: "the gated network with these gates only",
            Scope.GAN_GAME: "the whole game",
        }[self]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Weak duality in two numbers, and what they cover: `dual <= optimum <= primal`."""

    primal: float
    dual: float
    scope: Scope

    @property
    def gap(self) -> float:
        return self.primal - self.dual

    @property
    def relative_gap(self) -> float:
        """`gap / |primal|`; 0 where both values are 0, infinite where the point is not allowed."""
        if self.gap == 0.0:
            return 0.0
        if math.isinf(self.primal):
            return math.inf
        return self.gap / abs(self.primal) if self.primal else float("inf")


@dataclass(frozen=True, slots=True)
class Progress:
    """One record of a running solve: what `on_iteration` receives and what the trace keeps."""

    iteration: int
    primal: float
    dual: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Solution:
    """The point a solver returned, with its certificate, its solver and its path there.

    Attributes:
        witness: what gave the bound, where the point itself does not give it again: a residual
            (at kinks of a loss), or other variables of the program (adaptive neurons). Kept with
            a result, so that the bound can be recomputed.
        records: what else the solver noted on its way, by name; stored with a result.
    """

    variables: Array
    certificate: Certificate
    status: Status
    solver: str
    objectives: tuple[Progress, ...] = ()
    witness: Array | None = None
    records: Mapping[str, Array] = field(default_factory=dict)

    def require_optimal(self) -> Solution:
        """Return self.

        Raises:
            NotConverged: the gap is above the tolerance (a caller who can go on need not ask).
        """
        if self.status is not Status.OPTIMAL:
            raise NotConverged(
                f"{self.solver} stopped at relative gap {self.certificate.relative_gap:.1e} "
                f"({self.status}); loosen the tolerance or allow more iterations"
            )
        return self
