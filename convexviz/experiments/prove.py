"""Raise the lower bound of a trained ReLU network: branch and bound, then a proof that is kept.

The bound covers every ReLU network of any width. What is printed is what the independent verifier
makes of the stored proof; `verify` replays it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convexviz import architectures
from convexviz.architectures.proofs import RELAXED, at_place, named
from convexviz.core.neuron_bound import MOST_ROWS
from convexviz.core.neurons import NeuronProgram, join
from convexviz.core.solution import Certificate, Status
from convexviz.core.vector import VectorProgram
from convexviz.errors import DataError, SpecError
from convexviz.experiments.path import trained
from convexviz.experiments.provenance import now
from convexviz.experiments.result import Result
from convexviz.solvers.base import OnIteration, silent


def why_not(result: Result) -> str | None:
    """Why no proof can be sought for this result, or None where it can."""
    if result.spec.get("arrangements") != "adaptive":
        return "only networks trained with arrangements='adaptive' are open to proof"
    if "class_outputs" in result.arrays:
        return "a closed form is its own proof"
    if "gates" in result.arrays:
        return "every pattern was looked at: its certificate is exact"
    if result.spec.get("blocks", 1) > 1:
        return "only networks of one block are open to proof"
    if result.arrays["second_layer"].shape[1] > 1 and _rows(result) > MOST_ROWS:
        return f"several outputs are open to proof up to {MOST_ROWS} rows, got {_rows(result):,}"
    return None


def _rows(result: Result) -> int:
    """How many rows a neuron sees: pixels, samples, or the patches of all samples; 0 where the
    inputs are not kept.
    """
    data = result.data
    if "X" in data:
        return int(data["X"].size // data["X"].shape[-1])
    return int(data["noisy"].size) if "noisy" in data else 0


def prove(
    result: Result,
    *,
    max_seconds: float = 30.0,
    index: int | None = None,
    report: OnIteration = silent,
) -> Result:
    """The result with the best bound found in `max_seconds` for one place of its path, or each;
    for its own weight decay where it has no path.

    Raises:
        SpecError: the result is not one that a proof can be sought for.
    """
    if reason := why_not(result):
        raise SpecError(f"cannot prove this result: {reason}")
    from convexviz.solvers.branch_and_bound import BranchAndBound

    search = BranchAndBound(tolerance=float(result.spec["tolerance"]), max_seconds=max_seconds)
    arrays: dict[str, Any] = dict(result.arrays)
    own = result.certificate
    for place, program, variables in trained(result) if "path_dual" in arrays else _own(result):
        mine = program.weight_decay == result.spec["weight_decay"]
        if isinstance(program, VectorProgram):
            if place != index and not (index is None and mine):
                continue  # half a minute each
            dual, proof = _relaxed(program, variables)
        elif index is None or place == index:
            assert isinstance(program, NeuronProgram)
            kept = arrays if mine else at_place(arrays, place)
            dual, proof = _searched(search, (program, variables, _known(program, kept)), report)
        else:
            continue
        if mine and dual > own.dual:
            own = Certificate(own.primal, min(dual, own.primal), own.scope)
            arrays |= proof("")
        if "path_dual" in arrays and dual > arrays["path_dual"][place]:
            duals = np.array(arrays["path_dual"])
            duals[place] = min(dual, arrays["path_primal"][place])
            arrays |= {"path_dual": duals, **proof(f"path{place}_")}
    met = own.relative_gap <= float(result.spec["tolerance"])
    stopped = result.status == Status.CANCELLED and "path_dual" in arrays  # others are missing
    status = str(Status.OPTIMAL) if met and not stopped else result.status
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


def _own(result: Result) -> Iterator[tuple[int, Any, np.ndarray]]:
    """The one place of a result without a path, as `trained` gives them."""
    arch, arrays = architectures.get(result.architecture), result.arrays
    spec: Any = arch.spec.of(result.spec)
    data = result.data or arch.load(spec)
    program: Any = arch.build(spec, data, ())
    U, V = arrays["first_layer"].T, arrays["second_layer"]
    if arch.restarted is not None:
        variables = arch.restarted(spec, data, arrays, program)
    elif isinstance(program, VectorProgram):
        variables = np.concatenate([U, V], axis=1)
    else:
        variables = join(np.abs(V) * U, np.where(V[:, 0] < 0, -1.0, 1.0))
    yield 0, program, variables


if TYPE_CHECKING:
    from convexviz.core.proof import Proof

Named = Callable[[str], dict[str, Any]]  # a prefix -> the proof's arrays under their names


def _known(program: NeuronProgram, kept: Mapping[str, Any]) -> Proof | None:
    """The proof that is kept already, to go on from; None where there is none that holds."""
    from convexviz.core.proof import has_proof, proof_from, verified_lower_bound

    if not has_proof(kept):
        return None
    try:
        known = proof_from(kept)
        verified_lower_bound(known, program.X[:1], program.y[:1], program.weight_decay)
    except DataError:
        return None
    return known


def _searched(
    search: Any, asked: tuple[NeuronProgram, Any, Proof | None], report: OnIteration
) -> tuple[float, Named]:
    program, variables, known = asked
    found = search.prove(program, variables, known=known, on_iteration=report)
    return found.certificate.dual, lambda prefix: named(found.proof, prefix)


def _relaxed(program: VectorProgram, variables: Any) -> tuple[float, Named]:
    from convexviz.solvers.neuron_relaxation import tightened

    certificate, found = tightened(program, variables)
    return certificate.dual, lambda prefix: found.arrays(f"{prefix}{RELAXED}")
