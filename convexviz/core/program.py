"""The contract every convex program meets; the contract tests hold each one to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from convexviz.core.solution import Certificate
from convexviz.core.types import Array

if TYPE_CHECKING:
    import cvxpy as cp


class AbstractConvexProgram(ABC):
    """A convex program equivalent to training a network.

    Subclasses are final frozen dataclasses that hold the data and the weight decay.
    """

    weight_decay: float

    @abstractmethod
    def objective(self, variables: Array) -> float:
        """The convex objective; `inf` outside the constraints (beyond a stated tolerance)."""

    @abstractmethod
    def certify(self, variables: Array) -> Certificate:
        """Primal and dual value at any point, trusting no solver."""

    @abstractmethod
    def to_network(self, variables: Array) -> Any:
        """The network whose non-convex objective is the convex objective at `variables`; it has
        `n_neurons` and `predict`."""

    @abstractmethod
    def to_cvxpy(self) -> cp.Problem:
        """The same program, written plainly: the reference the fast solvers must match."""

    @abstractmethod
    def from_cvxpy(self, problem: cp.Problem) -> Array:
        """The value of `variables` in a solved `to_cvxpy()` problem."""

    def packed(self, variables: Array) -> Array:
        """The variables as a path keeps them: those of a program that are mostly zeros in fewer
        numbers."""
        return variables

    def unpadded(self, variables: Array) -> Array:
        """What `packed` was given, from a row of a path: without the zero rows that fill up lists
        of different lengths there."""
        return variables
