"""The closed forms: an orthonormal program decouples into one number a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.orthonormal import OrthonormalProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution, Status
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedForm(AbstractSolver):
    """Two neurons for a scalar output, one a class for one-hot targets; no iteration.

    Squared loss: `h_j = (1 - beta/|y_j|)_+ y_j` (Ergen et al., ICLR 2022, Theorems 2.4 and 3.3).
    The other losses give every row of a class the same activation, a root of one equation.
    """

    tolerance: float = 1e-6

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, OrthonormalProgram):
            return f"it needs an OrthonormalProgram, not {type(program).__name__}"
        return None

    def path(
        self,
        program: OrthonormalProgram,
        weight_decays: Sequence[float] | Float[np.ndarray, " k"],
        *,
        on_iteration: OnIteration = silent,
    ) -> list[Solution]:
        """A solution for each weight decay, in the order given."""
        solutions: list[Solution] = []
        for weight_decay in weight_decays:
            here = program.with_weight_decay(float(weight_decay))
            solutions.append(self._solve(here, on_iteration))
            if solutions[-1].status is Status.CANCELLED:
                break
        return solutions

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, OrthonormalProgram)
        monitor = Monitor(self.tolerance, on_iteration)
        variables = _activations(program) @ program.U
        certificate = program.certify(variables)
        met = monitor.record(certificate)
        status = Status.OPTIMAL if met else Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        return Solution(variables, certificate, status, "ClosedForm", tuple(monitor.trace))


def _activations(program: OrthonormalProgram) -> Float[np.ndarray, "m n"]:
    Y, T, beta = program.Y, program.T, program.weight_decay
    toward = np.maximum(T @ Y.T, 0.0)
    if program.loss.name == "squared":
        norms = np.linalg.norm(toward, axis=1, keepdims=True)
        return toward * np.maximum(1.0 - beta / norms, 0.0)
    mine = toward > 0
    roots = np.sqrt(mine.sum(axis=1))
    heights = np.array([_height(program.loss.name, r, beta, Y.shape[1]) for r in roots])
    return mine * heights[:, None]


def _height(loss: str, root: float, beta: float, c: int) -> float:
    """The common activation of a class of `root**2` rows."""
    if loss == "hinge":
        return 1.0 if beta < root else 0.0
    if loss == "logistic":
        return float(np.log(root / beta - 1.0)) if 2 * beta < root else 0.0
    steep = np.sqrt(c / (c - 1.0))
    left = beta / (steep * root)  # the probability that is left to the other classes
    if left >= (c - 1.0) / c:
        return 0.0
    return float(-np.log(left / ((1.0 - left) * (c - 1.0))) / steep)
