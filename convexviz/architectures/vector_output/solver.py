"""The solver that a method names."""

from __future__ import annotations

from convexviz.architectures.vector_output.spec import Spec
from convexviz.core.program import AbstractConvexProgram
from convexviz.solvers.base import AbstractSolver


def solver(spec: Spec, program: AbstractConvexProgram) -> AbstractSolver:
    """The solver for `spec.method`."""
    if spec.method == "closed_form":
        from convexviz.solvers.soft_threshold import SoftThreshold

        return SoftThreshold(spec.tolerance)
    if spec.method == "frank_wolfe":
        from convexviz.solvers.frank_wolfe import FrankWolfe

        return FrankWolfe(spec.tolerance, spec.steps, spec.path_norm, spec.line_search)
    if spec.method == "gated":
        from convexviz.solvers.choose import choose

        return choose(program, spec.tolerance, spec.seed)
    if spec.method == "copositive":
        from convexviz.solvers.copositive import Copositive

        return Copositive(spec.tolerance)
    from convexviz.core.cone_norm import ChosenCones
    from convexviz.core.free_norm import FreeNorm
    from convexviz.core.vector import VectorProgram

    assert isinstance(program, VectorProgram)
    if isinstance(program.norm, ChosenCones) and not program.norm.exact:
        from convexviz.solvers.cone_columns import ConeColumns

        return ConeColumns(spec.tolerance, spec.prune)
    if isinstance(program.norm, FreeNorm):
        from convexviz.solvers.free_neurons import FreeNeurons

        return FreeNeurons(tolerance=spec.tolerance, seed=spec.seed)
    from convexviz.solvers.dual_newton import DualNewton

    return DualNewton(spec.tolerance, prune=spec.prune)
