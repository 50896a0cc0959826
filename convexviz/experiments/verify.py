"""What a stored result claims, recomputed from its weights and its inputs alone.

The tolerance is 1e-9, relative to the largest value of an array or to the objective: a sum over n
rows carries at most n eps of rounding, 6e-11 at the 262,144 pixels of a 512 x 512 image, and
another machine's BLAS adds in another order. Integers, checksums and keys must agree exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.core.solution import Scope, Status
from convexviz.errors import ConvexvizError, DataError, StoreError
from convexviz.experiments import path, relaxation
from convexviz.experiments.key import key, sha256_of
from convexviz.experiments.result import Arrays, Result
from convexviz.experiments.store import inspect
from convexviz.experiments.store_files import Sealed, check_seal

RELATIVE = 1e-9
_BOUND = "_bound"  # how scalars end that bound something beside the certificate
WEAK_DUALITY = 1e-10  # rounding alone may put a bound above its value by this part of the value


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a file says and that is not so."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


def verify(path: str | Path) -> list[Finding]:
    """Everything in the file that disagrees with what its weights and inputs give; none is good.

    Raises:
        StoreError: the file is missing, foreign, of another schema, or torn.
    """
    try:
        inspection = inspect(path)
    except StoreError as error:
        if Path(path).is_file() and check_seal(Path(path)) is Sealed.CHANGED:  # it was ours
            return [Finding("file", f"changed since it was stored; {error}")]
        raise
    findings = [Finding(*damage.split(": ", 1)) for damage in inspection.damage]
    findings += _identity(inspection.result)
    findings += weak_duality(inspection.result)
    if inspection.result.network is None:
        return findings
    return findings + recomputed(inspection.result)


def is_whole(result: Result) -> bool:
    """Whether a result holds the inputs that it was computed from: large ones, and images that are
    not ours to hand on, are not stored.
    """
    inputs = architectures.get(result.architecture).inputs
    return {field.name for field in inputs if field.required} <= set(result.data)


def _identity(result: Result) -> Iterator[Finding]:
    given = result.provenance["dataset"] == "given"
    digest = result.provenance["data_sha256"] if given else ""
    stored, expected = result.provenance["key"], key(result.architecture, result.spec, digest)
    if stored != expected:
        yield Finding("key", f"stored {stored}, the spec gives {expected}")
    if is_whole(result):
        found, stored = sha256_of(result.data), result.provenance["data_sha256"]
        if found != stored:
            yield Finding("data_sha256", f"stored {stored[:16]}…, the inputs give {found[:16]}…")


def weak_duality(result: Result) -> list[Finding]:
    """Every stored bound that lies above a value it bounds, and a gap that is not what is said."""
    primal, dual = result.certificate.primal, result.certificate.dual
    findings = []
    bounds = {"dual": dual}
    if result.certificate.scope in (Scope.RELU_NETWORK, Scope.SAMPLED_PROGRAM):
        # A gated network may lie below what bounds every ReLU network.
        proved = {k: v for k, v in result.scalars.items() if k.endswith(_BOUND)}
        bounds |= {k: v for k, v in proved.items() if not k.startswith("estimated")}
    values = {"primal": primal}
    if "network_objective" in result.scalars:
        values["network_objective"] = result.scalars["network_objective"]
    for bound, low in bounds.items():
        for value, high in values.items():
            if not low <= high + WEAK_DUALITY * abs(high):
                findings.append(Finding(bound, f"{low!r} is above {value} = {high!r}"))
    for record in result.trace:
        if not record.dual <= record.primal + WEAK_DUALITY * abs(record.primal):
            where = f"trace, iteration {record.iteration}"
            findings.append(Finding(where, f"bound {record.dual!r} above {record.primal!r}"))
    tolerance = float(result.spec.get("tolerance", math.inf))
    gap = result.certificate.relative_gap
    if result.status == Status.OPTIMAL and not gap <= tolerance * (1 + 1e-6):
        findings.append(Finding("status", f"optimal, with relative gap {gap:.1e} > {tolerance:g}"))
    return findings


def recomputed(result: Result) -> list[Finding]:
    """Where certificate, scalars or arrays differ from those that the stored weights give."""
    architecture = architectures.get(result.architecture)
    try:
        spec = architecture.spec.of(result.spec)
        data = result.data if is_whole(result) else _loaded(result)
        if isinstance(data, Finding):
            return [data]
        certificate, arrays, scalars = architecture.recompute(spec, data, result.arrays)
        whole = replace(result, data=data)
        along = {**path.recheck(whole), **relaxation.recheck(whole)}
    except (ConvexvizError, ValueError, TypeError, KeyError, IndexError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:200]
        return [Finding("arrays", f"nothing can be recomputed from them ({reason})")]
    findings: list[Finding] = []
    if certificate.scope != result.certificate.scope:
        why = f"stored {result.certificate.scope}, recomputed {certificate.scope}"
        findings.append(Finding("scope", why))
    scale = abs(result.certificate.primal)
    for name in ("primal", "dual"):
        stored, found = getattr(result.certificate, name), getattr(certificate, name)
        findings += _number(name, stored, found, scale)
    for name, value in scalars.items():
        if name in result.scalars:
            findings += _number(f"scalars/{name}", result.scalars[name], float(value), 0.0)
        elif not name.endswith(_BOUND):  # a bound that is not claimed is not missed
            findings.append(Finding(f"scalars/{name}", "missing"))
    for name in result.scalars:
        if name.endswith(_BOUND) and name not in scalars:
            findings.append(Finding(f"scalars/{name}", "nothing in the file proves it"))
    return findings + _arrays(result.arrays, {**arrays, **along})


def _loaded(result: Result) -> Arrays | Finding:
    """The inputs of a result that does not hold them, or why they are not to be had."""
    architecture = architectures.get(result.architecture)
    try:
        data: Arrays = architecture.load(architecture.spec.of(result.spec))
    except DataError as error:
        return Finding("data", f"not in the file, so nothing is recomputed: {error}")
    if sha256_of(data) != result.provenance["data_sha256"]:
        return Finding("data", "not in the file, and the data set is no longer the same")
    for name, array in result.data.items():
        if not np.array_equal(array, data[name]):
            return Finding(f"data/{name}", "is not that of the data set")
    return data


def _number(name: str, stored: float, found: float, scale: float) -> list[Finding]:
    if stored == found or (math.isnan(stored) and math.isnan(found)):
        return []
    if abs(stored - found) <= RELATIVE * max(abs(stored), scale, np.finfo(float).tiny):
        return []
    return [Finding(name, f"stored {stored!r}, recomputed {found!r}")]


def _arrays(stored: Arrays, found: Arrays) -> list[Finding]:
    findings = []
    for name, array in found.items():
        if name not in stored:
            findings.append(Finding(f"arrays/{name}", "missing"))
        elif why := _difference(stored[name], np.asarray(array)):
            findings.append(Finding(f"arrays/{name}", why))
    return findings


def _difference(stored: NDArray[Any], found: NDArray[Any]) -> str | None:
    if stored.shape != found.shape:
        return f"stored with shape {stored.shape}, recomputed {found.shape}"
    if stored.dtype.kind != "f" or found.dtype.kind != "f":
        differ = int(np.sum(stored != found))
        return f"{differ} of {stored.size} entries differ" if differ else None
    scale = float(np.max(np.abs(found[np.isfinite(found)]), initial=0.0))
    close = np.isclose(stored, found, rtol=0.0, atol=RELATIVE * scale, equal_nan=True)
    if close.all():
        return None
    largest = float(np.max(np.abs(stored - found), initial=0.0, where=~close))
    return f"{int(np.sum(~close))} of {stored.size} entries differ, by up to {largest:.1e}"
