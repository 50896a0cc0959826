"""The copositive bound beside every weight decay of an exact path, with the multipliers that prove
it.

Arrays of it: `path_copositive` (B,), and for each place i `path<i>_relaxation_proof`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convexviz.architectures.vector_output.outputs import RELAXATION, relaxed_beside
from convexviz.architectures.vector_output.spec import Spec
from convexviz.experiments.path import trained
from convexviz.experiments.result import Result
from convexviz.solvers.copositive import bound_beside

ALONG = "path_copositive"
NAME = "vector_output"


def beside(result: Result) -> Result:
    """The result with the copositive bound all along its path; itself where the relaxation has
    the optimum anyway, or takes no cones."""
    if result.architecture != NAME or "path_weight_decay" not in result.arrays:
        return result
    spec = Spec.of(result.spec)
    found: list[float] = []
    kept: dict[str, Any] = {}
    scalars = dict(result.scalars)
    for place, program, variables in trained(result):
        proof = relaxed_beside(spec, program, variables)
        if not proof:
            return result
        kept[f"path{place}_{RELAXATION}"] = proof[RELAXATION]
        found.append(bound_beside(program, variables, proof[RELAXATION]))
        if program.weight_decay == spec.weight_decay:
            kept |= proof
            scalars["copositive_bound"] = found[-1]
    arrays = {**result.arrays, **kept, ALONG: np.array(found)}
    return replace(result, arrays=arrays, scalars=scalars)


def recheck(result: Result) -> dict[str, np.ndarray]:
    """`path_copositive` from the multipliers that are kept; nothing where it is not stored."""
    if ALONG not in result.arrays:
        return {}
    proofs = {place: result.arrays[f"path{place}_{RELAXATION}"] for place in _places(result)}
    return {
        ALONG: np.array(
            [
                bound_beside(program, variables, proofs[place])
                for place, program, variables in trained(result)
            ]
        )
    }


def _places(result: Result) -> range:
    return range(len(result.arrays["path_weight_decay"]))
