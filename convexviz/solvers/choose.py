"""The solver that a program's structure asks for; pages and architectures never pick one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convexviz.core.program import AbstractConvexProgram
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.base import AbstractSolver

if TYPE_CHECKING:
    from convexviz.core.gated import GatedProgram
    from convexviz.core.loss_program import LossProgram
    from convexviz.core.nuclear import NuclearProgram
    from convexviz.core.vector import VectorProgram

MANY = 3e6
LARGE = 2e9  # rows, gates, inputs and outputs multiplied: seconds for a step


def choose(program: AbstractConvexProgram, tolerance: float, seed: int) -> AbstractSolver:
    """The fastest certified solver for `program`.

    Raises:
        IncompatibleSolver: no solver takes this kind of program.
    """
    # Imported here: the command line lists architectures without compiling their solvers.
    from convexviz.core.gated import GatedProgram
    from convexviz.core.loss_program import LossProgram
    from convexviz.core.neurons import NeuronProgram
    from convexviz.core.nuclear import NuclearProgram
    from convexviz.core.relu import ReluProgram
    from convexviz.core.vector import VectorProgram

    found: AbstractSolver | None
    if isinstance(program, GatedProgram):
        found = _gated(program, tolerance)
    elif isinstance(program, ReluProgram):
        from convexviz.solvers.constrained import ActiveSet

        found = ActiveSet(tolerance=tolerance)
    elif isinstance(program, NeuronProgram):
        from convexviz.solvers.adaptive import Adaptive

        found = Adaptive(tolerance=tolerance, rng=np.random.default_rng([seed, 3]))
    elif isinstance(program, LossProgram):
        found = _with_loss(program, tolerance)
    elif isinstance(program, VectorProgram):
        found = _vector(program, tolerance, seed)
    elif isinstance(program, NuclearProgram):
        found = _nuclear(program, tolerance)
    else:
        found = _normalised(program, tolerance)
    if found is None:
        raise IncompatibleSolver(f"no solver takes a {type(program).__name__}")
    return found


def _gated(program: GatedProgram, tolerance: float) -> AbstractSolver:
    from convexviz.solvers.gated_path import GatedPath
    from convexviz.solvers.gated_wide import GatedWide

    # The Gram has (P d)^2 entries, the kernel of the rows n^2.
    wide = GatedWide(tolerance=tolerance)
    more_features_than_rows = len(program.X) < len(program.arrangements) * program.X.shape[1]
    if more_features_than_rows and wide.why_not(program) is None:
        return wide
    if not program.gram_fits:
        from convexviz.solvers.first_order import FirstOrder

        return FirstOrder(tolerance=tolerance)
    return GatedPath(tolerance=tolerance)


def _with_loss(program: LossProgram, tolerance: float) -> AbstractSolver | None:
    from convexviz.core.losses import Hinge

    if isinstance(program.loss, Hinge):
        from convexviz.solvers.hinge_conic import HingeConic

        return HingeConic(tolerance=tolerance)
    from convexviz.solvers.loss_newton import LossNewton

    newton = LossNewton(tolerance=tolerance)
    return newton if newton.why_not(program) is None else None


def _vector(program: VectorProgram, tolerance: float, seed: int) -> AbstractSolver | None:
    from convexviz.core.cone_norm import ChosenCones
    from convexviz.core.free_norm import FreeNorm
    from convexviz.core.spike_free import SpikeFree

    found: AbstractSolver
    if isinstance(program.norm, ChosenCones) and not program.norm.exact:
        from convexviz.solvers.cone_columns import ConeColumns

        found = ConeColumns(tolerance=tolerance)
    elif isinstance(program.norm, FreeNorm):
        from convexviz.solvers.free_neurons import FreeNeurons

        found = FreeNeurons(tolerance=tolerance, seed=seed)
    elif isinstance(program.norm, SpikeFree):
        from convexviz.solvers.soft_threshold import SoftThreshold

        found = SoftThreshold(tolerance)
    else:
        from convexviz.solvers.dual_newton import DualNewton

        found = DualNewton(tolerance=tolerance)
    return found if found.why_not(program) is None else None


def _nuclear(program: NuclearProgram, tolerance: float) -> AbstractSolver | None:
    from convexviz.solvers.nuclear_descent import NuclearDescent
    from convexviz.solvers.nuclear_sweeps import NuclearSweeps

    P, d, k = program.shape
    work = len(program.X) * P * d * k
    found: AbstractSolver = NuclearDescent(tolerance)  # from a Gram, where there are few features
    wide = NuclearSweeps(tolerance=tolerance)
    many = work > LARGE or (work > MANY and len(program.X) <= P * d)
    if many and wide.why_not(program) is None:
        found = wide
    return found if found.why_not(program) is None else None


def _normalised(program: AbstractConvexProgram, tolerance: float) -> AbstractSolver | None:
    """The solvers of batch norm's own programs: the closed forms, and after the ReLU."""
    from convexviz.core.normalised import NormalisedProgram
    from convexviz.core.normalised_neurons import NormalisedNeurons
    from convexviz.core.orthonormal import OrthonormalProgram

    if isinstance(program, OrthonormalProgram):
        from convexviz.solvers.orthonormal import ClosedForm

        return ClosedForm(tolerance=tolerance)
    if isinstance(program, NormalisedNeurons):
        from convexviz.solvers.normalised_columns import NormalisedColumns

        return NormalisedColumns(tolerance=tolerance)
    if isinstance(program, NormalisedProgram):
        from convexviz.solvers.block_descent import BlockDescent

        return BlockDescent(tolerance=tolerance)
    return None
