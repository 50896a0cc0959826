"""Raise the lower bound of a trained ReLU network: branch and bound, then a proof that is kept.

The bound covers every ReLU network of any width. What is printed is what the independent verifier
makes of the stored proof; `verify` replays it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convexviz import architectures
from convexviz.architectures.proofs import named
from convexviz.core.neurons import NeuronProgram
from convexviz.core.solution import Certificate, Status
from convexviz.errors import SpecError
from convexviz.experiments.path import trained
from convexviz.experiments.provenance import now
from convexviz.experiments.result import Result
from convexviz.solvers.base import OnIteration, silent


def why_not(result: Result) -> str | None:
    """Why no proof can be sought for this result, or None where it can."""
    if result.spec.get("arrangements") != "adaptive":
        return "only networks trained with arrangements='adaptive' are open to proof"
    if result.arrays["second_layer"].shape[1] > 1 or "class_outputs" in result.arrays:
        return "only networks of one output that are no closed form are open to proof"
    if result.spec.get("blocks", 1) > 1:
        return "only networks of one block are open to proof"
    return None


def prove(
    result: Result,
    *,
    max_seconds: float = 30.0,
    index: int | None = None,
    report: OnIteration = silent,
) -> Result:
    """The result with the best bound found in `max_seconds` for one place of its path, or each.

    Raises:
        SpecError: the result is not one that a proof can be sought for.
    """
    if reason := why_not(result):
        raise SpecError(f"cannot prove this result: {reason}")
    from convexviz.solvers.branch_and_bound import BranchAndBound

    search = BranchAndBound(tolerance=float(result.spec["tolerance"]), max_seconds=max_seconds)
    arrays: dict[str, Any] = dict(result.arrays)
    own = result.certificate
    for place, program, variables in trained(result):
        if index is not None and place != index:
            continue
        assert isinstance(program, NeuronProgram)
        found = search.prove(program, variables, on_iteration=report)
        mine = program.weight_decay == result.spec["weight_decay"]
        if mine and found.certificate.dual > own.dual:
            own = Certificate(own.primal, min(found.certificate.dual, own.primal), own.scope)
            arrays |= named(found.proof)
        if "path_dual" in arrays and found.certificate.dual > arrays["path_dual"][place]:
            duals = np.array(arrays["path_dual"])
            duals[place] = min(found.certificate.dual, arrays["path_primal"][place])
            arrays |= {"path_dual": duals, **named(found.proof, f"path{place}_")}
    met = own.relative_gap <= float(result.spec["tolerance"])
    status = str(Status.OPTIMAL) if met else result.status
    arch = architectures.get(result.architecture)
    network = arch.revive(arch.spec.of(result.spec), arrays)
    return replace(
        result,
        certificate=own,
        status=status,
        arrays=arrays,
        provenance={**result.provenance, "created": now()},
        network=network,
    )
