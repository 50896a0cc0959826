"""A sweep before it runs: its cells, what each would be called, and which belong together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.errors import SpecError
from convexviz.experiments.key import key, sha256_of
from convexviz.experiments.run import request
from convexviz.experiments.sweep_axes import Design, axes_of, combinations

Arrays = Mapping[str, NDArray[Any]]


class CellSpec(Mapping[str, Any]):
    """Every field of one cell's spec; a mapping that can itself be a key. Fields are attributes."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __hash__(self) -> int:
        return hash(tuple(self._fields.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._fields == dict(other)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(f"a cell has no field {name!r}") from None

    def __repr__(self) -> str:
        return f"CellSpec({self._fields!r})"

    def __reduce__(self) -> Any:
        return CellSpec, (self._fields,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a sweep computes.

    Attributes:
        axes: the fields that vary, in order.
        cells: every field of each cell.
        keys: what each cell's result will be called.
        refused: cells whose fields do not fit together, with the reason.
        arrays: the caller's inputs, validated; None where the specs name their data.
    """

    architecture: str
    axes: tuple[str, ...]
    cells: tuple[CellSpec, ...]
    keys: tuple[str, ...]
    refused: Mapping[int, str]
    arrays: Arrays | None
    device: str = "cpu"

    @property
    def name(self) -> str:
        """Twelve hex digits: the same cells on the same data are the same sweep."""
        text = json.dumps([self.architecture, self.keys])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        """The plan that `document` wrote.

        Raises:
            SpecError: it was of arrays that the caller gave, which no document holds.
        """
        if document.get("given"):
            raise SpecError("this sweep is of given arrays; run it again where they are")
        return cls(
            architecture=document["architecture"],
            axes=tuple(document["axes"]),
            cells=tuple(CellSpec(cell) for cell in document["cells"]),
            keys=tuple(document["keys"]),
            refused={int(place): why for place, why in document["refused"].items()},
            arrays=None,
            device=document.get("device", "cpu"),
        )

    def document(self) -> dict[str, Any]:
        """As plain values; the arrays are named by their checksum, within the keys."""
        return {
            "architecture": self.architecture,
            "axes": list(self.axes),
            "cells": [dict(cell) for cell in self.cells],
            "keys": list(self.keys),
            "refused": {str(cell): why for cell, why in self.refused.items()},
            "given": self.arrays is not None,
            "device": self.device,
        }


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker does at once: cells that differ in nothing but weight decay.

    Attributes:
        cells: largest weight decay first. Those that are stored already are solved again where
            one after them is not, since each starts from the one before: the same bits whether
            or not the sweep was interrupted.
        wanted: the cells whose results are not stored yet.
    """

    cells: tuple[int, ...]
    wanted: frozenset[int]


def plan(  # noqa: PLR0913 - the parts of the public call
    architecture: str,
    axes: Mapping[str, Any],
    data: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
    *,
    design: Design = "grid",
    cells: int | None = None,
    design_seed: int = 0,
    device: str = "cpu",
) -> Plan:
    """The plan, after every check that can refuse it.

    Raises:
        SpecError: an unknown field or design, a refused value, or no cell that can be computed.
        DataError: the arrays are refused.
    """
    arch = architectures.get(architecture)
    found = axes_of(arch, axes)
    for name in axes:
        if name in fields:
            raise SpecError(f"{name} is an axis and has a fixed value; leave one out")
    whole = arch.spec.of({}).as_dict()
    named = {**fields, **({} if data is None else {"dataset": "given"})}
    listed: dict[CellSpec, str] = {}
    for combination in combinations(found, design, cells, design_seed):
        try:
            listed.setdefault(CellSpec(arch.spec.of({**named, **combination}).as_dict()), "")
        except SpecError as error:
            listed.setdefault(CellSpec({**whole, **named, **combination}), str(error))
    specs, reasons = list(listed), list(listed.values())
    possible = [spec for spec, why in listed.items() if not why]
    if not possible:
        raise SpecError(f"no cell of this sweep can be computed: {reasons[0]}")
    asked, digest = request(architecture, data, dict(possible[0]), device), ""
    if data is not None:
        digest = sha256_of(asked.arrays)
    return Plan(
        architecture=arch.name,
        axes=tuple(axis.field.name for axis in found),
        cells=tuple(specs),
        keys=tuple(key(arch.name, dict(spec), digest) for spec in specs),
        refused={place: why for place, why in enumerate(reasons) if why},
        arrays=None if data is None else asked.arrays,
        device=device,
    )


def tasks(plan: Plan, stored: Iterable[int], left_out: Iterable[int] = ()) -> list[Task]:
    """What is to be done, the longest paths first; cells `left_out` are not tried."""
    done, never = set(stored), {*plan.refused, *left_out}
    groups: dict[Any, list[int]] = {}
    deep = architectures.get(plan.architecture)
    for place, cell in enumerate(plan.cells):
        if place in never:
            continue
        rest = tuple(value for name, value in cell.items() if name != "weight_decay")
        alone = deep.depth(deep.spec.of(dict(cell))) > 1
        groups.setdefault((place,) if alone else rest, []).append(place)
    found = []
    for members in groups.values():
        decays = np.array([float(plan.cells[place]["weight_decay"]) for place in members])
        ordered = [members[i] for i in np.argsort(-decays, kind="stable")]
        wanted = frozenset(members) - done
        if wanted:
            last = max(place for place, cell in enumerate(ordered) if cell in wanted)
            found.append(Task(tuple(ordered[: last + 1]), wanted))
    return sorted(found, key=lambda task: -len(task.cells))


def alone(task: Task) -> list[Task]:
    """The wanted cells one by one, where their solver follows no path."""
    return [Task((cell,), frozenset([cell])) for cell in task.cells if cell in task.wanted]
