"""What a stored result claims, recomputed from its weights and its inputs alone.

The tolerance is 1e-9, relative to the largest value of an array or to the objective: a sum over n
rows carries at most n eps of rounding, 6e-11 at the 262,144 pixels of a 512 x 512 image, and
another machine's BLAS adds in another order. Integers, checksums and keys must agree exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.core.solution import Certificate, Scope, Status
from convexviz.errors import ConvexvizError, DataError, StoreError
from convexviz.experiments import path, relaxation
from convexviz.experiments.key import key, sha256_of
from convexviz.experiments.result import Arrays, Result
from convexviz.experiments.store import inspect
from convexviz.experiments.store_files import Sealed, as_path, check_seal

RELATIVE = 1e-9
_ESTIMATED = "estimated"  # how scalars begin that prove nothing
_BOUND = "_bound"  # how scalars end that bound something beside the certificate
_PLACES = ("path_primal", "path_dual", "path_copositive")  # arrays, a value or bound a place
_SMOOTH = ("group_norms",)  # arrays that weights a little away give a little away
_WEIGHTS = ("first_layer", "second_layer", "gamma", "alpha", "bound_point", "path_variables")
_EPS = float(np.finfo(float).eps)
_SHAKES, _LAST_PLACES, _MARGIN = 3, 4.0, 8.0  # see `_rounding`
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
        StoreError: the file is missing, foreign, of another schema, or torn; or `path` is none.
    """
    path = as_path(path)
    try:
        inspection = inspect(path)
    except StoreError as error:
        if path.is_file() and check_seal(path) is Sealed.CHANGED:  # it was ours
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
        bounds |= {k: v for k, v in proved.items() if not k.startswith(_ESTIMATED)}
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
    found = _Afresh(certificate, scalars, {**arrays, **along})
    findings = _compared(result, found, None)
    if not findings:
        return findings
    return _compared(result, found, _rounding(architecture, spec, whole, found))


@dataclass(frozen=True, slots=True)
class _Afresh:
    """What weights and data give."""

    certificate: Certificate
    scalars: Mapping[str, float]
    arrays: Arrays


def _compared(result: Result, found: _Afresh, rounding: _Afresh | None) -> list[Finding]:
    """Where the result says otherwise, beyond the tolerance and the `rounding`."""
    findings: list[Finding] = []
    certificate, scalars = found.certificate, found.scalars
    if certificate.scope != result.certificate.scope:
        why = f"stored {result.certificate.scope}, recomputed {certificate.scope}"
        findings.append(Finding("scope", why))
    scale = abs(result.certificate.primal)
    for name in ("primal", "dual"):
        stored, afresh = getattr(result.certificate, name), getattr(certificate, name)
        slack = 0.0 if rounding is None else getattr(rounding.certificate, name)
        findings += _number(name, stored, afresh, RELATIVE * scale + slack)
    for name, value in scalars.items():
        slack = 0.0 if rounding is None else rounding.scalars.get(name, 0.0)
        if name.endswith(_BOUND):
            slack = max(slack, RELATIVE * scale)  # a bound may be next to nothing of its value
        if name in result.scalars:
            findings += _number(f"scalars/{name}", result.scalars[name], float(value), slack)
        elif not (name.endswith(_BOUND) or name.startswith(_ESTIMATED)):  # not claimed, not missed
            findings.append(Finding(f"scalars/{name}", "missing"))
    for name in result.scalars:
        if name.endswith(_BOUND) and name not in scalars:
            findings.append(Finding(f"scalars/{name}", "nothing in the file proves it"))
    return findings + _arrays(result.arrays, found.arrays, rounding)


def _rounding(architecture: Any, spec: Any, whole: Result, found: _Afresh) -> _Afresh:
    """How far each number may move for rounding alone: what weights a few units in their last
    place away give.

    Next to nothing on ordinary data. Where a fit is all but perfect its residual is what rounding
    leaves, and so is every bound that is made of it: another order of the same sums is enough.
    """
    primal = dual = 0.0
    scalars: dict[str, float] = {}
    arrays: dict[str, Any] = {}
    for seed in range(_SHAKES):
        rng = np.random.default_rng(seed)
        moved = {
            name: _shaken(array, rng) if name.endswith(_WEIGHTS) else array
            for name, array in whole.arrays.items()
        }
        try:
            certificate, pictures, numbers = architecture.recompute(spec, whole.data, moved)
            shaken = replace(whole, arrays=moved)
            along = {**path.recheck(shaken), **relaxation.recheck(shaken)}
        except (ConvexvizError, ValueError, ArithmeticError):
            continue  # these are no weights: nothing is put down to rounding
        primal = max(primal, _apart(certificate.primal, found.certificate.primal))
        dual = max(dual, _apart(certificate.dual, found.certificate.dual))
        for name, value in numbers.items():
            apart = _apart(value, found.scalars.get(name, value))
            scalars[name] = max(scalars.get(name, 0.0), apart)
        along |= {name: pictures[name] for name in _SMOOTH if name in pictures}
        for name, array in along.items():  # pictures may jump: a pixel on the edge of a neuron
            apart = _apart(array, found.arrays.get(name, array))
            arrays[name] = max(arrays.get(name, 0.0), apart)
    return _Afresh(Certificate(primal, dual, found.certificate.scope), scalars, arrays)


def _shaken(weights: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """The weights a few units in their last place away; signs and indices as they are."""
    moved = weights * (1.0 + _LAST_PLACES * _EPS * rng.standard_normal(weights.shape))
    whole = (weights == np.rint(weights)) & (np.abs(weights) < 1 / _EPS)
    return np.where(whole, weights, moved)


def _apart(one: Any, other: Any) -> float:
    """How far two numbers or arrays of one shape are apart, with a margin; 0 where one is none."""
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape or a.dtype.kind != "f" or b.dtype.kind != "f":
        return 0.0
    both = np.isfinite(a) & np.isfinite(b)
    apart = np.abs(np.where(both, a, 0.0) - np.where(both, b, 0.0))
    return _MARGIN * float(np.max(apart, initial=0.0))


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


def _number(name: str, stored: float, found: float, slack: float) -> list[Finding]:
    if stored == found or (math.isnan(stored) and math.isnan(found)):
        return []
    if abs(stored - found) <= max(RELATIVE * abs(stored), slack, np.finfo(float).tiny):
        return []
    return [Finding(name, f"stored {stored!r}, recomputed {found!r}")]


def _arrays(stored: Arrays, found: Arrays, rounding: _Afresh | None) -> list[Finding]:
    findings = []
    for name, array in found.items():
        slack: Any = 0.0 if rounding is None else float(rounding.arrays.get(name, 0.0))
        if name in _PLACES:  # each place on the scale of its own value
            values = np.abs(found["path_primal"])  # infinite, where variables are no point
            slack = slack + RELATIVE * np.where(np.isfinite(values), values, 0.0)
        if name not in stored:
            findings.append(Finding(f"arrays/{name}", "missing"))
        elif why := _difference(stored[name], np.asarray(array), slack, name not in _PLACES):
            findings.append(Finding(f"arrays/{name}", why))
    return findings


def _difference(
    stored: NDArray[Any], found: NDArray[Any], slack: Any, of_largest: bool
) -> str | None:
    """Where they differ by more than the `slack`, and with `of_largest` the share of that."""
    if stored.shape != found.shape:
        return f"stored with shape {stored.shape}, recomputed {found.shape}"
    if stored.dtype.kind != "f" or found.dtype.kind != "f":
        differ = int(np.sum(stored != found))
        return f"{differ} of {stored.size} entries differ" if differ else None
    scale = float(np.max(np.abs(found[np.isfinite(found)]), initial=0.0)) if of_largest else 0.0
    close = np.isclose(stored, found, rtol=0.0, atol=RELATIVE * scale + slack, equal_nan=True)
    if close.all():
        return None
    largest = float(np.max(np.abs(stored - found), initial=0.0, where=~close))
    return f"{int(np.sum(~close))} of {stored.size} entries differ, by up to {largest:.1e}"
