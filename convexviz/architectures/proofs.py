"""Proofs kept among a result's arrays, and what they add to a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from convexviz.architectures.base import Arrays
from convexviz.core.solution import Certificate, Solution
from convexviz.errors import DataError

if TYPE_CHECKING:
    from convexviz.core.proof import Proof

RELAXED = "relaxed_"  # what the names of a relaxation's multipliers begin with
BOUNDING = "bound_point"  # variables whose residual gives a better bound than the network's own


def witness(solution: Solution, prefix: str = "") -> dict[str, Any]:
    """The program's variables that gave the bound, where those of the network do not."""
    kept = solution.witness
    return {} if kept is None or kept.ndim < 2 else {f"{prefix}{BOUNDING}": kept}


def of_cones(solution: Solution, prefix: str = "") -> dict[str, Any]:
    """The residual and the multipliers that prove a bound over sampled cones, where there are."""
    names = ("cone_residual", "cone_multipliers")
    return {f"{prefix}{name}": solution.records[name] for name in names if name in solution.records}


def at_place(arrays: Arrays, place: int) -> dict[str, Any]:
    """What is kept to prove one place of a path, under the names that a single result has."""
    prefix = f"path{place}_"
    return {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}


def named(proof: Proof, prefix: str = "") -> dict[str, Any]:
    """The proof's arrays under their names in a result, `<prefix>proof_...`."""
    from convexviz.core.proof import proof_arrays

    return {f"{prefix}{name}": array for name, array in proof_arrays(proof).items()}


def replayed_cones(
    program: Any, variables: NDArray[Any], arrays: Arrays, prefix: str = ""
) -> Certificate | None:
    """The certificate that kept multipliers of sampled cones give; None where there are none."""
    if f"{prefix}cone_multipliers" not in arrays:
        return None
    from convexviz.solvers.cone_columns import proved_bound

    primal = program.objective(variables)
    R, table = arrays[f"{prefix}cone_residual"], arrays[f"{prefix}cone_multipliers"]
    dual = proved_bound(program, R, table)[1]
    return Certificate(primal, min(dual, primal), program.norm.scope)


def strengthened(
    certificate: Certificate,
    program: Any,
    arrays: Arrays,
    prefix: str = "",
    variables: NDArray[Any] | None = None,
) -> Certificate:
    """The certificate with the bound of a kept point, and of a kept proof when it is replayed.

    Only recomputed numbers count, so a changed proof gives a worse bound or an error.

    Raises:
        DataError: what is kept is no proof.
        ValueError: the kept point does not fit the data.
    """
    from convexviz.core.neuron_bound import Multipliers
    from convexviz.core.proof import proof_from, verified_lower_bound

    if f"{prefix}{BOUNDING}" in arrays:
        other = program.certify(arrays[f"{prefix}{BOUNDING}"]).dual
        dual = min(max(certificate.dual, other), certificate.primal)
        certificate = Certificate(certificate.primal, dual, certificate.scope)
    relaxed = Multipliers.of(arrays, f"{prefix}{RELAXED}")
    if relaxed is not None and variables is not None:
        R = relaxed.R
        if R is None:
            R = program.loss.minus_gradient(program.fit(variables), program.Y)
        if R.shape != program.Y.shape:
            raise DataError(f"the residual of a proof must be {program.Y.shape}, got {R.shape}")
        largest = relaxed.bound(program.X, program.readout.adjoint(R))
        dual = min(max(certificate.dual, program.bound(R, largest)), certificate.primal)
        return Certificate(certificate.primal, dual, certificate.scope)
    mine = {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(f"{prefix}proof_")}
    if not mine:
        return certificate
    proved = verified_lower_bound(proof_from(mine), program.X, program.y, program.weight_decay)
    dual = min(max(certificate.dual, proved), certificate.primal)
    return Certificate(certificate.primal, dual, certificate.scope)
