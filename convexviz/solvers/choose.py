"""The solver that a program's structure asks for; pages and architectures never pick one."""

from __future__ import annotations

import numpy as np

from convexviz.core.program import AbstractConvexProgram
from convexviz.errors import IncompatibleSolver
from convexviz.solvers.base import AbstractSolver


def choose(program: AbstractConvexProgram, tolerance: float, seed: int) -> AbstractSolver:
    """The fastest certified solver for `program`.

    Raises:
        IncompatibleSolver: no solver takes this kind of program.
    """
    # Imported here: the command line lists architectures without compiling their solvers.
    from convexviz.core.gated import GatedProgram
    from convexviz.core.loss_program import LossProgram
    from convexviz.core.losses import Hinge
    from convexviz.core.neurons import NeuronProgram
    from convexviz.core.normalised import NormalisedProgram
    from convexviz.core.orthonormal import OrthonormalProgram
    from convexviz.core.relu import ReluProgram

    if isinstance(program, OrthonormalProgram):
        from convexviz.solvers.orthonormal import ClosedForm

        return ClosedForm(tolerance=tolerance)
    if isinstance(program, NormalisedProgram):
        from convexviz.solvers.block_descent import BlockDescent

        return BlockDescent(tolerance=tolerance)
    if isinstance(program, GatedProgram):
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
    if isinstance(program, ReluProgram):
        from convexviz.solvers.constrained import ActiveSet

        return ActiveSet(tolerance=tolerance)
    if isinstance(program, NeuronProgram):
        from convexviz.solvers.adaptive import Adaptive

        return Adaptive(tolerance=tolerance, rng=np.random.default_rng([seed, 3]))
    if isinstance(program, LossProgram):
        if isinstance(program.loss, Hinge):
            from convexviz.solvers.hinge_conic import HingeConic

            return HingeConic(tolerance=tolerance)
        from convexviz.solvers.loss_newton import LossNewton

        newton = LossNewton(tolerance=tolerance)
        if newton.why_not(program) is None:
            return newton
    raise IncompatibleSolver(f"no solver takes a {type(program).__name__}")
